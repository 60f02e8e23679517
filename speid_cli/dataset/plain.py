"""Values made of what JSON knows, as files keep them beside arrays and tensors."""

from __future__ import annotations

from typing import Any

# Far above what speid writes.
_DEEPEST = 50
_WIDEST_INTEGER = 128


def is_plain(value: Any, deepest: int = _DEEPEST) -> bool:
    """Whether a value is made of what JSON knows, and is not deep."""
    if isinstance(value, dict):
        texts = all(isinstance(name, str) for name in value)
        return texts and deepest > 0 and all(is_plain(item, deepest - 1) for item in value.values())
    if isinstance(value, list | tuple):
        return deepest > 0 and all(is_plain(item, deepest - 1) for item in value)
    if type(value) is int:
        return value.bit_length() <= _WIDEST_INTEGER
    return value is None or type(value) in (bool, float, str)


def is_reference(value: Any) -> bool:
    """Whether a plain value says which reference was read: nothing, or the text of path and digest."""
    return value is None or (isinstance(value, dict) and all(isinstance(item, str) for item in value.values()))
