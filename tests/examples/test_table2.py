"""The recipe for Table 2, run by Snakemake on the real pairs of chr22, laid out as TargetFinder's repository."""

from __future__ import annotations

import gzip
import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import builders
from tests.examples.test_snakemake import snakemake

pytestmark = pytest.mark.skipif(importlib.util.find_spec("snakemake") is None, reason="snakemake is not installed")

ROOT = Path(__file__).parents[2]
CELLS = ("HUVEC",)


@pytest.fixture
def lift_peaks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The bench's, by which hg19's peaks lie where hg38's chr22 has them."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    found: Callable[..., None] = importlib.import_module("lift").lift_peaks
    return found


def lay_out(data: Path, lift_peaks: Callable[..., None]) -> None:
    """``targetfinder``, with peaks and published predictions of a cell line."""
    for cell in CELLS:
        peaks, predictions = (
            Path("targetfinder", cell, "peaks"),
            Path("targetfinder/paper/targetfinder", cell, "output-ep"),
        )
        predictions.mkdir(parents=True)
        peaks.parent.mkdir()
        lift_peaks(data, cell, peaks)
        tracks = (peaks / "tracks.tsv").read_text().splitlines()
        for _, name in map(str.split, tracks[1:]):
            builders.write_gzip(peaks / f"{name}.gz", (peaks / name).read_text())
        rows = ["name,filename,source,accession", *(",".join([*row.split(), "ENCODE", "."]) for row in tracks[1:])]
        (peaks / "filenames.csv").write_text("\n".join(rows) + "\n")
        text = gzip.decompress((data / f"targetfinder.{cell}.chr22.hg38.bedpe.gz").read_bytes()).decode()
        rows = [line.split("\t") for line in text.splitlines()[1:]]
        lines = [f"{cell}|{e}:{s}-{t},{cell}|{p}:{u}-{v},{row[10]},0" for row in rows for e, s, t, p, u, v in [row[:6]]]
        (predictions / "predictions-gbm.csv").write_text(
            "enhancer_name,promoter_name,label,prediction\n" + "\n".join(lines) + "\n"
        )


@pytest.mark.slow
def test_the_recipe_makes_the_table(folder: Path, lift_peaks: Callable[..., None]) -> None:
    data = builders.shared_data()
    lay_out(data, lift_peaks)
    Path("chr22.fa").write_bytes(gzip.decompress((data / "chr22.hg38.fa.gz").read_bytes()))
    shutil.copytree(ROOT / "examples" / "table2", "table2")
    Path("motif.jaspar").write_text(">MA1 one\nA [ 9 0 0 ]\nC [ 0 9 0 ]\nG [ 0 0 9 ]\nT [ 1 1 1 ]\n")
    snakemake(
        "--snakefile", "table2/Snakefile", "--set-threads", "evaluate=1", "pretrain=1", "finetune=1", "--config",
        "reference=chr22.fa", "targetfinder=targetfinder", f"cells={' '.join(CELLS)}", "preset=tiny", "folds=3",
        "honest_split=block", "motifs=motif.jaspar", "windows=--enhancer-window 600 --promoter-window 600",
        "training=--epochs 1",
    )  # fmt: skip
    for cell, pairs in (("HUVEC", 945),):
        written = Path("results", cell, "pairs.bedpe").read_text().splitlines()
        published = (
            gzip.decompress((data / f"targetfinder.{cell}.chr22.hg38.bedpe.gz").read_bytes()).decode().splitlines()
        )
        assert len(written) == pairs + 1
        assert [line.split("\t")[:6] for line in written[1:]] == [line.split("\t")[:6] for line in published[1:]]
    text = Path("results/table2.md").read_text()
    assert "| TargetFinder (E/P/W) | 0.77 |" in text and "| speid | 0.75 |" in text
    paper, honest = text.split("## F1, protocol `honest`")
    assert paper.count("| speid | 0.") == 3 and paper.count("| speid + TargetFinder |") == 0
    assert honest.count("| speid | 0.") == 2 and honest.count("| speid + TargetFinder | 0.") == 2
    assert (
        "| pairs, positives | 94, " in paper
        and "Test pairs that share an element or sequence with training pairs: HUVEC 0.0%" in honest
    )


def test_the_table_is_as_printed(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without results there are only the paper's row names, and its figures are those of its Table 2."""
    monkeypatch.syspath_prepend(ROOT / "examples" / "table2")
    table = importlib.import_module("table")
    assert table.printed(table.PRINTED["speid"], ["NHEK", "other"]) == ["0.94", ""]
    (folder / "results").mkdir()
    table.main("results")
    assert capsys.readouterr().out.startswith("# Table 2\n")
    sys.modules.pop("table")
