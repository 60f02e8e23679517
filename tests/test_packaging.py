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
from tests import builders


@pytest.mark.slow
def test_the_built_distributions_run(tmp_path: Path) -> None:
    """The sdist builds too: ``build`` makes the wheel of it."""
    source = builders.copy_of_project(tmp_path / "source")
    subprocess.run([sys.executable, "-m", "build", "--outdir", tmp_path, source], check=True, capture_output=True)
    (wheel,), (sdist,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "setup.cfg", "setup.py", "speid_cli/cli/prepare.py"} <= names
    assert {"tests/builders.py", "tests/run.sh", "examples/setup.sh", "constraints.txt", "CHANGELOG.md"} <= names
    assert {f"speid_cli/model/native/kernels.{kind}" for kind in "ch"} <= names
    if shutil.which("cc") or shutil.which("gcc"):
        with zipfile.ZipFile(wheel) as archive:
            assert any("native/_kernels" in name for name in archive.namelist())
    target = tmp_path / "target"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, wheel]
    subprocess.run(install, check=True, capture_output=True)
    done = subprocess.run([sys.executable, target / "bin" / "speid", "--version"], cwd=tmp_path, check=True,
                          env=os.environ | {"PYTHONPATH": str(target)}, capture_output=True, text=True)  # fmt: skip
    assert done.stdout == f"speid, version {speid_cli.__version__}\n"
