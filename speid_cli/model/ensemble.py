"""Several models whose predictions are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from speid_cli.errors import DataError
from speid_cli.model.checkpoint import Checkpoint


def read_ensemble(paths: Sequence[str]) -> list[Checkpoint]:
    """Read one or more models whose predictions may be averaged.

    Raises
    ------
    DataError
        A file is not a model or is given twice, or the models have different windows, references or
        sets of folds.
    """
    checkpoints = [Checkpoint.read(path) for path in paths]
    for path, other in combinations(paths, 2):
        if Path(path).samefile(other):
            raise DataError("the same file twice", expected="different models", path=f"{path} and {other}")
    first, *others = map(_traits, checkpoints)
    for path, traits in zip(paths[1:], others, strict=True):
        for name, value in traits.items():
            if value != first[name]:
                raise DataError(
                    f"models of different {name} ({first[name]}; {value})",
                    expected="the same for all",
                    path=f"{paths[0]} and {path}",
                )
    return checkpoints


def _traits(checkpoint: Checkpoint) -> dict[str, Any]:
    """What models that are averaged have in common."""
    config, provenance = checkpoint.config, checkpoint.provenance
    reference, fold = provenance.get("reference") or {}, provenance.get("fold") or {}
    return {
        "windows": f"{config.enhancer_window} and {config.promoter_window} bp",
        "references": reference.get("digest", "none"),
        "sequences of the reference": reference.get("sample", "none"),
        "sets of folds": fold.get("data", "none"),
    }
