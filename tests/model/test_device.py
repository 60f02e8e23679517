"""Devices: what there is, and plain words for what there is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from speid_cli.errors import OptionError
from speid_cli.model.device import Device


def test_auto_is_the_cpu_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    device = Device("auto")
    assert device.torch.type == "cpu"
    assert device.description.startswith("cpu (")
    assert ", fp32, " in device.description
    assert device.description.endswith("kernels") or "kernels (" in device.description
    assert device.put(np.ones(3)).tolist() == [1, 1, 1]


@pytest.mark.parametrize(("choice", "index"), [("auto", 0), ("cuda", 0), ("cuda:1", 1)])
def test_cuda_alone_is_the_first_gpu(monkeypatch: pytest.MonkeyPatch, choice: str, index: int) -> None:
    taken: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    assert Device(choice).torch == torch.device("cuda", index) == taken[0]


@pytest.mark.parametrize(
    ("choice", "precision", "message"),
    [
        ("cuda", "fp32", "--device cuda: not on this machine, where PyTorch .* sees 0 CUDA devices"),
        ("cuda:7", "fp32", "--device cuda:7: not on this machine"),
        ("gpu", "fp32", "--device gpu: expected auto, cpu, cuda, cuda:N or mps"),
        ("meta", "fp32", "--device meta: expected auto"),
        ("cpu", "tf32", "--precision tf32 needs CUDA, and the device is cpu"),
    ],
)
def test_what_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, choice: str, precision: str, message: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(OptionError, match=message) as caught:
        Device(choice, precision)  # type: ignore[arg-type]
    assert caught.value.exit_status == 2


def test_bf16_products_are_near_fp32_ones() -> None:
    x, weight = torch.randn(64, 128), torch.randn(128, 128)
    with Device("cpu", "bf16").autocast():
        low = x @ weight
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), x @ weight, atol=0.5, rtol=0.05)
