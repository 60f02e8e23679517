"""Libraries that only some commands need are imported by those only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.builders import TINY_OPTIONS, WINDOW_OPTIONS

SOME_NEED = ["matplotlib", "sklearn", "scipy", "jinja2", "pybedtools", "pyjaspar", "pybigtools", "memelite"]
RUN = """
import json, sys
from speid_cli.cli import main
names, *commands = json.loads(sys.argv[1])
sys.modules |= dict.fromkeys(names)  # as if they were not installed
sys.exit(any([main(arguments) for arguments in commands]))
"""


def without(names: list[str], *commands: list[str]) -> subprocess.CompletedProcess[str]:
    """Commands in a Python that lacks libraries."""
    arguments = [sys.executable, "-c", RUN, json.dumps([names, *commands])]
    return subprocess.run(arguments, capture_output=True, text=True)


def test_the_paper_s_way_needs_none_of_them(pairs: list[str]) -> None:
    Path("m.jaspar").write_text(">MA1 one\nA [ 9 0 0 ]\nC [ 0 9 0 ]\nG [ 0 0 9 ]\nT [ 1 1 1 ]\n")
    done = without(
        SOME_NEED,
        ["prepare", "pairs.bedpe", "genome.fa", *WINDOW_OPTIONS],
        ["motifs", "m.jaspar", "--kernel-length", "11"],
        ["pretrain", "pairs.npz", "--motifs", "kernels.npz", *TINY_OPTIONS, "--epochs", "1"],
        ["finetune", "pairs.pretrained.pt", "pairs.npz", "--epochs", "1"],
        ["predict", "pairs.pt", "pairs.bedpe", "-o", "scored.bedpe"],
        ["export", "scored.bedpe", "-o", "hits.tsv"],
        ["info", "pairs.pt"],
        ["info", "--system"],
    )
    assert done.returncode == 0, done.stderr
    assert "warning: no picture of the history: import of matplotlib halted; None in sys.modules" in done.stderr
    assert "pairs.pt: finetuned; history in pairs.history.tsv\n" in done.stderr
    assert Path("pairs.history.tsv").exists() and not Path("pairs.history.svg").exists()
    assert len(Path("scored.bedpe").read_text().splitlines()) == len(pairs) + 1
