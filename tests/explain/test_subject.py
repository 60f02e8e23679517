"""The pairs that a model is asked about, and what is said of how well it predicts them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t
from sklearn.metrics import average_precision_score

from speid_cli.dataset.pairs import TEST, TRAIN, PairDataset
from speid_cli.errors import DataError
from speid_cli.evaluation.measures import Estimate
from speid_cli.explain.settings import SubjectSettings
from speid_cli.explain.subject import REPLICATES, Subject, _sample, ask
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.device import Device
from speid_cli.scoring.dataset import DatasetScorer
from tests import builders
from tests.explain.planted import PAIRS, Question

CPU = Device("cpu")


def asked(checkpoint: Checkpoint, dataset: PairDataset, **settings: object) -> Subject:
    return ask(checkpoint, dataset, CPU, SubjectSettings(**settings))  # type: ignore[arg-type]


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 130))
def test_a_sample_is_up_to_half_positives_and_stands_for_all(positives: int, negatives: int, most: int) -> None:
    label = np.random.default_rng(0).permutation(np.repeat([1, 0], [positives, negatives])).astype(np.int8)
    chosen, weight = _sample(label, most, np.random.default_rng(1))
    everything = most == 0 or most >= len(label)
    assert len(chosen) == (len(label) if everything else most)
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    ones = int(label[chosen].sum())
    if not everything:
        assert ones == min(positives, max(most // 2, most - negatives))
    for value, size in ((1, positives), (0, negatives)):
        mine = weight[label[chosen] == value]
        if len(mine):
            assert mine.sum() == pytest.approx(size) and np.ptp(mine) == 0


def test_the_whole_subset_is_judged_and_the_sample_is_asked_about(question: Question) -> None:
    checkpoint, dataset = question.checkpoint, question.dataset
    whole, sample = asked(checkpoint, dataset), asked(checkpoint, dataset, most_pairs=16, seed=3)
    assert whole.members.tolist() == list(range(PAIRS)) and set(whole.weight) == {1}
    assert (sample.label.sum(), sample.weight.sum()) == (8, pytest.approx(PAIRS))
    assert (sample.pairs, sample.positives, sample.base_rate) == (PAIRS, 10, 0.25)
    logit = DatasetScorer(checkpoint.model(), dataset, CPU).logits(whole.members)
    np.testing.assert_array_equal(sample.logit, logit[sample.members])
    np.testing.assert_array_equal(sample.label, dataset.label[sample.members])
    for subject in (whole, sample):
        assert subject.auprc.value == pytest.approx(average_precision_score(dataset.label, logit))
        assert subject.clusters.unit == "promoter"
        assert subject.units == len(set(dataset.promoter_index[subject.members].tolist()))
    assert asked(checkpoint, dataset, most_pairs=16, seed=3).members.tolist() == sample.members.tolist()


def test_the_change_of_auprc_has_a_simultaneous_interval(question: Question) -> None:
    subject = asked(question.checkpoint, question.dataset, most_pairs=30)
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 30))
    found = subject.auprc_change(before, after, comparisons=12)
    drawn = np.random.default_rng(subject.seed).multinomial(
        subject.units, [1 / subject.units] * subject.units, REPLICATES
    )
    changes = []
    for times in [np.ones(subject.units), *drawn]:
        weight = np.array([times[unit] for unit in subject.clusters.cluster]) * subject.weight
        with_ones = weight[subject.label == 1].sum() > 0
        each = [average_precision_score(subject.label, score, sample_weight=weight) for score in (before, after)]
        changes.append(each[1] - each[0] if with_ones else np.nan)
    error = np.nanstd(changes[1:], ddof=1)
    margin = t.ppf(1 - 0.025 / 12, subject.units - 1) * error
    assert found.value == pytest.approx(changes[0])
    assert (found.low, found.high) == pytest.approx((changes[0] - margin, changes[0] + margin))
    assert subject.auprc_change(before, before, 3) == Estimate(0, 0, 0)


def test_verdicts(question: Question) -> None:
    subject = replace(question.subject, pairs=1234, positives=123, auprc=Estimate(0.5, 0.4, 0.6))
    good, bad = (replace(subject, predicts=predicts) for predicts in (True, False))
    figures = "(AUPRC 0.500, 95% interval 0.400 to 0.600; base rate 0.100)."
    assert good.verdict == f"The model predicts these 1,234 test pairs better than the base rate {figures}"
    assert bad.verdict == (
        f"The model does not predict these 1,234 test pairs significantly better than the base rate {figures} "
        "What follows describes the model; its motifs say nothing about which pairs interact."
    )


def test_a_split_that_leaks_is_warned_of(question: Question) -> None:
    assert question.subject.warnings == ()
    subset = np.where(np.arange(PAIRS) < 10, TRAIN, TEST).astype(np.int8)
    dataset = builders.relabelled(question.dataset, subset=subset)
    checkpoint = builders.random_checkpoint(stages=[{"stage": "finetuned", "dataset": dataset.digest}])
    (warning,) = asked(checkpoint, dataset).warnings
    assert warning == (
        "30 of 30 test pairs share an element or sequence with training pairs, so that the model may have remembered "
        "them: what follows may be about single elements, not about motifs."
    )


def test_pairs_that_were_seen_are_refused_unless_allowed(question: Question) -> None:
    unknown = builders.random_checkpoint()
    with pytest.raises(DataError, match="has seen these test pairs, or may have: it does not say what it was trained"):
        asked(unknown, question.dataset)
    (warning,) = asked(unknown, question.dataset, allow_seen=True).warnings
    assert warning == "The model may have been trained on these pairs: it does not say what it was trained on."


def test_one_class_alone_is_refused(question: Question) -> None:
    dataset = builders.relabelled(question.dataset, label=np.zeros(PAIRS, np.int8))
    with pytest.raises(DataError, match="the test subset has 0 positives and 40 negatives; expected both"):
        asked(question.checkpoint, dataset)
