"""Pre-training and fine-tuning: one loop, two settings; what learns, what is frozen, what is kept."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from speid_cli.dataset.metrics import classification_metrics
from speid_cli.dataset.pairs import TRAIN, VALIDATION, PairDataset
from speid_cli.errors import DataError
from speid_cli.genome.motif_files import Motif
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.config import TrainingConfig
from speid_cli.model.device import Device
from speid_cli.model.initialisers import init_lstm_from_motifs, init_position_invariant, initialise, place_motifs
from speid_cli.model.motif_kernels import place
from speid_cli.model.speid import Speid
from speid_cli.scoring.dataset import DatasetScorer
from speid_cli.training.inputs import FrozenFeatures
from speid_cli.training.stages import finetune, pretrain
from tests import builders
from tests.builders import SilentObserver

PRETRAIN = TrainingConfig(epochs=2, batch_size=16, learning_rate=1e-2, copies=3)
FINETUNE = replace(PRETRAIN, copies=1, shift="none")
FROZEN = ("enhancer_conv", "promoter_conv", "feature_norm", "lstm", "sequence_norm")


def pretrained(dataset: PairDataset, settings: TrainingConfig = PRETRAIN, seed: int = 0) -> Checkpoint:
    return pretrain(dataset, builders.TINY, settings, None, Device("cpu"), seed, SilentObserver())


def finetuned(start: Checkpoint, dataset: PairDataset, settings: TrainingConfig = FINETUNE) -> Checkpoint:
    return finetune(start, dataset, settings, Device("cpu"), 0, SilentObserver())


def as_bytes(checkpoint: Checkpoint) -> bytes:
    stream = io.BytesIO()
    checkpoint.write(stream)
    return stream.getvalue()


def test_everything_learns_in_pretraining(dataset: PairDataset) -> None:
    untrained, trained = pretrained(dataset, replace(PRETRAIN, epochs=0)), pretrained(dataset)
    assert untrained.history == []
    for name, values in trained.state_dict.items():
        assert not torch.equal(values, untrained.state_dict[name]), name


def test_pretraining_starts_as_the_settings_say(dataset: PairDataset) -> None:
    kernels = place([Motif("A", "", np.ones((4, 4)), "test")], builders.TINY.kernel_length, 0.0, seed=0)
    for start in ("keras", "invariant"):
        for motifs in (None, kernels):
            settings = replace(PRETRAIN, epochs=0, start=start)
            found = pretrain(dataset, builders.TINY, settings, motifs, Device("cpu"), 3, SilentObserver())
            expected = Speid(builders.TINY)
            initialise(expected, generator := torch.Generator().manual_seed(3))
            if start == "invariant":
                init_position_invariant(expected, generator)
            if motifs is not None:
                place_motifs(expected, motifs)
                if start == "invariant":
                    init_lstm_from_motifs(expected, motifs, generator)
            for name, values in expected.state_dict().items():
                assert torch.equal(values, found.state_dict[name]), (name, start, motifs)


def test_what_is_frozen_stays_bit_for_bit(dataset: PairDataset) -> None:
    start = pretrained(dataset)
    tuned = finetuned(start, dataset)
    for name, values in tuned.state_dict.items():
        same = torch.equal(values, start.state_dict[name])
        assert same == name.startswith(FROZEN), name
    assert (start.stage, tuned.stage) == ("pretrained", "finetuned")


def test_the_same_seed_gives_the_same_bytes(dataset: PairDataset) -> None:
    start = pretrained(dataset)
    assert as_bytes(start) == as_bytes(pretrained(dataset))
    assert as_bytes(start) != as_bytes(pretrained(dataset, seed=1))
    assert as_bytes(finetuned(start, dataset)) == as_bytes(finetuned(start, dataset))


@pytest.mark.parametrize("memory_bytes", [100_000, 4])
def test_features_kept_or_computed_again_are_alike(
    dataset: PairDataset, monkeypatch: pytest.MonkeyPatch, memory_bytes: int
) -> None:
    model, members = builders.random_checkpoint().model(), dataset.members(TRAIN)
    whole = DatasetScorer(model, dataset, Device("cpu")).logits(members)
    kept = FrozenFeatures(model, dataset, Device("cpu"), members)
    monkeypatch.setattr(Device, "memory_bytes", memory_bytes)
    again = FrozenFeatures(model, dataset, Device("cpu"), members)
    parts = DatasetScorer(model, dataset, Device("cpu")).logits(members)
    np.testing.assert_allclose(parts, whole, atol=1e-5)
    some = members[[5, 3, 3, 0, 7, 8]]
    torch.testing.assert_close(kept._features(some), again._features(some), atol=1e-6, rtol=1e-5)
    np.testing.assert_allclose(kept.evaluation_logits(some), again.evaluation_logits(some), atol=1e-5)


def test_fine_tuning_minimises_the_loss_of_the_pairs_as_they_are(dataset: PairDataset) -> None:
    """One step on the whole subset against autograd on the plain network with its frozen parts detached."""
    config = replace(builders.TINY, sequence_dropout=0.0, dense_dropout=0.0)
    start = replace(builders.random_checkpoint(config, stages=[]), stage="pretrained")
    members = dataset.members(TRAIN)
    settings = TrainingConfig(
        epochs=1, batch_size=len(members), learning_rate=1e-3, copies=1, shift="none", keep="last"
    )
    tuned = finetune(start, dataset, settings, Device("cpu"), 0, SilentObserver())

    model = start.model()
    features = FrozenFeatures(model, dataset, Device("cpu"), members)._features(members)
    model.train()
    label = torch.from_numpy(dataset.label[members]).float()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(model.classify(features), label)
    (loss + 1e-5 * model.dense.weight.square().sum()).backward()
    for name in ("dense.weight", "output.weight", "dense_norm.bias"):
        gradient = dict(model.named_parameters())[name].grad
        assert gradient is not None
        step = tuned.state_dict[name] - start.state_dict[name]  # Adam's first step is lr * sign
        clear = gradient.abs() > 1e-5
        torch.testing.assert_close(step[clear], -1e-3 * gradient.sign()[clear], atol=2e-5, rtol=0)


def test_the_best_epoch_is_kept_and_patience_ends_training(dataset: PairDataset) -> None:
    settings = replace(PRETRAIN, epochs=12, learning_rate=0.1, patience=2)
    best = pretrained(dataset, settings)
    scores = [row["validation_auprc"] for row in best.history]
    top = int(np.argmax(scores))
    assert len(scores) == min(12, top + 3)
    assert top < len(scores) - 1, "the test needs a run whose best epoch is not its last"
    alone = pretrained(dataset, replace(settings, epochs=top + 1, patience=0, keep="last"))
    last = pretrained(dataset, replace(settings, keep="last"))
    for name, values in best.state_dict.items():
        assert torch.equal(values, alone.state_dict[name])
    assert not torch.equal(best.state_dict["dense.weight"], last.state_dict["dense.weight"])


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("averaging", [0.1, 1.0])
def test_averaged_weights_are_validated_and_kept(dataset: PairDataset, averaging: float, keep: str) -> None:
    """An epoch of one step, so that the weights of each step are those of a shorter run."""
    settings = replace(PRETRAIN, epochs=5, batch_size=1000, averaging=averaging, keep=keep)
    steps = [
        pretrained(dataset, replace(settings, epochs=epochs, averaging=0.0, keep="last")).state_dict
        for epochs in range(1, 6)
    ]
    averages = [{name: values.double() for name, values in steps[0].items()}]
    for done, step in enumerate(steps[1:], 1):
        share = 1 / (1 + averaging * done)
        averages.append({name: (1 - share) * before + share * step[name] for name, before in averages[-1].items()})
    found = pretrained(dataset, settings)
    kept = found.provenance["stages"][-1]["kept_epoch"]
    assert kept == (5 if keep == "last" else 1 + int(np.argmax([row["validation_auprc"] for row in found.history])))
    for name, values in found.state_dict.items():
        if values.is_floating_point():
            torch.testing.assert_close(values.double(), averages[kept - 1][name], atol=1e-6, rtol=1e-5)
        else:
            assert values == kept  # the number of batches of a norm
    logits = DatasetScorer(found.model(), dataset, Device("cpu")).logits(dataset.members(VALIDATION))
    expected = classification_metrics(dataset.label[dataset.members(VALIDATION)], logits)
    assert found.history[kept - 1]["validation_loss"] == pytest.approx(expected["loss"])


def test_without_validation_the_last_epoch_is_kept(dataset: PairDataset) -> None:
    whole = builders.relabelled(dataset, subset=np.zeros_like(dataset.subset))
    run = pretrained(whole, replace(PRETRAIN, patience=1))
    assert len(run.history) == 2
    assert np.isnan(run.history[0]["validation_auprc"])
    last = pretrained(whole, replace(PRETRAIN, keep="last"))
    assert torch.equal(run.state_dict["dense.weight"], last.state_dict["dense.weight"])


def test_an_observer_is_told_of_every_sample_and_epoch(dataset: PairDataset) -> None:
    observer = SilentObserver()
    pretrain(dataset, builders.TINY, PRETRAIN, None, Device("cpu"), 0, observer)
    positives = int(dataset.label[dataset.members(TRAIN)].sum())
    assert observer.samples == 2 * (len(dataset.members(TRAIN)) + 2 * positives)
    assert [row["epoch"] for row in observer.rows] == [1, 2]


def test_provenance_says_what_was_held_out(dataset: PairDataset) -> None:
    start = pretrained(dataset)
    tuned = finetuned(start, dataset)
    assert start.provenance["dataset"] == dataset.digest
    assert start.provenance["held_out_chromosomes"] == {
        "validation": dataset.chromosomes_of(VALIDATION), "test": dataset.chromosomes_of(2),
    }  # fmt: skip
    assert [stage["stage"] for stage in tuned.provenance["stages"]] == ["pretrained", "finetuned"]
    assert [row["stage"] for row in tuned.history] == ["pretrained"] * 2 + ["finetuned"] * 2


def test_what_a_random_split_trains_on_is_not_held_out(dataset: PairDataset) -> None:
    shared = builders.relabelled(dataset, subset=np.tile(np.array([0, 0, 1, 2, 0], np.int8), 12))
    held_out = pretrained(shared, replace(PRETRAIN, epochs=1)).provenance["held_out_chromosomes"]
    assert set(shared.chromosomes_of(TRAIN)) == set(shared.chromosomes)
    assert held_out == {"validation": [], "test": []}


def test_what_pretraining_saw_is_not_held_out_later(dataset: PairDataset) -> None:
    start = pretrained(dataset, replace(PRETRAIN, epochs=1))
    turned = builders.relabelled(dataset, subset=np.where(dataset.subset == 0, 2, 0).astype(np.int8))
    assert finetuned(start, turned).provenance["held_out_chromosomes"] == {"validation": [], "test": []}


def test_a_model_of_only_what_the_format_promises_can_be_tuned(dataset: PairDataset) -> None:
    bare = replace(builders.random_checkpoint(), stage="pretrained", provenance={})
    tuned = finetuned(bare, dataset)
    assert [stage["stage"] for stage in tuned.provenance["stages"]] == ["finetuned"]


def test_divergence_is_said(dataset: PairDataset) -> None:
    whole = builders.relabelled(dataset, subset=np.zeros_like(dataset.subset))
    for data in (dataset, whole):
        with pytest.raises(DataError, match="training diverged in epoch 1: the loss is not finite; try a lower --lr"):
            pretrained(data, replace(PRETRAIN, learning_rate=1e30))


def test_a_subset_with_one_class_is_refused(dataset: PairDataset) -> None:
    flat = builders.relabelled(dataset, label=np.zeros_like(dataset.label))
    with pytest.raises(DataError, match="the train subset has 0 positives and .* expected both; prepare with another"):
        pretrained(flat)


def test_windows_of_another_width_are_refused(dataset: PairDataset) -> None:
    start = builders.random_checkpoint(replace(builders.TINY, enhancer_window=310), stages=[])
    with pytest.raises(DataError, match="windows of 300 and 200 bp; expected the model's 310 and 200 bp"):
        finetuned(start, dataset)
    with pytest.raises(DataError, match="windows of 300 and 200 bp; expected the model's 310 and 200 bp"):
        pretrain(dataset, start.config, PRETRAIN, None, Device("cpu"), 0, SilentObserver())


def test_bf16_runs_the_same_path(dataset: PairDataset) -> None:
    low = pretrain(dataset, builders.TINY, PRETRAIN, None, Device("cpu", "bf16"), 0, SilentObserver())
    assert low.state_dict["dense.weight"].dtype == torch.float32
    assert np.isfinite([row["training_loss"] for row in low.history]).all()


@pytest.mark.parametrize("keep", ["best", "last"])
def test_weights_that_validate_better_than_all_epochs_are_kept(dataset: PairDataset, keep: str) -> None:
    """The start ranks the validation pairs perfectly, and one wild step cannot."""
    start = replace(pretrained(dataset), provenance={"stages": []})
    logits = DatasetScorer(start.model(), dataset, Device("cpu")).logits(np.arange(len(dataset)))
    label = dataset.label.copy()
    validation = dataset.members(VALIDATION)
    label[validation] = logits[validation] > np.median(logits[validation])
    ranked = replace(dataset, label=label)
    wild = replace(FINETUNE, epochs=1, learning_rate=10.0, keep=keep)
    tuned = finetuned(start, ranked, wild)
    stage = tuned.provenance["stages"][-1]
    assert stage["validation_before"] == pytest.approx(1) and tuned.history[-1]["validation_auprc"] < 0.99
    assert stage["kept_epoch"] == (0 if keep == "best" else 1)
    alike = [torch.equal(values, start.state_dict[name]) for name, values in tuned.state_dict.items()]
    assert all(alike) == (keep == "best")
