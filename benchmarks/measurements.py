"""What is measured, and the machine that it is measured on."""

from __future__ import annotations

import platform
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from speid_cli.model.device import Device


@dataclass
class Times:
    """Seconds of each round, and how many cores other processes kept busy meanwhile."""

    seconds: list[float] = field(default_factory=list)
    foreign: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median seconds."""
        return statistics.median(self.seconds)


@dataclass
class Run(Times):
    """A command's, with its largest memory in MB and the bytes that it wrote."""

    memory: float = 0
    written: int = 0


class SilentObserver:
    """Watches training and shows nothing."""

    def epoch_begins(self, epoch: int, epochs: int, samples: int) -> None:
        """Nothing."""

    def samples_done(self, samples: int) -> None:
        """Nothing."""

    def epoch_ended(self, row: dict[str, object], best: bool) -> None:
        """Nothing."""


_APART = """
import sys
from speid_cli.cli import main
status = main(sys.argv[1:])
print(open("/proc/self/status").read())
sys.exit(status)
"""


def run_apart(arguments: list[str], cwd: Path | None = None) -> tuple[float, int]:
    """Seconds and peak bytes of a command of speid in a process of its own, whose output is no data."""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", _APART, *arguments], cwd=cwd, stdout=subprocess.PIPE, check=True)
    (peak,) = re.findall(rb"VmHWM:\s*(\d+) kB", done.stdout)
    return time.monotonic() - begun, 1024 * int(peak)


def machine() -> dict[str, str]:
    """Python, operating system and processor."""
    return {"Python": platform.python_version(), "system": platform.platform(), "cpu": Device("cpu").description}


def machine_line() -> str:
    """The same and PyTorch's version, for a page."""
    return "; ".join(f"{name} {value}" for name, value in machine().items()) + f"; PyTorch {torch.__version__}."
