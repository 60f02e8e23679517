"""How much memory there is, within all limits."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from speid_cli import memory
from speid_cli.dataset.pairs import PairDataset
from speid_cli.memory import available_bytes, total_bytes
from tests import builders

PHYSICAL = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_the_machine_s_memory_is_the_most() -> None:
    assert 1 << 20 < available_bytes() <= total_bytes() <= PHYSICAL


def test_a_control_group_s_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("70\n")
    total = total_bytes()
    (tmp_path / "memory.max").write_text("100\n")
    assert (total_bytes(), available_bytes()) == (100, 30)
    (tmp_path / "memory.current").write_text("170\n")
    assert available_bytes() == 0
    assert total > 100
    (tmp_path / "memory.max").unlink()
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("90\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("50\n")
    assert (total_bytes(), available_bytes()) == (90, 40)


def test_memory_that_is_not_had_is_said(
    dataset: PairDataset, monkeypatch: pytest.MonkeyPatch, fails: Callable[..., str]
) -> None:
    def nothing(path: object) -> None:
        raise MemoryError

    monkeypatch.setattr(PairDataset, "read", nothing)
    assert fails("pretrain", "pairs.npz").startswith("speid: out of memory; a smaller --cache-memory, ")


def test_predict_keeps_within_its_address_space(dataset: PairDataset) -> None:
    assert builders.run("pretrain", "pairs.npz", *builders.TINY_OPTIONS, "--epochs", 1, "-o", "model.pt") == 0
    limit = 4 << 30
    subprocess.run(
        [sys.executable, "-m", "speid_cli", "predict", "model.pt", "pairs.bedpe", "--threads", "1"],
        check=True, stdout=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
