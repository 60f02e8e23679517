"""Which motif a PPM is most like, and how far a kernel moved from its motif."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from speid_cli.errors import OptionError
from speid_cli.explain.kernels import Kernel, information
from speid_cli.explain.matching import is_tested, match, match_kernels, moved, shuffled, trimmed
from speid_cli.genome.motif_files import Motif
from speid_cli.model.motif_kernels import fit, place
from tests import builders

CTCF = "CCGCGNGGNGGCAG"


def random_motifs(count: int, length: int = 12) -> list[Motif]:
    letters = np.random.default_rng(1).choice(list("ACGT"), (count, length))
    return [builders.consensus_motif(f"random{number}", "".join(row)) for number, row in enumerate(letters)]


def test_a_motif_in_noise_is_matched_and_its_shuffled_copy_is_not() -> None:
    rng, motifs = np.random.default_rng(0), [*random_motifs(60), builders.consensus_motif("CTCF", CTCF)]
    noise = rng.dirichlet([100] * 4, 40)
    planted = noise.copy()
    planted[9 : 9 + len(CTCF)] = builders.consensus_motif("", CTCF).reverse_complement().ppm(1)
    found, nothing = match([planted, noise], motifs)
    assert found is not None and (found.motif.identifier, nothing) == ("CTCF", None)
    assert found.q_value < 1e-6
    (control,) = match(shuffled([planted, noise], 0), motifs)
    assert control is not None and control.q_value > 0.05


def test_trimming_and_what_is_tested() -> None:
    ppm = builders.consensus_motif("", "NNACGNTNN").ppm()
    np.testing.assert_array_equal(trimmed(ppm), ppm[2:7])
    assert is_tested(trimmed(ppm))
    assert not is_tested(builders.consensus_motif("", "ACGT").ppm()), "4 positions"
    assert not is_tested(builders.consensus_motif("", "ANNNNC").ppm()), "4 bits"
    weak = np.full((40, 4), [0.5, 0.2, 0.15, 0.15])
    assert information(weak).sum() > 8 and not is_tested(weak), "noise along the whole kernel"
    assert not is_tested(np.full((5, 4), [0.8, 0.1, 0.1, 0.0])), "5 bits"
    assert len(trimmed(builders.consensus_motif("", "NNN").ppm())) == 0


def test_a_few_sites_are_not_matched() -> None:
    """One sequence has two bits at each position, but it is no PPM."""
    kernels = [
        Kernel("enhancer", 0, (builders.consensus_motif("", CTCF, count).matrix).astype(np.int64), count)
        for count in (1, 50)
    ]
    found = match_kernels(kernels, [*random_motifs(60), builders.consensus_motif("CTCF", CTCF)], 0)
    assert found.kernels[0] is None and found.kernels[1] is not None
    assert found.summary == "1 of 1 compared kernel match a motif with q < 0.01; with their positions shuffled, 0."


def test_q_values_are_of_the_best_target_corrected_for_their_number() -> None:
    from memelite import tomtom

    motifs, rng = random_motifs(60), np.random.default_rng(2)
    ppms = [0.6 * motifs[row].ppm() + 0.4 * rng.dirichlet([1] * 4, 12) for row in range(5)]
    order = [list("ATCG").index(letter) for letter in "ACGT"]
    p_values = tomtom([ppm[:, order].T.copy() for ppm in ppms], [item.ppm()[:, order].T.copy() for item in motifs])[0]
    corrected = 1 - (1 - p_values.min(1)) ** 60
    found = match(ppms, motifs)
    assert [item.motif for item in found if item] == [motifs[row] for row in p_values.argmin(1)]
    np.testing.assert_allclose([item.q_value for item in found if item], false_discovery_control(corrected))


def test_nothing_to_match() -> None:
    assert match([np.full((40, 4), 0.25)], random_motifs(60)) == [None]
    assert match([], random_motifs(60)) == []


def test_matching_without_memelite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "memelite", None)
    with pytest.raises(OptionError, match="^matching motifs needs memelite; try: pip install memelite$"):
        match([builders.consensus_motif("", CTCF).ppm()], random_motifs(60))


@pytest.mark.parametrize("strand", "+-")
@pytest.mark.parametrize("length", [6, 11, 14])
def test_how_far_a_kernel_moved(strand: str, length: int) -> None:
    forward = builders.consensus_motif("M", CTCF[:length])
    (fitted,) = fit([forward], 11)
    kernels = place([fitted if strand == "+" else fitted.reverse_complement()], 11, 0.0, 0)
    (placed,) = kernels.placed
    assert moved(kernels.weight[0], placed, forward) == pytest.approx(0, abs=1e-6)
    assert moved(-kernels.weight[0], placed, forward) == pytest.approx(2, abs=1e-6)
    assert moved(0 * kernels.weight[0], placed, forward) is None
    assert moved(kernels.weight[0], placed, builders.consensus_motif("M", "ACGT")) is None
