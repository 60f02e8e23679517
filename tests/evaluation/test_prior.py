"""The prior of distance: what it is learnt from, what it finds, and that the posterior is calibrated."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from speid_cli.dataset.metrics import sigmoid
from speid_cli.dataset.pairs import TEST, TRAIN, VALIDATION, Elements, PairDataset
from speid_cli.errors import DataError
from speid_cli.evaluation.calibration import Calibration, fit_calibration
from speid_cli.evaluation.prior import Apart, DistancePrior, fit_prior
from speid_cli.genome.intervals import ElementPair, Interval
from tests import builders

PRIOR = DistancePrior((10_000.0, 100_000.0, 1_000_000.0), (-2.0, -4.0, -9.0), 1000, 50)
WINDOW = 1000
Array = NDArray[np.float64]


class Placed(NamedTuple):
    """A pair of elements of 500 bp."""

    chrom: str
    enhancer: int
    promoter: int
    subset: int


def dataset_of(pairs: list[Placed]) -> PairDataset:
    """A data set without sequence."""
    chromosomes = tuple(dict.fromkeys(pair.chrom for pair in pairs))
    sides, rows = [], np.arange(len(pairs), dtype=np.int32)
    for starts in ([pair.enhancer for pair in pairs], [pair.promoter for pair in pairs]):
        places = [(chromosomes.index(pair.chrom), s, s + 500) for pair, s in zip(pairs, starts, strict=True)]
        nothing, still = np.zeros((len(pairs), WINDOW // 2), np.uint8), np.zeros((len(pairs), 2), np.int16)
        sides.append(Elements(nothing, WINDOW, WINDOW, still, np.array(places)))
    subset = np.array([pair.subset for pair in pairs], np.int8)
    return PairDataset(sides[0], sides[1], rows, rows, np.ones(len(pairs), np.int8), subset, chromosomes, {})


BY_CHROMOSOME = dataset_of(
    [Placed("chr1", 0, 90_000, TRAIN), Placed("chr2", 0, 90_000, VALIDATION), Placed("chr3", 0, 90_000, TEST)]
)


def write_candidates(distance: Iterable[int], label: Iterable[int], chrom: str = "chr1") -> str:
    """``all.bedpe``: pairs at these distances, with labels."""
    lines = [
        f"{chrom}\t0\t500\t{chrom}\t{500 + d}\t{900 + d}\tx\t.\t.\t.\t{y}" for d, y in zip(distance, label, strict=True)
    ]
    builders.write_pairs(Path("all.bedpe"), lines)
    return "all.bedpe"


def log_uniform(rng: np.random.Generator, count: int, low: float = 1e4, high: float = 2e6) -> NDArray[np.int64]:
    return np.exp(rng.uniform(np.log(low), np.log(high), count)).astype(np.int64)


def labels_of(rng: np.random.Generator, log_odds: Array) -> NDArray[np.int8]:
    return (rng.random(len(log_odds)) < sigmoid(log_odds)).astype(np.int8)


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=20))
def test_it_is_linear_in_the_logarithm_of_distance_and_constant_beyond_its_ends(distances: list[int]) -> None:
    for distance, found in zip(distances, PRIOR.at(np.array(distances)), strict=True):
        place = math.log10(min(max(distance, 10_000), 1_000_000))
        expected = -2 - 2 * (place - 4) if place < 5 else -4 - 5 * (place - 5)
        assert found == pytest.approx(expected)


def test_the_shares_shown_are_those_within_reach() -> None:
    assert PRIOR.reach_bp == (10_000, 1_000_000)
    shares = PRIOR.shares()
    assert list(shares) == ["20 kb", "100 kb", "1 Mb"]
    assert shares["1 Mb"] == pytest.approx(1 / (1 + math.exp(9)))
    assert list(replace(PRIOR, distance_bp=(50_000.0, 100_000.0, 900_000.0)).shares()) == ["100 kb"]


def test_plain_values_come_back() -> None:
    stored = {name: list(v) if isinstance(v, tuple) else v for name, v in PRIOR.as_plain().items()}
    assert DistancePrior.from_plain(stored) == PRIOR


@pytest.mark.parametrize(
    "change",
    [
        {"distance_bp": None}, {"distance_bp": [1.0, 2.0]}, {"distance_bp": [1.0, 3.0, 2.0]}, {"distance_bp": [0.5, 2.0, 3.0]},
        {"distance_bp": ["1", 2.0, 3.0]}, {"distance_bp": [1.0, 2.0, math.inf]}, {"log_odds": [1.0, math.nan, 2.0]},
        {"log_odds": [True, 1.0, 2.0]}, {"distance_bp": [], "log_odds": []}, {"distance_bp": [5.0], "log_odds": [1.0]},
        {"candidates": 1.5}, {"positives": "5"}, {"other": 1},
    ],
)  # fmt: skip
def test_a_prior_from_elsewhere_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="a prior that speid did not write; fit it again: speid evaluate --fit --prior"):
        DistancePrior.from_plain(PRIOR.as_plain() | change)
    with pytest.raises(DataError, match="a prior that speid did not write"):
        DistancePrior.from_plain({"log_odds": [1.0]})


SHAPES = {
    "falling": lambda z: 6.0 - 1.0 * z,
    "rising and falling": lambda z: -1.5 - 0.8 * (z - 12) ** 2,
    "level": lambda z: np.full(len(z), -3.0),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_share_at_each_distance_is_found(folder: Path, shape: str) -> None:
    """In each of eight bins, the predicted positives are the expected ones, within a tenth."""
    rng, law = np.random.default_rng(0), SHAPES[shape]
    distance = log_uniform(rng, 30_000)
    label = labels_of(rng, law(np.log(distance)))
    prior = fit_prior(write_candidates(distance, label), BY_CHROMOSOME)
    assert (prior.candidates, prior.positives) == (30_000, int(label.sum()))
    assert prior.reach_bp == (pytest.approx(1e4, rel=0.01), pytest.approx(2e6, rel=0.01))
    assert prior.reach_bp[0] <= distance.min() and prior.reach_bp[1] >= distance.max()
    test = np.sort(log_uniform(rng, 80_000)).reshape(8, -1)
    for some in test:
        expected, found = sigmoid(law(np.log(some))).sum(), sigmoid(prior.at(some)).sum()
        assert abs(found - expected) < 4 * math.sqrt(expected) + 0.1 * expected


@pytest.mark.parametrize("seed", range(5))
def test_few_positives_give_nearly_a_power_law(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    distance = log_uniform(rng, 10_000)
    label = labels_of(rng, 5.0 - 1.0 * np.log(distance))
    assert 10 <= label.sum() <= 40
    prior = fit_prior(write_candidates(distance, label), BY_CHROMOSOME)
    slope = np.diff(prior.log_odds) / np.diff(np.log(prior.distance_bp))
    assert slope.mean() == pytest.approx(-1, abs=0.4) and slope.std() < 0.5


def test_one_distance_is_enough_and_touching_elements_have_one(folder: Path) -> None:
    prior = fit_prior(write_candidates([0] * 100, [1] * 20 + [0] * 80), BY_CHROMOSOME)
    assert sigmoid(prior.at(np.array([0, 1, 10**9]))) == pytest.approx([0.2] * 3, abs=0.01)


def pair(chrom: str, enhancer: int, promoter: int, other: str = "") -> ElementPair:
    return ElementPair(Interval(chrom, enhancer, enhancer + 500), Interval(other or chrom, promoter, promoter + 500))


def test_with_a_split_by_chromosome_all_candidates_of_the_training_chromosomes_count() -> None:
    apart = Apart(BY_CHROMOSOME)
    assert apart.has(pair("chr1", 0, 10**8)) and apart.has(pair("1", 5, 10**6))
    for chrom in ("chr2", "3", "chr4", "chrUn"):
        assert not apart.has(pair(chrom, 0, 10**6))
    assert not apart.has(pair("chr1", 0, 10**6, other="chr2"))


@given(st.integers(0, 400), st.integers(0, 400))
def test_with_a_split_by_block_held_out_stretches_and_a_window_around_them_do_not(first: int, second: int) -> None:
    """Validation reaches from 100,000 to 150,500 bp, test from 250,000 to 300,500 bp."""
    held_out = [Placed("chr1", 100_000, 150_000, VALIDATION), Placed("chr1", 300_000, 250_000, TEST)]
    apart = Apart(dataset_of([Placed("chr1", 0, 10_000, TRAIN), *held_out]))
    starts = 1000 * first, 1000 * second
    near = [any(low - WINDOW < s + 500 and s < high + WINDOW for low, high in ((100_000, 150_500), (250_000, 300_500)))
            for s in starts]  # fmt: skip
    assert apart.has(pair("chr1", *starts)) == (not any(near))


def test_a_random_split_leaves_no_candidates(folder: Path) -> None:
    rng = np.random.default_rng(0)
    placed = [Placed("chr1", int(a), int(b), int(s)) for a, b, s in zip(
        rng.integers(0, 10**6, 300), rng.integers(0, 10**6, 300), rng.integers(0, 3, 300), strict=True)]  # fmt: skip
    lines = [f"chr1\t{a}\t{a + 500}\tchr1\t{b}\t{b + 500}\t.\t{int(a % 2)}"
             for a, b in rng.integers(30_000, 970_000, (100, 2)).tolist()]  # fmt: skip
    builders.write_pairs(Path("all.bedpe"), lines, None)
    message = "all.bedpe: 0 positives and 0 negatives apart from validation and test pairs, of 100 candidates; expected"
    with pytest.raises(DataError, match=f"^{message} at least 10 of either; .* split by chromosome or block$"):
        fit_prior("all.bedpe", dataset_of(placed))


@pytest.mark.parametrize(
    ("positives", "count", "found"),
    [(9, 500, "9 positives and 491 negatives"), (1, 20, "1 positive and 19 negatives"),
     (500, 500, "500 positives and 0 negatives")],
)  # fmt: skip
def test_too_few_of_a_class_are_refused(folder: Path, positives: int, count: int, found: str) -> None:
    distance = log_uniform(np.random.default_rng(0), count)
    path = write_candidates(distance, [1] * positives + [0] * (count - positives))
    with pytest.raises(DataError, match=f"^all.bedpe: {found} apart from .*; give all candidates, as speid candidates"):
        fit_prior(path, BY_CHROMOSOME)


def test_a_file_without_pairs_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="^all.bedpe: no pairs; expected all candidates, with labels$"):
        fit_prior(write_candidates(np.empty(0), []), BY_CHROMOSOME)


def test_labels_are_needed(folder: Path) -> None:
    Path("all.bedpe").write_text("chr1\t0\t500\tchr1\t9000\t9500\tx\t.\n")
    message = "all.bedpe:1: no label column: none is headed 'label', and column 8 holds '.'; expected 0 or 1 for every"
    with pytest.raises(DataError, match=f"^{message} pair; head the column of labels 'label'$"):
        fit_prior("all.bedpe", BY_CHROMOSOME)


def test_contigs_may_be_spelt_otherwise_with_one_warning(folder: Path) -> None:
    distance, told = log_uniform(np.random.default_rng(0), 100), list[str | None]()
    path = write_candidates(distance, [1, 0] * 50, chrom="1")
    assert fit_prior(path, BY_CHROMOSOME, told.append).candidates == 100
    assert told == ["contig names differ from those of the data set: took '1' for 'chr1'"]
    told.clear()
    assert fit_prior(write_candidates(distance, [1, 0] * 50), BY_CHROMOSOME, told.append).positives == 50
    assert told == [None]
    with pytest.raises(
        DataError, match="all.bedpe: none of its contigs, such as 'II', is in the data set, which has 'c"
    ):
        fit_prior(write_candidates(distance, [1, 0] * 50, chrom="II"), BY_CHROMOSOME)


def in_bins(value: Array, bins: int) -> list[NDArray[np.int64]]:
    """Positions of the values in bins of equal sizes."""
    return np.array_split(np.argsort(value, kind="stable"), bins)


def check_calibrated(posterior: Array, label: NDArray[np.int8], by: Array, slack: float = 0.0) -> None:
    """In ten bins, the observed positives are the expected ones within four standard errors and a share of them."""
    for some in in_bins(by, 10):
        expected, error = posterior[some].sum(), math.sqrt((posterior[some] * (1 - posterior[some])).sum())
        assert abs(label[some].sum() - expected) < 4 * error + slack * expected


def law(distance: NDArray[np.int64]) -> Array:
    """The log-odds of the simulated pairs: a power law."""
    return 8.0 - 1.0 * np.log(distance)


def test_known_likelihood_ratio_times_known_prior_is_calibrated_at_every_distance() -> None:
    """Logits of 1 +- 1 for positives and -1 +- 1 for negatives: the log-likelihood ratio is twice the logit."""
    rng, prevalence = np.random.default_rng(0), 1 / 21
    distance = log_uniform(rng, 200_000)
    label = labels_of(rng, law(distance))
    logit = rng.normal(2.0 * label - 1, 1)
    calibration = Calibration(2.0, math.log(prevalence / (1 - prevalence)), prevalence)
    places = np.geomspace(1e4, 2e6, 40)
    prior = DistancePrior(tuple(places.tolist()), tuple(law(places).tolist()), 1, 1)
    posterior = sigmoid(calibration.log_odds(logit, prior.at(distance)))
    check_calibrated(posterior, label, distance.astype(float))
    check_calibrated(posterior, label, posterior)
    at_one_share = calibration.probabilities(logit, float(label.mean()))
    with pytest.raises(AssertionError):
        check_calibrated(at_one_share, label, distance.astype(float))


def test_what_is_fitted_on_matched_pairs_and_on_candidates_is_calibrated_at_every_distance(folder: Path) -> None:
    """The calibration sees pairs whose negatives have the positives' distances, the prior sees no logit."""
    rng = np.random.default_rng(0)
    distance = log_uniform(rng, 60_000)
    label = labels_of(rng, law(distance))
    prior = fit_prior(write_candidates(distance, label), BY_CHROMOSOME)
    matched = np.repeat([1, 0], [1000, 20_000]).astype(np.int8)
    calibration = fit_calibration(matched, rng.normal(2.0 * matched - 1, 1))
    assert calibration is not None
    distance = log_uniform(rng, 60_000)
    label = labels_of(rng, law(distance))
    posterior = sigmoid(calibration.log_odds(rng.normal(2.0 * label - 1, 1), prior.at(distance)))
    check_calibrated(posterior, label, distance.astype(float), slack=0.1)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
def test_real_loops_are_fitted_at_every_distance(folder: Path) -> None:
    """All 1,053,274 candidates of HUVEC; the share of loops among them rises, then falls."""
    data = builders.shared_data() / "hic"
    beds, loops = (
        [data / f"HUVEC.{side}.bed.gz" for side in ("enhancers", "promoters")],
        "HUVEC.HiCCUPS_looplist.txt.gz",
    )
    assert builders.run("candidates", *beds, "--anchors", data / loops, "-o", "all.bedpe") == 0
    chromosomes = [f"chr{number}" for number in (*range(1, 23), "X")]
    prior = fit_prior("all.bedpe", dataset_of([Placed(chrom, 0, 90_000, TRAIN) for chrom in chromosomes]))
    assert (prior.candidates, prior.positives) == (1_053_274, 1524)
    with open("all.bedpe") as lines:
        rows = [line.split("\t")[10:12] for line in lines if not line.startswith("#")]
    distance, label = np.array(rows, np.int64).T
    edges = np.geomspace(40_000, 2_000_001, 9)
    for low, high in pairwise(edges):
        some = (distance >= low) & (distance < high)
        assert sigmoid(prior.at(distance[some])).sum() == pytest.approx(label[some].sum(), rel=0.2, abs=10)
    shares = sigmoid(prior.at(np.array([20_000, 150_000, 1_500_000])))
    assert shares[0] < 0.2 * shares[1] and shares[2] < 0.02 * shares[1]
