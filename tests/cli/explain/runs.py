"""Inputs and outputs of commands, and commands that are killed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from speid_cli.explain.record import record_path


def write_motifs(*words: str) -> None:
    """``motifs.jaspar`` of motifs ``MA0``, ``MA1``, ..., named ``one0``, ``one1``, ..., each of one word."""
    with open("motifs.jaspar", "w") as out:
        for number, word in enumerate(words):
            out.write(f">MA{number} one{number}\n")
            for letter in "ACGT":
                out.write(f"{letter} [ {' '.join('200' if base == letter else '0' for base in word)} ]\n")


def kill_after(parts: int, out: str, *command: object) -> int:
    """Kill a command that writes to a folder once so many parts are on disk; how many then are."""
    arguments = [sys.executable, "-m", "speid_cli", *map(str, command), "-o", out]
    process, record = subprocess.Popen(arguments, stderr=subprocess.DEVNULL), record_path(Path(out))
    while not (record.exists() and record.read_bytes().count(b"\n") > parts) and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert not Path(out).exists()
    return record.read_bytes().count(b"\n") - 1


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def check_page(folder: str, *texts: str) -> None:
    """The page holds everything itself, and these texts between its first words and its last, in this order."""
    text = Path(folder, "report.html").read_text()
    assert not [word for word in ("http:", "https:", "<script src", "<link", "url(") if word in text]
    places = [text.index(words) for words in ("<h1>", *texts, "How to cite")]
    assert places == sorted(places)
