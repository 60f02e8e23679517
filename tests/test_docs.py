"""README, changelog and help say the same."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import click
import pytest
import torch

import speid_cli
from speid_cli.cli import COMMANDS, cli
from speid_cli.model.config import PRESETS
from speid_cli.model.speid import Speid

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"speid {command} " in README


def test_every_command_line_of_the_readme_parses() -> None:
    lines = [
        line.strip() for block in re.findall(r"```(?:sh|bash)\n(.*?)```", README, re.S) for line in block.splitlines()
    ]
    commands = [
        part.strip()
        for line in lines
        for part in line.partition("  #")[0].split("|")
        if part.strip().startswith(("speid ", "source <(speid "))
    ]
    assert len(commands) >= len(COMMANDS)
    for line in commands:
        words = line.removeprefix("source <(").partition(")")[0].partition(">")[0]
        name, *arguments = shlex.split(words, comments=True)[1:]
        command = cli.get_command(click.Context(cli), name)
        assert command is not None, line
        command.make_context(name, arguments, resilient_parsing=False).close()


@pytest.mark.parametrize("preset", PRESETS)
def test_the_table_of_models_has_their_parameters(preset: str) -> None:
    with torch.device("meta"):
        parameters = sum(values.numel() for values in Speid(PRESETS[preset].model).parameters())
    (row,) = re.findall(rf"^\| `{preset}` \|.*$", README, re.M)
    assert f"| {parameters:,} |" in row


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert versions[0] == speid_cli.__version__


def test_links_within_the_project_lead_somewhere() -> None:
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text()):
            assert (ROOT / target).exists(), f"{page}: {target}"


def test_the_figures_of_the_readme_are_those_of_the_pages() -> None:
    namespace = runpy.run_path(str(ROOT / "benchmarks" / "readme.py"))
    assert namespace["with_figures"](README) == README


@pytest.mark.parametrize("page", ["docs/measured.md", "docs/inside.md", "docs/howto/gpu.md"])
def test_the_figures_of_a_section_are_those_of_the_pages_that_it_names(page: str) -> None:
    for section in re.split(r"^## ", (ROOT / page).read_text(), flags=re.M):
        named = set(re.findall(r"benchmarks/(\w+\.md)", section))
        known = set.union(set(), *(figures((ROOT / "benchmarks" / name).read_text()) for name in named))
        text = re.sub(r"`[^`]*`|\]\([^)]*\)", "", section)
        assert not named or not (wrong := figures(text) - known), (section.partition("\n")[0], wrong)


def figures(text: str) -> set[str]:
    """Numbers of three digits and more, without commas and the 0 before a point."""
    numbers = re.findall(r"(?<![\w.])(?:\d[\d,]*\.?\d*|\.\d+)(?:e-?\d+)?", text)
    return {
        number.replace(",", "").rstrip(".").lstrip("0") for number in numbers if len(re.sub(r"\D", "", number)) >= 3
    }
