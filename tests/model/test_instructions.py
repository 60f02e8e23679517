"""Pickles of plain values: the same value as Python's unpickler makes, and nothing but values."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speid_cli.model.instructions import ForbiddenError, Machine

SIMPLE = st.none() | st.booleans() | st.integers(-(2**900), 2**900) | st.floats(allow_nan=False) | st.text()
KEYS = st.text() | st.integers(-(2**59), 2**59)
PLAIN = st.recursive(
    SIMPLE, lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(KEYS, inner), max_leaves=20
)


def run(content: bytes, names: dict[str, Any] | None = None) -> Any:
    return Machine(names or {"collections OrderedDict": dict}, lambda identity: ("stored", identity)).run(content)


@given(PLAIN)
def test_values_are_those_of_the_unpickler(value: Any) -> None:
    assert run(pickle.dumps(value, 2)) == value


def test_what_stands_twice_is_one_object() -> None:
    inner = ["x"]
    left, right = run(pickle.dumps([inner, inner], 2))
    assert left is right
    itself: list[Any] = []
    itself.append(itself)
    again = run(pickle.dumps(itself, 2))
    assert again[0] is again


def test_an_ordered_dictionary_is_a_dictionary_without_attributes() -> None:
    ordered = OrderedDict(a=1, b=2)
    ordered.colour = "red"  # type: ignore[attr-defined]
    assert run(pickle.dumps(ordered, 2)) == {"a": 1, "b": 2}


def test_stored_values_are_asked_for() -> None:
    assert run(b"\x80\x02K\x07Q.") == ("stored", 7)


class Called:
    """Asks the unpickler to call a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Called(os.system, "touch exploded"), 2), "'posix system'"),
        (pickle.dumps([{"a": [Called(os.system, "touch exploded")]}], 2), "'posix system'"),
        (pickle.dumps(Called(eval, "1"), 2), "'__builtin__ eval'"),
        (pickle.dumps(Called(bytearray, 10**12), 2), "'__builtin__ bytearray'"),
        (pickle.dumps(Called(getattr, 1, "real"), 2), "'__builtin__ getattr'"),
        (pickle.dumps({"a"}, 2), "'__builtin__ set'"),
        (pickle.dumps(b"bytes", 2), "'_codecs encode'"),
        (pickle.dumps([1], 4), "the instruction PROTO"),
        (b"\x80\x02(cposix\nsystem\nX\x01\x00\x00\x00ao.", "'posix system'"),
        (b"\x80\x02(iposix\nsystem\n.", "the instruction INST"),
        (b"\x80\x02(S'x'\no.", "the instruction STRING"),
        (b"\x80\x02K\x01)R.", "a call of int"),
        (b"\x80\x02})R.", "a call of dict"),
        (b"\x80\x02]}b.", "a state of list"),
        (b"\x80\x02]}\x81.", "the instruction NEWOBJ"),
        (b"\x80\x02\x82\x01.", "the instruction EXT1"),
        (b"\x80\x02\x8a\x01\x01\x8b\x01\x00\x00\x00\x01.", "the instruction LONG4"),
    ],
)
def test_anything_else_is_forbidden(folder: Any, content: bytes, message: str) -> None:
    with pytest.raises(ForbiddenError) as caught:
        run(content)
    assert str(caught.value) == message
    assert not os.listdir()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "pickle exhausted before seeing STOP"),
        (b"\x80\x02]", "pickle exhausted before seeing STOP"),
        (b"\x80\x02.", "not enough values to unpack"),
        (b"\x80\x02]].", "too many values to unpack"),
        (b"\x80\x02K\x01\x86.", "a value is missing"),
        (b"\x80\x02K\x01K\x01a.", "an item of what is no list"),
        (b"\x80\x02}K\x01a.", "an item of what is no list"),
        (b"\x80\x02]K\x01K\x01s.", "an item of what is no dictionary"),
        (b"\x80\x02}(K\x01u.", "an item of what is no dictionary"),
        (b"\x80\x02}K\x01\x85K\x01s.", "a key that is neither text nor a whole number"),
        (b"\x80\x02}NK\x01s.", "a key that is neither text nor a whole number"),
        (
            b"\x80\x02}\x8a\x08" + (2**61 - 1).to_bytes(8, "little") + b"K\x01s.",
            "a key that is neither text nor a whole",
        ),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "expected 2147483647 bytes in a unicodestring4"),
        (b"\x80\x02\xff.", "at position 2, opcode .* unknown"),
    ],
)
def test_damage_is_a_value_error(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(content)


@pytest.mark.parametrize("content", [b"\x80\x02e.", b"\x80\x02h\x01.", b"\x80\x02q\x01.", b"\x80\x02a.", b"\x80\x02Q."])
def test_damage_may_be_a_value_that_is_not_there(content: bytes) -> None:
    with pytest.raises((LookupError, ValueError)):
        run(content)


def test_a_place_far_away_takes_no_memory() -> None:
    assert run(b"\x80\x02K\x01r\xff\xff\xff\xff.") == 1
