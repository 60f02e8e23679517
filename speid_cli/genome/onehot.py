"""Bases as small integers, as four bits, and as the one-hot matrix of Singh et al. 2016, section 3.1.

A base is stored in one of three forms:

code
    uint8, the channel of the base: A 0, T 1, C 2, G 3; N and every other letter 4.
packed
    the four one-hot bits of a base side by side (A 1000, T 0100, C 0010, G 0001, N 0000), two
    bases a byte, the first in the high half.
one-hot
    channels A, T, C, G first, position last; N is all zeros.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALPHABET = "ATCG"
N_CODE = 4
# Letters in the order of other files, and their codes.
FILE_ORDER = "ACGT"
FILE_CODES = [ALPHABET.index(letter) for letter in FILE_ORDER]

_CODE_OF_LETTER = np.full(256, N_CODE, np.uint8)
for _code, _letter in enumerate(ALPHABET):
    _CODE_OF_LETTER[[ord(_letter), ord(_letter.lower())]] = _code
_LETTERS_TO_CODES = _CODE_OF_LETTER.tobytes()
_NIBBLE_OF_CODE = np.array([0b1000, 0b0100, 0b0010, 0b0001, 0b0000], np.uint8)
_INVALID = 255
_CODE_OF_NIBBLE = np.full(16, _INVALID, np.uint8)
_CODE_OF_NIBBLE[_NIBBLE_OF_CODE] = np.arange(5)
_CODES_OF_BYTE = np.stack([_CODE_OF_NIBBLE[np.arange(256) >> 4], _CODE_OF_NIBBLE[np.arange(256) & 15]], axis=1)


def encode(sequence: bytes) -> NDArray[np.uint8]:
    """Codes (L,) of a sequence; lower case (soft-masked) reads as upper case."""
    return np.frombuffer(bytearray(sequence.translate(_LETTERS_TO_CODES)), np.uint8)


def pack(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Packed form (..., ceil(L / 2)) of codes (..., L)."""
    nibbles: NDArray[np.uint8] = _NIBBLE_OF_CODE[codes]
    packed: NDArray[np.uint8] = nibbles[..., 0::2] << np.uint8(4)
    packed[..., : nibbles.shape[-1] // 2] |= nibbles[..., 1::2]
    return packed


# The packed byte of two letters read as one little-endian number.
_BYTE_OF_LETTERS = pack(_CODE_OF_LETTER[np.arange(1 << 16, dtype="<u2").view(np.uint8).reshape(-1, 2)])[:, 0]


def pack_sequence(sequence: bytes) -> NDArray[np.uint8]:
    """Packed form (ceil(L / 2),) of a sequence: `pack` of `encode`, two letters at a time."""
    even = sequence if len(sequence) % 2 == 0 else sequence + b"N"
    packed: NDArray[np.uint8] = _BYTE_OF_LETTERS[np.frombuffer(even, "<u2")]
    return packed


def unpack(packed: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Codes (..., width) of a valid packed form (..., ceil(width / 2))."""
    return np.take(_CODES_OF_BYTE, packed, axis=0).reshape(*packed.shape[:-1], -1)[..., :width]


def is_packed(packed: NDArray[np.uint8]) -> bool:
    """Whether every four bits are a base: at most one 1 among them."""
    used = np.flatnonzero(np.bincount(packed.ravel(), minlength=256))
    return bool((_CODES_OF_BYTE[used] != _INVALID).all())


def onehot(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """One-hot (..., 4, L) of codes (..., L)."""
    return (codes[..., None, :] == np.arange(4, dtype=np.uint8)[:, None]).astype(np.float32)


def gc_content(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share of G and C (E,) among the known bases of codes (E, L); NaN where fewer than half are known."""
    known = (codes != N_CODE).sum(axis=1)
    strong = ((codes == ALPHABET.index("G")) | (codes == ALPHABET.index("C"))).sum(axis=1)
    share = np.full(len(codes), np.nan)
    return np.divide(strong, known, out=share, where=2 * known >= max(codes.shape[1], 1))
