"""The workflow, run by Snakemake on a small genome: from labelled pairs to gathered shards."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import builders

pytestmark = pytest.mark.skipif(importlib.util.find_spec("snakemake") is None, reason="snakemake is not installed")

WORKFLOW = Path(__file__).parents[2] / "examples" / "snakemake"
MOTIFS = ">MA1 one\nA [ 9 0 0 ]\nC [ 0 9 0 ]\nG [ 0 0 9 ]\nT [ 1 1 1 ]\n"
# Each stage is cut off at its first try, leaving a state; the second finds it, and no output.
TRAIN = """\
output=$(sed 's/.*--output \\([^ ]*\\).*/\\1/' <<< "$*")
if [ ! -e "seen.${output##*/}" ]; then
    touch "seen.${output##*/}" "$output" "$output.state"
    exit 143
fi
[ ! -e "$output" ] && rm "$output.state" && exec speid "$@"
"""


def snakemake(*arguments: str) -> str:
    """What it says."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    home = str(Path("home").resolve())
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        env={"PATH": path, "HOME": home, "XDG_CACHE_HOME": home},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    logs = "".join(f"{log}:\n{log.read_text()}" for log in sorted(Path().glob("logs/**/*.log")))
    assert done.returncode == 0, done.stdout + logs
    return done.stdout


def configure(**settings: object) -> None:
    """The configuration as it comes, with some settings changed."""
    yaml = pytest.importorskip("yaml")
    config = yaml.safe_load((WORKFLOW / "config.yaml").read_text())
    assert set(settings) <= set(config)
    Path("config.yaml").write_text(yaml.safe_dump(config | settings))


def test_the_workflow_as_it_comes_plans_every_job(folder: Path) -> None:
    shutil.copytree(WORKFLOW, folder, dirs_exist_ok=True)
    for name in ("pairs.bedpe", "hg19.fa", "candidates.bedpe"):
        (folder / name).touch()
    plan = snakemake("--dry-run", "--quiet", "rules")
    counts = dict(line.split() for line in plan.splitlines() if len(line.split()) == 2 and line.split()[1].isdigit())
    once = dict.fromkeys(["all", "prepare", "motifs", "pretrain", "finetune", "evaluate", "gather"], "1")
    assert counts == once | {"scan": "20", "total": "27"}


@pytest.mark.slow
@pytest.mark.parametrize("models", [["model"], ["fold1", "fold2", "fold3"]])
def test_gathered_shards_are_the_scored_candidates(pairs: list[str], models: list[str]) -> None:
    shutil.copy(WORKFLOW / "Snakefile", "Snakefile")
    builders.write_pairs(Path("candidates.bedpe"), pairs[:31])
    Path("motifs.jaspar").write_text(MOTIFS)
    Path("train.sh").write_text(TRAIN)
    training = "--epochs 1 --batch-size 20"
    configure(
        reference="genome.fa",
        motifs=["motifs.jaspar"],
        preset="tiny",
        shards=3,
        folds=len(models) if len(models) > 1 else 0,
        train="bash train.sh",
        options={
            "prepare": " ".join(builders.WINDOW_OPTIONS),
            "motifs": "--kernel-length 11",
            "pretrain": " ".join([*builders.TINY_OPTIONS, training]),
            "finetune": training,
            "evaluate": "--no-baselines --replicates 10",
            "predict": "--batch-size 8",
        },
    )
    snakemake("--set-threads", "scan=1")
    paths = [f"results/{model}.pt" for model in models]
    assert builders.run("predict", *paths, "candidates.bedpe", "-o", "whole.bedpe") == 0
    assert Path("results/scored.bedpe").read_bytes() == Path("whole.bedpe").read_bytes()
    assert Path("results/evaluation/report.html").exists()
    assert not Path("results/shards").exists()
    assert "Nothing to be done" in snakemake()
