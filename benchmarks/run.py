#!/usr/bin/env python3
"""Compare speid with its peers in one run: scoring, training, whole commands, prepare, and how cost grows.

usage: python benchmarks/run.py [--rounds N] [--data FOLDER] [--genome GENOME.fa] [-o SPEED.md]

Peers run in processes of their own, one at a time. Keras 3 on TensorFlow is installed into
`benchmarks/.keras` at the first run (pip; some 2 GB). FOLDER holds the paper's pairs and chr22
(targetfinder.*.bedpe.gz, chr22.hg38.fa.gz); without it, elements are random sequence, and the commands
and `prepare` are not measured. GENOME.fa is what `prepare` reads; by default a random genome of hg19's sizes is made,
3.1 GB, in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from commands import measure_commands
from measurements import Times, machine
from prepare import measure_prepare
from report import Report
from work import make_work

HERE = Path(__file__).parent
SCALING = {
    "elements": (96, 192, 384),
    "pairs": (960, 1920, 3840),
    "enhancer window": (750, 1500, 3000, 6000),
    "kernels": (256, 512, 1024, 2048),
}


def main() -> None:
    """Measure and write the report."""
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        work = make_work(options.data, Path(folder) / "work.npz")
        commands = peer_commands(environment(), work.path)
        times: dict[tuple[str, str], Times] = {}
        about: dict[str, str] = {}
        for wanted in phases():
            with ExitStack() as stack:
                peers = {name: stack.enter_context(Peer.started(*commands[name])) for name in dict(wanted)}
                times |= measure(peers, wanted, options.rounds)
                about |= {name: value for peer in peers.values() for name, value in peer.about.items()}
        commands, prepared = {}, {}
        if options.data:
            commands = measure_commands(options.data, environment(), Path(folder), options.rounds)
            prepared = measure_prepare(options.data, options.genome, Path(folder), options.rounds)
        Report(work, times, commands, prepared, about | machine(), options.rounds).write(options.output)
    print(f"written: {options.output}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--genome", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "SPEED.md")
    return parser.parse_args()


def phases() -> list[list[tuple[str, str]]]:
    """Peer and work, in the order of a round. Each phase has its own peers, since all would need too much memory."""
    scoring = [
        ("speid", "copy"),
        ("speid", "matrix product"),
        ("speid, PyTorch", "PyTorch matrix product"),
        ("Keras", "score: predict"),
        ("speid", "score unrelated"),
        ("Keras", "score: predict_on_batch"),
        ("speid", "score shared"),
        ("plain", "score"),
        ("speid", "score shared, pairs only"),
        ("speid, PyTorch", "score unrelated"),
        ("speid, PyTorch", "score shared"),
        ("speid, PyTorch", "score shared, pairs only"),
    ]
    training = [
        ("Keras", "train: fit"),
        ("speid", "train"),
        ("Keras", "train: train_on_batch"),
        ("plain", "train"),
        ("speid, PyTorch", "train"),
    ]
    finetuning = [
        ("Keras", "finetune: fit"),
        ("speid", "finetune"),
        ("Keras", "finetune: train_on_batch"),
        ("speid", "finetune from elements"),
    ]
    growth = [("speid", f"{what} {size}") for what, sizes in SCALING.items() for size in sizes]
    return [scoring, training, finetuning, growth]


def peer_commands(keras: str, work: Path) -> dict[str, tuple[str, str, Path, dict[str, str]]]:
    """How each peer is started: Python, script, work, environment variables."""
    here = sys.executable
    return {
        "Keras": (keras, "keras_peer.py", work, {}),
        "plain": (here, "plain_peer.py", work, {}),
        "speid": (here, "speid_peer.py", work, {}),
        "speid, PyTorch": (here, "speid_peer.py", work, {"SPEID_NATIVE": "0"}),
    }


def environment() -> str:
    """A Python with Keras and TensorFlow, made at the first run."""
    folder = HERE / ".keras"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "keras>=3.10", "tensorflow-cpu>=2.19", "pandas"], check=True
        )
        (folder / "ready").touch()
    return str(python)


def measure(peers: dict[str, Peer], wanted: list[tuple[str, str]], rounds: int) -> dict[tuple[str, str], Times]:
    """Run each work once in each round, with the peers in turn."""
    times = {request: Times() for request in wanted}
    for number in range(rounds):
        for name, work in wanted:
            print(f"round {number + 1}/{rounds}: {name}, {work}", file=sys.stderr)
            seconds, foreign = peers[name].run(work)
            times[name, work].seconds.append(seconds)
            times[name, work].foreign.append(foreign)
    return times


class Peer:
    """A process that runs works on request."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.about: dict[str, str] = self._answer()["about"]

    @classmethod
    @contextmanager
    def started(cls, python: str, script: str, work: Path, variables: dict[str, str]) -> Iterator[Peer]:
        """A peer until the block ends."""
        command = [python, str(HERE / "peers" / script), str(work)]
        environment = os.environ | variables
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=environment
        ) as process:
            yield cls(process)
            assert process.stdin is not None
            process.stdin.close()

    def run(self, work: str) -> tuple[float, float]:
        """Seconds of a work, and the cores that other processes kept busy."""
        assert self._process.stdin is not None
        before = time.perf_counter(), busy(), own(self._process.pid)
        print(work, file=self._process.stdin, flush=True)
        seconds = float(self._answer())
        wall, all_busy, mine = (
            now - then for now, then in zip((time.perf_counter(), busy(), own(self._process.pid)), before, strict=True)
        )
        return seconds, max(0.0, (all_busy - mine) / wall)

    def _answer(self):  # type: ignore[no-untyped-def]
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args} ended unexpectedly")
        return json.loads(line)


def busy() -> float:
    """CPU seconds that the machine has been busy."""
    user, nice, system, _, _, irq, soft, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def own(pid: int) -> float:
    """CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
