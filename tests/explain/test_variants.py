"""Variants beside a plain oracle: the chromosome changed as text, windows cut from it, the network run on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from speid_cli.errors import DataError
from speid_cli.explain.variants import BOTH, Pairs, VariantScorer
from speid_cli.genome.onehot import encode
from speid_cli.genome.pair_reader import PairReader
from speid_cli.genome.reference import Reference
from speid_cli.genome.variants import Variant
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.perturbed import PerturbedScorer
from tests import builders

CONFIG, CPU = builders.TINY, Device("cpu")
WINDOWS = builders.ENHANCER_WINDOW, builders.PROMOTER_WINDOW
# Elements of pairs on chr1 and chr2: at both ends of a contig, with overlapping windows, apart.
PAIRS = ["chr1\t0\t50\tchr1\t100\t180\tends", "chr1\t2000\t2100\tchr1\t2080\t2120\tnear",
         "1\t5900\t6000\tchr2\t3000\t3100\tapart", "chr1\t1990\t2110\tchr1\t4000\t4300\tother"]  # fmt: skip


@pytest.fixture
def genome(folder: Path) -> Iterator[tuple[Reference, dict[str, str]]]:
    contigs = {name: text.upper() for name, text in builders.write_genome(folder / "genome.fa").items()}
    with Reference(folder / "genome.fa") as reference:
        yield reference, contigs


def asked(reference: Reference, percentiles: bool = False, held: int = 10) -> tuple[VariantScorer, Speid]:
    Path("pairs.bedpe").write_text("".join(f"{line}\n" for line in PAIRS))
    model = builders.random_checkpoint().model()
    pairs = Pairs(PairReader("pairs.bedpe"), reference, CONFIG)
    return VariantScorer(
        PerturbedScorer(model, CPU), pairs, reference, percentiles, held * 12 * sum(pairs.lengths)
    ), model


def variant(contigs: dict[str, str], chrom: str, start: int, deleted: int, inserted: str) -> Variant:
    return Variant(chrom, start, "rs", contigs[chrom][start : start + deleted], inserted, 7)


def cut(text: str, start: int, length: int) -> str:
    """A window of a chromosome, N outside."""
    padded = "N" * 2000 + text + "N" * 2000
    return padded[2000 + start : 2000 + start + length]


def logit(model: Speid, windows: list[str]) -> float:
    with torch.no_grad():
        return float(model.logits_of_codes(*(torch.from_numpy(encode(text.encode())[None].copy()) for text in windows)))


def expected(model: Speid, contigs: dict[str, str], pair: str, change: Variant, touched: str) -> tuple[float, float]:
    """Change of the logit, and the mean size of the changes by the shift alone."""
    fields = pair.split("\t")
    places = []
    for side, length in enumerate(WINDOWS):
        chrom, start, end = fields[3 * side : 3 * side + 3]
        places.append(("chr1" if chrom == "1" else chrom, (int(start) + int(end) - length) // 2, length))
    wild = [cut(contigs[chrom], start, length) for chrom, start, length in places]
    shift = len(change.alternative) - len(change.reference)
    mutated = dict(contigs)
    text = contigs[change.chrom]
    rest = text[change.start + len(change.reference) :]
    mutated[change.chrom] = text[: change.start] + change.alternative + rest
    results = []
    for move, source in ((0, mutated), (shift, mutated), (shift, contigs), (-shift, contigs)):
        sides = list(wild)
        for side, (chrom, start, length) in enumerate(places):
            if touched in (BOTH, ("enhancer", "promoter")[side]):
                sides[side] = cut(source[chrom], start + move, length)
        results.append(logit(model, sides) - logit(model, wild))
    return float(np.mean(results[:2])), float(np.mean(np.abs(results[2:])))


@pytest.mark.parametrize(
    ("start", "deleted", "inserted"),
    [
        (2050, 1, "ACGT"), (2050, 4, "TTTT"), (2060, 1, "AAAAAAA"), (2090, 12, "C"), (30, 1, "GGGG"), (3, 5, "T"),
        (5990, 3, "A"), (5950, 1, "TG"), (4100, 2, "GGG"), (520, 2, "C"), (2095, 1, ""), (2000, 6, "GATTACA"),
    ],
)  # fmt: skip
def test_changes_are_those_of_the_changed_chromosome(
    genome: tuple[Reference, dict[str, str]], start: int, deleted: int, inserted: str
) -> None:
    reference, contigs = genome
    scorer, model = asked(reference)
    first = contigs["chr1"][start]
    snv = inserted == "" or len(inserted) == deleted == 1
    change = variant(contigs, "chr1", start, deleted, ("C" if first != "C" else "G") if snv else first + inserted[1:])
    rows = list(scorer.rows("a.vcf", [change]))
    assert [row["name"] for row in rows] == [pair.split("\t")[6] for pair in PAIRS if touches(pair, change)]
    for row in rows:
        pair = next(pair for pair in PAIRS if pair.endswith(row["name"]))
        wanted, shifted = expected(model, contigs, pair, change, row["side"])
        assert row["logit_change"] == pytest.approx(wanted, abs=1e-5)
        if len(change.reference) == len(change.alternative):
            assert np.isnan(row["shift_change"])
        else:
            assert row["shift_change"] == pytest.approx(shifted, abs=1e-5)
        odds = [np.log(row[name] / (1 - row[name])) for name in ("probability_reference", "probability_alternative")]
        assert odds[1] - odds[0] == pytest.approx(row["logit_change"], abs=1e-4)


def touches(pair: str, change: Variant) -> bool:
    """By whether any base of a window is one that changes, or an insertion is inside."""
    fields = pair.split("\t")
    start, end, _ = change.change
    for side, length in enumerate(WINDOWS):
        chrom, first, last = fields[3 * side : 3 * side + 3]
        low = (int(first) + int(last) - length) // 2
        inside = low < start < low + length if start == end else start < low + length and end > low
        if chrom.removeprefix("chr") == change.chrom.removeprefix("chr") and inside:
            return True
    return False


def test_a_variant_in_both_windows_changes_both(genome: tuple[Reference, dict[str, str]]) -> None:
    reference, contigs = genome
    scorer, _ = asked(reference)
    rows = list(scorer.rows("a.vcf", [variant(contigs, "chr1", 2090, 1, "ACGT".replace(contigs["chr1"][2090], "")[0])]))
    assert [(row["name"], row["side"]) for row in rows] == [("near", BOTH), ("other", "enhancer")]


def test_rows_come_in_the_order_of_the_variants_whatever_is_scored_together(
    genome: tuple[Reference, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, contigs = genome
    places = np.random.default_rng(0).permutation(np.arange(1900, 2300))[:40].tolist()
    changes = [variant(contigs, "chr1", place, 1, "ACGT".replace(contigs["chr1"][place], "")[0]) for place in places]
    changes = [change for change in changes if change.reference in "ACGT"]
    whole = list(asked(reference)[0].rows("a.vcf", changes))
    assert [row["position"] for row in whole] == sorted(
        (row["position"] for row in whole), key=[change.start + 1 for change in changes].index
    )
    for name, size in (("_VARIANTS", 3), ("_HITS", 2), ("_PAIRS", 1), ("_SCORED", 2)):
        monkeypatch.setattr(f"speid_cli.explain.variants.{name}", size)
        parts = list(asked(reference)[0].rows("a.vcf", changes))
        assert [similar(row) for row in parts] == [similar(row) for row in whole]


def similar(row: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()
            if name != "shift_change"}  # fmt: skip


@pytest.mark.parametrize("held", [1, 10])
def test_the_percentile_is_among_all_substitutions_of_the_pair(
    genome: tuple[Reference, dict[str, str]], held: int
) -> None:
    reference, contigs = genome
    scorer, _ = asked(reference, percentiles=True, held=held)
    low, high = 4150 - 100, 4150 + 100  # the promoter window of "other"
    changes = [
        variant(contigs, "chr1", place, 1, base) for place in range(low, high) for base in "ACGT"
        if contigs["chr1"][place] in "ACGT" and base != contigs["chr1"][place]
    ]  # fmt: skip
    rows = list(scorer.rows("a.vcf", changes))
    enhancer = [
        variant(contigs, "chr1", place, 1, base) for place in range(1900, 2200) for base in "ACGT"
        if contigs["chr1"][place] in "ACGT" and base != contigs["chr1"][place]
    ]  # fmt: skip
    others = [row for row in scorer.rows("a.vcf", enhancer) if row["name"] == "other"]
    sizes = np.sort([abs(row["logit_change"]) for row in [*rows, *others]])
    for row in rows[::50]:
        share = 100 * np.searchsorted(sizes, abs(row["logit_change"]), "right") / len(sizes)
        assert row["percentile"] == pytest.approx(share, abs=0.2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Variant("chr1", 2000, ".", "W", "C", 9), r"a.vcf:9: REF W at chr1:2001; expected ., which .*genome.fa has there; "
                                                  "is the VCF of another genome build"),
        (Variant("chr1", 5999, ".", "AA", "C", 9), "a.vcf:9: REF ends at 6001, beyond chr1, which is 6000 bp long"),
        (Variant("chrZ", 5, ".", "A", "C", 9), "a.vcf: none of its contigs, such as 'chrZ', is in .*genome.fa, which has"),
    ],
)  # fmt: skip
def test_another_genome_is_refused(genome: tuple[Reference, dict[str, str]], change: Variant, message: str) -> None:
    scorer, _ = asked(genome[0])
    with pytest.raises(DataError, match=message):
        list(scorer.rows("a.vcf", [change]))


def test_what_is_left_out_is_counted(genome: tuple[Reference, dict[str, str]]) -> None:
    reference, contigs = genome
    scorer, _ = asked(reference)
    near, promoter, far = (
        variant(contigs, chrom, start, 1, contigs[chrom][start] + "A" * length)
        for chrom, start, length in (("chr1", 2050, 201), ("chr1", 4150, 201), ("chr3", 3000, 1))
    )
    rows = list(scorer.rows("a.vcf", [near, promoter, far, Variant("chrZ", 5, ".", "A", "C", 9)]))
    assert [(row["name"], row["side"]) for row in rows] == [("other", "enhancer")]  # its window is longer than 201 bp
    assert list(scorer.skipped.describe()) == [
        "2 alleles skipped: an indel longer than the window; the first in line 7"
    ]
    counts = scorer.counts
    assert (counts.variants, counts.unknown_contig, counts.first_unknown, counts.untouched) == (4, 1, "chrZ", 1)


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        (1890, 1950, (1950, 0)),  # begins before the window [1900, 2200): its left end is where the deletion ends
        (2150, 2230, (0, 2150)),  # ends behind it: its right end is where the deletion begins
        (1890, 1900, None),
        (2200, 2230, None),
    ],
)
def test_a_deletion_across_the_end_of_a_window(
    genome: tuple[Reference, dict[str, str]], start: int, end: int, kept: tuple[int, int] | None
) -> None:
    reference, contigs = genome
    scorer, model = asked(reference)
    text = contigs["chr1"]
    change = variant(contigs, "chr1", start - 1, end - start + 1, text[start - 1])
    rows = [row for row in scorer.rows("a.vcf", [change]) if row["name"] == "other"]
    if kept is None:
        assert not rows
        return
    promoter, deleted = text[4050:4250], text[:start] + text[end:]
    first = start if kept[0] else 1900
    last = start if kept[1] else 2200 - (end - start)
    windows = deleted[first : first + 300], deleted[last - 300 : last]
    changes = [logit(model, [window, promoter]) - logit(model, [text[1900:2200], promoter]) for window in windows]
    assert rows[0]["logit_change"] == pytest.approx(np.mean(changes), abs=1e-5)
    assert rows[0]["side"] == "enhancer"


def test_letters_that_the_reference_has_beside_acgt_are_n(genome: tuple[Reference, dict[str, str]]) -> None:
    reference, contigs = genome
    scorer, _ = asked(reference)
    place = contigs["chr1"].index("R", 1900)
    assert list(scorer.rows("a.vcf", [Variant("chr1", place, ".", "N", "C", 9)]))
    assert list(scorer.rows("a.vcf", [Variant("chr1", place, ".", "A", "C", 9)]))  # as VCF has it
    place = contigs["chr1"].index("N", 1900)
    with pytest.raises(DataError, match=f"a.vcf:9: REF A at chr1:{place + 1}; expected N, which"):
        list(scorer.rows("a.vcf", [Variant("chr1", place, ".", "A", "C", 9)]))


def test_ref_is_compared_also_where_no_window_is(genome: tuple[Reference, dict[str, str]]) -> None:
    reference, contigs = genome
    base = "ACGT".replace(contigs["chr4"][3000], "")[0]
    with pytest.raises(DataError, match="a.vcf:9: REF . at chr4:3001; expected ., which"):
        list(asked(reference)[0].rows("a.vcf", [Variant("chr4", 3000, ".", base, "N", 9)]))


def test_percentiles_do_not_disturb_the_pairs_that_are_held(
    genome: tuple[Reference, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, contigs = genome
    places = [place for place in range(2030, 2110, 9) if contigs["chr1"][place] in "ACGT"]
    changes = [variant(contigs, "chr1", place, 1, "ACGT".replace(contigs["chr1"][place], "")[0]) for place in places]
    without = [row["logit_change"] for row in asked(reference)[0].rows("a.vcf", changes)]
    monkeypatch.setattr("speid_cli.explain.variants._SCORED", 2)
    rows = list(asked(reference, percentiles=True, held=1)[0].rows("a.vcf", changes))
    np.testing.assert_allclose([row["logit_change"] for row in rows], without, atol=1e-5)


def test_a_file_without_pairs_is_refused(genome: tuple[Reference, dict[str, str]]) -> None:
    Path("none.bedpe").write_text("# nothing\n")
    with pytest.raises(DataError, match="none.bedpe: no pairs; expected at least one BEDPE line"):
        Pairs(PairReader("none.bedpe"), genome[0], CONFIG)
