"""Compare `speid prepare` with `bedtools getfasta` alone, and with the usual way to training arrays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measurements import Run

from speid_cli.genome.intervals import window_start
from speid_cli.genome.pair_reader import PairReader

HG19 = {
    "1": 249250621, "2": 243199373, "3": 198022430, "4": 191154276, "5": 180915260, "6": 171115067, "7": 159138663,
    "8": 146364022, "9": 141213431, "10": 135534747, "11": 135006516, "12": 133851895, "13": 115169878,
    "14": 107349540, "15": 102531392, "16": 90354753, "17": 81195210, "18": 78077248, "19": 59128983, "20": 63025520,
    "21": 48129895, "22": 51304566, "X": 155270560, "Y": 59373566,
}  # fmt: skip
CELL = "targetfinder.GM12878.hg19.bedpe.gz"


def measure_prepare(data: Path, genome: Path | None, folder: Path, rounds: int) -> dict[str, Run]:
    """All ways on GM12878's pairs, and `speid prepare` on those of all six lines together."""
    genome = genome or random_genome(folder / "hg19.fa")
    beds = write_windows(data / CELL, folder)
    whole = folder / "six.bedpe"
    with open(whole, "wb") as joined:
        for bedpe in sorted(data.glob("targetfinder.*.hg19.bedpe.gz")):
            joined.write(subprocess.run(["gzip", "-dc", bedpe], check=True, capture_output=True).stdout)
    here, out = Path(__file__).parent, str(folder / "out.npz")
    prepare = [sys.executable, "-m", "speid_cli", "prepare", "--force", "-o", out]
    ways = {
        "speid prepare": (rounds, [*prepare, data / CELL, genome]),
        "bedtools getfasta alone": (rounds, ["bedtools", "getfasta", "-fi", genome, "-bed", folder / "unique.bed",
                                             "-fo", folder / "out.fa"]),
        "getfasta, one-hot, savez_compressed": (1, [sys.executable, here / "peers" / "usual_prepare.py", *beds, genome,
                                                   out]),
        "speid prepare, six lines": (1, [*prepare, whole, genome]),
    }  # fmt: skip
    runs = {name: Run() for name in ways}
    subprocess.run([str(part) for part in ways["bedtools getfasta alone"][1]], check=True)  # makes the .fai
    for number in range(rounds):
        for name, (times, command) in ways.items():
            if number < times:
                print(f"round {number + 1}/{rounds}: {name}", file=sys.stderr)
                run(runs[name], command)
                runs[name].written = Path(out).stat().st_size if "getfasta alone" not in name else 0
    return runs


def run(measured: Run, command: Sequence[object]) -> None:
    """Add a command's wall seconds and largest memory."""
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    measured.seconds.append(time.perf_counter() - start)
    measured.memory = max(measured.memory, usage.ru_maxrss / 1024)
    if status:
        raise SystemExit(f"failed: {command}")


def write_windows(bedpe: Path, folder: Path) -> list[Path]:
    """One BED a side with a window for each pair, and one of the unique windows of both."""
    paths, unique = [folder / "enhancers.bed", folder / "promoters.bed"], set()
    with open(paths[0], "w") as enhancers, open(paths[1], "w") as promoters:
        for _, pair in PairReader(str(bedpe)):
            for out, (chrom, start, end), width in zip((enhancers, promoters), pair, (3000, 2000), strict=True):
                first = max(0, window_start(start, end, width))
                row = f"{chrom}\t{first}\t{first + width}\n"
                out.write(row)
                unique.add(row)
    (folder / "unique.bed").write_text("".join(sorted(unique)))
    return paths


def random_genome(path: Path) -> Path:
    """A FASTA of random sequence with hg19's contig sizes, 60 bases a line."""
    rng, letters = np.random.default_rng(0), np.frombuffer(b"ACGT", np.uint8)
    with open(path, "wb") as fasta:
        for name, length in HG19.items():
            fasta.write(f">chr{name}\n".encode())
            for start in range(0, length, 60_000_000):
                bases = letters[rng.integers(0, 4, min(60_000_000, length - start), dtype=np.uint8)]
                rows = bases[: len(bases) // 60 * 60].reshape(-1, 60)
                fasta.write(np.pad(rows, ((0, 0), (0, 1)), constant_values=10).tobytes())
                if rest := bytes(bases[len(rows) * 60 :]):
                    fasta.write(rest + b"\n")
    return path
