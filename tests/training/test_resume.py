"""A training run that is cut off goes on to the same bytes, and never from the state of another run."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import DataError, Terminated
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.config import TrainingConfig
from speid_cli.model.device import Device
from speid_cli.training.stages import finetune, pretrain
from speid_cli.training.state import TrainingState
from tests import builders
from tests.builders import SilentObserver

CONFIG = replace(builders.TINY, feature_dropout=0.25, sequence_dropout=0.5, dense_dropout=0.5)
SETTINGS = TrainingConfig(epochs=3, batch_size=16, learning_rate=1e-2, copies=3)
Stage = Callable[..., Checkpoint]


class KilledError(Exception):
    """What ends a run without a word."""


class Interrupting(SilentObserver):
    """Does something as a batch ends."""

    def __init__(self, batch: int, action: Callable[[], None]) -> None:
        super().__init__()
        self.left, self.action = batch, action

    def samples_done(self, samples: int) -> None:
        self.left -= samples > 0
        if self.left == 0:
            self.action()


def kill() -> None:
    raise KilledError


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> Device:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return Device(request.param)


@pytest.fixture(params=["pretrain", "finetune"])
def train(request: pytest.FixtureRequest, dataset: PairDataset, device: Device) -> Stage:
    """Runs a stage with an observer, a training_state and perhaps other settings."""

    def run(
        observer: SilentObserver, training_state: TrainingState | None = None, seed: int = 0, **changed: object
    ) -> Checkpoint:
        settings = replace(SETTINGS, **changed)  # type: ignore[arg-type]
        if request.param == "pretrain":
            return pretrain(dataset, CONFIG, settings, None, device, seed, observer, "tiny", training_state)
        start = replace(builders.random_checkpoint(CONFIG, stages=[]), stage="pretrained")
        settings = replace(settings, copies=1, shift="none")
        return finetune(start, dataset, settings, device, seed, observer, training_state)

    return run


def as_bytes(checkpoint: Checkpoint) -> bytes:
    stream = io.BytesIO()
    checkpoint.write(stream)
    return stream.getvalue()


@pytest.mark.parametrize("averaging", [0.0, 0.1])
@pytest.mark.parametrize("batch", [2, 3, 4, 5])
def test_a_killed_run_goes_on_to_the_same_bytes(folder: Path, train: Stage, batch: int, averaging: float) -> None:
    training_state = TrainingState(folder / "state", every_seconds=0)
    with pytest.raises(KilledError):
        train(Interrupting(batch, kill), training_state, averaging=averaging)
    resumed = train(SilentObserver(), TrainingState(folder / "state"), averaging=averaging)
    assert as_bytes(resumed) == as_bytes(train(SilentObserver(), averaging=averaging))


def test_a_run_killed_after_its_end_gives_the_same_bytes(folder: Path, train: Stage) -> None:
    whole = train(SilentObserver(), TrainingState(folder / "state"))
    observer = SilentObserver()
    assert as_bytes(train(observer, TrainingState(folder / "state"))) == as_bytes(whole)
    assert observer.samples == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_lets_the_batch_end_and_saves(folder: Path, train: Stage, number: int) -> None:
    with pytest.raises(Terminated) as caught:
        train(Interrupting(2, lambda: os.kill(os.getpid(), number)), TrainingState(folder / "state"))
    assert caught.value.signal_number == number
    assert torch.load(folder / "state", weights_only=True)["position"]["batches"] == 2
    assert as_bytes(train(SilentObserver(), TrainingState(folder / "state"))) == as_bytes(train(SilentObserver()))
    assert signal.getsignal(number) not in (None, signal.SIG_IGN)


def test_a_second_signal_ends_at_once(folder: Path, train: Stage) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Terminated):
        train(Interrupting(2, twice), TrainingState(folder / "state"))
    assert not (folder / "state").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"learning_rate": 0.5}, "settings.learning_rate was 0.01 and is 0.5"),
        ({"epochs": 4, "seed": 1}, "first weights was|seed was 0 and is 1"),
        (
            {"batch_size": 8},
            "settings.batch_size was 16 and is 8; use the same settings to resume; --force without --resume",
        ),
    ],
)
def test_another_run_does_not_go_on(folder: Path, train: Stage, changed: dict[str, object], message: str) -> None:
    train(SilentObserver(), TrainingState(folder / "state"))
    with pytest.raises(DataError, match=message):
        train(SilentObserver(), TrainingState(folder / "state"), **changed)


def test_other_data_and_versions_are_named(
    folder: Path, train: Stage, dataset: PairDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(SilentObserver(), TrainingState(folder / "state"))
    monkeypatch.setattr("speid_cli.training.stages.__version__", "9.9")
    object.__setattr__(dataset, "digest", "0" * 64)
    with pytest.raises(DataError, match=r"dataset was '.*' and is '0000.*versions.speid was '.*' and is '9.9'"):
        train(SilentObserver(), TrainingState(folder / "state"))


def test_what_is_no_state_is_refused(folder: Path, train: Stage) -> None:
    train(SilentObserver(), TrainingState(folder / "state"))
    state = torch.load(folder / "state", weights_only=True)
    torch.save(state | {"model": {}}, folder / "state")
    with pytest.raises(DataError, match="not the state of this training .*; --force without --resume starts again"):
        train(SilentObserver(), TrainingState(folder / "state"))
    torch.save({"run": {}}, folder / "state")
    with pytest.raises(
        DataError, match="state: not the state of a training run; --force without --resume starts again"
    ):
        train(SilentObserver(), TrainingState(folder / "state"))
