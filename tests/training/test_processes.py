"""Several processes train, and score, as one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import OptionError
from speid_cli.model.config import TrainingConfig
from speid_cli.model.device import Device
from speid_cli.model.layers import Dropout
from speid_cli.model.processes import SINGLE_PROCESS, Processes
from speid_cli.training.stages import pretrain
from tests import builders
from tests.builders import SilentObserver

Fails = Callable[..., str]
ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("compare_processes.py")


def torchrun(*arguments: object, restarts: int = 0) -> subprocess.Popen[str]:
    """Two processes on this machine."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "--max-restarts", str(restarts), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@given(st.integers(0, 300), st.integers(1, 9))
def test_the_shares_are_the_whole_in_order(items: int, count: int) -> None:
    numbers = list(range(items))
    shares = [numbers[Processes(rank, count).local_slice(numbers)] for rank in range(count)]
    assert sum(shares, []) == numbers
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_is_not_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert Processes.of_torchrun() is SINGLE_PROCESS
    with SINGLE_PROCESS.connected():
        assert SINGLE_PROCESS.sum(torch.ones(2)).tolist() == [1, 1]
        assert (SINGLE_PROCESS.gather("text"), SINGLE_PROCESS.broadcast(3)) == (["text"], 3)
    for name, value in {"RANK": 5, "WORLD_SIZE": 8, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 4}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    assert Processes.of_torchrun() == Processes(5, 8, 1, 4, 2)
    assert not Processes.of_torchrun().is_main


def test_what_is_dropped_does_not_depend_on_the_number_of_processes() -> None:
    x = torch.ones(10, 7)

    def dropped(first: int, stop: int) -> torch.Tensor:
        dropout = Dropout(0.5)
        dropout.generator = torch.Generator().manual_seed(0)
        dropout.first, dropout.batch = first, len(x)
        kept: torch.Tensor = dropout(x[first:stop])
        return kept

    torch.testing.assert_close(torch.cat([dropped(0, 4), dropped(4, 10)]), dropped(0, 10))


def test_batches_smaller_than_the_number_of_processes_are_refused(dataset: PairDataset) -> None:
    device, settings = Device("cpu", processes=Processes(0, 5)), TrainingConfig(epochs=1, batch_size=4)
    with pytest.raises(OptionError, match="batches of 4 pairs are too small for 5 processes; raise --batch-size"):
        pretrain(dataset, builders.TINY, settings, None, device, 0, SilentObserver())


def test_the_loss_of_every_step_is_that_of_one_process(dataset: PairDataset) -> None:
    process = torchrun(SCRIPT, "pairs.npz")
    out, error = process.communicate()
    assert process.returncode == 0, error
    differences = json.loads(out)
    assert set(differences) == {
        f"{stage}, SPEID_NATIVE={native}" for stage in ("pretrain", "finetune") for native in "10"
    }
    assert max(differences.values()) < 1e-5


def test_batches_are_shared_by_norms_that_are_told(dataset: PairDataset) -> None:
    model = builders.random_checkpoint().model()
    Device("cpu", processes=Processes(0, 2)).prepare_training(model)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d)]
    assert len(norms) == 4
    assert all(norm.processes.count == 2 for norm in norms)  # type: ignore[union-attr,operator]


def test_what_one_process_does_is_refused_under_torchrun(
    folder: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    message = "speid: speid prepare runs in one process, and torchrun has started 3; run without torchrun\n"
    assert fails("prepare", "pairs.bedpe", "genome.fa", status=2) == message


def children(process: subprocess.Popen[str]) -> list[int]:
    return [int(number) for number in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@pytest.mark.slow
def test_a_dead_process_ends_the_run_and_a_restart_goes_on(dataset: PairDataset) -> None:
    training = ["-m", "speid_cli", "pretrain", "pairs.npz", *builders.TINY_OPTIONS, "--patience", "0"]
    training += ["--epochs", "10", "--batch-size", "8", "-o"]
    whole = torchrun(*training, "whole.pt")
    process = torchrun(*training, "model.pt", restarts=1)
    while not Path("model.pt.state").exists() and process.poll() is None:
        time.sleep(0.02)
    os.kill(children(process)[-1], signal.SIGKILL)
    _, error = process.communicate()
    assert process.returncode == 0, error
    assert "(exitcode: -9)" in error
    assert whole.communicate()[1].count("epoch 10: ") == 1  # one process speaks
    assert Path("model.pt").read_bytes() == Path("whole.pt").read_bytes()
    assert not Path("model.pt.state").exists()


def test_processes_put_their_scores_together_in_order(pairs: list[str], fails: Fails) -> None:
    with open("model.pt", "wb") as stream:
        builders.random_checkpoint().write(stream)
    predict = ["predict", "model.pt", "pairs.bedpe", "-f", "genome.fa", "--block-size", "7"]
    assert builders.run(*predict, "-o", "whole.bedpe") == 0
    lines = Path("pairs.bedpe").read_text()
    Path("pairs.bedpe").write_text(f"{lines}chr1\t5\t4\tchr1\t1\t2\n")
    assert builders.run(*predict, "-o", "out.bedpe", "--resume-output") == 1
    Path("pairs.bedpe").write_text(lines)
    process = torchrun("-m", "speid_cli", *predict, "-o", "out.bedpe", "--resume-output")
    _, error = process.communicate()
    assert process.returncode == 0, error
    assert "5 pairs scored in" in error
    assert Path("out.bedpe").read_bytes() == Path("whole.bedpe").read_bytes()
