"""The plan of the house holds: imports run one way, libraries stay in their rooms."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import speid_cli

ROOT = Path(speid_cli.__file__).parent
LAYERS = (
    "kinds",
    "locks",
    "files",
    "text",
    "memory",
    "errors",
    "report",
    "genome",
    "dataset",
    "model",
    "scoring",
    "training",
    "evaluation",
    "explain",
    "api",
    "cli",
)
ONLY_IN = {
    "click": "cli/", "rich": "cli/", "pysam": ("genome/reference.py", "genome/tabix.py"), "pybedtools": "genome/overlaps.py",
    "Bio": ("genome/motif_files.py", "cli/outputs.py"), "pyjaspar": "genome/motif_files.py",
    "pybigtools": "genome/bigwig.py",
}  # fmt: skip
MODULES = sorted(ROOT.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def layer(module: str) -> int:
    parts = module.split(".")
    return LAYERS.index(parts[1]) if len(parts) > 1 else -1


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way_and_libraries_stay_in_their_rooms(path: Path) -> None:
    place = str(path.relative_to(ROOT))
    if place not in ("__init__.py", "__main__.py"):
        own = layer(".".join(("speid_cli", *path.relative_to(ROOT).with_suffix("").parts)))
        for name in imports(path):
            if name.startswith("speid_cli.") and name != "speid_cli.errors":
                assert layer(name) <= own, f"{place} imports {name}"
    for name in imports(path):
        home = ONLY_IN.get(name.partition(".")[0])
        assert home is None or place.startswith(home), f"{place} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_and_files_are_short(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.end_lineno - node.body[0].lineno + 1 if node.end_lineno else 0
            assert body <= 60, f"{node.name} has {body} lines"


@pytest.mark.parametrize("room", ["genome", "dataset"])
def test_genome_and_dataset_never_import_torch(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        assert not any(name.partition(".")[0] == "torch" for name in imports(path))
