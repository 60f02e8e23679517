"""The drop in AUPRC without a kernel, and its interval."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from speid_cli.dataset.metrics import ranking
from speid_cli.dataset.pairs import PairDataset
from speid_cli.evaluation.evaluate import Clusters
from speid_cli.evaluation.measures import Estimate
from speid_cli.explain import importance as importance_module
from speid_cli.explain.importance import importance
from speid_cli.explain.pairs import PairScorer
from speid_cli.explain.record import Record, Run
from speid_cli.explain.subject import Subject
from speid_cli.model.device import Device
from speid_cli.scoring.dataset import DatasetScorer
from speid_cli.scoring.perturbed import silence
from tests import builders

CPU = Device("cpu")


@pytest.fixture
def subject(dataset: PairDataset) -> Subject:
    """All pairs of the data set, as if all were held out, in 20 clusters."""
    members = np.flatnonzero(dataset.label >= 0)
    cluster, unknown = (
        Clusters("promoter", np.random.default_rng(0).permutation(len(members)) % 20),
        Estimate(0.5, 0.4, 0.6),
    )
    label = dataset.label[members]
    weight = np.where(label == 1, 1.0, 3.0)
    none = np.zeros(len(members), np.float32)
    return Subject(members, label, none, weight, cluster, "test", 60, int(label.sum()), unknown, unknown, (), 0)


def test_drops_and_their_resuming(
    folder: Path, dataset: PairDataset, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = builders.trained_network()
    monkeypatch.setattr(importance_module, "KERNELS_AT_A_TIME", 3)
    scorer = PairScorer(model, dataset, subject.members, CPU)
    subject = replace(subject, logit=DatasetScorer(model, dataset, CPU).logits(subject.members))
    done = list[int]()
    with Record(Run(folder / "out", force=True), {}) as record:
        drops = importance(scorer, subject, 8, record, done.append)
    assert done == [3, 3, 2] * 2
    assert list(drops) == [(branch, kernel) for branch in ("enhancer", "promoter") for kernel in range(8)]
    scores = [
        ranking(subject.label, DatasetScorer(network, dataset, CPU).logits(subject.members).astype(float), subject.weight[None])[0][0]
        for network in (model, silence(model, 1, 4))
    ]  # fmt: skip
    drop = drops["promoter", 4]
    assert drop.value == pytest.approx(scores[0] - scores[1], abs=1e-9)
    assert drop.low < drop.value < drop.high
    assert drop.high - drop.value == pytest.approx(drop.value - drop.low)
    lines = record.path.read_bytes().splitlines(keepends=True)
    record.path.write_bytes(b"".join(lines[:4]) + b'["promoter 0", [[')
    done.clear()
    with Record(Run(folder / "out", resume=True), {}) as record:
        assert importance(scorer, subject, 8, record, done.append) == drops
    assert done == [3, 3, 2]


def test_a_kernel_without_effect_has_no_drop(folder: Path, dataset: PairDataset, subject: Subject) -> None:
    model = builders.trained_network()
    with torch.no_grad():
        for name in ("weight_ih_l0", "weight_ih_l0_reverse"):
            getattr(model.lstm, name)[:, 6] = 0
    subject = replace(subject, logit=DatasetScorer(model, dataset, CPU).logits(subject.members))
    with Record(Run(folder / "out", force=True), {}) as record:
        drops = importance(PairScorer(model, dataset, subject.members, CPU), subject, 8, record)
    assert drops["enhancer", 6] == drops["promoter", 6] == Estimate(0, 0, 0)


def test_intervals_widen_with_the_number_of_kernels(
    folder: Path, dataset: PairDataset, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels that say nothing: no interval may leave 0 out, though 95% intervals of single kernels would."""
    outside = 0
    for seed in range(5):
        logit = DatasetScorer(builders.trained_network(seed), dataset, CPU).logits(subject.members)
        asked = replace(subject, logit=logit)
        with Record(Run(folder / "out", force=True), {}) as record:
            scorer = PairScorer(builders.trained_network(seed), dataset, subject.members, CPU)
            drops = importance(scorer, asked, 8, record)
        outside += sum(drop.low > 0 or drop.high < 0 for drop in drops.values())
    assert outside == 0
