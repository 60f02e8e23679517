#!/usr/bin/env python3
"""What is lost when a command is killed or its disk is full.

Each command is killed (SIGKILL) at random moments, and then run again or resumed. It also writes to a
small file system (a tmpfs, which needs root to mount) with less room than it needs, and again with
enough room. In the end its outputs must be, byte for byte, those of an undisturbed run, without
other files in their folder.

usage: python benchmarks/faults.py [--kills N] [--fills N] [--seed SEED] [-o FAULTS.md]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
CONTEXT = multiprocessing.get_context("forkserver")
ROOM = 64 << 20
SIZES = {"n_kernels": 16, "lstm_units": 16, "dense_units": 16}
NETWORK = ["--preset", "tiny", "--threads", "1", *(f"--set={name}={size}" for name, size in SIZES.items())]


class Work(NamedTuple):
    """A command to disturb.

    Attributes
    ----------
    name : str
        Its name in the table.
    arguments : list of str
        All but the output.
    outputs : tuple of str
        The files that it must write, the first by ``-o`` unless `piped`.
    again : list of str
        Additional arguments of the next run.
    piped : bool
        Whether the output is standard output; then the next run is given the file.
    """

    name: str
    arguments: list[str]
    outputs: tuple[str, ...]
    again: list[str]
    piped: bool = False


WORKS = (
    Work("prepare", ["prepare", "pairs.bedpe", "genome.fa", "--enhancer-window", "400", "--promoter-window", "300"],
         ("out.npz",), ["--force"]),
    Work("pretrain", ["pretrain", "pairs.npz", *NETWORK, "--epochs", "3"],
         ("out.pt", "out.history.tsv", "out.pt.state"), ["--resume"]),
    Work("pretrain, saving each batch", ["pretrain", "pairs.npz", *NETWORK, "--epochs", "2", "--save-every", "0"],
         ("out.pt", "out.history.tsv", "out.pt.state"), ["--resume"]),
    Work("finetune", ["finetune", "pretrained.pt", "pairs.npz", "--epochs", "6", "--patience", "0", "--threads", "1"],
         ("out.pt", "out.history.tsv", "out.pt.state"), ["--resume"]),
    Work("predict -o", ["predict", "model.pt", "many.bedpe", "--threads", "1", "--block-size", "1000"],
         ("out.bedpe",), ["--resume-output"]),
    Work("predict > file", ["predict", "model.pt", "many.bedpe", "--threads", "1", "--block-size", "1000"],
         ("out.bedpe",), ["--resume-output"], piped=True),
)  # fmt: skip


def main() -> None:
    """Disturb every command and write the page."""
    options = parse()
    CONTEXT.set_forkserver_preload(["faults_child"])
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_inputs(folder)
        rows = [row for work in WORKS for row in disturb(folder, work, options, draw)]
    command = f"python benchmarks/faults.py --kills {options.kills} --fills {options.fills} --seed {options.seed}"
    write_page(options.output, command, rows)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="times that each command is killed")
    parser.add_argument("--fills", type=int, default=10, help="times that its disk is full")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "FAULTS.md")
    return parser.parse_args()


def make_inputs(folder: Path) -> None:
    """A simulated study, models of it, and many candidates."""
    simulate = [sys.executable, str(HERE.parent / "examples" / "simulate.py"), "-o", str(folder)]
    subprocess.run([*simulate, "--chromosomes", "6", "--elements", "20"], check=True, stderr=subprocess.DEVNULL)
    for work, made in ((WORKS[0], "pairs.npz"), (WORKS[1], "pretrained.pt"), (WORKS[3], "model.pt")):
        with tempfile.TemporaryDirectory(dir=folder) as name:
            alone(folder, work, Path(name))
            shutil.copy(Path(name, work.outputs[0]), folder / made)
    lines = (folder / "pairs.bedpe").read_text().splitlines(keepends=True)
    (folder / "many.bedpe").write_text("".join(lines[:1] + lines[1:] * 30))


def start(folder: Path, work: Work, to: Path, *more: str, again: bool = False) -> multiprocessing.Process:
    """Start the command with its outputs in a folder; its messages go to ``log`` beside the inputs."""
    target = str(to / work.outputs[0])
    piped = work.piped and not again
    arguments = [*work.arguments, *more] + ([] if piped else ["-o", target])
    process = CONTEXT.Process(target=child, args=(str(folder), arguments, target if piped else None))
    process.start()
    return process  # type: ignore[return-value]


def child(folder: str, arguments: list[str], stdout: str | None) -> None:
    """Run speid in this process."""
    from speid_cli.cli import main as speid

    os.chdir(folder)
    for descriptor, path in ((2, "log"), (1, stdout or "/dev/null")):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), descriptor)
    sys.exit(speid(arguments))


def finish(process: multiprocessing.Process) -> int:
    """Wait for a process; return its exit status."""
    process.join()
    return process.exitcode or 0


def alone(folder: Path, work: Work, to: Path) -> None:
    """Run a command undisturbed."""
    if status := finish(start(folder, work, to)):
        sys.exit(f"{work.name} alone exited with {status}: {(folder / 'log').read_text()}")


def disturb(folder: Path, work: Work, options: argparse.Namespace, draw: random.Random) -> Iterator[list[str]]:
    """Rows of the table: killed, and with a full disk."""
    times = []
    for number in range(3):
        whole = folder / f"whole{number}"
        whole.mkdir(exist_ok=True)
        begun = time.monotonic()
        alone(folder, work, whole)
        times.append(time.monotonic() - begun)
    expected = contents(whole)
    if any(contents(folder / f"whole{number}") != expected for number in range(2)):
        sys.exit(f"{work.name} does not give the same bytes twice")
    found = Counter(killed(folder, work, expected, draw.uniform(0, max(times))) for _ in range(options.kills))
    yield row(work, "killed", options.kills, found)
    if not work.piped:
        found = Counter(filled(folder, work, expected, draw) for _ in range(options.fills))
        yield row(work, "disk full", options.fills, found)
    for number in range(3):
        shutil.rmtree(folder / f"whole{number}")


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def killed(folder: Path, work: Work, expected: dict[str, bytes], seconds: float) -> str:
    """Kill after some time and run again; return what the killed run had written, or ``lost``."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        to = Path(name)
        process = start(folder, work, to)
        process.join(seconds)
        process.kill()
        process.join()
        there = standing(work, contents(to), expected)
        whole = contents(to) == expected
        if not whole and finish(start(folder, work, to, *work.again, again=True)):
            return f"lost: {(folder / 'log').read_text()}"
        return there if contents(to) == expected else f"lost: {sorted(contents(to))}"


def standing(work: Work, found: dict[str, bytes], expected: dict[str, bytes]) -> str:
    """State of the outputs: nothing, a part to continue from, or all; else ``lost``."""
    output = found.get(work.outputs[0])
    if output is not None and work.piped and expected[work.outputs[0]].startswith(output):
        return "a correct beginning" if output else "nothing yet"
    if output is not None and output != expected[work.outputs[0]]:
        return "lost: half an output"
    if output is not None:
        return "all"
    part = any(found.get(name) for name in (f"{work.outputs[0]}.state", f".{work.outputs[0]}.part"))
    return "something to go on from" if part else "nothing yet"


def filled(folder: Path, work: Work, expected: dict[str, bytes], draw: random.Random) -> str:
    """Write over an earlier output with too little room, then with room; return whether it was ``lost``."""
    with small_disk(folder) as to:
        output = to / work.outputs[0]
        output.write_bytes(b"earlier")
        needed = sum(map(len, expected.values()))
        ballast = to / "ballast"
        with ballast.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, room(to) - draw.randrange(needed // 4096 + 1) * 4096)
        status = finish(start(folder, work, to, "--force"))
        message = (folder / "log").read_text()
        ballast.unlink()
        if status != 1 or "No space left on device" not in message or output.read_bytes() != b"earlier":
            return f"lost: status {status}, {message}"
        state = (to / f"{work.outputs[0]}.state").exists()
        more = ["--force", "--resume"] if state else ["--force"]
        if finish(start(folder, work, to, *more)):
            return f"lost: {(folder / 'log').read_text()}"
        return "the earlier output" if contents(to) == expected else f"lost: {sorted(contents(to))}"


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A mounted file system of `ROOM` bytes."""
    to = folder / "disk"
    to.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(to)], check=True)
    try:
        yield to
    finally:
        subprocess.run(["umount", str(to)], check=True)
        to.rmdir()


def room(folder: Path) -> int:
    """Free bytes of a folder's file system."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_bsize


def row(work: Work, fault: str, times: int, found: Counter[str]) -> list[str]:
    """A row of the table; what was lost is printed."""
    lost = Counter({text: count for text, count in found.items() if text.startswith("lost")})
    for text in lost:
        print(f"{work.name}, {fault}: {text}", file=sys.stderr)
    left = ", ".join(f"{text} {count}" for text, count in sorted((found - lost).items()))
    cells = [work.name, fault, str(times), str(times - lost.total()), str(lost.total()), left]
    print("  ".join(cells), flush=True)
    return cells


def write_page(path: Path, command: str, rows: list[list[str]]) -> None:
    """The table."""
    total = [sum(int(cells[column]) for cells in rows) for column in (2, 3, 4)]
    lines = [
        "# What faults cost", "", f"Written by `{command}`.", "",
        "Killed: SIGKILL at a random moment of the run, then run again with `--resume`, `--resume-output` or, for",
        "`prepare`, `--force`. Disk full: a tmpfs with less room than is needed and an earlier output on it, which",
        "must stay unchanged; then run again with room. Survived: in the end all outputs are, byte for byte, those",
        "of an undisturbed run, and no other files are left.", "",
        "| command | fault | times | survived | lost | what was written before |", "|---|---|---|---|---|---|",
        *(f"| {' | '.join(cells)} |" for cells in rows),
        f"| **in all** | | {total[0]} | {total[1]} | **{total[2]}** | |",
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    print(f"lost {total[2]}")
    sys.exit(bool(total[2]))


if __name__ == "__main__":
    main()
