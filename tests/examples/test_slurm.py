"""The job scripts, run by bash as Slurm would run them: stages, signals, shards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from speid_cli.dataset.pairs import PairDataset
from speid_cli.genome.reference import Reference
from tests import builders

SCRIPTS = Path(__file__).parents[2] / "examples" / "slurm"
# Where a file `hold` is, it trains until it is told to stop; where `fail` is, it fails.
TRAINER = r"""
output=$(sed 's/.*--output \([^ ]*\).*/\1/' <<< "$*")
[ ! -e fail ] || exit 1
if [ -e hold ]; then
    sleep 60 > /dev/null 2>&1 &
    trap 'kill $!; touch "$output.state"; exit 143' TERM
    echo training
    wait
fi
touch "$output"
"""
PRETRAIN = "pretrain pairs.npz --preset small --motifs kernels.npz --output pairs.pretrained.pt --resume --threads"
FINETUNE = "finetune pairs.pretrained.pt pairs.npz --output pairs.pt --resume --threads"


@pytest.fixture
def cluster(folder: Path) -> Path:
    """The current folder, with commands in ``bin`` in place of the real ones."""
    for name, then in (("speid", TRAINER), ("torchrun", TRAINER), ("scontrol", "")):
        record(name, then)
    return folder


def record(name: str, then: str = "") -> None:
    """Put a command in ``bin`` that writes down how it is called, and then does something."""
    path = Path("bin", name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/usr/bin/env bash\necho "${{0##*/}} $*" >> calls\n{then}')
    path.chmod(0o755)


def start(script: str, *arguments: object, **variables: object) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(Path("bin").resolve()), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"PATH": path, "HOME": Path.cwd(), "SLURM_JOB_ID": 7, "SLURM_CPUS_PER_TASK": 2} | variables
    return subprocess.Popen(
        ["bash", str(SCRIPTS / script), *map(str, arguments)],
        env={name: str(value) for name, value in environment.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(script: str, *arguments: object, **variables: object) -> tuple[int, str]:
    """Exit status and standard error."""
    process = start(script, *arguments, **variables)
    error = process.communicate()[1]
    return process.returncode, error


def stop(number: signal.Signals, **variables: object) -> int:
    """Exit status of training that gets a signal while it trains."""
    Path("hold").touch()
    process = start("train.sbatch", **variables)
    assert process.stdout is not None
    assert process.stdout.readline() == "training\n"
    process.send_signal(number)
    process.communicate()
    Path("hold").unlink()
    return process.returncode


def calls() -> list[str]:
    """The calls since the last time."""
    lines = Path("calls").read_text().splitlines()
    Path("calls").unlink()
    return lines


def test_training_runs_the_stages_whose_output_is_missing(cluster: Path) -> None:
    assert finish("train.sbatch") == (0, "")
    assert calls() == [f"speid {PRETRAIN} 2", f"speid {FINETUNE} 2"]
    Path("pairs.pt").unlink()
    assert finish("train.sbatch") == (0, "pairs.pretrained.pt exists: pretrain is done\n")
    assert calls() == [f"speid {FINETUNE} 2"]


def test_training_takes_its_settings_from_the_environment(cluster: Path) -> None:
    settings = {"DATA": "k562.npz", "MOTIFS": "", "PRESET": "paper", "PRETRAINED": "a.pt", "MODEL": "b.pt"}
    options = {"PRETRAIN_OPTIONS": "--epochs 2 --seed 1", "FINETUNE_OPTIONS": "--epochs 3"}
    assert finish("train.sbatch", **settings, **options) == (0, "")
    assert calls() == [
        "speid pretrain k562.npz --preset paper --epochs 2 --seed 1 --output a.pt --resume --threads 2",
        "speid finetune a.pt k562.npz --epochs 3 --output b.pt --resume --threads 2",
    ]


def test_several_gpus_are_shared_out_by_torchrun(cluster: Path) -> None:
    assert finish("train.sbatch", SLURM_GPUS_ON_NODE=4, SLURM_CPUS_PER_TASK=8) == (0, "")
    torchrun = "torchrun --standalone --nproc-per-node 4 -m speid_cli"
    assert calls() == [f"{torchrun} {PRETRAIN} 2", f"{torchrun} {FINETUNE} 2"]


@pytest.mark.parametrize("processes", [1, 2])
def test_training_that_is_warned_goes_back_to_the_queue_and_then_on(cluster: Path, processes: int) -> None:
    assert stop(signal.SIGUSR1, PROCESSES=processes) == 128 + signal.SIGTERM
    assert Path("pairs.pretrained.pt.state").exists()
    assert calls()[1:] == ["scontrol requeue 7"]
    assert finish("train.sbatch", PROCESSES=processes) == (0, "")
    assert len(calls()) == 2


def test_training_that_is_terminated_leaves_the_queue_to_slurm(cluster: Path) -> None:
    assert stop(signal.SIGTERM) == 128 + signal.SIGTERM
    assert Path("pairs.pretrained.pt.state").exists()
    assert calls() == [f"speid {PRETRAIN} 2"]


def test_training_that_fails_does_not_go_back_to_the_queue(cluster: Path) -> None:
    Path("fail").touch()
    assert finish("train.sbatch") == (1, "")
    assert calls() == [f"speid {PRETRAIN} 2"]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_stopped_network_is_trained_to_its_end(dataset: PairDataset, processes: int) -> None:
    """By the real commands; a tiny network takes some seconds to its last epoch, and is stopped at its first."""
    record("scontrol")
    options = " ".join(["--epochs 40 --patience 0 --batch-size 20", *builders.TINY_OPTIONS])
    settings = {"MOTIFS": "", "PROCESSES": processes, "SLURM_CPUS_PER_TASK": processes}
    settings |= {"PRETRAIN_OPTIONS": options, "FINETUNE_OPTIONS": "--epochs 1"}
    process = start("train.sbatch", **settings)
    assert process.stderr is not None
    while not (line := process.stderr.readline()).startswith("epoch 1:"):
        assert line, process.wait()
    process.send_signal(signal.SIGUSR1)
    process.communicate()
    assert process.returncode == (128 + signal.SIGTERM if processes == 1 else 1)
    assert calls() == ["scontrol requeue 7"]
    assert Path("pairs.pretrained.pt.state").exists()

    status, error = finish("train.sbatch", **settings)
    assert status == 0, error
    assert "epoch 1:" not in error.partition("pairs.pretrained.pt: pretrained")[0]
    history = [row.split("\t")[:2] for row in Path("pairs.history.tsv").read_text().splitlines()]
    assert history[1:] == [*(["pretrained", str(epoch)] for epoch in range(1, 41)), ["finetuned", "1"]]


def test_gathered_shards_are_the_scored_candidates(pairs: list[str]) -> None:
    with Reference("genome.fa") as reference:
        remembered = {"path": str(Path("genome.fa").resolve()), "digest": reference.digest}
    with open("pairs.pt", "wb") as stream:
        builders.random_checkpoint(reference=remembered).write(stream)
    Path("pairs.bedpe").rename("candidates.bedpe")
    assert builders.run("predict", "pairs.pt", "candidates.bedpe", "-o", "whole.bedpe") == 0

    first = {"SLURM_ARRAY_TASK_ID": 1, "SLURM_ARRAY_TASK_COUNT": 2, "SLURM_MEM_PER_NODE": 400}
    status, error = finish("scan.sbatch", **first, PREDICT_OPTIONS="--reference genome.fa --batch-size 8")
    assert status == 0, error
    assert finish("scan.sbatch", **first) == (0, "shards/0001-of-0002.bedpe exists\n")

    message = "shards lacks shards 2 of 2; run them: SHARDS=2 sbatch --array 2 scan.sbatch\n"
    assert finish("gather.sh", "shards", 2, "scored.bedpe") == (1, message)
    assert not Path("scored.bedpe").exists()

    again = {"SLURM_ARRAY_TASK_ID": 2, "SLURM_ARRAY_TASK_COUNT": 1, "SHARDS": 2}
    status, error = finish("scan.sbatch", **again)
    assert status == 0, error
    assert finish("gather.sh", "shards", 2, "scored.bedpe") == (0, "")
    assert Path("scored.bedpe").read_bytes() == Path("whole.bedpe").read_bytes()


@pytest.mark.parametrize("arguments", [(), ("shards", 0, "scored.bedpe")])
def test_gathering_nothing_is_refused(folder: Path, arguments: tuple[object, ...]) -> None:
    assert finish("gather.sh", *arguments) == (2, "usage: bash gather.sh FOLDER N SCORED.bedpe\n")
