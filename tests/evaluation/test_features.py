"""Features against the definition written out, base by base."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speid_cli.errors import DataError
from speid_cli.evaluation.features import REGIONS, TrackFeatures, check_ends, pair_regions, track_features
from speid_cli.genome.contigs import ContigNames, ReferenceContigs
from speid_cli.genome.intervals import ElementPair, Interval
from speid_cli.genome.tracks import Track
from tests import builders
from tests.intervals import meets, needs_bedtools, random_places

CONTIGS = ("chr1", "chr2", "chr3")


def regions_of(enhancer: Interval, promoter: Interval) -> list[Interval | None]:
    """The four regions, by their definition."""
    chrom, start, end = enhancer
    extended = Interval(chrom, max(0, start - 3000), end + 3000)
    between = Interval(chrom, min(end, promoter.end) + 1, max(start, promoter.start) - 1)
    window = between if chrom == promoter.chrom and between.start < between.end else None
    return [enhancer, extended, promoter, window]


def mean_signal(peaks: Sequence[tuple[Interval, float]], region: Interval | None) -> float:
    """The summed signal of the peaks that overlap, divided by the length; NaN without a region."""
    if region is None:
        return math.nan
    return sum(signal for peak, signal in peaks if meets(peak, region)) / (region.end - region.start)


def features_of(tracks: Sequence[Track], pairs: Sequence[ElementPair], contigs: ContigNames) -> TrackFeatures:
    chromosomes = sorted({element.chrom for pair in pairs for element in pair})
    enhancer, promoter = (
        np.array([(chromosomes.index(chrom), start, end) for chrom, start, end in side], np.int64)
        for side in zip(*pairs, strict=True)
    )
    return track_features(tracks, enhancer, promoter, chromosomes, contigs)


def write_peaks(path: Path, peaks: Sequence[tuple[Interval, float]]) -> str:
    path.write_text("".join(f"{c}\t{s}\t{e}\t.\t0\t.\t{signal!r}\t-1\t-1\t-1\n" for (c, s, e), signal in peaks))
    return str(path)


STARTS = st.integers(0, 9000)
ELEMENTS = st.builds(lambda start, length: (0, start, start + length), STARTS, st.integers(1, 4000))


@given(ELEMENTS, ELEMENTS, st.booleans())
def test_regions_are_those_of_the_definition(
    enhancer: tuple[int, int, int], promoter: tuple[int, int, int], apart: bool
) -> None:
    promoter = (int(apart), *promoter[1:])
    place, row = pair_regions(np.array([enhancer, enhancer]), np.array([promoter, promoter]))
    expected = regions_of(*(Interval(str(chrom), start, end) for chrom, start, end in (enhancer, promoter)))
    found = [None if at < 0 else Interval(str(place[at, 0]), *place[at, 1:].tolist()) for at in row[0]]
    assert found == expected
    np.testing.assert_array_equal(row[0], row[1])
    places = list(map(tuple, place.tolist()))
    assert places == sorted(set(places))


@pytest.mark.parametrize(("gap", "length"), [(0, None), (2, None), (3, 1), (10_000, 9998)])
def test_the_window_begins_behind_the_nearer_end(gap: int, length: int | None) -> None:
    place, row = pair_regions(np.array([(0, 500 + gap, 900 + gap)]), np.array([(0, 100, 500)]))
    assert (row[0, 3] < 0) == (length is None)
    if length:
        assert place[row[0, 3]].tolist() == [0, 501, 501 + length]


@needs_bedtools
def test_values_are_those_of_the_definition(folder: Path) -> None:
    rng = np.random.default_rng(3)
    places = random_places(60, 1, span=30_000)
    pairs = [ElementPair(places[a], places[b]) for a, b in rng.integers(0, len(places), (80, 2))]
    peaks = [(place, float(rng.lognormal(0, 3))) for place in random_places(300, 2, span=40_000, longest=3000)]
    files = [write_peaks(folder / f"{name}.narrowPeak", peaks[part::3]) for part, name in enumerate("abc")]
    features = features_of([Track("A", (files[0],)), Track("B", tuple(files[1:]))], pairs, ContigNames(CONTIGS))
    found = features.of_pairs()
    expected = [
        [mean_signal(of_track, region) for of_track in (peaks[::3], peaks[1::3] + peaks[2::3])
         for region in regions_of(*pair)] for pair in pairs
    ]  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)
    assert np.isnan(found).any()
    assert (found == 0).any()
    assert features.columns == [f"{name} ({region})" for name in "AB" for region in REGIONS]
    np.testing.assert_array_equal(features.of_pairs(slice(5, 9)), found[5:9])
    two = features.of_pairs(regions=("promoter", "enhancer"))
    np.testing.assert_array_equal(two, found[:, [2, 0, 6, 4]])


@needs_bedtools
@given(
    st.lists(st.tuples(ELEMENTS, ELEMENTS), min_size=1, max_size=8),
    st.lists(st.tuples(ELEMENTS, st.floats(-1e3, 1e3)), min_size=1, max_size=12),
)
def test_any_values_are(
    tmp_path_factory: pytest.TempPathFactory,
    pairs: list[tuple[tuple[int, int, int], ...]],
    peaks: list[tuple[tuple[int, int, int], float]],
) -> None:
    asked = [ElementPair(*(Interval("chr1", start, end) for _, start, end in pair)) for pair in pairs]
    given_peaks = [(Interval("1", start, end), signal) for (_, start, end), signal in peaks]
    path = write_peaks(tmp_path_factory.mktemp("peaks") / "a.broadPeak", given_peaks)
    found = features_of([Track("A", (path,))], asked, ContigNames(["chr1"])).of_pairs()
    here = [(peak._replace(chrom="chr1"), signal) for peak, signal in given_peaks]
    expected = [[mean_signal(here, region) for region in regions_of(*pair)] for pair in asked]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@needs_bedtools
def test_a_bigwig_has_the_mean_of_all_bases(folder: Path) -> None:
    rng = np.random.default_rng(0)
    values = {"1": np.where(rng.random(9000) < 0.3, np.nan, rng.gamma(1, 2, 9000).astype(np.float32).astype(float))}
    builders.write_bigwig(folder / "a.bw", values)
    pairs = [ElementPair(Interval("chr1", 10, 500), Interval("chr1", 8000, 9000)),
             ElementPair(Interval("chr1", 700, 701), Interval("chr2", 5, 10))]  # fmt: skip
    peaks = [(Interval("chr1", 0, 20), 3.5)]
    path = write_peaks(folder / "a.narrowPeak", peaks)
    tracks = [Track("A", ("a.bw",)), Track("B", ("a.bw", path, "a.bw"))]
    features = features_of(tracks, pairs, contigs := ContigNames(["chr1", "chr2"], "pairs.bedpe"))

    def mean(region: Interval | None) -> float:
        if region is None:
            return math.nan
        inside = values["1"][region.start : region.end] if region.chrom == "chr1" else np.zeros(1)
        return float(np.nansum(inside)) / (region.end - region.start)

    regions = [regions_of(*pair) for pair in pairs]
    expected = [
        [*map(mean, four), *(2 * mean(region) + mean_signal(peaks, region) for region in four)] for four in regions
    ]
    np.testing.assert_allclose(features.of_pairs(), expected, rtol=1e-12)
    assert contigs.aliases == {"1": "chr1"}


@needs_bedtools
def test_a_track_without_signal_is_told_and_a_table_of_other_contigs_refused(folder: Path) -> None:
    pairs = [ElementPair(Interval("chr1", 10, 500), Interval("chr1", 5000, 5100))]
    files = [write_peaks(folder / f"{number}.narrowPeak", [(Interval(chrom, 90_000, 90_001), 1.0)])
             for number, chrom in enumerate(("chr1", "scaffold7"))]  # fmt: skip
    contigs = ContigNames(["chr1"], "pairs.bedpe")
    features = features_of([Track("A", (files[0],)), Track("B", (files[1],))], pairs, contigs)
    assert features.silent == (
        ("A", files[0], Interval("chr1", 90_000, 90_001), 0),
        ("B", files[1], Interval("scaffold7", 90_000, 90_001), 0),
    )
    assert not features.of_pairs().any()
    message = (
        "none of its contigs, such as 'scaffold7', is in pairs.bedpe, which has 'chr1'; .*; are both files of the same"
    )
    with pytest.raises(DataError, match=f"^{files[1]}: {message}"):
        features_of([Track("B", (files[1],))], pairs, contigs)


@needs_bedtools
def test_a_sum_that_is_not_finite_is_refused(folder: Path) -> None:
    pairs = [ElementPair(Interval("chr1", 10, 500), Interval("chr1", 5000, 5100))]
    path = write_peaks(folder / "a.narrowPeak", [(Interval("chr1", 10, 11), 1.7e308)] * 2)
    with pytest.raises(DataError, match="a.narrowPeak: the sum of the signal in a region is not a finite number"):
        features_of([Track("A", (path,))], pairs, ContigNames(["chr1"]))


@needs_bedtools
def test_a_bigwig_of_another_genome_is_refused(folder: Path) -> None:
    builders.write_bigwig(folder / "a.bw", {"1": np.ones(400), "chrX": np.ones(7)})
    pairs = [ElementPair(Interval("chr1", 10, 400), Interval("chr2", 900, 901)),
             ElementPair(Interval("chr1", 10, 20), Interval("chr1", 399, 401))]  # fmt: skip
    tracks, contigs = [Track("A", ("x.bed", "a.bw"))], ContigNames(["chr1", "chr2"], "pairs.bedpe")
    check_ends(tracks, "pairs.bedpe", [5], pairs[:1], contigs)
    message = (
        "pairs.bedpe:7: end 401 is beyond chr1, which is 400 bp long; expected coordinates of a.bw; is this the right"
    )
    with pytest.raises(DataError, match=message):
        check_ends(tracks, "pairs.bedpe", [5, 7], pairs, contigs)
    reference = ReferenceContigs({"chr1": 399, "chr2": 1000}, "genome.fa")
    message = "a.bw: end 400 is beyond chr1, which is 399 bp long; expected coordinates of genome.fa; is this the right"
    with pytest.raises(DataError, match=message):
        features_of([Track("A", ("a.bw",))], [ElementPair(Interval("chr1", 1, 5), Interval("chr1", 7, 9))], reference)
