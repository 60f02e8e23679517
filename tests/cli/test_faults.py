"""Disks that are full, folders that go, neighbours, and a genome that is no longer the same."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from speid_cli import files
from speid_cli.dataset.pairs import PairDataset
from speid_cli.genome.reference import SAMPLE_BP, SAMPLES, Reference
from tests import builders

Fails = Callable[..., str]
TRAIN = ["pretrain", "pairs.npz", *builders.TINY_OPTIONS, "--epochs", 1, "-o", "model.pt"]
PREDICT = ["predict", "model.pt", "pairs.bedpe"]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "speid_cli", *map(str, arguments)]


@pytest.fixture
def model(dataset: PairDataset) -> None:
    """``model.pt``, which remembers ``genome.fa``."""
    assert builders.run(*TRAIN) == 0


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What `atomic_file` writes cannot be flushed."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    yield


def change_base(path: str, at: int) -> None:
    text = Path(path).read_text()
    Path(path).write_text(text[:at] + {"A": "C"}.get(text[at].upper(), "A") + text[at + 1 :])
    os.utime(path, (0, 0))  # the index is newer, as it would be of a FASTA that was copied back


def test_a_changed_sequence_is_refused_unless_it_is_given(
    model: None, fails: Fails, capsys: pytest.CaptureFixture[str]
) -> None:
    change_base("genome.fa", 3000)
    message = fails(*PREDICT)
    assert "genome.fa: the sequence has changed: a sample of it has digest " in message
    assert "genome.fa when the data set was prepared; to use this FASTA anyway, give it with -f\n" in message
    assert builders.run(*PREDICT, "-f", "genome.fa", "-o", "scored.bedpe") == 0
    told = capsys.readouterr().err
    assert "warning: genome.fa: the sequence has changed" in told and "give it with -f" not in told


def test_the_sample_is_of_the_sequence_whatever_its_case_and_order(genome: dict[str, str]) -> None:
    builders.write_fasta(Path("other.fa"), {name: genome[name].swapcase() for name in reversed(genome)}, width=7)
    with Reference("genome.fa") as reference, Reference("other.fa") as other:
        assert reference.sample == other.sample
    text = "".join(genome[name].upper() for name in sorted(genome))
    assert len(text) < SAMPLES * SAMPLE_BP  # all of a small genome is in it
    change_base("other.fa", 3000)
    with Reference("genome.fa") as reference, Reference("other.fa") as other:
        assert reference.sample != other.sample


def test_a_fasta_that_has_become_shorter_is_an_error(model: None, fails: Fails) -> None:
    text = Path("genome.fa").read_text()
    Path("genome.fa").write_text(text[: len(text) // 2])
    os.utime("genome.fa", (0, 0))
    assert "genome.fa" in fails(*PREDICT)


@pytest.mark.parametrize(
    "arguments",
    [
        ["prepare", "pairs.bedpe", "genome.fa", *builders.WINDOW_OPTIONS, "-o", "out"],
        ["pretrain", "pairs.npz", *builders.TINY_OPTIONS, "--epochs", "1", "-o", "out"],
        ["finetune", "model.pt", "pairs.npz", "--epochs", "1", "-o", "out"],
        ["predict", "model.pt", "pairs.bedpe", "-o", "out"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_full_disk_leaves_nothing_and_what_was_there(
    model: None, full_disk: None, fails: Fails, arguments: list[str]
) -> None:
    assert "No space left on device\n" in fails(*arguments)
    Path("out").write_text("before")
    assert "No space left on device\n" in fails(*arguments, "--force")
    assert Path("out").read_text() == "before"


def test_a_full_disk_keeps_the_state_before(
    dataset: PairDataset, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of the first epoch is written, that of the second is not."""
    calls: list[int] = []

    def full_at_last(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")

    training = [*TRAIN, "--epochs", 3]
    assert builders.run(*training[:-3], "whole.pt", "--epochs", 3) == 0
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full_at_last)
        assert builders.run(*training) == 1
    assert builders.run(*training, "--resume") == 0
    assert Path("model.pt").read_bytes() == Path("whole.pt").read_bytes()


def test_a_model_does_not_hide_that_the_disk_is_full() -> None:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space left on device"):
        builders.random_checkpoint().write(full)


def test_standard_output_on_a_full_disk(model: None) -> None:
    with open("/dev/full", "wb") as full:
        process = subprocess.run(command(*PREDICT), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert process.returncode == 1
    assert "speid: standard output: No space left on device\n" in process.stderr


def test_a_folder_that_vanishes_is_an_error(model: None, monkeypatch: pytest.MonkeyPatch, fails: Fails) -> None:
    Path("results").mkdir()
    monkeypatch.setattr(files.os, "fsync", lambda descriptor: shutil.rmtree("results"))
    assert "results: no such folder; mkdir -p " in fails(*PREDICT, "-o", "results/out.bedpe")


def test_a_file_that_may_not_grow_is_an_error(model: None) -> None:
    """The limit on a file's size stands for a quota."""
    lines = Path("pairs.bedpe").read_text().splitlines(keepends=True)
    Path("pairs.bedpe").write_text("".join(lines[:1] + lines[1:] * 20))
    process = subprocess.run(
        command(*PREDICT, "-o", "out.bedpe"), stderr=subprocess.PIPE, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert process.returncode == 1, process.stderr
    assert "out.bedpe: File too large\n" in process.stderr
    assert not list(Path().glob("*out.bedpe*"))


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
def test_a_full_folder_of_temporary_files_is_not_blamed_on_the_output(folder: Path) -> None:
    Path("e.bed").write_text("".join(f"chr1\t{start}\t{start + 9}\n" for start in range(0, 40_000, 10)))
    Path("loops.bedpe").write_text("chr1\t0\t9\tchr1\t20000\t20009\n")
    process = subprocess.run(
        command("candidates", "e.bed", "e.bed", "--anchors", "loops.bedpe", "-o", "out.bedpe"),
        stderr=subprocess.PIPE, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert process.returncode == 1, process.stderr
    assert "/regions.bed: File too large\n" in process.stderr
    assert "out.bedpe" not in process.stderr


def test_neighbours_that_index_one_genome_agree(genome: dict[str, str]) -> None:
    builders.write_pairs(Path("pairs.bedpe"), builders.pair_lines(60))
    prepare = ["prepare", "pairs.bedpe", "genome.fa", *builders.WINDOW_OPTIONS, "-o"]
    processes = [subprocess.Popen(command(*prepare, f"{number}.npz"), stderr=subprocess.PIPE) for number in range(4)]
    for process in processes:
        _, error = process.communicate()
        assert process.returncode == 0, error
    assert len({Path(f"{number}.npz").read_bytes() for number in range(4)}) == 1
    assert len(Path("genome.fa.fai").read_text().splitlines()) == len(genome)
    assert sorted(path.name for path in Path().glob(".*")) == []
