"""MODEL.pt: as documented, the same bytes each time, and nothing in it is run."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from speid_cli.errors import DataError
from speid_cli.model.checkpoint import Checkpoint
from tests import builders


@pytest.fixture
def checkpoint(folder: Path) -> Checkpoint:
    checkpoint = builders.random_checkpoint(reference={"path": "hg.fa"})
    with open("model.pt", "wb") as stream:
        checkpoint.write(stream)
    return checkpoint


def test_any_program_can_load_it(checkpoint: Checkpoint) -> None:
    content = torch.load("model.pt", weights_only=True)
    assert content.keys() == {"format_version", "config", "state_dict", "stage", "history", "provenance"}
    assert content["config"] == asdict(builders.TINY)
    assert content["stage"] == "finetuned"


def test_what_is_written_comes_back_with_the_same_bytes(checkpoint: Checkpoint) -> None:
    again = Checkpoint.read("model.pt")
    assert (again.config, again.provenance, again.threshold) == (checkpoint.config, checkpoint.provenance, None)
    assert again.model().state_dict().keys() == checkpoint.state_dict.keys()
    for name, values in again.model().state_dict().items():
        assert torch.equal(values, checkpoint.state_dict[name])
    with open("other-name.pt", "wb") as stream:
        again.write(stream)
    assert Path("other-name.pt").read_bytes() == Path("model.pt").read_bytes()


def test_threshold_and_calibration_are_kept_once_known(checkpoint: Checkpoint) -> None:
    fitted = Checkpoint(**{**vars(checkpoint), "threshold": 0.25, "calibration": {"slope": 1.5}})
    with open("fitted.pt", "wb") as stream:
        fitted.write(stream)
    again = Checkpoint.read("fitted.pt")
    assert (again.threshold, again.calibration) == (0.25, {"slope": 1.5})


def test_a_read_network_can_be_trained(checkpoint: Checkpoint) -> None:
    assert all(values.requires_grad for values in Checkpoint.read("model.pt").model().parameters())


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("exploded"),)


def test_a_payload_is_refused_and_not_run(folder: Path) -> None:
    torch.save({"config": Bomb()}, "zip.pt")
    torch.save({"config": Bomb()}, "legacy.pt", _use_new_zipfile_serialization=False)
    Path("plain.pt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(
        DataError, match="zip.pt: holds more than tensors and plain values, and was not opened; .* trust"
    ):
        Checkpoint.read("zip.pt")
    for name in ("legacy.pt", "plain.pt"):
        with pytest.raises(DataError, match=f"{name}: not a PyTorch file; expected a model written by speid"):
            Checkpoint.read(name)
    assert not Path("exploded").exists()


def void(value: object) -> None:
    """Nothing, whatever `value` is: for changes in place."""


def spoilt(change: Callable[[dict[str, Any]], Any]) -> None:
    content = torch.load("model.pt", weights_only=True)
    changed = change(content)
    torch.save(content if changed is None else changed, "spoilt.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format_version=9), "format version 9; expected 1"),
        (lambda c: c.update(stage="raw"), "stage 'raw'; expected pretrained or finetuned"),
        (lambda c: c.__delitem__("stage"), "not a speid model"),
        (lambda c: c["config"].update(n_kernels=-1), "n_kernels is -1; expected a whole number from 1 to 1000000"),
        (lambda c: c["config"].update(colour=1), "not a speid model"),
        (lambda c: c["config"].update(n_kernels=9), "tensor .* is torch.float32"),
        (lambda c: c["state_dict"].__delitem__("output.bias"), "tensors missing or unknown: output.bias"),
        (lambda c: c["state_dict"].update(extra=torch.ones(1)), "tensors missing or unknown: extra"),
        (lambda c: c["state_dict"].update({"output.bias": 3}), "tensor output.bias is <class 'int'>; expected torch"),
        (
            lambda c: c["state_dict"].update({"output.bias": torch.ones(1).double()}),
            "tensor output.bias is torch.float64",
        ),
        (
            lambda c: c["state_dict"]["output.bias"].fill_(float("nan")) and None,
            "tensor output.bias holds infinite, und",
        ),
        (
            lambda c: void(c["state_dict"]["dense_norm.running_var"].fill_(-1)),
            "tensor dense_norm.running_var holds",
        ),
        (
            lambda c: c["state_dict"].update({"dense.weight": c["state_dict"]["dense.weight"].to_sparse()}),
            "tensor dense.weight has no values of its own; expected a dense tensor",
        ),
        (lambda c: c["provenance"].update(reference=5), "a history or provenance that speid did not write"),
        (lambda c: c["provenance"].update(reference={"path": 5}), "a reference that is no path and digest"),
        (lambda c: c["provenance"].update(stages=5), "a history or provenance that speid did not write"),
        (lambda c: c["provenance"].update(extra=torch.ones(3)), "a history or provenance that speid did not write"),
        (lambda c: c["provenance"].update(stages=[5]), "a history or provenance that speid did not write"),
        (lambda c: c.update(history=[1, 2]), "a history or provenance that speid did not write"),
        (lambda c: c.update(format_version=torch.ones(3)), "format version tensor"),
        (lambda c: c["config"].update(lstm_units=10**6, dense_units=10**6), "tensor "),
        (lambda c: [1, 2], "not a speid model"),
    ],
)
def test_what_does_not_fit_is_refused(
    checkpoint: Checkpoint, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    spoilt(change)
    with pytest.raises(DataError, match=f"^spoilt.pt: {message}"):
        Checkpoint.read("spoilt.pt")


def test_damage_is_said(checkpoint: Checkpoint) -> None:
    with zipfile.ZipFile("empty.pt", "w") as archive:
        archive.writestr("nothing", "")
    with pytest.raises(DataError, match="empty.pt: not a PyTorch file"):
        Checkpoint.read("empty.pt")
    with pytest.raises(DataError, match="none.pt: No such file"):
        Checkpoint.read("none.pt")
    content = bytearray(Path("model.pt").read_bytes())
    Path("cut.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="cut.pt: not a PyTorch file"):
        Checkpoint.read("cut.pt")
