"""Interrupted commands: exit statuses, what they leave, and how they go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from speid_cli.cli.predict import _report
from speid_cli.cli.training import history_path
from speid_cli.dataset.pairs import PairDataset
from speid_cli.evaluation.calibration import Calibration
from speid_cli.files import atomic_file, partial_path
from speid_cli.scoring.stream import PairStream, ScoredBlock, StreamCounts
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
    assert "model.pt.state: training can continue from here with --resume\n" in message
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
    message = (
        "speid: model.pt.state: the state of an unfinished run; --resume continues from it, --force starts again\n"
    )
    assert message in capsys.readouterr().err
    assert builders.run(*training, "-o", "model.pt", "--resume") == 0
    for name in ("{}.pt", "{}.history.tsv"):
        assert Path(name.format("model")).read_bytes() == Path(name.format("whole")).read_bytes()
    assert not Path("model.pt.state").exists()
    assert not partial_path("model.pt").exists()


def test_force_starts_anew(dataset: PairDataset, capsys: pytest.CaptureFixture[str]) -> None:
    Path("model.pt.state").write_text("of another run")
    assert builders.run(*PRETRAIN, "--epochs", 1, "-o", "model.pt", "--resume", "--force") == 1
    assert "; --force without --resume starts again\n" in capsys.readouterr().err
    assert builders.run(*PRETRAIN, "--epochs", 1, "-o", "model.pt", "--force") == 0
    assert not Path("model.pt.state").exists()


def test_a_run_that_ends_early_says_so(dataset: PairDataset, capsys: pytest.CaptureFixture[str]) -> None:
    training = [*PRETRAIN, "--epochs", 500, "--patience", 1, "-o", "model.pt"]
    assert builders.run(*training) == 0
    last = len(Path("model.history.tsv").read_text().splitlines()) - 1
    message = f"ended after epoch {last} of 500: validation no longer improves (--patience)\n"
    assert message in capsys.readouterr().err
    assert builders.run(*PRETRAIN, "--epochs", 1, "-o", "other.pt") == 0
    assert "ended after" not in capsys.readouterr().err


def test_resume_without_a_state_starts_at_the_beginning(dataset: PairDataset, fails: Callable[..., str]) -> None:
    training = [*PRETRAIN, "--epochs", 1, "-o", "model.pt", "--resume"]
    assert builders.run(*training) == 0
    assert "model.pt: exists already" in fails(*training)


def test_a_run_s_output_is_its_own(dataset: PairDataset, fails: Callable[..., str]) -> None:
    process = start(*PRETRAIN, "--epochs", 2000, "-o", "model.pt")
    wait_for(Path("model.pt.state"), process)
    process.send_signal(signal.SIGSTOP)  # else it may write a file of its own while `fails` looks for new ones
    try:
        assert "model.pt: another process is writing it; wait for it" in fails(*PRETRAIN, "-o", "model.pt", "--resume")
    finally:
        process.kill()
        process.communicate()


def calibrate() -> None:
    """Give ``model.pt`` a calibration."""
    checkpoint = replace(builders.random_checkpoint(), calibration=Calibration(1.0, 0.0, 0.5).as_plain())
    with open("model.pt", "wb") as stream:
        checkpoint.write(stream)


@pytest.fixture
def scored(pairs: list[str]) -> list[str]:
    """``model.pt``, and the lines of ``whole.bedpe``, made by it of ``pairs.bedpe``."""
    with open("model.pt", "wb") as stream:
        builders.random_checkpoint().write(stream)
    assert builders.run("predict", "model.pt", "pairs.bedpe", "-f", "genome.fa", "-o", "whole.bedpe") == 0
    return Path("whole.bedpe").read_text().splitlines(keepends=True)


PREDICT = ["predict", "model.pt", "pairs.bedpe", "-f", "genome.fa", "--block-size", "7"]


@pytest.mark.parametrize("lines", [0, 1, 2, 31, 61])
def test_a_cut_off_output_without_a_record_is_replaced_by_the_same_lines(scored: list[str], lines: int) -> None:
    rest = "" if lines == len(scored) else scored[lines][:-1]
    Path("out.bedpe").write_text("".join(scored[:lines]) + rest)
    assert builders.run(*PREDICT, "-o", "out.bedpe", "--resume-output") == 0
    assert Path("out.bedpe").read_bytes() == Path("whole.bedpe").read_bytes()


RECORD = Path(".out.bedpe.resume.json")


def test_what_an_interrupted_run_leaves_is_gone_on_with(scored: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    lines = Path("pairs.bedpe").read_text()
    Path("pairs.bedpe").write_text(lines + "chr1\t5\t4\tchr1\t1\t2\n")
    assert builders.run(*PREDICT, "-o", "out.bedpe", "--resume-output") == 1
    assert partial_path("out.bedpe").read_text() == "".join(scored[:56])
    with partial_path("out.bedpe").open("a") as part:
        part.write("what was written after the record")
    Path("pairs.bedpe").write_text(lines)
    capsys.readouterr()
    assert builders.run(*PREDICT, "-o", "out.bedpe", "--resume-output") == 0
    assert "out.bedpe: resuming after 56 lines\n" in capsys.readouterr().err
    assert Path("out.bedpe").read_bytes() == Path("whole.bedpe").read_bytes()
    assert not list(Path().glob(".out*"))


def change_record(**values: object) -> None:
    RECORD.write_text(json.dumps(json.loads(RECORD.read_text()) | values))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda: RECORD.unlink(),
        *(lambda text=text: RECORD.write_text(text) for text in ("{", "[]", "[" * 100_000, '{"size": 1}', "\0")),
        *(lambda value=value: change_record(lines=value) for value in (-5, 0, 10**30, float("inf"), "3", None)),
        *(lambda value=value: change_record(size=value) for value in (-5, 0, 10**30, float("inf"), "3", 5)),
        lambda: change_record(made_of=[1]),
        lambda: partial_path("out.bedpe").write_text(""),
        lambda: partial_path("out.bedpe").write_text("x" * 100_000),
        lambda: partial_path("out.bedpe").write_text(partial_path("out.bedpe").read_text().replace("0.5", "0.4")),
    ],
)
def test_without_a_record_of_just_these_lines_a_run_starts_anew(
    begun: Callable[..., None], scored: list[str], spoil: Callable[[], object]
) -> None:
    begun()
    spoil()
    assert builders.run(*PREDICT, "-o", "out.bedpe", "--resume-output") == 0
    assert Path("out.bedpe").read_bytes() == Path("whole.bedpe").read_bytes()


def test_another_file_of_the_same_size_is_not_taken_for_the_output(scored: list[str]) -> None:
    resume = [*PREDICT, "-o", "out.bedpe", "--resume-output"]
    assert builders.run(*resume) == 0
    other = Path("out.bedpe").read_text().replace("0.", "1.")
    Path("out.bedpe").write_text(other)
    assert builders.run(*resume) == 1
    assert Path("out.bedpe").read_text() == other
    assert builders.run(*resume, "--force") == 0
    assert Path("out.bedpe").read_bytes() == Path("whole.bedpe").read_bytes()


def test_a_short_output_that_came_meanwhile_is_not_replaced(begun: Callable[..., None]) -> None:
    begun()
    Path("out.bedpe").write_text("another\n")
    assert builders.run(*PREDICT, "-o", "out.bedpe", "--resume-output") == 1
    assert Path("out.bedpe").read_text() == "another\n"


@pytest.fixture
def begun(scored: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Begins ``out.bedpe`` with these options and is interrupted after some blocks."""

    def begin(*options: object) -> None:
        whole = PairStream.score

        def interrupted(*arguments: Any) -> Iterator[ScoredBlock]:
            yield from islice(whole(*arguments), 3)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(PairStream, "score", interrupted)
            assert builders.run(*PREDICT, "-o", "out.bedpe", "--resume-output", *options) == 130

    return begin


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        (["--prevalence", "1e-5"], ["--prevalence", "3e-5"], "--prevalence was 1e-05 and is 3e-05"),
        (["--calibrated"], [], "--calibrated was True and is False"),
        ([], ["--append"], "--append was False and is True"),
        (["--promoter-first"], [], "--promoter-first was True and is False"),
        (["--shard", "1/2"], [], "--shard was 1/2 and is None"),
        ([], ["--precision", "bf16"], "--precision was fp32 and is bf16"),
    ],
)
def test_what_was_begun_with_other_options_is_refused_by_name(
    begun: Callable[..., None], fails: Callable[..., str], first: list[str], then: list[str], message: str
) -> None:
    calibrate()
    begun(*first)
    refused = fails(*PREDICT, "-o", "out.bedpe", "--resume-output", *then)
    assert (
        f"out.bedpe: was started otherwise: {message}; use the same settings and candidates to resume, or leave out"
        in refused
    )
    assert builders.run(*PREDICT, "-o", "out.bedpe", *then) == 0
    assert not list(Path().glob(".out*"))


def test_another_model_or_genome_is_refused_by_name(begun: Callable[..., None], fails: Callable[..., str]) -> None:
    begun()
    resume = [*PREDICT, "-o", "out.bedpe", "--resume-output"]
    Path("genome.fa").rename("moved.fa")
    builders.write_genome(Path("genome.fa"), seed=7)
    assert "was started otherwise: reference was " in fails(*resume)
    Path("moved.fa").rename("genome.fa")
    with open("model.pt", "wb") as stream:
        builders.random_checkpoint(seed=1).write(stream)
    assert "was started otherwise: model was " in fails(*resume)


def test_a_line_that_was_not_reached_may_be_mended(begun: Callable[..., None]) -> None:
    begun()
    with open("pairs.bedpe", "a") as stream:
        stream.write("chr1\t5\t9\tchr1\t1\t2\n")
    assert builders.run(*PREDICT, "-o", "out.bedpe", "--resume-output") == 0
    assert len(Path("out.bedpe").read_text().splitlines()) == 62


def test_a_line_that_is_done_may_not_change(begun: Callable[..., None], fails: Callable[..., str]) -> None:
    begun()
    lines = Path("pairs.bedpe").read_text().splitlines(keepends=True)
    Path("pairs.bedpe").write_text("".join([lines[0], lines[2], lines[1], *lines[3:]]))
    message = fails(*PREDICT, "-o", "out.bedpe", "--resume-output")
    assert (
        "out.bedpe: was started otherwise: the first 21 lines of the candidates have changed; use the same" in message
    )


def test_a_finished_output_is_written_again_only_if_it_is_the_same(
    scored: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    resume = [*PREDICT, "-o", "whole.bedpe", "--resume-output"]
    assert builders.run(*resume) == 0
    message = "whole.bedpe exists, and is replaced only by an output that begins with the same lines\n"
    assert message in capsys.readouterr().err
    assert Path("whole.bedpe").read_text() == "".join(scored)
    assert not list(Path().glob(".whole*"))


def test_an_output_stands_until_the_longer_one_does(begun: Callable[..., None], scored: list[str]) -> None:
    Path("out.bedpe").write_text("".join(scored[:9]))
    begun()
    assert Path("out.bedpe").read_text() == "".join(scored[:9])
    assert partial_path("out.bedpe").read_text() == "".join(scored[:21])
    assert builders.run(*PREDICT, "-o", "out.bedpe", "--resume-output") == 0
    assert Path("out.bedpe").read_bytes() == Path("whole.bedpe").read_bytes()


def test_an_output_that_another_process_writes_is_not_touched(scored: list[str], fails: Callable[..., str]) -> None:
    with atomic_file("whole.bedpe", force=True):
        assert "whole.bedpe: another process is writing it" in fails(*PREDICT, "-o", "whole.bedpe", "--resume-output")
        assert Path("whole.bedpe").read_text() == "".join(scored)


@pytest.mark.parametrize("option", [["--shard", "1/1"], ["--resume-output", "-o", "out.bedpe"]])
def test_a_pipe_is_not_read_twice(scored: list[str], option: list[str], fails: Callable[..., str]) -> None:
    os.mkfifo("pipe")
    message = fails("predict", "model.pt", "pipe", "-f", "genome.fa", *option, status=2)
    assert (
        "pipe is a pipe: it can be read only once; --shard, --resume-output and torchrun need a regular file" in message
    )


@pytest.mark.parametrize("change", [lambda lines: [*lines[:5], lines[6]], lambda lines: [*lines, "more\n"]])
def test_another_output_is_not_replaced(
    scored: list[str], change: Callable[[list[str]], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    before = "".join(change(scored))
    Path("out.bedpe").write_text(before)
    for _ in range(2):
        assert builders.run(*PREDICT, "-o", "out.bedpe", "--resume-output") == 1
        message = "out.bedpe: is not an output of this model, these candidates and options; --force replaces it\n"
        assert message in capsys.readouterr().err
        assert Path("out.bedpe").read_text() == before
    assert builders.run(*PREDICT, "-o", "out.bedpe", "--resume-output", "--force") == 0
    assert Path("out.bedpe").read_text() == "".join(scored)


def test_a_compressed_output_is_not_gone_on_with(scored: list[str], fails: Callable[..., str]) -> None:
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
    assert "standard input can be read only once; --shard, --resume-output and torchrun need a regular file" in message


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


def test_lines_that_were_counted_before_are_not_counted_again(capsys: pytest.CaptureFixture[str]) -> None:
    _report([StreamCounts(pairs=9, invalid=2, first_invalid="in.bedpe:70")], 60, {8}, 1.0)
    assert "the first: in.bedpe:70; lines of the interrupted run are not counted\n" in capsys.readouterr().err


def test_models_that_differ_in_an_ending_have_a_history_each() -> None:
    assert [str(history_path(Path(name))) for name in ("a/mod.v1", "mod.pt", "mod.v2.pt")] == [
        "a/mod.v1.history.tsv", "mod.history.tsv", "mod.v2.history.tsv",
    ]  # fmt: skip
