"""Completion, as the shells ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from speid_cli.cli import COMMANDS
from tests.builders import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def speid(folder: Path) -> dict[str, str]:
    """A command ``speid`` on the PATH, and the environment that finds it."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "speid"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m speid_cli "$@"\n')
    program.chmod(0o755)
    return os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def completed(line: str, environment: dict[str, str]) -> list[str]:
    """What bash offers at the end of the line."""
    words = line.split(" ")
    script = (
        'source <(speid completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1));'
        '_speid_completion speid; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    asked = ["bash", "-c", script, "bash", *words]
    return subprocess.run(asked, check=True, capture_output=True, text=True, env=environment).stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("speid pre", ["prepare", "pretrain", "predict"]),
        ("speid explain k", ["kernels", "knockout"]),
        ("speid completion z", ["zsh"]),
        ("speid predict --prev", ["--prevalence"]),
        ("speid nothing", []),
    ],
)
def test_bash_completes(line: str, expected: list[str], speid: dict[str, str]) -> None:
    assert completed(line, speid) == expected


def test_every_command_is_offered(speid: dict[str, str]) -> None:
    assert completed("speid ", speid) == list(COMMANDS)


def test_zsh_reads_the_script(speid: dict[str, str]) -> None:
    shell = shutil.which("zsh") or pytest.skip("no zsh here")
    script = "autoload -U compinit && compinit -D -u && source <(speid completion zsh) && echo ${_comps[speid]}"
    said = subprocess.run([shell, "-f", "-c", script], check=True, capture_output=True, text=True, env=speid)
    assert (said.stdout, said.stderr) == ("_speid_completion\n", "")


def test_fish_completes(speid: dict[str, str]) -> None:
    shell = shutil.which("fish") or pytest.skip("no fish here")
    script = "speid completion fish | source; complete --do-complete 'speid pre'"
    said = subprocess.run([shell, "--no-config", "-c", script], check=True, capture_output=True, text=True, env=speid)
    assert [line.split("\t")[0] for line in said.stdout.split("\n")[:3]] == ["predict", "prepare", "pretrain"]


def test_names_are_completed_without_an_import_of_numpy() -> None:
    code = "import sys, atexit; atexit.register(lambda: print('numpy' in sys.modules)); import speid_cli.cli as c; c.main()"
    asked = {"_SPEID_COMPLETE": "bash_complete", "COMP_WORDS": "speid ev", "COMP_CWORD": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True)
    assert done.stdout == "plain,evaluate\nFalse\n"


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("completion", "tcsh") == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in capsys.readouterr().err
