"""``report.html`` of the kernels: what it shows, and what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from speid_cli.dataset.pairs import PairDataset
from speid_cli.evaluation.evaluate import Clusters
from speid_cli.evaluation.measures import Estimate
from speid_cli.explain.kernel_files import kernel_rows
from speid_cli.explain.kernel_page import page
from speid_cli.explain.kernels import Kernel
from speid_cli.explain.matching import Match, Matches
from speid_cli.explain.subject import Subject
from tests import builders


def render(dataset: PairDataset, drop: Estimate, q_value: float, predicts: bool = True) -> str:
    """The page of 120 kernels of a branch, of which the first matches a motif, with a drop."""
    checkpoint = builders.random_checkpoint()
    counts = (builders.consensus_motif("", "ACGTACGT").matrix).astype(np.int64)
    kernels = [Kernel("enhancer", number, counts, 20) for number in range(120)]
    match = Match(builders.consensus_motif("MA<1>", "ACG"), 0.001, q_value)
    matches = Matches([match] + [None] * 119, [match], 60)
    members, auprc = np.arange(10), Estimate(0.5, 0.4, 0.6)
    half = np.zeros(10, np.float32)
    subject = Subject(
        members, half.astype(np.int8), half, half.astype(float), Clusters("promoter", members), "test", 10, 5, auprc,
        predicts, ("They share elements.",), 0,
    )  # fmt: skip
    drops = {("enhancer", number): Estimate(0, 0, 0) for number in range(120)} | {("enhancer", 0): drop}
    rows = kernel_rows(checkpoint.model(), kernels, drops, matches.kernels, [], [])
    return page("pairs", checkpoint, dataset, subject, kernels, rows, matches)


def test_the_pictures_are_of_the_first_kernels_and_the_table_of_all(dataset: PairDataset) -> None:
    text = render(dataset, Estimate(0.2, 0.1, 0.3), 0.001)
    assert text.count("<title>enhancer_") == 100 and text.count("<circle") == 30
    assert text.count('<td class="text">enhancer ') == 120
    assert "enhancer 0 MA&lt;1&gt;</text>" in text and text.count('class="strong"') == 2
    assert "They share elements." in text and "better than the base rate (AUPRC 0.500" in text


@pytest.mark.parametrize(("q_value", "shown"), [(0.049, True), (0.05, False)])
def test_poor_matches_are_hidden(dataset: PairDataset, q_value: float, shown: bool) -> None:
    text = render(dataset, Estimate(0.2, 0.1, 0.3), q_value)
    assert ("MA&lt;1&gt;" in text) == shown and ('<td data-value="0.049">' in text) == shown


def test_no_kernel_matters_to_a_model_that_predicts_nothing(dataset: PairDataset) -> None:
    text = render(dataset, Estimate(0, 0, 0), 0.5, predicts=False)
    assert "its motifs say nothing about which pairs interact" in text and 'class="strong"' not in text
    assert text.index("its motifs say nothing") < text.index("kernels that this model needs")
