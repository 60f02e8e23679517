"""What a terminal of 80 columns shows: tables are aligned there, and tab-separated in a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

from tests import builders
from tests.builders import run
from tests.cli.explain.test_variants import inputs as inputs  # a fixture

COLUMNS = 80


def on_terminal(*arguments: object) -> list[str]:
    """The lines that a command shows, without spaces at their ends."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    environment = os.environ | {"TERM": "dumb", "NO_COLOR": "1"}
    environment.pop("COLUMNS", None)
    command = [sys.executable, "-m", "speid_cli", *map(str, arguments)]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    shown = b""
    try:
        while part := os.read(master, 1 << 16):
            shown += part
    except OSError:  # Linux: the command has ended
        pass
    os.close(master)
    assert process.wait() == 0, shown.decode()
    return [line.rstrip() for line in shown.decode().splitlines()]


def rows_of(shown: list[str], head: tuple[str, ...]) -> list[list[str]]:
    """The rows of a table with this head, which fits; the head again wherever it is repeated."""
    first = next(number for number, line in enumerate(shown) if tuple(line.split()) == head)
    table = [line for line in shown[first + 1 : -2] if line.strip(" \u2500")]
    assert max(map(len, table)) <= COLUMNS
    return [line.split() for line in table]


def test_a_table_of_hits(folder: Path) -> None:
    places = range(10, 160)
    lines = [f"chr1\t{start}\t{start + 10}\tchr1\t1\t5\te{start}~GENE\t0.5" for start in places]
    builders.write_pairs(Path("scored.bedpe"), lines)
    shown = on_terminal("export", "scored.bedpe")
    head = "promoter", "enhancer", "probability", "distance"
    rows = [["GENE", f"e{start}", "0.5", f"{start - 5}"] for start in places]
    assert rows_of(shown, head) == [*rows[:100], list(head), *rows[100:]]
    assert shown[-2:] == ["> FILE gives all columns", "150 hits of 150 pairs"]


def test_a_table_without_rows_has_its_header(folder: Path) -> None:
    builders.write_pairs(Path("scored.bedpe"), ["chr1\t10\t20\tchr1\t1\t5\te~GENE\t0.5"])
    shown = on_terminal("export", "scored.bedpe", "--min-score", 0.6)
    assert ["promoter", "enhancer", "probability", "distance"] in map(str.split, shown)
    assert shown[-1] == "0 hits of 1 pair"


def test_effects_of_variants(inputs: dict[str, str]) -> None:
    assert run("explain", "variants", "model.pt", "pairs.bedpe", "a.vcf", "-o", "out.tsv") == 0
    head, *rows = (line.split("\t") for line in Path("out.tsv").read_text().splitlines())
    shown = on_terminal("explain", "variants", "model.pt", "pairs.bedpe", "a.vcf")
    wanted = "chrom", "position", "reference", "alternative", "name", "side", "logit_change"
    kept = [head.index(name) for name in wanted]
    table = [row for row in rows_of(shown, wanted) if row[0].startswith("chr")]
    assert table == [[row[number] for number in kept] for row in rows]
