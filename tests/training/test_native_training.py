"""Training on the native kernels beside training on PyTorch's modules."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from speid_cli.model.config import PRESETS
from speid_cli.model.device import Device
from speid_cli.model.initialisers import initialise
from speid_cli.model.native.network import NativeNetwork
from speid_cli.model.speid import Speid

CONFIG = replace(
    PRESETS["tiny"].model, enhancer_window=600, promoter_window=400, feature_dropout=0.0, dense_dropout=0.0
)


@pytest.fixture
def device() -> Device:
    device = Device("cpu")
    if device.kernels is None:
        pytest.skip("the native kernels were not built")
    return device


def losses(model: Speid, network: Speid | NativeNetwork, device: Device, steps: int) -> torch.Tensor:
    """The loss of each step on batches of 20 random pairs that come again and again."""
    draw = torch.Generator().manual_seed(7)
    windows = [
        torch.randint(0, 4, (100, w), generator=draw, dtype=torch.uint8)
        for w in (CONFIG.enhancer_window, CONFIG.promoter_window)
    ]
    labels = torch.randint(0, 2, (100,), generator=draw).float()
    optimiser = device.adam(model.parameter_groups(), 1e-4)
    model.train()
    curve = []
    for step in range(steps):
        rows = slice(step % 5 * 20, step % 5 * 20 + 20)
        logits = network.logits_of_codes(windows[0][rows], windows[1][rows])
        loss = F.binary_cross_entropy_with_logits(logits, labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        curve.append(loss.detach())
    return torch.stack(curve)


def test_the_loss_curve_of_200_steps_is_the_modules(device: Device) -> None:
    plain = Speid(CONFIG)
    initialise(plain, torch.Generator().manual_seed(0))
    native = copy.deepcopy(plain)
    expected = losses(plain, plain, device, 200)
    found = losses(native, device.prepare_training(native), device, 200)
    assert expected[-1] < 0.8 * expected[0]
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=0)
    torch.testing.assert_close(found[:20], expected[:20], atol=5e-6, rtol=0)


def test_every_parameter_learns_alike_with_dropout(device: Device) -> None:
    """Masks differ, so only that each gradient is there and of the same size."""
    plain = Speid(replace(CONFIG, feature_dropout=0.25, sequence_dropout=0.5, dense_dropout=0.5))
    initialise(plain, torch.Generator().manual_seed(0))
    native = copy.deepcopy(plain)
    for model, network in ((plain, plain), (native, device.prepare_training(native))):
        model.use_generator(torch.Generator().manual_seed(1))
        losses(model, network, device, 5)
    for (name, one), other in zip(plain.named_parameters(), native.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        if float(one.grad.norm()) > 1e-6:
            assert 0.3 < float(other.grad.norm() / one.grad.norm()) < 3, name
