"""Fixtures: a genome, its pairs, and what the commands make of them."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from speid_cli.dataset.pairs import PairDataset
from tests import builders

settings.register_profile("speid", deadline=None, derandomize=True)
settings.load_profile("speid")
# Tests compare bytes that CPUs compute. A GPU, where there is one, is for `SPEID_TEST_CUDA=1 pytest -k cuda`.
if "SPEID_TEST_CUDA" not in os.environ:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
# Networks of a few units gain nothing from threads, and lose much to neighbours on the same cores.
torch.set_num_threads(1)
# nohup and a script's background job have SIGINT ignored, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, bool, bool]:
    """No test waits for ever: whatever it waits for, it fails after ten minutes."""

    def stop(number: int, frame: object) -> None:
        raise TimeoutError("the test took longer than 10 minutes")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(600)
    try:
        return (yield)
    finally:
        signal.alarm(0)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here talks to a network."""

    def refuse(*arguments: object) -> None:
        raise AssertionError(f"a connection to {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def genome(folder: Path) -> dict[str, str]:
    """``genome.fa`` in the current folder; its sequences."""
    return builders.write_genome(folder / "genome.fa")


@pytest.fixture
def pairs(folder: Path, genome: dict[str, str]) -> list[str]:
    """``pairs.bedpe`` beside ``genome.fa``; its lines."""
    lines = builders.pair_lines(60)
    builders.write_pairs(folder / "pairs.bedpe", lines)
    return lines


@pytest.fixture
def dataset(pairs: list[str]) -> PairDataset:
    """``pairs.npz`` made from them, split by chromosome."""
    assert builders.run("prepare", "pairs.bedpe", "genome.fa", *builders.WINDOW_OPTIONS) == 0
    return PairDataset.read("pairs.npz")


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail with exit status 1 and leave no new file; gives its message."""

    def check(*arguments: object, status: int = 1) -> str:
        before = {path.name for path in Path().iterdir()}
        capsys.readouterr()
        assert builders.run(*arguments) == status
        captured = capsys.readouterr()
        new = {path.name for path in Path().iterdir()} - before
        assert all(name.endswith((".fai", ".gzi")) for name in new), new
        assert captured.out == ""
        return captured.err

    return check
