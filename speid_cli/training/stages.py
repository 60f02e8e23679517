"""The two stages: pre-training on the balanced, augmented pairs, fine-tuning on the pairs as they are.

Singh et al. 2016, sections 2.2.1 and 2.2.2. Both are `Trainer` with other settings.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from speid_cli import __version__
from speid_cli.dataset.pairs import SUBSETS, TEST, TRAIN, VALIDATION, PairDataset
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.config import SpeidConfig, TrainingConfig
from speid_cli.model.device import Device
from speid_cli.model.initialisers import init_lstm_from_motifs, init_position_invariant, new_network, place_motifs
from speid_cli.model.motif_kernels import KernelInitialisers
from speid_cli.model.speid import Speid
from speid_cli.scoring.dataset import check_windows
from speid_cli.training.inputs import FrozenFeatures, WholeNetwork
from speid_cli.training.state import TrainingState
from speid_cli.training.trainer import Observer, Row, Trainer


def pretrain(
    dataset: PairDataset,
    config: SpeidConfig,
    settings: TrainingConfig,
    motifs: KernelInitialisers | None,
    device: Device,
    seed: int,
    observer: Observer,
    preset: str = "paper",
    training_state: TrainingState | None = None,
) -> Checkpoint:
    """Train a new network, all of it, on augmented positives and plain negatives (section 2.2.1).

    `preset` is stored in the model, for the settings of fine-tuning. `training_state` saves the state of
    the run, and loads the one to resume from.

    Raises
    ------
    DataError
        Windows or motifs do not fit the network, or the training subset has one class only.
    """
    check_windows(config, dataset)
    dataset.check_both_classes(TRAIN, hint="prepare with another --split")
    model = new_network(config, generator := torch.Generator().manual_seed(seed))
    if motifs is not None:
        place_motifs(model, motifs)
    if settings.start == "invariant":
        init_position_invariant(model, generator)
        if motifs is not None:
            init_lstm_from_motifs(model, motifs, generator)
    trainer = Trainer(model, WholeNetwork(model, dataset, device), dataset, settings, device, seed)
    provenance = _provenance(dataset, "pretrained", settings, seed, before=[])
    provenance |= {"preset": preset, "motifs": motifs.records() if motifs is not None else []}
    start = _digest(trainer.model)
    history = [{"stage": "pretrained"} | row for row in _run(trainer, provenance, start, observer, training_state)]
    return Checkpoint(config, _cpu_state(model), "pretrained", history, provenance)


def finetune(
    start: Checkpoint,
    dataset: PairDataset,
    settings: TrainingConfig,
    device: Device,
    seed: int,
    observer: Observer,
    training_state: TrainingState | None = None,
) -> Checkpoint:
    """Train what follows the LSTM on the imbalanced pairs, unshifted, once each (section 2.2.2).

    Convolution, LSTM and the norms before and after it are frozen: they keep weights and
    statistics, bit for bit, and run in evaluation mode, so that the first dropout is off. The
    weights at the start count as epoch 0: where no epoch validates better, they are kept.

    Raises
    ------
    DataError
        The data set's windows are not the network's, or its training subset has one class only.
    """
    check_windows(start.config, dataset)
    dataset.check_both_classes(TRAIN, hint="prepare with another --split")
    model = start.model()
    model.freeze_features()
    members = np.concatenate([dataset.members(TRAIN), dataset.members(VALIDATION)])
    inputs = FrozenFeatures(model, dataset, device, members)
    trainer = Trainer(model, inputs, dataset, settings, device, seed)
    before = start.provenance.get("stages", [])
    provenance = start.provenance | _provenance(dataset, "finetuned", settings, seed, before)
    found = _run(trainer, provenance, _digest(start.model()), observer, training_state)
    history = [{"stage": "finetuned"} | row for row in found]
    return Checkpoint(start.config, _cpu_state(model), "finetuned", start.history + history, provenance)


def _run(
    trainer: Trainer, provenance: dict[str, Any], start: str, observer: Observer, training_state: TrainingState | None
) -> list[Row]:
    """Train, from the saved state of the same run if there is one; record which epoch was kept."""
    training_state, stage = training_state or TrainingState(), provenance["stages"][-1]
    wanted = ("dataset", "seed", "versions", "preset", "motifs")
    state = training_state.load(
        {name: provenance.get(name) for name in wanted}
        | {"stage": stage["stage"], "settings": stage["settings"]}
        | {"config": asdict(trainer.model.config), "first weights": start}
        | {"device": trainer.device.torch.type, "precision": trainer.device.precision}
    )
    if state is not None:
        trainer.restore(state)
    elif stage["stage"] == "finetuned":
        trainer.validate_start()
    found = trainer.run(observer, training_state)
    stage |= {"kept_epoch": trainer.kept_epoch, "validation_before": trainer.position.start}
    return found


def _digest(model: Speid) -> str:
    """SHA-256 of a network's tensors."""
    digest = hashlib.sha256()
    for name, values in model.state_dict().items():
        digest.update(name.encode() + values.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def _provenance(
    dataset: PairDataset, stage: str, settings: TrainingConfig, seed: int, before: list[dict[str, Any]]
) -> dict[str, Any]:
    """What a model was made from; only chromosomes that no stage trained on count as held out."""
    this = {
        "stage": stage,
        "dataset": dataset.digest,
        "trained_chromosomes": dataset.chromosomes_of(TRAIN),
        "validated_chromosomes": dataset.chromosomes_of(VALIDATION),
        "seed": seed,
        "settings": asdict(settings),
    }
    stages = [*before, this]
    trained = {chrom for entry in stages for chrom in entry.get("trained_chromosomes", [])}
    return {
        "dataset": dataset.digest,
        "source": dataset.metadata.get("source"),
        "split": dataset.metadata.get("split"),
        "fold": dataset.metadata.get("fold"),
        "held_out_chromosomes": {
            SUBSETS[part]: [chrom for chrom in dataset.chromosomes_of(part) if chrom not in trained]
            for part in (VALIDATION, TEST)
        },
        "reference": dataset.metadata.get("reference"),
        "composition": dataset.metadata.get("composition"),
        "seed": seed,
        "versions": {
            "speid": __version__,
            "torch": torch.__version__.split("+")[0],
            "python": platform.python_version(),
        },
        "stages": stages,
    }


def _cpu_state(model: Speid) -> dict[str, torch.Tensor]:
    return {name: values.detach().cpu() for name, values in model.state_dict().items()}
