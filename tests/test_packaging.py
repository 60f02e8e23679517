"""A wheel and an sdist build, hold what they should, and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import click
import pytest

import speid_cli
from tests import builders

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
ROOT = Path(__file__).parents[1]
CHECK = ROOT / "tests" / "check_wheel.py"


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wheel and sdist; ``build`` makes the wheel of the sdist, so that it builds too."""
    folder = tmp_path_factory.mktemp("distributions")
    source = builders.copy_of_project(folder / "source")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, source], check=True, capture_output=True)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def native_wheel(distributions: tuple[Path, Path]) -> Path:
    """The wheel, which holds the kernels."""
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("no C compiler here")
    return distributions[0]


def python_of(version: str) -> str:
    """A Python of this version, on the PATH or in pyenv; skips the test where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for python in (f"python{version}", *map(str, pyenv.glob(f"{version}.*/bin/python"))):
        found = shutil.which(python)
        if found and not subprocess.run([found, "-c", "import ensurepip, venv"], capture_output=True).returncode:
            return found
    pytest.skip(f"no Python {version} here")


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^version: (.*)$", citation, re.M) == [speid_cli.__version__]


@pytest.mark.slow
def test_the_distributions_hold_what_they_should(distributions: tuple[Path, Path]) -> None:
    wheel, sdist = distributions
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "setup.cfg", "setup.py", "speid_cli/cli/prepare.py"} <= names
    assert {"tests/builders.py", "tests/run.sh", "examples/setup.sh", "constraints.txt", "CHANGELOG.md"} <= names
    assert {"mkdocs.yml", "docs/index.md", "docs/way.svg", "docs/site.css", "docs/make_reference.py"} <= names
    assert {f"speid_cli/model/native/kernels.{kind}" for kind in "ch"} <= names
    assert {"CITATION.cff", "SECURITY.md", "Dockerfile", "recipe/meta.yaml"} <= names
    with zipfile.ZipFile(wheel) as archive:
        assert {"speid_cli/report/base.html.j2", "speid_cli/py.typed"} <= set(archive.namelist())


@pytest.mark.slow
def test_the_wheel_is_one_for_every_python_of_the_platform(native_wheel: Path) -> None:
    version, *tags = native_wheel.stem.split("-")[1:]
    assert (version, tags[:2]) == (speid_cli.__version__, ["py3", "none"])
    assert tags[2].startswith(("linux_", "macosx_"))
    with zipfile.ZipFile(native_wheel) as archive:
        assert [name for name in archive.namelist() if name.endswith(".so")] == ["speid_cli/model/native/_kernels.so"]


@pytest.mark.slow
def test_the_wheel_runs_on_every_linux_since_2014(native_wheel: Path) -> None:
    """As far as the kernels' symbols tell; they need nothing but the C library."""
    pytest.importorskip("auditwheel")
    if "linux_x86_64" not in native_wheel.name:
        pytest.skip("a wheel of another platform")
    show = [sys.executable, "-m", "auditwheel", "show", native_wheel]
    said = " ".join(subprocess.run(show, check=True, capture_output=True, text=True).stdout.split())
    assert 'platform tag: "manylinux_2_17_x86_64"' in said
    assert "system-provided shared libraries: libc.so.6 with versions" in said


@pytest.mark.slow
@pytest.mark.parametrize("version", PYTHONS)
def test_the_wheel_brings_its_kernels_to_an_empty_environment(version: str, native_wheel: Path, tmp_path: Path) -> None:
    """Without a compiler on the PATH; of what speid needs, only click is there, enough for its version."""
    subprocess.run([python_of(version), "-m", "venv", tmp_path / "env"], check=True)
    binaries = tmp_path / "env" / "bin"
    empty = {"PATH": str(binaries), "HOME": str(tmp_path)}
    install = [binaries / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", native_wheel]
    subprocess.run(install, check=True, env=empty, cwd=tmp_path)
    check = [binaries / "python", "-I", CHECK]
    said = subprocess.run(check, check=True, env=empty, cwd=tmp_path, capture_output=True, text=True).stdout
    assert said.startswith("native kernels (") and f"{tmp_path}/env/lib/python{version}/" in said
    shutil.copytree(Path(click.__file__).parent, tmp_path / "click" / "click")
    empty["PYTHONPATH"] = str(tmp_path / "click")
    asked = subprocess.run(["speid", "--version"], check=True, env=empty, cwd=tmp_path, capture_output=True, text=True)
    assert asked.stdout == f"speid, version {speid_cli.__version__}\n"
