"""The backends that scores are computed on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from speid_cli.model.device import Device
from speid_cli.model.native.library import KINDS, Kernels
from speid_cli.model.speid import Speid


@pytest.fixture(params=["plain", "pytorch", "cuda", *KINDS])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """A GPU; a CPU on each backend, and on each kind of vector unit that it has."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    device = Device("cuda" if request.param == "cuda" else "cpu")
    if request.param == "plain":
        monkeypatch.setattr(Speid, "has_fast_paths", False)
    elif request.param in ("pytorch", "cuda"):
        device.kernels = None
    elif device.kernels is None:
        pytest.skip("the native kernels were not built")
    elif KINDS.index(request.param) < KINDS.index(device.kernels.kind):
        pytest.skip(f"this machine has no {request.param}")
    else:
        device.kernels = Kernels(2, request.param)
    yield device
