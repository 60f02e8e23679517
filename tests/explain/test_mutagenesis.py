"""Substitutions against the network called on each mutant, and what is made of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from speid_cli.dataset.labels import LabelledPair
from speid_cli.errors import DataError
from speid_cli.explain.mutagenesis import (
    AskedPair,
    Effects,
    PairEffects,
    PairWindows,
    base_values,
    shown,
    substitutions,
)
from speid_cli.explain.mutagenesis_files import Modisco, modisco_names, table_rows, write_tracks
from speid_cli.explain.settings import MutagenesisSettings
from speid_cli.genome.bigwig import write_bigwig
from speid_cli.genome.intervals import ElementPair, Interval
from speid_cli.genome.pair_reader import PairReader
from speid_cli.genome.reference import Reference
from speid_cli.model.convolution import expand
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.perturbed import PerturbedScorer
from tests import builders

Codes = NDArray[np.uint8]
# At the beginning of a contig; over the run of N and at the end.
PAIRS = (
    ElementPair(Interval("chr1", 20, 61), Interval("chr1", 5900, 6000)),
    ElementPair(Interval("chr2", 600, 800), Interval("chr2", 400, 403)),
)


@pytest.fixture
def model() -> Speid:
    return builders.random_checkpoint().model()


@pytest.fixture
def genome_file(genome: dict[str, str]) -> Reference:
    return Reference("genome.fa")


def windows_of(genome: Reference, **settings: object) -> PairWindows:
    return PairWindows(genome, builders.TINY, MutagenesisSettings(**settings))  # type: ignore[arg-type]


def asked_about(windows: PairWindows, model: Speid, pair: ElementPair, name: str = "a name") -> PairEffects:
    sides = windows.of(pair)
    codes, positions = tuple(side.codes for side in sides), tuple(side.asked for side in sides)
    effects = substitutions(PerturbedScorer(model, Device("cpu")), codes, positions)  # type: ignore[arg-type]
    return PairEffects(AskedPair(7, LabelledPair(pair, 1, name), 0), sides, effects)


def logit(model: Speid, *codes: Codes) -> float:
    with torch.no_grad():
        return model(*(expand(torch.from_numpy(side[None])) for side in codes)).item()


@pytest.mark.parametrize("pair", PAIRS, ids=["at an end", "with N"])
def test_every_change_is_that_of_the_network(genome_file: Reference, model: Speid, pair: ElementPair) -> None:
    found = asked_about(windows_of(genome_file), model, pair)
    codes = [window.codes for window in found.windows]
    assert any((side == 4).any() for side in codes)
    wild = logit(model, *codes)
    assert math.isclose(found.effects.logit, wild, abs_tol=1e-6)
    for side, changes in enumerate(found.effects.changes):
        for place, base in np.ndindex(changes.shape):
            mutant = [window.copy() for window in codes]
            mutant[side][place] = base
            expected = math.nan if codes[side][place] == 4 else logit(model, *mutant) - wild
            np.testing.assert_allclose(changes[place, base], expected, atol=2e-6)


def test_mutants_are_scored_in_chunks(model: Speid, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = np.random.default_rng(0).integers(0, 5, (2, 300), dtype=np.uint8)
    sides, positions, told = (codes[0], codes[1, :200]), (np.arange(90), np.arange(100, 130)), list[int]()
    whole = substitutions(PerturbedScorer(model, Device("cpu")), sides, positions)
    monkeypatch.setattr("speid_cli.explain.mutagenesis.MUTANTS_AT_ONCE", 7)
    parts = substitutions(PerturbedScorer(model, Device("cpu")), sides, positions, told.append)
    for one, other in zip(whole.changes, parts.changes, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert max(told) == 7
    assert sum(told) == 3 * ((codes[0, :90] < 4).sum() + (codes[1, 100:130] < 4).sum())


def test_effects_come_back_from_plain_values() -> None:
    sides = [np.random.default_rng(0).normal(size=(length, 4)).astype(np.float32) for length in (5, 3)]
    sides[0][2] = np.nan
    back = Effects.from_plain(Effects(0.1, (sides[0], sides[1])).as_plain())
    assert back.logit == 0.1
    for one, other in zip(sides, back.changes, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("settings", "enhancer", "promoter"),
    [
        ({}, [0, 190], [5850, 6000]),
        ({"elements": True}, [20, 61], [5900, 6000]),
        ({"region": Interval("chr1", 0, 30)}, [0, 30], None),
        ({"region": Interval("chr1", 30, 5900)}, [30, 190], [5850, 5900]),
        ({"region": Interval("chr1", 0, 30), "elements": True}, [20, 30], None),
        ({"region": Interval("chr2", 0, 6000)}, None, None),
    ],
)
def test_which_bases_are_substituted(
    genome: dict[str, str],
    genome_file: Reference,
    settings: dict[str, object],
    enhancer: list[int] | None,
    promoter: list[int] | None,
) -> None:
    windows = windows_of(genome_file, **settings).of(PAIRS[0])
    for window, limits in zip(windows, (enhancer, promoter), strict=True):
        expected = [place for place in range(*(limits or [0])) if genome["chr1"][place].upper() in "ACGT"]
        assert (window.start + window.asked).tolist() == expected
    assert windows[0].interval == Interval("chr1", -110, 190)
    assert shown(windows[0].interval) == "chr1:1-190"


def test_pairs_without_a_base_are_counted(genome: dict[str, str], genome_file: Reference) -> None:
    lines = ["\t".join(map(str, [*pair.enhancer, *pair.promoter])) for pair in PAIRS]
    builders.write_pairs(Path("two.bedpe"), lines, header=None)
    asked, others = windows_of(genome_file, region=Interval("chr2", 700, 705)).asked(PairReader("two.bedpe"))
    mutants = 3 * sum(letter.upper() in "ACGT" for letter in genome["chr2"][700:705])
    assert [(pair.line, pair.labelled.pair, pair.mutants, others) for pair in asked] == [(2, PAIRS[1], mutants, 1)]
    with pytest.raises(
        DataError,
        match=r"two.bedpe: the windows of these pairs have no base in chr3:1-9; "
        r"expected a region such as chr1:1-190, the enhancer window of line 1$",
    ):
        windows_of(genome_file, region=Interval("chr3", 0, 9)).asked(PairReader("two.bedpe"))
    builders.write_pairs(Path("n.bedpe"), ["chr2\t600\t610\tchr2\t600\t602"], header=None)
    with pytest.raises(DataError, match=r"n.bedpe: the elements of these pairs hold only N; is this the right genome"):
        windows_of(genome_file, elements=True).asked(PairReader("n.bedpe"))
    builders.write_pairs(Path("far.bedpe"), ["chr2\t6000\t6010\tchr2\t600\t602"], header=None)
    with pytest.raises(DataError, match="far.bedpe:1: end 6010 is beyond chr2, which is 6000 bp long"):
        windows_of(genome_file).asked(PairReader("far.bedpe"))


def test_the_table_has_a_line_for_each_substitution(
    genome: dict[str, str], genome_file: Reference, model: Speid
) -> None:
    pair = asked_about(windows_of(genome_file, elements=True), model, PAIRS[0])
    rows = [row.split("\t") for row in table_rows(pair)]
    expected = [
        ["7", side, "chr1", str(place), genome["chr1"][place].upper(), base]
        for side, places in (("enhancer", range(20, 61)), ("promoter", range(5900, 6000)))
        for place in places
        for base in "ACGT"
        if genome["chr1"][place].upper() in set("ACGT") - {base}
    ]
    assert [row[:6] for row in rows] == expected
    for _, side, _, place, _, base, probability, change in rows:
        number = ["enhancer", "promoter"].index(side)
        value = pair.effects.changes[number][int(place) - pair.windows[number].start]["ATCG".index(base)]
        assert change == f"{value:.6g}"
        assert math.isclose(float(probability), 1 / (1 + math.exp(-pair.effects.logit - value)), rel_tol=1e-5)


@pytest.mark.parametrize(
    ("name", "file"), [("a/b ~c", "7.a_b_c"), (".", "7.pair"), ("x" * 300, "7." + "x" * 100), ("../é", "7._")]
)
def test_tracks_are_read_back_by_another_program(genome_file: Reference, model: Speid, name: str, file: str) -> None:
    import pyBigWig

    pair = asked_about(windows_of(genome_file, region=Interval("chr1", 0, 5880)), model, PAIRS[0], name)
    write_tracks(Path(), pair)
    for window, changes in zip(pair.windows, pair.effects.changes, strict=True):
        with pyBigWig.open(f"{file}.{window.side}.bw") as track:
            assert track.chroms() == {"chr1": 6000}
            found = np.array(track.values("chr1", 0, 6000))
        expected = np.full(6000, np.nan)
        for place in window.asked:
            others = [change for base, change in enumerate(changes[place]) if base != window.codes[place]]
            expected[window.start + place] = -np.mean(others)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_a_side_without_a_base_has_no_track(genome_file: Reference, model: Speid) -> None:
    pair = asked_about(windows_of(genome_file, region=Interval("chr1", 0, 30)), model, PAIRS[0])
    write_tracks(Path(), pair)
    assert [path.name for path in Path().glob("*.bw")] == ["7.a_name.enhancer.bw"]


def test_a_track_that_is_not_written_is_an_error(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"^x.bw: the file could not be written \(.*\); is the disk full\?$"):
        write_bigwig(folder / "x.bw", "chr1", 5, 3, np.ones(9, np.float32))
    (folder / "y.bw").mkdir()
    with pytest.raises(DataError, match=r"^y.bw: the file could not be written \(.*\); is the disk full\?$"):
        write_bigwig(folder / "y.bw", "chr1", 5, 3, np.ones(1, np.float32))


def test_values_that_are_lost_are_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pybigtools

    class Short:
        def write(self, chroms: object, rows: object) -> None:
            pass

        def records(self, contig: str) -> list[object]:
            return [(3, 4, 1.0)]

    monkeypatch.setattr(pybigtools, "open", lambda *arguments: Short())
    with pytest.raises(DataError, match=r"x.bw: the file could not be written \(1 of 2 values are there\)"):
        write_bigwig(folder / "x.bw", "chr1", 9, 3, np.ones(2, np.float32))


def test_the_input_of_modisco(genome: dict[str, str], genome_file: Reference, model: Speid) -> None:
    modisco = Modisco()
    pairs = [asked_about(windows_of(genome_file, elements=True), model, pair) for pair in PAIRS]
    for pair in pairs:
        modisco.add(pair)
    arrays = dict(zip(modisco_names("x"), modisco.arrays(), strict=True))
    assert list(arrays) == [f"x.{name}.npz" for name in (
        "enhancer.onehot", "enhancer.effects", "promoter.onehot", "promoter.effects")]  # fmt: skip
    for side, length in enumerate((300, 200)):
        onehot, effects = list(arrays.values())[2 * side : 2 * side + 2]
        assert onehot.shape == effects.shape == (2, 4, length)
        for row, pair in enumerate(pairs):
            window, changes = pair.windows[side], pair.effects.changes[side]
            sequence = "".join(genome[window.element.chrom][max(window.start, 0) : window.start + length]).upper()
            sequence = sequence.rjust(length, "N") if window.start < 0 else sequence.ljust(length, "N")
            assert ["".join(letter if on else "" for letter, on in zip("ACGT", column, strict=True)) or "N"
                    for column in onehot[row].T] == [base if base in "ACGT" else "N" for base in sequence]  # fmt: skip
            contributions = (onehot[row] * effects[row]).sum(axis=0)
            np.testing.assert_allclose(contributions, np.nan_to_num(base_values(changes)) * 3 / 4, atol=1e-6)
            np.testing.assert_allclose(effects[row].sum(axis=0), 0, atol=1e-6)
