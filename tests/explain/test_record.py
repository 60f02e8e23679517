"""Finished parts of a run: kept line by line, taken up only by the same run."""

from __future__ import annotations

from pathlib import Path

import pytest

from speid_cli.errors import DataError
from speid_cli.explain.record import Record, Run, record_path

MADE_OF = {"model": "abc", "draws": 5}


def test_a_run_goes_on_from_the_parts_that_were_finished(tmp_path: Path) -> None:
    with Record(Run(tmp_path / "out", resume=True), MADE_OF) as record:
        assert record.parts == {}
        record.add("a", [1.5, None])
        record.add("b", {"x": "y"})
    path = record_path(tmp_path / "out")
    path.write_bytes(path.read_bytes() + b'["c", {"cut o')
    with Record(Run(tmp_path / "out", resume=True), MADE_OF) as record:
        assert record.parts == {"a": [1.5, None], "b": {"x": "y"}}
        record.add("c", 1)
    with Record(Run(tmp_path / "out", resume=True), MADE_OF) as record:
        assert list(record.parts) == ["a", "b", "c"]
        record.remove()
    assert not path.exists()


def test_what_an_interrupted_run_has_finished_is_not_lost_unasked(tmp_path: Path) -> None:
    run = Run(tmp_path / "out")
    with Record(run, MADE_OF) as record:
        record.add("a", 1)
    with pytest.raises(
        DataError, match="part.jsonl: holds what an interrupted run has finished; --resume goes on, --force"
    ):
        Record(run, MADE_OF)
    with Record(run._replace(force=True), {}) as record:
        assert record.parts == {}
        assert record.path.exists()
    assert not record.path.exists(), "nothing was finished"
    with Record(run._replace(resume=True), {}) as record:
        assert record.parts == {}


def test_parts_of_other_inputs_are_refused_by_name(tmp_path: Path) -> None:
    with Record(Run(tmp_path / "out"), MADE_OF) as record:
        record.add("a", 1)
    with pytest.raises(DataError, match="was begun with another draws, seed; expected the same inputs and options; "
                                        "--force without --resume begins anew"):  # fmt: skip
        Record(Run(tmp_path / "out", resume=True), {"model": "abc", "draws": 4, "seed": 0})
    with Record(Run(tmp_path / "out", resume=True), MADE_OF) as record:
        assert record.parts == {"a": 1}


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    path = record_path(tmp_path / "out")
    path.write_bytes(b"no JSON\nmore\n")
    with pytest.raises(DataError, match=f"{path}: not a record of speid; --force without --resume begins anew"):
        Record(Run(tmp_path / "out", resume=True), MADE_OF)


def test_two_runs_cannot_write_one_record(tmp_path: Path) -> None:
    with (
        Record(Run(tmp_path / "out"), MADE_OF),
        pytest.raises(DataError, match="another process is writing it"),
    ):
        Record(Run(tmp_path / "out"), MADE_OF)
