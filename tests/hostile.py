"""Archives that lie, made inside the test that reads them."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

# Where a field stands in an entry of a zip's central directory, and how it is packed.
FIELDS = {"flag_bits": (8, "<H"), "method": (10, "<H"), "crc": (16, "<I"), "compress_size": (20, "<I"),
          "file_size": (24, "<I"), "extra_length": (30, "<H"), "offset": (42, "<I")}  # fmt: skip


def members_of(content: bytes) -> dict[str, bytes]:
    """The members of a zip archive by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of members by name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def misstated(content: bytes, member: str, **fields: int) -> bytes:
    """A zip archive whose directory says something else of a member than it did."""
    changed = bytearray(content)
    entry = content.rindex(member.encode()) - 46
    for name, value in fields.items():
        place, form = FIELDS[name]
        struct.pack_into(form, changed, entry + place, value)
    return bytes(changed)


def write(path: str, content: bytes) -> str:
    """A file of these bytes; its name."""
    Path(path).write_bytes(content)
    return path
