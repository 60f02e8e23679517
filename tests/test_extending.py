"""A new layer, baseline, measure or output format is a change of one file (and its place in the config)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import speid_cli
from speid_cli.cli.scored import ScoredOutput
from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import DataError
from speid_cli.genome.reference import Reference
from speid_cli.model.config import StreamSettings
from speid_cli.model.device import Device
from speid_cli.model.processes import SINGLE_PROCESS
from speid_cli.scoring.stream import PairStream, ScoredBlock
from speid_cli.text import Share
from tests import builders

ROOT = Path(speid_cli.__file__).parent.parent
Speid = Callable[..., str]


class Change(NamedTuple):
    """In a file of the package, put `new` after the only line that holds `after`."""

    file: str
    after: str
    new: str


@pytest.fixture
def changed(folder: Path) -> Callable[..., Speid]:
    """Copies the package, changes it, and gives what runs its command line."""

    def change(*changes: Change) -> Speid:
        package = folder / "changed" / "speid_cli"
        shutil.copytree(ROOT / "speid_cli", package, ignore=shutil.ignore_patterns("__pycache__"))
        for file, after, new in changes:
            lines = (package / file).read_text().splitlines(keepends=True)
            (place,) = (number for number, line in enumerate(lines, start=1) if after in line)
            lines.insert(place, new)
            (package / file).write_text("".join(lines))

        def run(*arguments: object) -> str:
            done = subprocess.run([sys.executable, "-m", "speid_cli", *map(str, arguments)], capture_output=True,
                                  text=True, env=os.environ | {"PYTHONPATH": str(package.parent)})  # fmt: skip
            assert done.returncode == 0, done.stderr
            return done.stdout

        return run

    return change


LAYER = (
    Change("model/config.py", "    dense_units: int = 925", "    mixing_length: int = 3\n"),
    Change("model/speid.py", "has_fast_paths: ClassVar", "    has_fast_paths = False  # noqa\n"),
    Change(
        "model/speid.py",
        "self.lstm = nn.LSTM(",
        "        self.mixing = nn.Conv1d(2 * c.lstm_units, 2 * c.lstm_units, c.mixing_length, padding='same')\n",
    ),
    Change(
        "model/speid.py", "x, _ = self.lstm(", "        x = x + self.mixing(x.transpose(1, 2)).tanh().transpose(1, 2)\n"
    ),
)


def test_a_new_layer_trains_evaluates_predicts_and_resumes(changed: Callable[..., Speid], dataset: PairDataset) -> None:
    speid = changed(*LAYER)
    train = ["--threads", 1, "--epochs", 2, "--batch-size", 8]
    pretrain = ["pretrain", "pairs.npz", *builders.TINY_OPTIONS, "--set", "mixing_length=5", *train]
    speid(*pretrain, "-o", "pre.pt")
    speid("finetune", "pre.pt", "pairs.npz", "-o", "model.pt", *train)
    speid("evaluate", "model.pt", "pairs.npz", "-o", "report", "--no-baselines", "--replicates", 10)
    predict = ["predict", "model.pt", "pairs.bedpe", "--resume-output", "-o"]
    speid(*predict, "scored.bedpe")
    judged = [line.split("\t") for line in Path("report/predictions.bedpe").read_text().splitlines()[1:]]
    scored = [line.split("\t") for line in Path("scored.bedpe").read_text().splitlines()[1:]]
    by_place = {tuple(fields[:6]): float(fields[7]) for fields in scored}
    assert len(judged) > 3
    for fields in judged:
        assert by_place[tuple(fields[:6])] == pytest.approx(float(fields[7]), rel=1e-4)
    assert "mixing_length\t5" in speid("info", "model.pt")
    assert json.loads(Path("report/metrics.json").read_text())["model"]["parameters"] > 10 * 10 * 5
    resumes(speid, pretrain)


def resumes(speid: Speid, pretrain: list[object]) -> None:
    """Training that is killed and goes on gives the same model."""
    long = [*pretrain, "--patience", 0, "--save-every", 0, "--epochs", 12]
    speid(*long, "-o", "whole.pt")
    command = [sys.executable, "-m", "speid_cli", *map(str, long), "-o", "killed.pt"]
    environment = os.environ | {"PYTHONPATH": str(Path("changed").resolve())}
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    while not Path("killed.pt.state").exists() and process.poll() is None:
        pass
    process.kill()
    process.wait()
    speid(*long, "-o", "killed.pt", "--resume")
    assert Path("killed.pt").read_bytes() == Path("whole.pt").read_bytes()


BASELINE = Change(
    "evaluation/baselines.py",
    "BASE_RATE: _base_rate,",
    "    'enhancer GC': boosted(lambda dataset: _gc_content(dataset.enhancers)[dataset.enhancer_index]),\n",
)
MEASURE = Change(
    "evaluation/measures.py",
    "    _rankings,",
    "    lambda found, weights: {'specificity': 1 - ratio(\n"
    "        weights @ ((found.probability >= found.threshold) * (1 - found.label)), weights @ (1 - found.label)\n"
    "    )},\n",
)


def test_a_new_baseline_and_a_new_measure_are_reported(changed: Callable[..., Speid], dataset: PairDataset) -> None:
    speid = changed(BASELINE, MEASURE)
    with Path("model.pt").open("wb") as stream:
        builders.random_checkpoint(stages=[{"stage": "pretrained", "dataset": dataset.digest}]).write(stream)
    speid("evaluate", "model.pt", "pairs.npz", "-o", "report", "--replicates", 20)
    models = json.loads(Path("report/metrics.json").read_text())["models"]
    assert "enhancer GC" in Path("report/report.html").read_text()
    assert models["enhancer GC"]["measures"]["auprc"]["value"] > 0
    probability, label = np.array(
        [
            (fields[7], fields[10])
            for fields in map(str.split, Path("report/predictions.bedpe").read_text().splitlines()[1:])
        ],
        float,
    ).T
    expected = (probability[label == 0] < models["speid"]["threshold"]).mean()
    assert models["speid"]["measures"]["specificity"]["value"] == pytest.approx(expected)


class Interact:
    """A format of this file alone: place, and score out of 1,000."""

    def text(self, scored: ScoredBlock) -> str:
        """Nothing for comments and headers."""
        return "".join(
            f"{line.fields[0]}\t{line.fields[1]}\t{line.fields[5]}\t{1000 * probability:.0f}\n"
            for line, probability in scored.lines()
            if probability is not None
        )


def test_a_new_format_is_written_and_gone_on_with(pairs: list[str]) -> None:
    model = builders.random_checkpoint().model()

    def fill(lines: list[str]) -> int:
        Path("some.bedpe").write_text("\n".join(["# made by hand", *lines, ""]))
        with Reference("genome.fa") as reference:
            stream = PairStream([model], Device("cpu"), reference, StreamSettings(block_size=7))
            output = ScoredOutput("out.tsv", force=False, resume=True)
            return output.fill(stream, Interact(), Share("some.bedpe"), SINGLE_PROCESS, {"model": "this"}, None)

    with pytest.raises(DataError, match="some.bedpe:42"):
        fill([*pairs[:40], "chr1\t5\t4"])
    assert fill(pairs) == 35
    rows = [line.split("\t") for line in Path("out.tsv").read_text().splitlines()]
    assert [row[:3] for row in rows] == [[line.split("\t")[field] for field in (0, 1, 5)] for line in pairs]
    assert len({row[3] for row in rows}) > 1
