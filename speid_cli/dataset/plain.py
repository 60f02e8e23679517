"""Values made of what JSON knows, as files keep them beside arrays and tensors."""

from __future__ import annotations

from typing import Any

# Far above what speid writes. Records that hold one another many times over are small in a file and endless outside.
_DEEPEST = 50
_MOST = 1 << 23
_WIDEST_INTEGER = 128


def is_plain(value: Any) -> bool:
    """Whether a value is made of what JSON knows, and is neither deep nor endless."""
    level, seen = [value], 1
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += [*item, *item.values()]
                sound = all(isinstance(name, str) for name in item)
            elif isinstance(item, list | tuple):
                below += item
                sound = True
            else:
                seen += len(item) if isinstance(item, str) else 0
                sound = _is_simple(item)
            if not sound or seen + len(below) > _MOST:
                return False
        if not below:
            return True
        level, seen = below, seen + len(below)
    return False


def _is_simple(value: Any) -> bool:
    wide = type(value) is int and value.bit_length() > _WIDEST_INTEGER
    return value is None or (type(value) in (bool, int, float, str) and not wide)


def is_reference(value: Any) -> bool:
    """Whether a plain value says which reference was read: nothing, or the text of path and digest."""
    return value is None or (isinstance(value, dict) and all(isinstance(item, str) for item in value.values()))
