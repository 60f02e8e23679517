"""Files of `torch.save`: tensors come back as they were, and hostile files are refused."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from speid_cli.dataset import zips
from speid_cli.errors import DataError
from speid_cli.model.stored import LONGEST_PICKLE_BYTES, load_plain
from tests import hostile

GRID = torch.arange(12.0).reshape(3, 4)
FLAT = torch.arange(20)


@pytest.mark.parametrize(
    "value",
    [
        GRID,
        GRID.T,
        GRID[1:, ::2],
        GRID[:0],
        torch.tensor(5),
        torch.ones(1).expand(1, 1),
        torch.nn.Parameter(GRID),
        FLAT.to(torch.uint8),
        FLAT.to(torch.int16),
        FLAT.to(torch.int32),
        FLAT.to(torch.int8),
        FLAT.to(torch.float64),
        FLAT.to(torch.float16),
        FLAT.to(torch.bfloat16),
        FLAT.to(torch.complex64),
        FLAT > 3,
    ],
)
def test_tensors_come_back(folder: Path, value: Tensor) -> None:
    torch.save({"value": [(value, 1)]}, "x.pt")
    ((found, _),) = load_plain("x.pt")["value"]
    assert torch.equal(found, value)
    assert (found.dtype, found.shape) == (value.dtype, value.shape)


def test_views_of_one_storage_come_back(folder: Path) -> None:
    torch.save({"first": FLAT[:3], "second": FLAT[3:].reshape(-1, 1)}, "x.pt")
    again = load_plain("x.pt")
    assert torch.equal(again["first"], FLAT[:3])
    assert torch.equal(again["second"][:, 0], FLAT[3:])


def save(value: Any, **members: bytes) -> dict[str, bytes]:
    """``x.pt`` of a value, with some members exchanged; its members."""
    torch.save(value, "x.pt")
    found = hostile.members_of(Path("x.pt").read_bytes()) | {f"x/{name}": content for name, content in members.items()}
    hostile.write("x.pt", hostile.zipped(found))
    return found


class Tampered:
    """A tensor whose pickle states other numbers."""

    def __init__(self, values: Tensor, *arguments: Any) -> None:
        self.values, self.arguments = values, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        function, (storage, *_) = self.values.__reduce_ex__(2)
        return function, (storage, *self.arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        (0, (10**6, 10**6), (0, 0), False, {}), (0, (10**6, 10**6), (10**6, 1), False, {}),
        (0, (3, 5), (4, 1), False, {}), (1, (3, 4), (4, 1), False, {}), (0, (3, 4), (2**50, 1), False, {}),
        (-1, (3,), (1,), False, {}), (0, (3,), (-1,), False, {}), (0, (2**200,), (1,), False, {}),
        (0, (3.0,), (1,), False, {}), (0, (3,), (1, 1), False, {}), (0, 3, 1, False, {}), (0,),
    ],
)  # fmt: skip
def test_tensors_of_other_sizes_than_stored_are_refused(folder: Path, arguments: tuple[Any, ...]) -> None:
    save({"value": Tampered(GRID, *arguments)})
    with pytest.raises(DataError, match="^x.pt: damaged"):
        load_plain("x.pt")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"K\x0c", b"K\xff"), (b"K\x0c", b"J\xff\xff\xff\x7f"), (b"K\x0c", b"J\xff\xff\xff\xff"),
        (b"K\x0c", b"\x8a\x08" + (2**62).to_bytes(8, "little")), (b"K\x0c", b"K\x0b"),
        (b"K\x0c", b"X\x01\x00\x00\x00x"), (b"FloatStorage", b"DoubleStorage"),
        (b"FloatStorage", b"QUInt8Storage"), (b"X\x01\x00\x00\x000", b"X\x01\x00\x00\x009"),
        (b"storage", b"starage"), (b"Q", b""), (b"_rebuild_tensor_v2", b"_rebuild_parameter"),
        (b"_rebuild_tensor_v2", b"_rebuild_wrapper_subclass"),
    ],
)  # fmt: skip
def test_storages_of_other_sizes_than_stored_are_refused(folder: Path, old: bytes, new: bytes) -> None:
    members = save({"value": GRID})
    assert old in members["x/data.pkl"]
    hostile.write("x.pt", hostile.zipped(members | {"x/data.pkl": members["x/data.pkl"].replace(old, new, 1)}))
    with pytest.raises(DataError, match="^x.pt: (damaged|holds more than tensors)"):
        load_plain("x.pt")


class Called:
    """Asks the unpickler to call a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: GRID.to_sparse(), "'torch._utils _rebuild_sparse_tensor'"),
        (lambda: torch.quantize_per_tensor(GRID, 1.0, 0, torch.qint8), "'torch._utils _rebuild_qtensor'"),
        (lambda: torch.empty(3, device="meta"), "'torch._utils _rebuild_meta_tensor_no_storage'"),
        (lambda: torch.float32, "'torch float32'"),
        (lambda: Called(os.system, "touch exploded"), "'posix system'"),
        (lambda: [{"a": [Called(eval, "1")]}], "'__builtin__ eval'"),
        (lambda: Called(bytearray, 10**12), "'__builtin__ bytearray'"),
        (lambda: {"a"}, "'__builtin__ set'"),
        (lambda: [FLAT.tolist()] * 2, "a value that is used twice"),
        (lambda: [FLAT] * 2, "a value that is used twice"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_anything_else_is_not_opened(folder: Path, make: Callable[[], Any], name: str) -> None:
    torch.save({"value": make()}, "x.pt")
    with pytest.raises(DataError) as caught:
        load_plain("x.pt")
    assert str(caught.value) == (
        "x.pt: holds more than tensors and plain values, and was not opened; expected a model written by speid; "
        f"it asks for {name}; do not run models from sources you do not trust"
    )
    assert os.listdir() == ["x.pt"]


@given(st.binary(max_size=60))
def test_any_pickle_is_refused_or_a_dictionary(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = hostile.write(
            f"{name}/x.pt", hostile.zipped({"x/data.pkl": b"\x80\x02" + content + b".", "x/version": b"3"})
        )
        with contextlib.suppress(DataError):
            assert isinstance(load_plain(path), dict)


def test_members_that_torch_would_not_write_are_refused(folder: Path) -> None:
    members = save({"value": GRID})
    bomb = members | {"x/data.pkl": b"]" * (LONGEST_PICKLE_BYTES + 1)}
    other = "big" if sys.byteorder == "little" else "little"
    cases = {
        "member 'x/data.pkl' is encrypted, or compressed by method 8; expected stored": hostile.zipped(
            bomb, zipfile.ZIP_DEFLATED
        ),
        "1,048,577 bytes of plain values; expected at most 1,048,576": hostile.zipped(bomb),
        "member 'x/data/0' states a size that it cannot have": hostile.misstated(
            hostile.zipped(members), "x/data/0", file_size=4_000_000_000
        ),
        "x/data/0: damaged": hostile.misstated(hostile.zipped(members), "x/data/0", crc=1),
        f"stored with another byte order; expected {sys.byteorder}-endian numbers": hostile.zipped(
            members | {"x/byteorder": other.encode()}
        ),
        "not a PyTorch file; expected a model written by speid": hostile.zipped(members | {"y/data.pkl": b"."}),
        "not a speid model": hostile.zipped({"x/data.pkl": b"\x80\x02].", "x/version": b"3"}),
    }
    for message, content in cases.items():
        with pytest.raises(DataError) as caught:
            load_plain(hostile.write("x.pt", content))
        assert str(caught.value) == f"x.pt: {message}"


def test_values_that_are_nested_too_deep_are_refused(folder: Path) -> None:
    members = save({})
    deep = b"\x80\x02}K\x01" + b"]" * 100_000 + b"a" * 99_999 + b"s."
    hostile.write("x.pt", hostile.zipped(members | {"x/data.pkl": deep}))
    with pytest.raises(DataError, match="x.pt: (values nested too deep|damaged)"):
        load_plain("x.pt")


def test_a_tensor_that_does_not_fit_into_memory_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save({"value": GRID})
    monkeypatch.setattr(zips, "available_bytes", lambda: 95)
    with pytest.raises(
        DataError, match="x.pt: the content of the file takes .* bytes of memory; expected at most the 95"
    ):
        load_plain("x.pt")
