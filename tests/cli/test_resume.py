"""Interrupted commands: exit statuses, what they leave, and how they go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from speid_cli.dataset.pairs import PairDataset
from speid_cli.files import part_of
from tests import builders

PRETRAIN = ["pretrain", "pairs.npz", *builders.TINY_OPTIONS, "--batch-size", "8", "--patience", "0", "--threads", "1"]


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "speid_cli", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists() and process.poll() is None:
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 138)])
def test_a_signal_saves_and_is_in_the_exit_status(dataset: PairDataset, number: int, status: int) -> None:
    training = [*PRETRAIN, "--epochs", 2000, "-o", "model.pt"]
    process = start(*training)
    wait_for(Path("model.pt.state"), process)
    process.send_signal(number)
    _, message = process.communicate()
    assert process.returncode == status, message
    assert "model.pt.state: training can go on from here; give --resume\n" in message
    assert sorted(path.name for path in Path().glob("*model*")) == ["model.pt.state"]


def test_a_killed_run_is_never_overwritten_unasked_and_goes_on(
    dataset: PairDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    training = [*PRETRAIN, "--epochs", 60]
    assert builders.run(*training, "-o", "whole.pt") == 0
    process = start(*training, "--save-every", 0, "-o", "model.pt")
    wait_for(Path("model.pt.state"), process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    capsys.readouterr()
    assert builders.run(*training, "-o", "model.pt") == 1
    message = "speid: model.pt.state: the state of an unfinished run; --resume goes on from it, --force starts anew\n"
    assert message in capsys.readouterr().err
    assert builders.run(*training, "-o", "model.pt", "--resume") == 0
    for name in ("{}.pt", "{}.history.tsv"):
        assert Path(name.format("model")).read_bytes() == Path(name.format("whole")).read_bytes()
    assert not Path("model.pt.state").exists()
    assert not part_of("model.pt").exists()


def test_force_starts_anew(dataset: PairDataset) -> None:
    Path("model.pt.state").write_text("of another run")
    assert builders.run(*PRETRAIN, "--epochs", 1, "-o", "model.pt", "--force") == 0
    assert not Path("model.pt.state").exists()


def test_resume_without_a_state_starts_at_the_beginning(dataset: PairDataset, fails: Callable[..., str]) -> None:
    training = [*PRETRAIN, "--epochs", 1, "-o", "model.pt", "--resume"]
    assert builders.run(*training) == 0
    assert "model.pt: exists already" in fails(*training)


def test_a_run_s_output_is_its_own(dataset: PairDataset, fails: Callable[..., str]) -> None:
    process = start(*PRETRAIN, "--epochs", 2000, "-o", "model.pt")
    wait_for(Path("model.pt.state"), process)
    try:
        assert "model.pt: another process is writing it; wait for it" in fails(*PRETRAIN, "-o", "model.pt", "--resume")
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def scored(pairs: list[str]) -> list[str]:
    """``model.pt``, and the lines of ``whole.bedpe``, made by it of ``pairs.bedpe``."""
    with open("model.pt", "wb") as stream:
        builders.random_checkpoint().write(stream)
    assert builders.run("predict", "model.pt", "pairs.bedpe", "-f", "genome.fa", "-o", "whole.bedpe") == 0
    return Path("whole.bedpe").read_text().splitlines(keepends=True)


PREDICT = ["predict", "model.pt", "pairs.bedpe", "-f", "genome.fa", "--block-size", "7"]


@pytest.mark.parametrize("lines", [0, 1, 2, 31, 61])
def test_a_cut_off_output_is_gone_on_with(scored: list[str], lines: int) -> None:
    rest = "" if lines == len(scored) else scored[lines][:-1]
    Path("out.bedpe").write_text("".join(scored[:lines]) + rest)
    assert builders.run(*PREDICT, "-o", "out.bedpe", "--resume-output") == 0
    assert Path("out.bedpe").read_bytes() == Path("whole.bedpe").read_bytes()


def test_what_an_interrupted_run_leaves_is_gone_on_with(scored: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    lines = Path("pairs.bedpe").read_text()
    Path("pairs.bedpe").write_text(lines + "chr1\t5\t4\tchr1\t1\t2\n")
    assert builders.run(*PREDICT, "-o", "out.bedpe", "--resume-output") == 1
    assert part_of("out.bedpe").read_text() == "".join(scored[:56])
    Path("pairs.bedpe").write_text(lines)
    capsys.readouterr()
    assert builders.run(*PREDICT, "-o", "out.bedpe", "--resume-output") == 0
    assert "out.bedpe: 56 lines are there\n" in capsys.readouterr().err
    assert Path("out.bedpe").read_bytes() == Path("whole.bedpe").read_bytes()
    assert not part_of("out.bedpe").exists()


def test_another_output_is_not_gone_on_with(scored: list[str], fails: Callable[..., str]) -> None:
    resume = [*PREDICT, "-o", "out.bedpe", "--resume-output"]
    fields = scored[5].split("\t")
    for changed, message in (
        ("\t".join([*fields[:7], "0.987654", *fields[8:]]), "out.bedpe:6: a score of 0.987654; expected 0."),
        ("\t".join([*fields[:7], "high", *fields[8:]]), "out.bedpe:6: 'chr"),
        (scored[6], "does not come of the candidates' line in this place; go on with the same candidates and options"),
    ):
        before = "".join([*scored[:5], changed, *scored[6:9]])
        Path("out.bedpe").write_text(before)
        assert message in fails(*resume)
        assert Path("out.bedpe").read_text() == before
    assert "needs an uncompressed -o" in fails(*PREDICT, "-o", "out.gz", "--resume-output", status=2)


@pytest.mark.parametrize("count", [1, 2, 5, 70])
def test_shards_after_one_another_are_the_whole(
    scored: list[str], count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    for number in range(1, count + 1):
        assert builders.run(*PREDICT, "--shard", f"{number}/{count}") == 0
    assert capsys.readouterr().out == "".join(scored)


def test_shards_that_are_none_are_refused(scored: list[str], fails: Callable[..., str]) -> None:
    for wrong in ("0/3", "4/3", "1", "1/0", "a/b"):
        assert f"'{wrong}': expected I/N with I from 1 to N" in fails(*PREDICT, "--shard", wrong, status=2)


@pytest.mark.parametrize("options", [["--shard", "1/2"], ["--resume-output", "-o", "out.bedpe"]])
def test_standard_input_is_not_read_twice(scored: list[str], options: list[str], fails: Callable[..., str]) -> None:
    message = fails("predict", "model.pt", "-", "-f", "genome.fa", *options, status=2)
    assert "standard input is read once, and shards, --resume-output and torchrun need a file" in message


def test_a_killed_scan_leaves_a_correct_prefix(scored: list[str]) -> None:
    """The candidates come through a pipe that is left open, so that the scan is alive when it is killed."""
    os.mkfifo("candidates.bedpe")
    lines = Path("pairs.bedpe").read_text().splitlines(keepends=True)
    with open("out.bedpe", "wb") as out:
        command = [sys.executable, "-m", "speid_cli", "predict", "model.pt", "candidates.bedpe", "-f", "genome.fa"]
        process = subprocess.Popen([*command, "--block-size", "7"], stdout=out, stderr=subprocess.DEVNULL)
        with open("candidates.bedpe", "w") as pipe:
            pipe.writelines(lines[:40])
            pipe.flush()
            while not Path("out.bedpe").stat().st_size and process.poll() is None:
                time.sleep(0.02)
            process.kill()
            process.wait()
    found = Path("out.bedpe").read_text()
    assert found
    assert "".join(scored).startswith(found)
