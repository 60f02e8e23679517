"""Coverage-guided fuzzing of the readers of text: any exception but a `SpeidError` is a finding.

    python -m tests.fuzz.fuzz_text bedpe --runs 200000
    python -m tests.fuzz.fuzz_text motifs --runs 200000

Exit status: 0 all runs done, 1 a finding (its bytes are printed), 2 atheris is not installed. It is
no dependency: pip install atheris, best into an environment of its own.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

try:
    import atheris
except ImportError:
    print("atheris is not installed; try: pip install atheris", file=sys.stderr)
    sys.exit(2)

with atheris.instrument_imports(include=["speid_cli"]):
    from speid_cli.errors import SpeidError
    from speid_cli.genome.bedpe import header_with_probability, parse_pair, with_probability
    from speid_cli.genome.motif_files import read_motifs
    from speid_cli.genome.pair_reader import PairReader

PAIR = b"chr1\t10\t20\tchr2\t30\t1.05e+08\tname\t.\t+\t-\n"
BEDPE_SEEDS = (
    PAIR,
    b"#chr1\tx1\tx2\tchr2\ty1\ty2\tname\n# comment\n" + PAIR,
    b"track name=x\r\n" + PAIR,
    b"\x1f\x8b\x08",
)
MEME = b"MEME version 4\n\nALPHABET= ACGT\n\nMOTIF MA1 one\nletter-probability matrix: alength= 4 w= 2 nsites= 20\n"
MOTIF_SEEDS = (
    b">MA1 one\nA [ 1 2 3 ]\nC [ 4 5 6 ]\nG [ 7 8 9 ]\nT [ 1 0 0 ]\n",
    b"# exported\n1 2\n3 4\n5 6\n7 8\n",
    MEME + b"0.1 0.2 0.3 0.4\n0.25 0.25 0.25 0.25\n\nMOTIF MA2\nletter-probability matrix:\n1 0 0 0\n",
)


def read_pairs() -> None:
    """Standard input as BEDPE, every line taken apart and scored."""
    for line in PairReader("-").lines():
        if line.role == "header":
            header_with_probability(line, append=True)
        elif line.role == "pair":
            with_probability(line.text, "0.5", append=False)
            parse_pair(line.fields)


def read_matrices() -> None:
    """Standard input as motifs, every matrix turned into probabilities."""
    for motif in read_motifs("-"):
        if not abs(motif.ppm().sum(axis=1) - 1).max() < 1e-6:
            raise ArithmeticError(f"{motif} has no probabilities")


READERS: dict[str, tuple[Callable[[], None], tuple[bytes, ...]]] = {
    "bedpe": (read_pairs, BEDPE_SEEDS),
    "motifs": (read_matrices, MOTIF_SEEDS),
}


def fuzz(read: Callable[[], None], seeds: tuple[bytes, ...], runs: int, folder: Path) -> None:
    """Run a reader on mutated seeds; ends the process."""

    def once(content: bytes) -> None:
        sys.stdin = SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(content)))  # type: ignore[assignment]
        try:
            read()
        except SpeidError:
            pass
        except BaseException:
            traceback.print_exc()
            print(f"bytes: {content!r}", file=sys.stderr, flush=True)
            os._exit(1)

    for number, seed in enumerate(seeds):
        (folder / str(number)).write_bytes(seed)
    limits = (
        "-max_len=4096",
        "-timeout=20",
        "-rss_limit_mb=4096",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    )
    atheris.Setup([sys.argv[0], f"-runs={runs}", *limits, str(folder)], once)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--runs", type=int, default=200_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        child = os.fork()
        if not child:
            fuzz(*READERS[options.reader], options.runs, Path(folder))
        return int(os.waitpid(child, 0)[1] != 0)


if __name__ == "__main__":
    sys.exit(main())
