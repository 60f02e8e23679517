"""The conda recipe says what pyproject.toml says, and what else is built from it is well formed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

import speid_cli

ROOT = Path(__file__).parents[1]
META = ROOT / "recipe" / "meta.yaml"
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
OF_CONDA = {"python", "bedtools"}  # what no Python package brings


@pytest.fixture
def project() -> dict[str, Any]:
    """pyproject.toml."""
    tomllib = pytest.importorskip("tomllib")
    content: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return content


@pytest.fixture
def recipe() -> dict[str, Any]:
    """recipe/meta.yaml as conda-build renders it."""
    functions = {"compiler": "{} compiler".format, "pin_subpackage": lambda name, max_pin: name, "PYTHON": "python"}
    text = jinja2.Template(META.read_text()).render(functions)
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def conda(requirement: str) -> str:
    """A requirement as conda writes it."""
    name, bound = re.fullmatch(r"([A-Za-z0-9-]+)(.*)", requirement).groups()  # type: ignore[union-attr]
    return f"{CONDA_NAMES.get(name, name)} {bound}"


def test_the_recipe_is_of_this_version(project: dict[str, Any], recipe: dict[str, Any]) -> None:
    metadata = project["project"]
    assert recipe["package"] == {"name": metadata["name"], "version": speid_cli.__version__}
    home = metadata["urls"]["Homepage"]
    assert recipe["source"]["url"] == f"{home}/archive/refs/tags/v{speid_cli.__version__}.tar.gz"
    assert re.search(r"^  sha256: [0-9a-f]{64}$", META.read_text(), re.M)
    about = recipe["about"]
    assert (about["home"], about["license"], about["summary"]) == (home, metadata["license"], metadata["description"])
    assert [about["license_file"]] == metadata["license-files"]


def test_the_recipe_requires_what_the_package_does(project: dict[str, Any], recipe: dict[str, Any]) -> None:
    metadata, requirements = project["project"], recipe["requirements"]
    of_python = [each for each in requirements["run"] if each not in OF_CONDA]
    assert of_python == [conda(each) for each in metadata["dependencies"]]
    assert set(requirements["run"]) > OF_CONDA
    assert {conda(each) for each in project["build-system"]["requires"]} < set(requirements["host"])
    oldest = metadata["requires-python"].removeprefix(">=").replace(".", "")
    assert f"skip: true  # [py < {oldest} or win]" in META.read_text()


def test_the_recipe_builds_and_tests_the_kernels(project: dict[str, Any], recipe: dict[str, Any]) -> None:
    build = recipe["build"]
    assert "noarch" not in build and recipe["requirements"]["build"] == ["c compiler"]
    assert build["script"].startswith("SPEID_REQUIRE_NATIVE=1 python -m pip install . --no-deps ")
    assert build["entry_points"] == [f"{name} = {to}" for name, to in project["project"]["scripts"].items()]
    assert 'speid info --system | grep "native kernels"' in recipe["test"]["commands"]


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_what_github_reads_is_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_wheels_are_built_for_every_python_that_the_package_names(project: dict[str, Any]) -> None:
    named = [each.rpartition(" ")[2] for each in project["project"]["classifiers"] if " :: 3." in each]
    workflow = ROOT / ".github" / "workflows" / "wheels.yml"
    if not workflow.exists():
        pytest.skip("an sdist has no workflows")
    assert yaml.safe_load(workflow.read_text())["jobs"]["test"]["strategy"]["matrix"]["python"] == named


def test_the_dockerfile_has_no_known_fault() -> None:
    hadolint = shutil.which("hadolint") or pytest.skip("no hadolint here")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
