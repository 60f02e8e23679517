"""Whatever the bytes of a file, its reader gives a value that can be used, or an error that names the file."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import SpeidError
from speid_cli.genome.bedpe import header_with_probability, with_probability
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.motif_files import Motif, read_motifs
from speid_cli.genome.pair_reader import PairReader
from speid_cli.genome.peaks import read_peaks
from speid_cli.genome.tracks import read_tracks
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.motif_kernels import KernelInitialisers, place
from speid_cli.model.stored import load_plain
from tests import builders, hostile
from tests.fuzz.mutations import archives, mutated

JASPAR = b">MA1 one\nA [ 1 2 3 ]\nC [ 4 5 6 ]\nG [ 7 8 9 ]\nT [ 1 0 0 ]\n>MA2\n1 2\n3 4\n5 6\n7 8\n"
MEME = (
    b"MEME version 4\n\nALPHABET= ACGT\n\nMOTIF MA1 one\nletter-probability matrix: alength= 4 w= 2 nsites= 20\n"
    b"0.1 0.2 0.3 0.4\n0.25 0.25 0.25 0.25\n\nMOTIF MA2\nletter-probability matrix:\n1 0 0 0\n"
)
PEAKS = b"track name=x\nchr1\t10\t20\t.\t1000\t.\t2.5\t-1\t-1\t4\n1\t5\t6\tx\t0\t+\t-1e-3\nchr2\t0\t9\ty\t0\t.\t7\n"
TRACKS = b"# by hand\nname\tsource\tpath\nCTCF\tx\tnone.bed\nDNase-seq\ty\tnone.bw\n"
BEDPE = "\n".join([builders.HEADER, "# a comment", *builders.pair_lines(5)]).encode()
TEXT = st.text(alphabet="ACGTU>[]|:#.,+-0123456789eE \t\r\n\x00\x0b\u0663chrMOTIFw=", max_size=200).map(str.encode)

quickly = settings(max_examples=60)
thoroughly = settings(max_examples=120)


def use_bedpe(path: str) -> None:
    reader = PairReader(path)
    for line in reader.lines():
        if line.role == "header":
            header_with_probability(line, append=True)
        elif line.role == "pair":
            pair = reader.pair(line)
            assert 0 <= pair.enhancer.start < pair.enhancer.end <= 10**15
            assert len(with_probability(line.text, "0.5", append=False).split("\t")) >= 8


def use_motifs(path: str) -> None:
    for motif in read_motifs(path):
        assert motif.identifier
        np.testing.assert_allclose(motif.ppm().sum(axis=1), 1)


def use_peaks(path: str) -> None:
    for column in (5, 7):
        found = read_peaks(path, column, ContigNames(["chr1"], "pairs.bedpe"), {"chr1": 0})
        assert np.isfinite(found.signal).all()
        assert found.place.shape == (len(found.signal), 3)
        assert (found.place[:, 1] < found.place[:, 2]).all()


def use_pairs(path: str) -> None:
    dataset = PairDataset.read(path)
    for elements in (dataset.enhancers, dataset.promoters):
        assert elements.codes().shape == (len(elements), elements.width)
    assert [dataset.chromosomes_of(subset) for subset in range(3)]
    dataset.write(io.BytesIO())


def use_kernels(path: str) -> None:
    kernels = KernelInitialisers.read(path)
    assert kernels.weight.shape == (len(kernels.placed), 4, kernels.kernel_length)
    kernels.write(io.BytesIO())


def use_model(path: str) -> None:
    checkpoint = Checkpoint.read(path)
    checkpoint.model()
    checkpoint.write(io.BytesIO())


@pytest.fixture(scope="module")
def place_of(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that every example writes."""
    return tmp_path_factory.mktemp("fuzz") / "input"


def fed(use: Callable[[str], Any], path: Path, content: bytes) -> None:
    """Let a reader have a file; it must not fail in any other way than it says, nor write anything."""
    path.write_bytes(content)
    try:
        use(str(path))
    except SpeidError as error:
        assert str(error).startswith(f"{path}:")
        assert len(str(error)) < len(str(path)) + 1000
    assert os.listdir(path.parent) == ["input"]


@pytest.mark.parametrize(
    "use", [use_bedpe, use_motifs, use_peaks, read_tracks, use_pairs, use_kernels, use_model, load_plain]
)
@quickly
@given(content=st.binary(max_size=200) | TEXT | TEXT.map(gzip.compress))
def test_any_bytes(place_of: Path, use: Callable[[str], Any], content: bytes) -> None:
    fed(use, place_of, content)


@pytest.mark.parametrize(
    ("use", "valid"),
    [(use_bedpe, BEDPE), (use_motifs, JASPAR), (use_motifs, MEME), (use_peaks, PEAKS), (read_tracks, TRACKS)],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@thoroughly
@given(data=st.data())
def test_text_near_what_is_valid(
    place_of: Path, use: Callable[[str], Any], valid: bytes, pack: Callable[[bytes], bytes], data: DataObject
) -> None:
    content = data.draw(mutated(valid))
    fed(use, place_of, data.draw(st.sampled_from((pack(content), content))))
    fed(use, place_of, data.draw(mutated(pack(valid))))


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Small valid archives by the reader that they are for."""
    folder = tmp_path_factory.mktemp("valid")
    builders.write_genome(folder / "genome.fa")
    builders.write_pairs(folder / "pairs.bedpe", builders.pair_lines(8))
    inputs, output = (folder / "pairs.bedpe", folder / "genome.fa"), folder / "pairs.npz"
    assert builders.run("prepare", *inputs, "-o", output, *builders.WINDOW_OPTIONS, "--split", "none") == 0
    kernels, model = io.BytesIO(), io.BytesIO()
    place([Motif("A", "a", np.ones((5, 4)), "x"), Motif("B", "b", np.ones((11, 4)), "x")], 11, 0.0, 0).write(kernels)
    stages = [{"stage": "pretrained", "dataset": "0", "trained_chromosomes": ["chr1"]}]
    builders.random_checkpoint(reference={"path": "x", "digest": "y"}, stages=stages).write(model)
    return {"pairs": output.read_bytes(), "kernels": kernels.getvalue(), "model": model.getvalue()}


@pytest.mark.parametrize(
    ("use", "kind", "favourite"),
    [
        (use_pairs, "pairs", "metadata.npy"),
        (use_pairs, "pairs", "label.npy"),
        (use_kernels, "kernels", "motifs.npy"),
        (use_model, "model", "archive/data.pkl"),
        (load_plain, "model", "archive/data.pkl"),
    ],
)
@thoroughly
@given(data=st.data())
def test_archives_near_what_is_valid(
    place_of: Path, valid: dict[str, bytes], use: Callable[[str], Any], kind: str, favourite: str, data: DataObject
) -> None:
    fed(use, place_of, data.draw(archives(valid[kind], favourite)))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(torch.ones(2)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("format_version", "config", "state_dict", "stage", "history", "provenance", "threshold", "calibration")


@thoroughly
@given(key=st.sampled_from(KEYS), inner=st.sampled_from(("", "stages", "reference", "n_kernels")), value=PLAIN)
def test_models_of_other_values(place_of: Path, valid: dict[str, bytes], key: str, inner: str, value: Any) -> None:
    content = load_plain(hostile.write(str(place_of), valid["model"]))
    if inner and isinstance(content.get(key), dict):
        content[key][inner] = value
    else:
        content[key] = value
    saved = io.BytesIO()
    torch.save(content, saved)
    fed(use_model, place_of, saved.getvalue())
