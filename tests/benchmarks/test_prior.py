"""The bench of the prior, on less data: sequence and distance together tell most, and are calibrated."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from prior import main


@pytest.mark.slow
def test_sequence_and_distance_together_tell_most(folder: Path) -> None:
    pytest.importorskip("pyjaspar")
    main(["--work", "work", "-o", "page", "--chromosomes", "8", "--elements", "150", "--epochs", "6", "4"])
    page = Path("page/PRIOR.md").read_text()
    auprc = dict(re.findall(r"^\| (sequence|distance|both|base rate) \| ([\d.]+)", page, re.M))
    base, sequence, distance, both = (float(auprc[name]) for name in ("base rate", "sequence", "distance", "both"))
    assert base < sequence < both and 2 * base < distance < both
    rows = re.findall(r"^\| [\d,-]+ kb \| [\d,]+ \| ([\d.]+) \(([\d.]+)-([\d.]+)\) \|(.*)\|$", page, re.M)
    assert len(rows) == 6
    for observed, low, high, predicted in rows:
        spread = 2 * (float(high) - float(low)) + 0.2 * float(observed)
        assert float(predicted.split("|")[2]) == pytest.approx(float(observed), abs=spread)
    alone = [float(predicted.split("|")[0]) for *_, predicted in rows]
    assert max(alone) < 2 * min(alone) < float(rows[0][0])
    assert Path("page/prior.svg").read_text().rstrip().endswith("</svg>")
