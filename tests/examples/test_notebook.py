"""The example notebook runs from top to bottom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

from tests import builders

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.ipynb"


def test_all_cells_run(pairs: list[str]) -> None:
    matplotlib.use("agg")
    with open("pairs.pt", "wb") as stream:
        builders.random_checkpoint().write(stream)
    values: dict[str, Any] = {}
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), values)
        assert not cell.get("outputs")
    assert len(values["table"]) == len(pairs)
    assert set(values["effects"]["side"]) == {"enhancer", "promoter"}
    assert [axis.get_title() for axis in values["axes"]] == ["enhancer", "promoter"]
