"""The whole way on real sequence and real pairs."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from speid_cli.dataset.pairs import PairDataset
from speid_cli.model.checkpoint import Checkpoint
from tests import builders, plain
from tests.builders import run


@pytest.fixture
def chr22(folder: Path) -> Path:
    """``chr22.fa``, unpacked."""
    with gzip.open(builders.shared_data() / "chr22.hg38.fa.gz") as packed, open("chr22.fa", "wb") as out:
        shutil.copyfileobj(packed, out)
    return folder / "chr22.fa"


@pytest.mark.slow
def test_gm12878_chr22_from_pairs_to_scores(chr22: Path) -> None:
    pytest.importorskip("pyjaspar")
    candidates = builders.shared_data() / "targetfinder.GM12878.chr22.hg38.bedpe.gz"
    assert run("prepare", candidates, "chr22.fa", "--split", "random", "-o", "pairs.npz") == 0
    assert run("motifs", "--jaspar", "2016", "--preset", "small") == 0
    training = ["--epochs", 1, "--seed", 3]
    options = ["--preset", "small", "--motifs", "kernels.npz", "--copies", 1]
    assert run("pretrain", "pairs.npz", *options, *training) == 0
    assert run("finetune", "pairs.pretrained.pt", "pairs.npz", *training) == 0
    command = [sys.executable, "-m", "speid_cli", "predict", "pairs.pt", "-"]
    done = subprocess.run(command, input=gzip.decompress(candidates.read_bytes()), capture_output=True, check=True)
    given = gzip.decompress(candidates.read_bytes()).decode().splitlines()
    scored = done.stdout.decode().splitlines()
    assert len(scored) == len(given) == 1232
    dataset = PairDataset.read("pairs.npz")
    assert (int((dataset.label == 1).sum()), int((dataset.label == 0).sum())) == (61, 1170)
    check_some_lines(chr22, Checkpoint.read("pairs.pt"), given, scored)


def check_some_lines(genome: Path, checkpoint: Checkpoint, given: list[str], scored: list[str]) -> None:
    sequence = "".join(genome.read_text().split("\n")[1:])
    longest = int(np.argmax([int(line.split("\t")[5]) - int(line.split("\t")[4]) for line in given[1:]])) + 1
    for number in (1, 600, longest):
        fields, before = scored[number].split("\t"), given[number].split("\t")
        assert fields[:7] + fields[8:] == before[:7] + before[8:]
        windows = [plain.window_onehot(sequence, int(fields[c]), int(fields[c + 1]), length)
                   for c, length in ((1, 3000), (4, 2000))]  # fmt: skip
        logit = plain.logit(checkpoint.state_dict, asdict(checkpoint.config), *windows)
        assert float(fields[7]) == pytest.approx(plain.sigmoid(logit), abs=1e-5)


def test_chr22_alone_cannot_be_split_by_chromosome(chr22: Path, capsys: pytest.CaptureFixture[str]) -> None:
    candidates = builders.shared_data() / "targetfinder.K562.chr22.hg38.bedpe.gz"
    assert run("prepare", candidates, "chr22.fa", "-o", "pairs.npz") == 1
    assert "pairs within 1 chromosome only; expected 3 or more for --split chrom" in capsys.readouterr().err


def test_plain_gzip_is_refused_where_bgzip_is_read(chr22: Path, capsys: pytest.CaptureFixture[str]) -> None:
    candidates = builders.shared_data() / "targetfinder.K562.chr22.hg38.bedpe.gz"
    Path("plain.fa.gz").write_bytes(gzip.compress(chr22.read_bytes()[:1_000_000], 1))
    assert run("prepare", candidates, "plain.fa.gz", "-o", "x.npz") == 1
    assert "compressed by plain gzip" in capsys.readouterr().err
    builders.write_bgzip(Path("chr22.fa.gz"), chr22)
    written = []
    for reference in ("chr22.fa", "chr22.fa.gz"):
        assert run("prepare", candidates, reference, "--split", "random", "-o", "x.npz", "--force") == 0
        written.append(PairDataset.read("x.npz"))
    np.testing.assert_array_equal(written[0].enhancers.packed, written[1].enhancers.packed)


@pytest.mark.parametrize("cell", ["GM12878", "IMR90"])
def test_gc_tells_the_genome_build(chr22: Path, capsys: pytest.CaptureFixture[str], cell: str) -> None:
    """hg19 coordinates fit into hg38's chr22, but for a few."""
    texts = [
        gzip.decompress((builders.shared_data() / f"targetfinder.{cell}.{build}.bedpe.gz").read_bytes()).decode()
        for build in ("chr22.hg38", "hg19")
    ]
    rows = [line.split("\t") for line in texts[1].splitlines()]
    inside = [row for row in rows if row[0] == "chr22" and max(map(int, (row[2], row[5]))) < 50_800_000]
    Path("right.bedpe").write_text(texts[0])
    builders.write_pairs(Path("wrong.bedpe"), ["\t".join(row) for row in inside], texts[1].splitlines()[0])
    for name, options, gc, said in (
        ("right", [], 0.60, None),
        ("right", ["--promoter-first"], 0.51, "are the sides exchanged? see --promoter-first"),
        ("wrong", [], 0.48, "are the pairs of another genome build than the reference?"),
    ):
        assert run("prepare", f"{name}.bedpe", "chr22.fa", "--split", "none", "-o", "x.npz", "--force", *options) == 0
        warnings = [line for line in capsys.readouterr().err.splitlines() if "GC" in line and "warning" in line]
        assert len(warnings) == (said is not None) and all(said in line for line in warnings if said)
        assert PairDataset.read("x.npz").metadata["composition"]["promoter"]["gc"] == pytest.approx(gc, abs=0.025)
