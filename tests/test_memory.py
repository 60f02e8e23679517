"""How much memory there is, within all limits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
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
    assert fails("pretrain", "pairs.npz").startswith("speid: out of memory; try a smaller --cache-memory, ")


def test_a_limit_on_the_address_space_counts() -> None:
    code = (
        "import resource, speid_cli.memory as memory; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)); "
        "print(memory.total_bytes(), memory.available_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    total, available = map(int, done.stdout.split())
    assert total == 1 << 30
    assert 0 < available < total


def test_resident_memory_does_not_grow_with_the_lines(dataset: PairDataset) -> None:
    """The lines of the larger scan alone are some 20 MB; libraries take hundreds, most of all those of a CUDA build."""
    assert builders.run("pretrain", "pairs.npz", *builders.TINY_OPTIONS, "--epochs", 1, "-o", "model.pt") == 0
    rng, lines = np.random.default_rng(0), builders.pair_lines(60)
    script = "import sys; from speid_cli.cli import main; main(sys.argv[1:]); print(open('/proc/self/status').read())"
    predict = ["predict", "model.pt", "many.bedpe", "--threads", "1", "--block-size", "1000", "-o", "out.bedpe"]
    peaks_kb = []
    for count in (6_000, 200_000):
        builders.write_pairs(Path("many.bedpe"), list(rng.choice(lines, count)))
        command = [sys.executable, "-c", script, *predict, "--force"]
        status = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        peaks_kb.append(int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0]))
    assert peaks_kb[1] - peaks_kb[0] < 10_000
