"""The simulated pairs: neither side alone tells, names tell nothing, motifs are where they should be."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pysam
import pytest

from speid_cli.genome.motif_files import read_motifs

SCRIPT = Path(__file__).parents[2] / "examples" / "simulate.py"


@pytest.fixture
def simulated(folder: Path) -> Path:
    pytest.importorskip("pyjaspar")
    for output in ("a", "b"):
        command = [sys.executable, str(SCRIPT), "-o", output, "--chromosomes", "3", "--elements", "20"]
        subprocess.run(command, check=True)
    return folder / "a"


def test_the_same_seed_gives_the_same_files(simulated: Path) -> None:
    for path in simulated.iterdir():
        assert path.read_bytes() == Path("b", path.name).read_bytes()


def test_impossible_sizes_are_refused() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--elements", "7"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "--elements must be a multiple of 5 and leave room for --negatives" in done.stderr


def test_every_element_is_in_one_interacting_pair_of_ten(simulated: Path) -> None:
    rows = [line.split("\t") for line in (simulated / "pairs.bedpe").read_text().splitlines()[1:]]
    assert len(rows) == len({tuple(row[:6]) for row in rows}) == 3 * 20 * 10
    for side in (0, 3):
        for label, times in (("1", 1), ("0", 9)):
            seen = Counter(tuple(row[side : side + 3]) for row in rows if row[10] == label)
            assert len(seen) == 60
            assert set(seen.values()) == {times}


def test_each_element_has_two_sites_of_its_family(simulated: Path) -> None:
    elements = [line.split("\t") for name in ("enhancers", "promoters")
                for line in (simulated / f"{name}.bed").read_text().splitlines()]  # fmt: skip
    sites = [line.split("\t") for line in (simulated / "sites.bed").read_text().splitlines()]
    assert len(sites) == 2 * len(elements)
    for chrom, start, end, _ in elements:
        inside = [site for site in sites if site[0] == chrom and int(start) <= int(site[1]) < int(site[2]) <= int(end)]
        assert len(inside) == 2
        assert len({site[3] for site in inside}) == 1


def test_labels_are_read_off_the_sequence_of_both_elements(simulated: Path) -> None:
    """The family whose matrix scores highest in an element is the planted one: label = same family."""
    families = read_motifs(str(simulated / "motifs.jaspar"))[:5]
    genome = pysam.FastaFile(str(simulated / "genome.fa"))

    def family(chrom: str, start: str, end: str) -> int:
        codes = np.array(["ATCG".index(letter) for letter in genome.fetch(chrom, int(start), int(end))])
        scores = []
        for motif in families:
            log_odds = np.log(motif.ppm(0.5) / 0.25)
            windows = range(len(codes) - motif.length + 1)
            best = max(log_odds[np.arange(motif.length), codes[i : i + motif.length]].sum() for i in windows)
            scores.append(best / np.log(motif.ppm(0.5).max(axis=1) / 0.25).sum())
        return int(np.argmax(scores))

    rows = [line.split("\t") for line in (simulated / "pairs.bedpe").read_text().splitlines()[1:]]
    right = [(family(*row[:3]) == family(*row[3:6])) == (row[10] == "1") for row in rows[:200]]
    assert np.mean(right) > 0.9
    genome.close()


@pytest.fixture
def hard(folder: Path) -> Path:
    """The hard grammar; 24 elements a side of each chromosome, so that each family has four."""
    pytest.importorskip("pyjaspar")
    sizes = ["--chromosomes", "3", "--elements", "24"]
    subprocess.run([sys.executable, str(SCRIPT), "-o", "hard", "--grammar", "hard", *sizes], check=True)
    return folder / "hard"


def test_neither_side_of_the_hard_grammar_predicts(hard: Path) -> None:
    """Each element is in one interacting pair of ten, and each family of a side in as many of both kinds."""
    rows = [line.split("\t") for line in (hard / "pairs.bedpe").read_text().splitlines()[1:]]
    assert len(rows) == len({tuple(row[:6]) for row in rows}) == 3 * 24 * 10
    for side in (0, 1):
        for label, times in (("1", 1), ("0", 9)):
            seen = Counter(row[6].split("~")[side] for row in rows if row[10] == label)
            assert len(seen) == 3 * 24
            assert set(seen.values()) == {times}


def test_a_table_of_families_decides_the_hard_grammar(hard: Path) -> None:
    """An element's number modulo 6 tells its family; each row and column of the table has two ones."""
    table: dict[tuple[int, int], set[str]] = {}
    for row in (hard / "pairs.bedpe").read_text().splitlines()[1:]:
        enhancer, promoter = (int(name.rpartition("_")[2]) % 6 for name in row.split("\t")[6].split("~"))
        table.setdefault((enhancer, promoter), set()).add(row.split("\t")[10])
    assert len(table) == 36
    assert all(len(labels) == 1 for labels in table.values())
    ones = [cell for cell, labels in table.items() if labels == {"1"}]
    for side in (0, 1):
        assert Counter(cell[side] for cell in ones) == dict.fromkeys(range(6), 2)


def test_elements_of_the_hard_grammar_hold_two_other_motifs(hard: Path) -> None:
    sites = [line.split("\t") for line in (hard / "sites.bed").read_text().splitlines()]
    names: dict[str, dict[int, set[str]]] = {"enhancers": {}, "promoters": {}}
    copies = Counter()
    for side, families in names.items():
        for chrom, start, end, name in (line.split("\t") for line in (hard / f"{side}.bed").read_text().splitlines()):
            inside = [site[3] for site in sites
                      if site[0] == chrom and int(start) <= int(site[1]) < int(site[2]) <= int(end)]  # fmt: skip
            copies[len(inside)] += 1
            family = int(name.rpartition("_")[2]) % 6
            families[family] = families.get(family, set(inside)) & set(inside)
    assert set(copies) == {3, 4}
    assert min(copies.values()) > 40
    own = [name for families in names.values() for found in families.values() for name in found]
    assert len(own) == len(set(own)) == 12  # one motif is in all elements of a family, and each side has its own
    assert {site[3] for site in sites} == {motif.name for motif in read_motifs(str(hard / "motifs.jaspar"))}


@pytest.mark.parametrize("grammar", ["and", "null"])
def test_other_grammars_label_by_their_rule(folder: Path, grammar: str) -> None:
    """An element's number, at the end of its name, tells its family: modulo 3 in `and`, 5 in `null`."""
    pytest.importorskip("pyjaspar")
    sizes = ["--chromosomes", "3", "--elements", "30"]
    subprocess.run([sys.executable, str(SCRIPT), "-o", "out", "--grammar", grammar, *sizes], check=True)
    rows = [line.split("\t") for line in Path("out", "pairs.bedpe").read_text().splitlines()[1:]]
    assert len(rows) == len({tuple(row[:6]) for row in rows}) == 3 * 30 * 10
    numbers = [[int(name.rpartition("_")[2]) for name in row[6].split("~")] for row in rows]
    labels = [int(row[10]) for row in rows]
    if grammar == "and":
        assert labels == [int(enhancer % 3 == 0 and promoter % 3 == 1) for enhancer, promoter in numbers]
        assert 0 < sum(labels) < len(labels) / 3
    else:
        same_family = [int(enhancer % 5 == promoter % 5) for enhancer, promoter in numbers]
        assert sum(labels) == sum(same_family) == 3 * 30
        both = sum(label and same for label, same in zip(labels, same_family, strict=True))
        assert both < 30  # 9 are expected of labels that the families do not decide, 90 of `match`
