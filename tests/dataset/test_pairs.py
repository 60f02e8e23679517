"""PAIRS.npz: as documented, the same bytes each time, and not believed when it is read."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speid_cli.dataset import zips
from speid_cli.dataset.archive import write_archive
from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import DataError
from speid_cli.genome.intervals import shift_range, window_start
from speid_cli.genome.onehot import encode, onehot
from tests import builders, hostile
from tests.builders import run

KINDS = {
    "format_version": "int64", "alphabet": "<U4",
    "enhancer_onehot": "uint8", "enhancer_width": "int64", "enhancer_window": "int64",
    "enhancer_shift": "int16", "enhancer_interval": "int64", "enhancer_index": "int32",
    "promoter_onehot": "uint8", "promoter_width": "int64", "promoter_window": "int64",
    "promoter_shift": "int16", "promoter_interval": "int64", "promoter_index": "int32",
    "label": "int8", "subset": "int8", "name": "uint8",
}  # fmt: skip


def contents(path: str = "pairs.npz") -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def test_arrays_are_the_documented_ones(dataset: PairDataset) -> None:
    arrays = contents()
    assert arrays.keys() == KINDS.keys() | {"chromosomes", "metadata"}
    assert {name: arrays[name].dtype for name in KINDS} == {name: np.dtype(kind) for name, kind in KINDS.items()}
    assert str(arrays["alphabet"]) == "ATCG"


@pytest.mark.parametrize("side", ["enhancer", "promoter"])
def test_each_element_is_stored_once_with_its_margins(
    dataset: PairDataset, genome: dict[str, str], pairs: list[str], side: str
) -> None:
    arrays, column = contents(), 0 if side == "enhancer" else 3
    width, window = int(arrays[f"{side}_width"]), int(arrays[f"{side}_window"])
    intervals = arrays[f"{side}_interval"]
    assert len(np.unique(intervals, axis=0)) == len(intervals)
    given = {tuple(line.split("\t")[column : column + 3]) for line in pairs}
    assert {(str(arrays["chromosomes"][c]), str(s), str(e)) for c, s, e in intervals} == given

    packed = arrays[f"{side}_onehot"]
    stored = np.unpackbits(packed, axis=-1).reshape(len(packed), -1, 4).transpose(0, 2, 1)[..., :width]
    margin = (width - window) // 2
    for row, (chrom, start, end), shift in zip(stored, intervals.tolist(), arrays[f"{side}_shift"], strict=True):
        first = window_start(start, end, window) - margin
        text = "N" * 2000 + genome[str(arrays["chromosomes"][chrom])] + "N" * 2000
        expected = text[first + 2000 : first + 2000 + width]
        np.testing.assert_array_equal(row, onehot(encode(expected.encode())))
        assert tuple(shift) == tuple(map(int, shift_range(start, end, window)))
    assert margin == np.abs(arrays[f"{side}_shift"]).max()


def test_pairs_point_to_their_own_elements_and_labels(dataset: PairDataset, pairs: list[str]) -> None:
    arrays = contents()
    for number, line in enumerate(pairs):
        fields = line.split("\t")
        for side, column in (("enhancer", 0), ("promoter", 3)):
            chrom, start, end = arrays[f"{side}_interval"][arrays[f"{side}_index"][number]]
            assert [str(arrays["chromosomes"][chrom]), str(start), str(end)] == fields[column : column + 3]
        assert arrays["label"][number] == int(fields[10])


def test_the_same_data_set_gives_the_same_bytes(dataset: PairDataset) -> None:
    again = io.BytesIO()
    dataset.write(again)
    assert again.getvalue() == Path("pairs.npz").read_bytes()


def test_an_archive_that_numpy_wrote_is_read(dataset: PairDataset) -> None:
    np.savez("other.npz", **contents())
    assert len(PairDataset.read("other.npz")) == len(dataset)


def spoil(name: str, change: Callable[[Any], Any]) -> None:
    arrays = contents()
    arrays[name] = change(arrays[name])
    with open("spoilt.npz", "wb") as stream:
        write_archive(stream, arrays)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("format_version", lambda a: 9, "format version 9; expected 1; make it again"),
        ("alphabet", lambda a: "ACGT", "alphabet 'ACGT'; expected ATCG"),
        ("label", lambda a: a + 3, "label holds values outside -1..1"),
        ("label", lambda a: a.astype(float), r"label is float64 \(60,\); expected int8 \(any\)"),
        ("subset", lambda a: a + 9, "subset holds values outside 0..2"),
        ("subset", lambda a: a[:5], r"subset is int8 \(5,\); expected int8 \(60\)"),
        ("enhancer_index", lambda a: a + 1000, "enhancer_index holds values outside"),
        ("promoter_index", lambda a: a - 1000, "promoter_index holds values outside"),
        ("enhancer_onehot", lambda a: a[:, :-1], "enhancer_onehot is uint8"),
        ("enhancer_width", lambda a: a * 5, "enhancer_width .* does not fit enhancer_window"),
        ("promoter_shift", lambda a: a + np.int16(9999), "promoter_shift holds values outside"),
        ("promoter_shift", lambda a: a[:, ::-1], "promoter_shift: lowest above highest"),
        ("enhancer_interval", lambda a: a[:, ::-1], "enhancer_interval holds rows that are not intervals"),
        ("promoter_onehot", lambda a: a | 0b11, "promoter_onehot holds four bits that are not a base"),
        ("metadata", lambda a: '{"a": ' + "9" * 5000 + "}", "metadata: damaged"),
        ("metadata", lambda a: "{", "metadata: damaged"),
        ("metadata", lambda a: "[]", "metadata is not a JSON object"),
        ("metadata", lambda a: "[" * 100_000, "metadata: damaged"),
        (
            "metadata",
            lambda a: '{"a": ' + "[" * 60 + "]" * 60 + "}",
            "metadata holds values that are not plain JSON, or is nested too deeply",
        ),
        (
            "metadata",
            lambda a: '{"a": ' + "9" * 60 + "}",
            "metadata holds values that are not plain JSON, or is nested too deeply",
        ),
        ("metadata", lambda a: '{"reference": "hg19"}', "metadata: reference is not a path and a digest"),
        ("metadata", lambda a: '{"reference": {"path": 5}}', "metadata: reference is not a path and a digest"),
        ("metadata", lambda a: a.astype(">U5000"), "metadata is >U5000 \\(\\); expected U \\(\\)"),
        ("metadata", lambda a: " " * (1 << 23) + a.item(), r"metadata is <U.* expected text of 1 to 33,554,432 bytes"),
        ("chromosomes", lambda a: np.array(["chr\ud800"]), "chromosomes: a name is not text"),
        (
            "chromosomes",
            lambda a: np.full((9, 1), 0x110000, "u4").view("U1")[:, 0],
            "chromosomes holds a code that is not a char",
        ),
        ("name", lambda a: a[:-30], r"5[0-9] names for 60 pairs"),
        ("name", lambda a: a | np.uint8(0x80), "name is not UTF-8 text"),
        ("name", lambda a: a.astype(np.int64), "name is int64"),
        ("format_version", lambda a: "1", r"format_version is <U1 \(\); expected int64 \(\)"),
        ("enhancer_window", lambda a: 2**62, "enhancer_width .* does not fit enhancer_window"),
        ("promoter_window", lambda a: -a, "promoter_width .* does not fit promoter_window"),
        (
            "enhancer_interval",
            lambda a: a - np.array([0, 10**6, 0]),
            "enhancer_interval: positions outside 0..1000000000000000",
        ),
        (
            "enhancer_interval",
            lambda a: a + np.array([0, 0, 2**62]),
            "enhancer_interval: positions outside 0..1000000000000000",
        ),
        (
            "enhancer_interval",
            lambda a: a + np.array([99, 0, 0]),
            "enhancer_interval holds rows that are not intervals",
        ),
        ("label", lambda a: a.astype(">i4"), r"label is >i4 \(60,\); expected int8 \(any\)"),
        ("label", lambda a: np.zeros(60, [("a", "i1")]), r"label is \[\('a', 'i1'\)\] \(60,\); expected int8"),
        ("label", lambda a: np.zeros((60, 1), np.int8), r"label is int8 \(60, 1\); expected int8 \(any\)"),
        (
            "label",
            lambda a: np.zeros(1 << 24, np.int8),
            r"enhancer_index is int32 \(60,\); expected int32 \(16777216\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    dataset: PairDataset, name: str, change: Callable[[Any], Any], message: str
) -> None:
    spoil(name, change)
    with pytest.raises(DataError, match=f"^spoilt.npz: {message}"):
        PairDataset.read("spoilt.npz")


def rewrite(name: str, content: bytes | None, method: int) -> None:
    """The data set's archive with one member's bytes exchanged, or without it."""
    members = hostile.members_of(Path("pairs.npz").read_bytes())
    del members[f"{name}.npy"]
    if content is not None:
        members[f"{name}.npy"] = content
    hostile.write("spoilt.npz", hostile.zipped(members, method))


def npy(array: np.ndarray[Any, Any], allow_pickle: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=allow_pickle)
    return stream.getvalue()


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("exploded"),)


LABEL = npy(np.zeros(60, np.int8))


def headed(header: str, version: bytes = b"\1\0") -> bytes:
    """A member of 60 bytes below a header of any text."""
    length = len(header).to_bytes(2 if version == b"\1\0" else 4, "little")
    return b"\x93NUMPY" + version + length + header.encode() + bytes(60)


def stated(shape: str, descr: str = "'|i1'") -> bytes:
    return headed(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}")


LIES = {
    "missing": (None, "no array 'label'; was it written by speid"),
    "terabytes": (stated("(4611686018427387904,)"), r"label: its stored size does not fit its shape \(46116860184273"),
    "more than numbers hold": (stated(f"({'9' * 200},)"), "label: its stored size does not fit its shape"),
    "negative": (stated("(-60,)"), "label: its stored size does not fit its shape"),
    "no shape": (stated("60"), "label: damaged .shape is not valid"),
    "cut": (LABEL[:150], "label: its stored size does not fit its shape"),
    "unbalanced": (LABEL.replace(b"}", b"("), "label: damaged"),
    "garbage": (b"garbage", "label: damaged"),
    "empty": (b"", "label: damaged"),
    "pickle": (npy(np.array([Bomb()] * 60, object), True), "label is object"),
    "version 3": (LABEL.replace(b"NUMPY\1", b"NUMPY\3"), r"label: damaged .header of version \(3, 0\)"),
    "version 9": (LABEL.replace(b"NUMPY\1", b"NUMPY\11"), "label: damaged"),
    "long header": (headed(str(LABEL[10:128], "ascii") + " " * 5000), "label: damaged"),
    "endless header": (b"\x93NUMPY\2\0" + b"\xff" * 4 + b" " * 9999, "label: damaged .EOF: reading array header"),
    "nested": (stated("(" * 300 + ")" * 300), "label: damaged"),
    "unary": (stated(f"({'-' * 900}60,)"), "label: damaged"),
    "old long": (stated("(61L,)"), "label: its stored size does not fit its shape"),
    "call": (stated("(__import__('os').mkdir('exploded'),)"), "label: damaged .malformed node"),
    "no type": (stated("(60,)", "'bogus'"), "label: damaged"),
    "wide type": (stated("(60,)", "('|i1', (1000000000, 1000000000))"), "label: damaged|label is"),
    "fields": (stated("(60,)", "[('a', '|i1'), ('a', '|i1')]"), "label: damaged|label is"),
    "times": (stated("(60,)", "'M8[s]'"), r"label is datetime64\[s\]"),
}


@pytest.mark.parametrize("kind", LIES)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_that_lie_are_refused(dataset: PairDataset, kind: str, method: int) -> None:
    content, message = LIES[kind]
    rewrite("label", content, method)
    with pytest.raises(DataError, match=f"^spoilt.npz: {message}"):
        PairDataset.read("spoilt.npz")
    assert not Path("exploded").exists()


def test_endless_empty_text_is_refused(dataset: PairDataset) -> None:
    header = f"{{'descr': '<U0', 'fortran_order': False, 'shape': ({1 << 60},)}}"
    rewrite("chromosomes", headed(header)[:-60], zipfile.ZIP_STORED)
    with pytest.raises(
        DataError, match=r"chromosomes is <U0 \(1152921504606846976,\); expected text of 1 to 33,554,432"
    ):
        PairDataset.read("spoilt.npz")


def test_nothing_is_unpacked_before_all_shapes_fit(dataset: PairDataset) -> None:
    members = hostile.members_of(Path("pairs.npz").read_bytes())
    members["label.npy"] = npy(np.zeros(1 << 24, np.int8))
    members["enhancer_onehot.npy"] = npy(np.zeros((60, 1 << 18), np.uint8))
    members["metadata.npy"] = npy(np.array(" " * (1 << 24)))
    path = hostile.write("spoilt.npz", hostile.zipped(members, zipfile.ZIP_DEFLATED))
    tracemalloc.start()
    try:
        for name in ("label", "enhancer_onehot", "metadata"):
            with pytest.raises(DataError, match="expected"):
                PairDataset.read(path)
            members[f"{name}.npy"] = hostile.members_of(Path("pairs.npz").read_bytes())[f"{name}.npy"]
            hostile.write(path, hostile.zipped(members, zipfile.ZIP_DEFLATED))
            tracemalloc.reset_peak()
        PairDataset.read(path)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 << 20


def test_what_does_not_fit_into_memory_is_refused(dataset: PairDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "available_bytes", lambda: 100)
    with pytest.raises(
        DataError, match="pairs.npz: enhancer_index takes 240 bytes of memory; expected at most the 100"
    ):
        PairDataset.read("pairs.npz")


def test_arrays_in_another_order_are_read(dataset: PairDataset) -> None:
    np.savez("other.npz", **{name: np.asarray(array, order="F") for name, array in contents().items()})
    again = PairDataset.read("other.npz")
    np.testing.assert_array_equal(again.enhancers.packed, dataset.enhancers.packed)
    assert again.enhancers.packed.flags.c_contiguous


def test_names_are_kept_and_may_be_missing(dataset: PairDataset) -> None:
    assert dataset.name == tuple(f"pair{number}" for number in range(60))
    arrays = contents()
    del arrays["name"]
    np.savez("old.npz", **arrays)
    assert PairDataset.read("old.npz").name == ()


def test_what_is_in_a_data_set_is_its_identity(dataset: PairDataset, pairs: list[str]) -> None:
    Path("elsewhere").mkdir()
    for name in ("genome.fa", "pairs.bedpe"):
        Path("elsewhere", name).write_bytes(Path(name).read_bytes())
    assert run("prepare", "elsewhere/pairs.bedpe", "elsewhere/genome.fa", "-o", "x.npz", *builders.WINDOW_OPTIONS) == 0
    assert Path("x.npz").read_bytes() != Path("pairs.npz").read_bytes()
    assert PairDataset.read("x.npz").digest == dataset.digest
    label = dataset.label.copy()
    label[7] ^= 1
    assert replace(dataset, label=label).digest != dataset.digest
    assert replace(dataset, subset=dataset.subset[::-1]).digest != dataset.digest
    packed = dataset.enhancers.packed.copy()
    packed[0, 0] ^= 0b10001000
    assert replace(dataset, enhancers=replace(dataset.enhancers, packed=packed)).digest != dataset.digest


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nothing", b"text"])
def test_what_is_no_archive_is_refused(folder: Path, content: bytes) -> None:
    Path("x.npz").write_bytes(content)
    with pytest.raises(DataError, match="x.npz: not an .npz archive"):
        PairDataset.read("x.npz")
    with pytest.raises(DataError, match="y.npz: No such file"):
        PairDataset.read("y.npz")
