"""Slots for elements: who is placed where, and who gives way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from speid_cli.scoring.cache import SlotCache


@given(st.lists(st.lists(st.integers(0, 9), max_size=4, unique=True), max_size=30))
def test_a_slot_holds_what_was_last_filled_into_it(requests: list[list[int]]) -> None:
    cache, contents, order = SlotCache(4), {}, []  # type: ignore[var-annotated]
    for keys in requests:
        slots, new = cache.place(keys)
        expected = [key for key in keys if key not in order]
        assert [keys[number] for number in new] == expected
        for number in new:
            contents[slots[number]] = keys[number]
        assert [contents[slot] for slot in slots] == keys
        assert all(0 <= slot < 4 for slot in slots)
        order = [key for key in order if key not in keys]
        order = (order + [key for key in keys if key not in expected] + expected)[-4:]
