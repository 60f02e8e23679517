"""Codes, packed bases and one-hot agree with one another and with a table written out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speid_cli.genome.onehot import encode, is_packed, onehot, pack, pack_sequence, unpack

COLUMN = {"A": (1, 0, 0, 0), "T": (0, 1, 0, 0), "C": (0, 0, 1, 0), "G": (0, 0, 0, 1)}


@given(st.text(alphabet=[chr(i) for i in range(1, 127)], max_size=200))
def test_onehot_by_the_table(sequence: str) -> None:
    expected = np.array([COLUMN.get(letter, (0, 0, 0, 0)) for letter in sequence.upper()]).reshape(-1, 4).T
    np.testing.assert_array_equal(onehot(encode(sequence.encode())), expected)


@given(st.lists(st.text(alphabet="ACGTNacgtnR", min_size=7, max_size=7), min_size=1, max_size=5), st.booleans())
def test_packed_form_is_the_documented_one(sequences: list[str], odd: bool) -> None:
    codes = np.stack([encode(sequence.encode())[: 7 if odd else 6] for sequence in sequences])
    packed = pack(codes)
    width = codes.shape[1]
    assert packed.dtype == np.uint8
    assert packed.shape == (len(codes), -(-width // 2))
    documented = np.unpackbits(packed, axis=-1).reshape(len(packed), -1, 4).transpose(0, 2, 1)[..., :width]
    np.testing.assert_array_equal(documented, onehot(codes))
    np.testing.assert_array_equal(unpack(packed, width), codes)
    for row, sequence in zip(packed, sequences, strict=True):
        np.testing.assert_array_equal(pack_sequence(sequence.encode()[:width]), row)


def test_four_bits_with_two_ones_are_no_base() -> None:
    assert is_packed(pack(encode(b"ACGTN")))
    for byte in range(256):
        halves = (byte >> 4, byte & 15)
        assert is_packed(np.array([byte], np.uint8)) == all(half.bit_count() <= 1 for half in halves)
