"""MODEL.pt: as documented, the same bytes each time, and nothing in it is run."""

from __future__ import annotations

import pickle
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from speid_cli.dataset import zips
from speid_cli.errors import DataError
from speid_cli.model.checkpoint import Checkpoint
from tests import builders, hostile


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


def test_threshold_calibration_and_prior_are_kept_once_known(checkpoint: Checkpoint) -> None:
    known = {"threshold": 0.25, "calibration": {"slope": 1.5}, "prior": {"log_odds": [0.5]}}
    fitted = Checkpoint(**{**vars(checkpoint), **known})
    with open("fitted.pt", "wb") as stream:
        fitted.write(stream)
    again = Checkpoint.read("fitted.pt")
    assert {name: getattr(again, name) for name in known} == known


def test_a_read_network_can_be_trained(checkpoint: Checkpoint) -> None:
    assert all(values.requires_grad for values in Checkpoint.read("model.pt").model().parameters())


SIDE = {"elements": 5, "length_bp": 7.0, "gc": 0.5}
COMPOSITION = {"enhancer": SIDE, "promoter": SIDE}


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("exploded"),)


def test_a_payload_is_refused_and_not_run(folder: Path) -> None:
    torch.save({"config": Bomb()}, "legacy.pt", _use_new_zipfile_serialization=False)
    Path("plain.pt").write_bytes(pickle.dumps(Bomb()))
    with tarfile.open("tar.pt", "w") as archive:
        for name in ("pickle", "storages", "tensors", "sys_info"):
            Path(name).write_bytes(pickle.dumps(Bomb()))
            archive.add(name)
    for name in ("legacy.pt", "plain.pt", "tar.pt"):
        with pytest.raises(DataError, match=f"{name}: not a PyTorch file"):
            Checkpoint.read(name)
    assert not Path("exploded").exists()


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "place",
    [
        lambda c: Bomb(),
        lambda c: c.update(config=Bomb()),
        lambda c: c["config"].update(n_kernels=Bomb()),
        lambda c: c["state_dict"].update({"output.bias": Bomb()}),
        lambda c: c.update(history=[{"epoch": [Bomb()]}]),
        lambda c: c["provenance"].update(stages=[{"settings": ({"a": [Bomb()]},)}]),
        lambda c: c.update(extra=Bomb()),
    ],
)
def test_a_payload_at_any_depth_is_refused(
    checkpoint: Checkpoint, place: Callable[[dict[str, Any]], Any], protocol: int
) -> None:
    spoilt(place, protocol)
    with pytest.raises(
        DataError, match="^spoilt.pt: holds more than tensors and plain values, and was not opened; .* trust"
    ):
        Checkpoint.read("spoilt.pt")
    assert not Path("exploded").exists()


def void(value: object) -> None:
    """Nothing, whatever `value` is: for changes in place."""


def spoilt(change: Callable[[dict[str, Any]], Any], protocol: int = 2) -> None:
    content = torch.load("model.pt", weights_only=True)
    changed = change(content)
    torch.save(content if changed is None else changed, "spoilt.pt", pickle_protocol=protocol)


def endless() -> list[Any]:
    """A list that is small in a file, and holds more than any memory when it is written out."""
    value: list[Any] = []
    for _ in range(40):
        value = [value, value]
    return value


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


UNKNOWN, FORBIDDEN = "a config, history or provenance that speid did not write", "holds more than tensors and plain"


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
        (lambda c: void(c["state_dict"]["dense_norm.running_var"].fill_(-1)), "tensor dense_norm.running_var holds"),
        (
            lambda c: c["state_dict"].update({"dense.weight": c["state_dict"]["dense.weight"].to_sparse()}),
            "holds more than tensors and plain values, and was not opened; .* it asks for 'torch._utils _rebuild_sparse",
        ),
        (lambda c: c["provenance"].update(reference=5), UNKNOWN),
        (lambda c: c["provenance"].update(reference={"path": 5}), "a reference that is not a path and a digest"),
        (lambda c: c["provenance"].update(composition=5), "not a speid model"),
        (lambda c: c["provenance"].update(composition={"enhancer": {}}), "not a speid model"),
        (
            lambda c: c["provenance"].update(composition=COMPOSITION | {"promoter": {**SIDE, "gc": "x"}}),
            "a composition that is not a table of numbers",
        ),
        (lambda c: c["provenance"].update(extra=torch.ones(3)), UNKNOWN),
        (lambda c: c["provenance"].update(stages=[{"settings": 5}]), UNKNOWN),
        (lambda c: c["provenance"].update(fitted_on=5), UNKNOWN),
        (lambda c: c.update(history=[1, 2]), UNKNOWN),
        (lambda c: c.update(format_version=torch.ones(3)), UNKNOWN),
        (lambda c: [1, 2], "not a speid model"),
        (lambda c: torch.ones(1), "not a speid model"),
        (lambda c: c.update(format_version=True), "format version True; expected 1"),
        (lambda c: c.update(format_version=endless()), FORBIDDEN),
        (lambda c: c.update(stage="x" * 9999), "stage 'x{9,20}...x{9,20}'; expected pretrained or finetuned"),
        (lambda c: c.update(config=[1]), "a config that is not a table of numbers"),
        (lambda c: c["config"].update(n_kernels=endless()), FORBIDDEN),
        (lambda c: c["config"].update({1: 1}), UNKNOWN),
        (lambda c: c["config"].update({"x" * 9999: 1}), "not a speid model .{102}$"),
        (lambda c: c["config"].update(n_kernels=True), "n_kernels is True"),
        (lambda c: c["config"].update(l2_penalty=float("nan")), "l2_penalty is nan; expected a number from 0 to below"),
        (
            lambda c: c["config"].update(lstm_units=10**6, dense_units=10**6, pool_length=1, enhancer_window=10**6),
            "tensor |not a speid model",
        ),
        (lambda c: c.update(state_dict=[1]), "a state_dict that is not a table of tensors"),
        (lambda c: c["state_dict"].update({"x" * 9999: 1}), "tensors missing or unknown: x{200}$"),
        (
            lambda c: c["state_dict"].update({"output.bias": torch.ones(1, dtype=torch.complex64)}),
            "tensor output.bias is torch.complex64 .1,.; expected torch.float32 .1,.",
        ),
        (lambda c: c.update(history=[{"a": endless()}]), FORBIDDEN),
        (lambda c: c.update(history=[{"a": nested(100)}]), UNKNOWN),
        (lambda c: c.update(history=[{"a": 10**50}]), UNKNOWN),
        (lambda c: c.update(provenance=[]), UNKNOWN),
        (lambda c: c["provenance"].update({1: 1}), UNKNOWN),
        (lambda c: c["provenance"].update(stages=None), UNKNOWN),
        (lambda c: c["provenance"].update(preset=[1]), UNKNOWN),
        (lambda c: c["provenance"].update(stages=[{"trained_chromosomes": [1]}]), UNKNOWN),
        (lambda c: c.update(threshold="0.5"), "threshold '0.5'; expected a number from 0 to 1"),
        (lambda c: c.update(threshold=float("nan")), "threshold nan; expected a number from 0 to 1"),
        (lambda c: c.update(threshold=True), "threshold True; expected a number from 0 to 1"),
        (lambda c: c.update(calibration=[1]), "a calibration that is not a table; fit it again: speid evaluate --fit"),
        (lambda c: c.update(calibration={"slope": torch.ones(1)}), UNKNOWN),
        (lambda c: c.update(prior=[1]), "a prior that is not a table; fit it again: speid evaluate --fit"),
        (lambda c: c["provenance"].update(fold=5), UNKNOWN),
    ],
)
def test_what_does_not_fit_is_refused(
    checkpoint: Checkpoint, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    spoilt(change)
    with pytest.raises(DataError, match=f"^spoilt.pt: {message}"):
        Checkpoint.read("spoilt.pt")


DEEP = 70_000


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"]" * DEEP + b"a" * (DEEP - 1), UNKNOWN),
        (b"]" + b"\x85" * DEEP, FORBIDDEN),
        (b"]q\0h\0a", FORBIDDEN),
        (b"}(" + b"".join(b"\x8a\x0a" + (i * (2**61 - 1)).to_bytes(10, "little") + b"N" for i in range(9, DEEP)) + b"u",
         FORBIDDEN),
    ],
    ids=["deep list", "deep tuple", "list in itself", "keys with one hash"],
)  # fmt: skip
def test_values_that_take_endless_time_are_refused(checkpoint: Checkpoint, value: bytes, message: str) -> None:
    members = hostile.members_of(Path("model.pt").read_bytes())
    found = members | {"archive/data.pkl": b"\x80\x02}X\x0e\0\0\0format_version" + value + b"s."}
    with pytest.raises(DataError, match=f"x.pt: ({message}|damaged)"):
        Checkpoint.read(hostile.write("x.pt", hostile.zipped(found)))


def test_a_network_that_does_not_fit_into_memory_is_refused(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zips, "available_bytes", lambda: 9999)
    with pytest.raises(DataError, match="model.pt: the network takes .* bytes of memory; expected at most the 9,999"):
        Checkpoint.read("model.pt")


def test_a_state_of_parameters_in_order_is_read(checkpoint: Checkpoint) -> None:
    spoilt(lambda c: c.update(state_dict=checkpoint.model().state_dict(keep_vars=True)))
    for name, values in Checkpoint.read("spoilt.pt").state_dict.items():
        assert torch.equal(values, checkpoint.state_dict[name])


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
