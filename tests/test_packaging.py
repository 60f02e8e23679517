"""A wheel and an sdist build, hold what they should, and run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import speid_cli

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_built_distributions_run(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(ROOT)], check=True, capture_output=True
    )
    (wheel,), (sdist,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "setup.cfg", "setup.py", "speid_cli/cli/prepare.py"} <= names
    assert {"tests/builders.py", "tests/run.sh", "examples/setup.sh", "constraints.txt", "CHANGELOG.md"} <= names
    assert {f"speid_cli/model/native/kernels.{kind}" for kind in "ch"} <= names
    if shutil.which("cc") or shutil.which("gcc"):
        with zipfile.ZipFile(wheel) as archive:
            assert any("native/_kernels" in name for name in archive.namelist())
    for package in (wheel, sdist):
        target = tmp_path / package.suffix
        install = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            str(target),
            str(package),
        ]
        subprocess.run(install, check=True, capture_output=True)
        environment = os.environ | {"PYTHONPATH": str(target)}
        done = subprocess.run([sys.executable, target / "bin" / "speid", "--version"], cwd=tmp_path, env=environment,
                              capture_output=True, text=True, check=True)  # fmt: skip
        assert done.stdout == f"speid, version {speid_cli.__version__}\n"
