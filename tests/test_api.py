"""`speid_cli.api` gives what the commands write."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas
import pytest

from speid_cli.api import _column, load_model
from speid_cli.errors import DataError, OptionError
from speid_cli.genome.pair_reader import PairReader
from tests import builders
from tests.builders import run


@pytest.fixture
def model(pairs: list[str]) -> None:
    """``model.pt`` and ``other.pt`` beside ``genome.fa`` and ``pairs.bedpe``."""
    for seed, name in enumerate(["model.pt", "other.pt"]):
        with open(name, "wb") as stream:
            builders.random_checkpoint(seed=seed).write(stream)


@pytest.mark.parametrize("paths", [["model.pt"], ["model.pt", "other.pt"]])
def test_predictions_are_those_of_the_command(model: None, paths: list[str]) -> None:
    assert run("predict", *paths, "pairs.bedpe", "-f", "genome.fa", "-o", "scored.bedpe") == 0
    expected = [float(line.fields[7]) for line, _ in PairReader("scored.bedpe")]
    table = pandas.DataFrame(load_model(*paths, device="cpu").predict("pairs.bedpe", "genome.fa"))
    assert table["probability"].tolist() == pytest.approx(expected, rel=1e-5)
    read = [pair for _, pair in PairReader("pairs.bedpe")]
    assert table["promoter_start"].tolist() == [pair.promoter.start for pair in read]
    assert table["enhancer_chrom"].tolist() == [pair.enhancer.chrom for pair in read]
    assert table["name"].tolist() == [line.fields[6] for line, _ in PairReader("pairs.bedpe")]
    places = [(tuple(pair.enhancer), tuple(pair.promoter)) for pair in read]
    again = load_model(*paths, device="cpu").predict(places, "genome.fa")  # type: ignore[arg-type]
    assert again["probability"].tolist() == table["probability"].tolist()
    assert set(again["name"]) == {"."}


def test_mutagenesis_is_that_of_the_command(model: None) -> None:
    pair = ("chr1", 1000, 1200), ("chr1", 3000, 3100)
    Path("one.bedpe").write_text("\t".join(map(str, (*pair[0], *pair[1]))) + "\n")
    assert run("explain", "mutagenesis", "model.pt", "one.bedpe", "-f", "genome.fa", "-o", "out") == 0
    header, *rows = gzip.decompress(Path("out/mutagenesis.tsv.gz").read_bytes()).decode().splitlines()
    expected = pandas.DataFrame([row.split("\t") for row in rows], columns=header.split("\t"))
    table = pandas.DataFrame(load_model("model.pt", device="cpu").explain_mutagenesis(*pair, "genome.fa"))
    for name in ("side", "chrom", "reference", "alternative"):
        assert table[name].tolist() == expected[name].tolist()
    assert table["position"].tolist() == expected["position"].astype(int).tolist()
    for name in ("probability", "logit_change"):
        assert table[name].tolist() == pytest.approx(expected[name].astype(float).tolist(), rel=1e-4, abs=1e-7)


def test_what_is_not_known_is_nan_among_numbers_and_empty_among_texts(model: None) -> None:
    Path("a.vcf").write_text("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t1101\t.\tN\tC\nx\t5\t.\tA\tC\n")
    genome = builders.write_fasta(Path("n.fa"), {"chr1": "N" * 1101 + "A" * 4899})
    loaded, pairs = load_model("model.pt", device="cpu"), [(("chr1", 1000, 1200), ("chr1", 3000, 3100))]
    with pytest.warns(UserWarning, match="1 variant on contigs that the reference does not have, such as 'x'"):
        found = loaded.explain_variants(pairs, "a.vcf", str(genome), percentile=False)
    assert found["percentile"].dtype.kind == "f" and np.isnan(found["percentile"]).all()
    assert _column([None, "a"]).tolist() == ["", "a"]


def test_errors_are_the_commands(model: None) -> None:
    loaded = load_model("model.pt", device="cpu")
    with pytest.raises(DataError, match="^pairs:2: end 99999 is beyond chr1"):
        loaded.predict([(("chr1", 0, 9), ("chr1", 5, 9)), (("chr1", 0, 9), ("chr1", 5, 99999))], "genome.fa")
    with pytest.raises(DataError, match="^pairs:1: start1 9 is not below end1 5"):
        loaded.explain_mutagenesis(("chr1", 9, 5), ("chr1", 5, 9), "genome.fa")
    builders.write_fasta(Path("empty.fa"), {"chr1": "N" * 6000})
    with pytest.raises(DataError, match="^pairs: the windows of these pairs hold only N"):
        load_model("model.pt", device="cpu").explain_mutagenesis(("chr1", 0, 9), ("chr1", 5, 9), "empty.fa")
    with pytest.raises(DataError, match="unknown contig 'chr9'"):
        loaded.explain_mutagenesis(("chr9", 0, 9), ("chr1", 5, 9), "genome.fa")
    with pytest.raises(DataError, match="model.pt: the model has no calibration"):
        loaded.predict("pairs.bedpe", "genome.fa", calibrated=True)
    with pytest.raises(OptionError, match="needs at least one model"):
        load_model()
    with pytest.warns(UserWarning, match="contig names differ from those of genome.fa: took '1' for 'chr1'"):
        loaded.predict([(("1", 0, 9), ("1", 5, 9))], "genome.fa")
