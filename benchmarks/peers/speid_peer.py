"""speid itself: scoring, training and fine-tuning, and what the machine could do at most.

usage: speid_peer.py WORK.npz
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from serve import Work, serve

import speid_cli
from speid_cli.dataset.pairs import Elements, PairDataset
from speid_cli.model.config import PRESETS, SpeidConfig
from speid_cli.model.device import Device
from speid_cli.model.initialisers import initialise
from speid_cli.model.speid import Speid
from speid_cli.scoring.scorer import PairSide, Scorer
from speid_cli.training.inputs import FrozenFeatures, WholeNetwork
from speid_cli.training.state import TrainingState
from speid_cli.training.trainer import Trainer

PAPER = PRESETS["paper"].model
Index = NDArray[np.int64]
Codes = NDArray[np.uint8]


class SilentObserver:
    """Watches training and shows nothing."""

    def epoch_begins(self, epoch: int, epochs: int, samples: int) -> None:
        """Nothing."""

    def samples_done(self, samples: int) -> None:
        """Nothing."""

    def epoch_ended(self, row: dict[str, object], best: bool) -> None:
        """Nothing."""


def main() -> None:
    """Serve."""
    with np.load(sys.argv[1]) as data:
        arrays = dict(data)
    device = Device("cpu")
    unrelated = np.arange(len(arrays["enhancers"]))

    model = untrained()

    def shared() -> Pairs:
        sides = arrays["shared_enhancers"], arrays["shared_promoters"]
        return Pairs(model, device, *sides, arrays["left"], arrays["right"])

    works = {
        "score unrelated": lambda: (
            Pairs(model, device, arrays["enhancers"], arrays["promoters"], unrelated, unrelated).all
        ),
        "score shared": lambda: shared().all,
        "score shared, pairs only": lambda: shared().pairs_only(),
        "train": lambda: training(device, arrays),
        "finetune": lambda: finetuning(device, arrays, keep_pairs=True),
        "finetune from elements": lambda: finetuning(device, arrays, keep_pairs=False),
        "matrix product": lambda: matrix_product(device),
        "PyTorch matrix product": torch_product,
        "copy": copy,
    } | scaling(device, model)
    serve(works, {"speid": speid_cli.__version__, "PyTorch": torch.__version__, "device": device.description})


def untrained(config: SpeidConfig = PAPER) -> Speid:
    """Random weights, which do not change the amount of work."""
    model = Speid(config).eval()
    initialise(model, torch.Generator().manual_seed(0))
    return model


class Pairs:
    """Pairs and their elements with a scorer that has slots for all of them."""

    def __init__(
        self, model: Speid, device: Device, enhancers: Codes, promoters: Codes, left: Index, right: Index
    ) -> None:
        self.counts = len(enhancers), len(promoters)
        read = (lambda rows: enhancers[rows]), (lambda rows: promoters[rows])
        self.scorer = Scorer[int](model, device, read, most_elements=self.counts)
        self.left, self.right = left.tolist(), right.tolist()

    def all(self) -> object:
        """Elements and pairs, everything counted."""
        self.elements()
        return self.scorer.logits(self.left, self.right)

    def elements(self) -> None:
        """All elements."""
        for cache, count in zip((self.scorer.enhancers, self.scorer.promoters), self.counts, strict=True):
            cache.clear()
            cache.find(PairSide.of(range(count)))

    def pairs_only(self) -> Work:
        """Pairs whose elements are computed."""
        self.elements()
        return lambda: self.scorer.logits(self.left, self.right)


def scaling(device: Device, model: Speid) -> dict[str, Callable[[], Work]]:
    """How cost grows: one size at a time, the rest at the paper's."""
    rng = np.random.default_rng(0)
    nothing = np.empty(0, np.int64)

    def codes(count: int, width: int) -> Codes:
        return rng.integers(0, 4, (count, width), dtype=np.uint8)

    def elements(count: int) -> Work:
        return Pairs(model, device, codes(count // 2, 3000), codes(count // 2, 2000), nothing, nothing).elements

    def pairs(count: int) -> Work:
        left, right = np.divmod(np.arange(count), 40)
        return Pairs(model, device, codes(96, 3000), codes(40, 2000), left, right).pairs_only()

    def enhancers(config: SpeidConfig) -> Work:
        sides = codes(48, config.enhancer_window), codes(0, 2000)
        return Pairs(untrained(config), device, *sides, nothing, nothing).elements

    works: dict[str, Callable[[], Work]] = {}
    for count in (96, 192, 384):
        works[f"elements {count}"] = partial(elements, count)
    for count in (960, 1920, 3840):
        works[f"pairs {count}"] = partial(pairs, count)
    for window in (750, 1500, 3000, 6000):
        works[f"enhancer window {window}"] = partial(enhancers, replace(PAPER, enhancer_window=window))
    for kernels in (256, 512, 1024, 2048):
        works[f"kernels {kernels}"] = partial(enhancers, replace(PAPER, n_kernels=kernels))
    return works


def training(device: Device, arrays: dict[str, NDArray[Any]]) -> Work:
    """An epoch of the trainer on unrelated pairs."""
    count = len(arrays["enhancers"])
    data = dataset(arrays["enhancers"], arrays["promoters"], np.arange(count), np.arange(count))
    model = untrained()
    settings = replace(PRESETS["paper"].pretrain, copies=1)
    trainer = Trainer(model, WholeNetwork(model, data, device), data, settings, device, 0)
    return partial(epoch, trainer)


def epoch(trainer: Trainer) -> float:
    """The first epoch's batches, again; the sum of their losses."""
    trainer.position.batches = 0
    trainer.steps(SilentObserver(), TrainingState())
    return float(trainer.position.loss)


def finetuning(device: Device, arrays: dict[str, NDArray[Any]], keep_pairs: bool) -> Work:
    """An epoch of the trainer on frozen features, kept for pairs or assembled from their elements."""
    sides = arrays["shared_enhancers"], arrays["shared_promoters"]
    data = dataset(*sides, arrays["left"][:2000], arrays["right"][:2000])
    model = untrained()
    model.freeze_features()
    members = np.arange(2000)
    inputs = FrozenFeatures(model, data, device, members if keep_pairs else members[:0])
    if not keep_pairs:
        inputs._cache = None
    trainer = Trainer(model, inputs, data, PRESETS["paper"].finetune, device, 0)
    return partial(epoch, trainer)


def dataset(enhancers: Codes, promoters: Codes, left: Index, right: Index) -> PairDataset:
    """Pairs for training, every other one interacting, without margins for shifts."""

    def side(codes: Codes) -> Elements:
        bits = np.array([8, 4, 2, 1, 0], np.uint8)[codes]
        onehot = bits[:, ::2] * 16 + bits[:, 1::2]
        count, width = codes.shape
        return Elements(onehot, width, width, np.zeros((count, 2), np.int16), np.zeros((count, 3), np.int64))

    label = (np.arange(len(left)) % 2).astype(np.int8)
    index = left.astype(np.int32), right.astype(np.int32)
    return PairDataset(side(enhancers), side(promoters), *index, label, np.zeros_like(label), ("chr22",), {})


def matrix_product(device: Device) -> Work:
    """The native product at the shape of the LSTM's projection."""
    kernels = device.kernels
    if kernels is None:
        return torch_product()
    a, panels, out = torch.randn(9600, 1024), kernels.panels(torch.randn(1024, 800)), torch.empty(9600, 800)
    return lambda: kernels.product_by_rows(a, panels, out)


def torch_product() -> Work:
    """PyTorch's at the same shape."""
    a, b, out = torch.randn(9600, 1024), torch.randn(1024, 800), torch.empty(9600, 800)
    return lambda: torch.mm(a, b, out=out)


def copy() -> Work:
    """Copy 256 MB."""
    a, b = torch.zeros(1 << 26), torch.zeros(1 << 26)
    return lambda: b.copy_(a)


if __name__ == "__main__":
    main()
