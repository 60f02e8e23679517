"""Candidates against naive loops, and against bedtools on real elements."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import numpy as np
import pytest

from speid_cli.errors import DataError
from speid_cli.genome import candidates as module
from speid_cli.genome.bed import BedElement, read_elements
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
    return list(candidates(enhancers, promoters, (low, high), joined, CandidateCounts()))


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 500), (100, 300), (250, 250), (0, 10_000)])
def test_candidates_are_a_naive_double_loop_s(low: int, high: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ENHANCERS_AT_A_TIME", 17)
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


@needs_bedtools
def test_counts_on_real_chr22_are_bedtools_window_s(folder: Path) -> None:
    path = builders.shared_data() / "targetfinder.K562.chr22.hg38.bedpe.gz"
    rows = [line.split("\t") for line in gzip.decompress(path.read_bytes()).decode().splitlines() if line[0] != "#"]
    for name, first in (("e.bed", 0), ("p.bed", 3)):
        places = sorted({tuple(row[first : first + 3]) for row in rows}, key=lambda place: int(place[1]))
        Path(name).write_text("".join("\t".join(place) + "\n" for place in places))
    run = subprocess.run(
        ["bedtools", "window", "-a", "e.bed", "-b", "p.bed", "-w", "500001"], capture_output=True, check=True
    )
    enhancers, promoters = (read_elements(name, ContigNames())[0] for name in ("e.bed", "p.bed"))
    assert len(lines_of(enhancers, promoters, 0, 500_000)) == run.stdout.count(b"\n") > 1000


@needs_bedtools
@pytest.mark.parametrize("spelled", ["enhancers", "promoters", "loops"])
def test_the_published_positives_of_huvec_are_found(
    spelled: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every mixture of ``1`` and ``chr1`` among the files gives the published pairs."""
    data = builders.shared_data()
    files = {
        "enhancers": data / "hic" / "HUVEC.enhancers.bed.gz",
        "promoters": data / "hic" / "HUVEC.promoters.bed.gz",
        "loops": data / "hic" / "HUVEC.HiCCUPS_looplist.txt.gz",
    }
    rows = [line.split("\t") for line in gzip.decompress(files[spelled].read_bytes()).decode().splitlines()]
    for row in rows[spelled == "loops" :]:
        for column in (0, 3)[: 1 + (spelled == "loops")]:
            row[column] = row[column][3:] if row[column].startswith("chr") else f"chr{row[column]}"
    files[spelled] = builders.write_gzip(folder / "spelled.gz", "\n".join("\t".join(row) for row in rows))
    contigs, reach = ContigNames(), (10_000, 2_000_000)
    enhancers, promoters = (read_elements(str(files[name]), contigs)[0] for name in ("enhancers", "promoters"))
    joined = joined_by_loops(read_loops(str(files["loops"]), contigs), enhancers, promoters, reach)
    found = {(*enhancers[key // len(promoters)].interval, *promoters[key % len(promoters)].interval) for key in joined}
    published = gzip.decompress((data / "targetfinder.HUVEC.hg19.bedpe.gz").read_bytes()).decode().splitlines()
    rows = [line.split("\t") for line in published]
    bare = {tuple(str(field).removeprefix("chr") for field in row) for row in found}
    assert len(found) == 1524
    assert bare == {tuple(field.removeprefix("chr") for field in row[:6]) for row in rows if row[10] == "1"}
