"""Candidates against naive loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speid_cli.errors import DataError
from speid_cli.genome.bed import BedElement
from speid_cli.genome.candidates import CandidateCounts, candidates, joined_by_loops, read_loops
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.intervals import Interval
from tests import builders
from tests.intervals import gap, meets, needs_bedtools, random_places


def random_elements(count: int, seed: int) -> list[BedElement]:
    places = random_places(count, seed, span=4000, longest=120)
    return [BedElement(place, f"n{number}", "+-."[number % 3]) for number, place in enumerate(places)]


def lines_of(
    enhancers: list[BedElement], promoters: list[BedElement], low: int, high: int, loops: str | None = None
) -> list[str]:
    joined = None
    if loops is not None:
        joined = joined_by_loops(read_loops(loops, ContigNames()), enhancers, promoters, (low, high))
    texts = candidates(enhancers, promoters, (low, high), joined, CandidateCounts())
    return "\n".join(texts).splitlines()


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 500), (100, 300), (250, 250), (0, 10_000)])
def test_candidates_are_a_naive_double_loop_s(low: int, high: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speid_cli.genome.candidates._ENHANCERS_AT_A_TIME", 17)
    enhancers, promoters = random_elements(70, 1), random_elements(50, 2)
    expected = [
        f"{e.chrom}\t{e.start}\t{e.end}\t{p.chrom}\t{p.start}\t{p.end}\t{first}~{second}\t.\t{s}\t{t}\t{gap(e, p)}"
        for e, first, s in enhancers for p, second, t in promoters
        if e.chrom == p.chrom and low <= gap(e, p) <= high
    ]  # fmt: skip
    assert lines_of(enhancers, promoters, low, high) == expected


@needs_bedtools
def test_labels_are_a_naive_triple_loop_s(folder: Path) -> None:
    enhancers, promoters = random_elements(80, 3), random_elements(60, 4)
    rng = np.random.default_rng(5)
    loops = []
    for _ in range(60):
        first, second = (int(rng.integers(0, 4000)) for _ in range(2))
        chroms = [f"chr{rng.integers(1, 4)}"] * 2 if rng.random() < 0.9 else ["chr1", "chr2"]
        loops.append((Interval(chroms[0], first, first + 100), Interval(chroms[1], second, second + 100)))
    builders.write_pairs(Path("loops.bedpe"), ["\t".join(map(str, (*a, *b))) for a, b in loops], None)
    found = lines_of(enhancers, promoters, 0, 3000, "loops.bedpe")
    for line in found:
        fields = line.split("\t")
        e, p = (Interval(fields[i], int(fields[i + 1]), int(fields[i + 2])) for i in (0, 3))
        joined = any(meets(e, a) and meets(p, b) or meets(e, b) and meets(p, a) for a, b in loops)
        assert fields[11] == str(int(joined))
    assert 0 < sum(line.endswith("\t1") for line in found) < len(found)


def test_loops_at_fault_are_refused(folder: Path) -> None:
    Path("loops.bedpe").write_text("chr1\t5\tx\tchr1\t9\n")
    with pytest.raises(DataError, match="loops.bedpe:1: 5 columns; expected 6 or more"):
        read_loops("loops.bedpe", ContigNames())
    Path("loops.bedpe").write_text("# nothing\n")
    with pytest.raises(DataError, match="loops.bedpe: no loops; expected at least one BEDPE line"):
        read_loops("loops.bedpe", ContigNames())


def test_a_chromosome_of_any_name_has_its_pairs() -> None:
    places = [Interval(chrom, 0, 9) for chrom in ("chr1", "chr1.", "chr1..", "~")]
    elements = [BedElement(place, place.chrom) for place in places]
    assert [line.split("\t")[6] for line in lines_of(elements, elements, 0, 5)] == [
        f"{c.replace('~', '%7E')}~{c.replace('~', '%7E')}" for c, _, _ in places
    ]


HICCUPS_2 = (
    "#chr1\tx1\tx2\tchr2\ty1\ty2\tname\tscore\tstrand1\tstrand2\tcolor\tobserved\texpectedBL\n"
    "# juicer_tools version 1.22.01\n1\t5\t9\t1\t20\t30\t.\t.\t.\t.\t0,255,255\t95.0\t27.5\n"
)
FITHICHIP = (
    "chr1\ts1\te1\tchr2\ts2\te2\tcc\tCoverage1\tisPeak1\tBias1\tP-Value_Bias\tQ-Value_Bias\n"
    "chr1\t5\t9\tchr1\t20\t30\t12\t300\t1\t1.2\t1e-30\t1e-28\n"
)
MUSTACHE = (
    "BIN1_CHR\tBIN1_START\tBIN1_END\tBIN2_CHROMOSOME\tBIN2_START\tBIN2_END\tFDR\tDETECTION_SCALE\n"
    "chr1\t5\t9\tchr1\t20\t30\t0.001\t1.6\n"
)
CHIAPET = "chr1\t5\t9\tchr1\t20\t30\t7\nchr1\t5\t9\tchr1\t20\t30\tx\t7\t.\t.\n"


@pytest.mark.parametrize("text", [HICCUPS_2, FITHICHIP, MUSTACHE, CHIAPET], ids=["2", "FitHiChIP", "Mustache", "ChIA"])
def test_loops_are_read_as_their_callers_write_them(folder: Path, text: str) -> None:
    """Of HiCCUPS (with newer headers), FitHiChIP, Mustache and ChIA-PET."""
    Path("loops.txt").write_text(text)
    chrom = "1" if text is HICCUPS_2 else "chr1"
    anchors = Interval(chrom, 5, 9), Interval(chrom, 20, 30)
    found = read_loops("loops.txt", ContigNames())
    assert {*found} == {anchors, anchors[::-1]}
