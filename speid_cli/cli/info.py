"""``speid info``."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict
from importlib.metadata import version
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED

import click

from speid_cli import __version__
from speid_cli.cli import options
from speid_cli.cli.console import format_value
from speid_cli.errors import DataError, located
from speid_cli.files import finite
from speid_cli.kinds import DATA_SET, KERNELS, MODEL, expecting


@click.command()
@click.argument("file", type=options.INPUT, metavar="[FILE]", required=False)
@click.option(
    "--system",
    is_flag=True,
    help="Show versions, devices, and whether native or PyTorch kernels are used, instead of a file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@options.common_options
def command(file: str | None, system: bool, as_json: bool) -> None:
    """Show the content of a data set, motif kernels or a model.

    \b
    Example:
      speid info pairs.npz
      speid info model.pt | grep held_out
      speid info --system
    """
    if (file is None) != system:
        raise click.UsageError("give one of FILE and --system")
    content = describe_system() if file is None else describe(file)
    if as_json:
        click.echo(json.dumps(finite(content), indent=2, allow_nan=False))
    else:
        _print_table(file or "system", _flatten(content))


def describe_system() -> dict[str, object]:
    """Versions, devices and kernels, as plain values."""
    import torch

    from speid_cli.model.device import Device

    count, gpus = torch.cuda.device_count(), {"CUDA": torch.version.cuda, "ROCm": torch.version.hip}
    return {
        "kind": "system",
        "speid": __version__,
        "python": platform.python_version(),
        "versions": {"torch": torch.__version__} | {name: version(name) for name in ("numpy", "pysam")},
        "torch is built for": " ".join(f"{name} {release}" for name, release in gpus.items() if release) or "CPUs",
        "default device": Device().description,
        "cpu": Device("cpu").description,
        "cuda devices": [torch.cuda.get_device_name(index) for index in range(count)],
    }


def describe(path: str) -> dict[str, object]:
    """Content of a file that speid wrote, as plain values.

    Raises
    ------
    DataError
        speid did not write the file.
    """
    from speid_cli.dataset.zips import check_zip

    kinds = "a data set, motif kernels or a model of speid"
    with expecting(DATA_SET, KERNELS, MODEL):
        names = check_zip(path, kinds, ZIP_STORED, ZIP_DEFLATED)
    if "motifs.npy" in names:
        return _describe_kernels(path)
    if "enhancer_onehot.npy" in names:
        return _describe_dataset(path)
    if any(name.endswith("/data.pkl") for name in names):
        return _describe_model(path)
    raise DataError(f"not {kinds}", path=path)


def _describe_dataset(path: str) -> dict[str, object]:
    from speid_cli.dataset.pairs import PairDataset

    dataset = PairDataset.read(path)
    widths = {f"{side} window": elements.window for side, elements, _ in dataset.sides}
    widths |= {f"{side} stored width": elements.width for side, elements, _ in dataset.sides}
    return {"kind": "data set", "digest": dataset.digest} | widths | dataset.metadata


def _describe_kernels(path: str) -> dict[str, object]:
    from speid_cli.model.motif_kernels import KernelInitialisers

    kernels = KernelInitialisers.read(path)
    return {
        "kind": "kernel initialisers",
        "kernels": len(kernels),
        "kernel_length": kernels.kernel_length,
        "motifs": kernels.records(),
    }


def _describe_model(path: str) -> dict[str, object]:
    from speid_cli.model.checkpoint import Checkpoint

    checkpoint = Checkpoint.read(path)
    content: dict[str, object] = {"kind": "model", "stage": checkpoint.stage, "parameters": checkpoint.n_parameters}
    content |= {"config": asdict(checkpoint.config), "provenance": checkpoint.provenance, "history": checkpoint.history}
    known = {"threshold": checkpoint.threshold, "calibration": checkpoint.calibration}
    with located(path):
        known["prior"] = _describe_prior(checkpoint.prior)
    return content | {name: value for name, value in known.items() if value is not None}


def _describe_prior(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    """What a prior was learnt from, and the share of pairs that interact at some distances."""
    from speid_cli.evaluation.prior import DistancePrior

    if stored is None:
        return None
    prior = DistancePrior.from_plain(stored)
    shortest, longest = map(round, prior.reach_bp)
    counts = {"candidates": prior.candidates, "positives": prior.positives}
    return counts | {"shortest_bp": shortest, "longest_bp": longest} | prior.shares()


def _flatten(content: dict[str, object], prefix: str = "") -> dict[str, str]:
    rows: dict[str, str] = {}
    for name, value in content.items():
        if isinstance(value, dict) and value:
            rows |= _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            rows[prefix + name] = f"{len(value):,} in all; the last: {format_value(value[-1])}"
        else:
            rows[prefix + name] = format_value(value)
    return rows


def _print_table(title: str, rows: dict[str, str]) -> None:
    """A table for a person, tab-separated lines for a pipe."""
    if not sys.stdout.isatty():
        click.echo("\n".join(f"{name}\t{value}" for name, value in rows.items()))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    printable = os.fsencode(title).decode(errors="backslashreplace")
    table = Table(title=escape(printable), title_justify="left", show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(escape(name), escape(value))
    Console().print(table)
