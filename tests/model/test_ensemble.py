"""Which models may be averaged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from speid_cli.errors import DataError
from speid_cli.model.config import SpeidConfig
from speid_cli.model.ensemble import read_ensemble
from tests import builders

SAME = {"reference": {"path": "x.fa", "digest": "d1", "sample": "s1"}, "fold": {"number": 1, "count": 3, "data": "f1"}}
WIDER = replace(builders.TINY, enhancer_window=400)


def write(name: str, provenance: Mapping[str, object], config: SpeidConfig = builders.TINY) -> str:
    with open(name, "wb") as stream:
        builders.random_checkpoint(config, **provenance).write(stream)
    return name


def test_models_of_one_kind_are_read_in_order(folder: Path) -> None:
    other = SAME | {"fold": {"number": 2, "count": 3, "data": "f1"}}
    larger = replace(builders.TINY, dense_units=9)
    names = [write("a.pt", SAME), write("b.pt", other), write("c.pt", SAME, larger)]
    found = read_ensemble(names)
    assert [checkpoint.config.dense_units for checkpoint in found] == [6, 6, 9]
    assert [checkpoint.provenance["fold"]["number"] for checkpoint in found] == [1, 2, 1]
    assert len(read_ensemble([write("d.pt", {}), write("e.pt", {})])) == 2


@pytest.mark.parametrize(
    ("provenance", "config", "message"),
    [
        (SAME, WIDER, "windows (300 and 200 bp; 400 and 200 bp)"),
        (SAME | {"reference": {"digest": "d2", "sample": "s1"}}, builders.TINY, "references (d1; d2)"),
        (
            SAME | {"reference": {"digest": "d1", "sample": "s2"}},
            builders.TINY,
            "sequences of the reference (s1; s2)",
        ),
        (SAME | {"reference": None}, builders.TINY, "references (d1; none)"),
        (SAME | {"fold": {"number": 2, "count": 3, "data": "f2"}}, builders.TINY, "sets of folds (f1; f2)"),
        (SAME | {"fold": None}, builders.TINY, "sets of folds (f1; none)"),
    ],
)
def test_models_of_different_kinds_are_refused_by_name(
    folder: Path, provenance: dict[str, object], config: SpeidConfig, message: str
) -> None:
    names = [write("a.pt", SAME), write("b.pt", SAME), write("c.pt", provenance, config)]
    expected = re.escape(f"a.pt and c.pt: models of different {message}; expected the same for all")
    with pytest.raises(DataError, match=f"^{expected}$"):
        read_ensemble(names)


def test_a_file_given_twice_is_refused_under_any_name(folder: Path) -> None:
    write("a.pt", SAME)
    Path("link.pt").symlink_to("a.pt")
    for other in ("a.pt", "./a.pt", "link.pt"):
        with pytest.raises(DataError, match=f"^a.pt and {other}: the same file twice; expected different models$"):
            read_ensemble(["a.pt", other])


def test_what_is_no_model_is_named(folder: Path) -> None:
    write("a.pt", SAME)
    with pytest.raises(DataError, match="^nowhere.pt: No such file"):
        read_ensemble(["a.pt", "nowhere.pt"])
