"""PAIRS.npz: as documented, the same bytes each time, and not believed when it is read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speid_cli.dataset.archive import write_archive
from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import DataError
from speid_cli.genome.intervals import shift_range, window_start
from speid_cli.genome.onehot import encode, onehot

KINDS = {
    "format_version": "int64", "alphabet": "<U4",
    "enhancer_onehot": "uint8", "enhancer_width": "int64", "enhancer_window": "int64",
    "enhancer_shift": "int16", "enhancer_interval": "int64", "enhancer_index": "int32",
    "promoter_onehot": "uint8", "promoter_width": "int64", "promoter_window": "int64",
    "promoter_shift": "int16", "promoter_interval": "int64", "promoter_index": "int32",
    "label": "int8", "subset": "int8",
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
        ("format_version", lambda a: 9, "format version 9; expected 1; make it anew"),
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
        ("enhancer_interval", lambda a: a[:, ::-1], "enhancer_interval holds no intervals"),
        ("promoter_onehot", lambda a: a | 0b11, "promoter_onehot holds four bits that are no base"),
        ("metadata", lambda a: '{"a": ' + "9" * 5000 + "}", "metadata is no JSON"),
        ("metadata", lambda a: "{", "metadata is no JSON"),
        ("metadata", lambda a: "[]", "metadata is no JSON object"),
        ("metadata", lambda a: "[" * 100_000, "metadata is no JSON"),
    ],
)
def test_what_does_not_fit_is_refused(
    dataset: PairDataset, name: str, change: Callable[[Any], Any], message: str
) -> None:
    spoil(name, change)
    with pytest.raises(DataError, match=f"^spoilt.npz: {message}"):
        PairDataset.read("spoilt.npz")


def rewrite(name: str, content: bytes | None) -> None:
    """The data set's archive with one member's bytes exchanged, or without it."""
    with zipfile.ZipFile("pairs.npz") as source, zipfile.ZipFile("spoilt.npz", "w") as target:
        for member in source.namelist():
            if member != f"{name}.npy":
                target.writestr(member, source.read(member))
            elif content is not None:
                target.writestr(member, content)


def npy(array: np.ndarray[Any, Any], allow_pickle: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=allow_pickle)
    return stream.getvalue()


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("exploded"),)


def test_members_that_lie_are_refused_before_memory_is_taken(dataset: PairDataset) -> None:
    header = npy(np.zeros(60, np.int8))[:128].replace(b"(60,)", b"(4611686018427387904,)"[:22])
    lies = {
        "missing": (None, "no array 'label'; was it written by speid"),
        "terabytes": (header, "label: damaged|label is int8|label: its stored size"),
        "cut": (npy(np.zeros(60, np.int8))[:150], "label: its stored size does not fit its shape"),
        "unbalanced": (npy(np.zeros(60, np.int8)).replace(b"}", b"("), "label: damaged"),
        "garbage": (b"garbage", "label: damaged"),
        "pickle": (npy(np.array([Bomb()] * 60, object), True), "label is object"),
    }
    for content, message in lies.values():
        rewrite("label", content)
        with pytest.raises(DataError, match=message):
            PairDataset.read("spoilt.npz")
    assert not Path("exploded").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nothing", b"text"])
def test_what_is_no_archive_is_refused(folder: Path, content: bytes) -> None:
    Path("x.npz").write_bytes(content)
    with pytest.raises(DataError, match="x.npz: not an .npz archive"):
        PairDataset.read("x.npz")
    with pytest.raises(DataError, match="y.npz: No such file"):
        PairDataset.read("y.npz")
