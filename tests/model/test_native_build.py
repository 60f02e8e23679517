"""The native kernels as they are built: without a compiler, and under the sanitizers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from speid_cli.model.native import library
from tests import builders

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "speid_cli/model/native/kernels.c"


COMPILERS = [["gcc"], ["clang"], ["aarch64-linux-gnu-gcc"], ["clang", "--target=aarch64-linux-gnu"]]
STRICT = ["-O1", "-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wno-sign-conversion", "-Werror"]


@pytest.mark.parametrize("compiler", COMPILERS, ids=" ".join)
def test_the_kernels_compile_without_a_warning(compiler: list[str], tmp_path: Path) -> None:
    """For other machines too, where this one has the headers."""
    probe = tmp_path / "probe.c"
    probe.write_text("#include <stdlib.h>\n")
    if (
        not shutil.which(compiler[0])
        or subprocess.run([*compiler, "-fsyntax-only", probe], capture_output=True).returncode
    ):
        pytest.skip(f"no {' '.join(compiler)} here")
    subprocess.run([*compiler, *STRICT, "-c", SOURCE, "-o", tmp_path / "kernels.o"], check=True)


@pytest.mark.slow
def test_the_kernels_run_clean_under_the_sanitizers(tmp_path: Path) -> None:
    """Their tests again, with every access and every undefined operation checked."""
    compiler = shutil.which("gcc") or pytest.skip("no gcc here")
    library = tmp_path / "kernels.so"
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(
        [compiler, "-O1", "-g", "-std=gnu11", "-fPIC", "-shared", *checks, SOURCE, "-o", library], check=True
    )
    runtime = [
        subprocess.run(
            [compiler, f"-print-file-name={name}"], check=True, capture_output=True, text=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so", "libstdc++.so.6")
    ]
    environment = os.environ | {
        "LD_PRELOAD": ":".join(runtime),
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "SPEID_TEST_LIBRARY": str(library),
    }
    tests = ROOT / "tests/model/test_native.py"
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests], env=environment,
                          cwd=ROOT, capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "passed" in done.stdout


def test_kernels_that_are_missing_are_told_from_those_that_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(library.SWITCH, raising=False)
    monkeypatch.setattr(library, "__file__", str(tmp_path / "library.py"))
    assert library.load(1) == (None, "PyTorch kernels (the native ones were not built)")
    built = tmp_path / "_kernels.so"
    built.write_text("of another machine" * 9)
    reason = f"PyTorch kernels (the native ones cannot be loaded: {built}: invalid ELF header)"
    assert library.load(1) == (None, reason)


def install_without_compiler(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    source, target = builders.copy_of_project(tmp_path / "source"), tmp_path / "target"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, source]
    environment = os.environ | {"CC": "/no/compiler"} | variables
    return subprocess.run(install, capture_output=True, text=True, env=environment)


@pytest.mark.slow
def test_without_a_compiler_the_install_goes_through_and_says_so(tmp_path: Path) -> None:
    done = install_without_compiler(tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "target").rglob("_kernels*"))
    (wheel,) = (tmp_path / "target").glob("*.dist-info/WHEEL")
    assert "\nTag: py3-none-any\n" in wheel.read_text()
    said = subprocess.run([sys.executable, "-m", "speid_cli", "info", "--system"], check=True, capture_output=True,
                          text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path / "target")})  # fmt: skip
    assert "fp32, PyTorch kernels (the native ones were not built)" in said.stdout


@pytest.mark.slow
def test_an_install_that_must_have_the_kernels_fails_without_a_compiler(tmp_path: Path) -> None:
    done = install_without_compiler(tmp_path, SPEID_REQUIRE_NATIVE="1")
    assert done.returncode != 0
    assert re.search("error: .*'/no/compiler'", done.stderr), done.stderr
    assert not (tmp_path / "target").exists()
