"""Files near valid ones: bytes changed, cut, moved or put in, members exchanged."""

from __future__ import annotations

import zipfile

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests import hostile

# Ends of the ranges of packed numbers, and what the formats are made of.
TELLING = (
    *(b"\0", b"\xff", b"\x7f", b"\x80", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x01\x02\x04\x08"),
    *(b"\n", b"\r\n", b"\t", b" ", b"#", b"-", b"1", b"9" * 20, b"1e999", b"-1e999", b"nan", b"inf", b"0.5", b"\xef\xbb\xbf"),
    *(b">", b"[", b"]", b"A", b"MOTIF ", b"MEME version 4\n", b"ALPHABET= ACGU\n", b"letter-probability matrix: w= 1\n"),
    *(b"(", b")", b"{", b"}", b"'", b"L", b"|O", b"<f4", b"<U1", b"True", b"-1,", b"(4611686018427387904,)"),
    *(b"cposix\nsystem\n", b"R", b"b", b"a", b"s", b"u", b"Q", b"h\0", b"q\0", b"K\0", b"J\xff\xff\xff\xff", b"\x85"),
    *(b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"\x1f\x8b\x08", b"\x93NUMPY\x01\0"),
)  # fmt: skip


@st.composite
def mutated(draw: DrawFn, content: bytes) -> bytes:
    """The bytes after a few changes, anywhere in them."""
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(content)))
        piece = draw(st.sampled_from(TELLING) | st.binary(min_size=1, max_size=4))
        length = draw(st.sampled_from((0, len(piece), 1, 64)))
        change = draw(st.sampled_from(("put in", "cut", "end", "move")))
        if change == "put in":
            content = content[:place] + piece + content[place + length :]
        elif change == "cut":
            content = content[:place] + content[place + length :]
        elif change == "end":
            content = content[:place]
        else:
            content = content[:place] + content[: 2 * length] + content[place:]
    return content


@st.composite
def rearranged(draw: DrawFn, content: bytes, favourite: str) -> bytes:
    """A zip archive with a member changed, taken away or exchanged for another, and the rest as it was."""
    members = hostile.members_of(content)
    chosen = draw(st.sampled_from([favourite, *members]))
    change = draw(st.sampled_from(("mutate", "mutate", "mutate", "remove", "exchange")))
    if change == "mutate":
        members[chosen] = draw(mutated(members[chosen]))
    elif change == "remove":
        del members[chosen]
    else:
        members[chosen] = members[draw(st.sampled_from(list(members)))]
    return hostile.zipped(members, draw(st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))))


@st.composite
def misstated(draw: DrawFn, content: bytes) -> bytes:
    """A zip archive whose directory is wrong about one member."""
    member = draw(st.sampled_from(list(hostile.members_of(content))))
    field = draw(st.sampled_from(list(hostile.FIELDS)))
    most = 0xFFFF if hostile.FIELDS[field][1] == "<H" else 0xFFFFFFFF
    value = draw(st.integers(0, most) | st.sampled_from((0, 1, 0x21, 8, most - 1, most)))
    return hostile.misstated(content, member, **{field: value})


def archives(content: bytes, favourite: str) -> SearchStrategy[bytes]:
    """Archives near a valid one."""
    return rearranged(content, favourite) | mutated(content) | misstated(content)
