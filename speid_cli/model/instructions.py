"""The instructions of a pickle that plain values need, carried out without Python's unpickler.

A pickle is a program. Python's own unpickler imports and calls what it names; this one knows the
names that it is given, and the instructions that `torch.save` writes.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE")
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PROTOCOL = 2
# Larger whole numbers can be chosen such that a dictionary looks for all of them at one place.
_LARGEST_KEY = 1 << 60


class ForbiddenError(Exception):
    """A pickle asks for more than plain values."""


class Machine:
    """Makes the value of a pickle.

    Parameters
    ----------
    names : mapping
        What the pickle may name, as ``"module name"``. Functions among them are called.
    persistent : callable
        Makes the values that stand outside the pickle of their identities.
    """

    def __init__(self, names: Mapping[str, Any], persistent: Callable[[Any], Any]) -> None:
        self._names, self._persistent = names, persistent
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, pickle: bytes | bytearray) -> Any:
        """The value.

        Raises
        ------
        ForbiddenError
            The pickle names anything else, or holds another instruction.
        ValueError, TypeError, LookupError
            It is damaged.
        """
        for opcode, argument, _ in pickletools.genops(bytes(pickle)):
            name = opcode.name
            if name == "STOP":
                break
            if name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name in _LITERALS:
                self._stack.append(argument)
            elif name in _TUPLES:
                self._stack.append(tuple(self._top(_TUPLES[name])))
            else:
                self._step(name, argument)
        (value,) = self._stack
        return value

    def _step(self, name: str, argument: Any) -> None:
        match name:
            case "EMPTY_DICT":
                self._stack.append({})
            case "EMPTY_LIST":
                self._stack.append([])
            case "MARK":
                self._marks.append(len(self._stack))
            case "TUPLE":
                self._stack.append(tuple(self._since_mark()))
            case "APPEND":
                self._extend(self._top(1))
            case "APPENDS":
                self._extend(self._since_mark())
            case "SETITEM":
                self._set(self._top(2))
            case "SETITEMS":
                self._set(self._since_mark())
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = self._stack[-1]
            case "BINGET" | "LONG_BINGET":
                self._stack.append(self._memo[argument])
            case "BINPERSID":
                self._stack.append(self._persistent(self._stack.pop()))
            case "GLOBAL" | "REDUCE" | "BUILD":
                self._call(name, argument)
            case "PROTO" if argument == _PROTOCOL:
                pass
            case _:
                raise ForbiddenError(f"the instruction {name}")

    def _call(self, instruction: str, argument: Any) -> None:
        if instruction == "GLOBAL":
            if argument not in self._names:
                raise ForbiddenError(repr(argument))
            self._stack.append(self._names[argument])
            return
        function, values = self._top(2)
        if instruction == "REDUCE":
            if not any(function is known for known in self._names.values()):
                raise ForbiddenError(f"a call of {type(function).__name__}")
            self._stack.append(function(*values))
        elif type(function) is dict:  # attributes of an OrderedDict, which are no values
            self._stack.append(function)
        else:
            raise ForbiddenError(f"a state of {type(function).__name__}")

    def _top(self, count: int) -> list[Any]:
        """The last values, taken off the stack."""
        if len(self._stack) < count:
            raise ValueError("a value is missing")
        values = self._stack[-count:]
        del self._stack[-count:]
        return values

    def _since_mark(self) -> list[Any]:
        """The values after the last mark, taken off the stack."""
        mark = self._marks.pop()
        values = self._stack[mark:]
        del self._stack[mark:]
        return values

    def _extend(self, values: list[Any]) -> None:
        if type(self._stack[-1]) is not list:
            raise ValueError("an item of what is no list")
        self._stack[-1].extend(values)

    def _set(self, values: list[Any]) -> None:
        target = self._stack[-1]
        names, items = values[::2], values[1::2]
        if type(target) is not dict or len(names) != len(items):
            raise ValueError("an item of what is no dictionary")
        if not all(type(name) is str or (type(name) is int and abs(name) < _LARGEST_KEY) for name in names):
            raise ValueError("a key that is neither text nor a whole number")
        target.update(zip(names, items, strict=True))
