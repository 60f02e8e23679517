"""Options that mean the same wherever they stand."""

from __future__ import annotations

import math
import platform
import re
import shlex
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import click

from speid_cli import __version__
from speid_cli.cli.console import say

Function = TypeVar("Function", bound=Callable[..., Any])

# The readers say what is wrong with a file, and that a file is at fault is exit status 1, not 2.
INPUT = click.Path(allow_dash=False)
INPUT_OR_DASH = click.Path(allow_dash=True)


class FiniteFloat(click.FloatRange):
    """A number in a range that is neither infinite nor NaN, which a plain range lets through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number, or a usage error."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


class Bytes(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """An amount of memory: a number with K, M, G or T behind it, powers of 1024."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes, or a usage error."""
        match = re.fullmatch(r"([0-9]{1,6})([KMGT]?)B?", str(value).upper())
        if match is None or int(match[1]) == 0:
            self.fail(f"{value!r}: expected an amount of memory such as 500M or 8G", param, ctx)
        return int(match[1]) * 1024 ** " KMGT".index(match[2] or " ")


class Distance(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A distance in bp: 500000, 1e6, 10kb, 1.5M or 2Mb."""

    name = "distance"
    most_bp = 2_000_000_000  # bedtools keeps it in 32 bits, and wraps round without a word

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The whole number of bp, or a usage error."""
        match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?(?:E\+?[0-9]{1,2})?)([KMG]?)(?:BP?)?", str(value).upper())
        distance = Decimal(match[1]) * 1000 ** " KMG".index(match[2] or " ") if match else Decimal(-1)
        if not 0 <= distance <= self.most_bp or distance % 1:
            expected = f"a distance from 0 to {self.most_bp:,} bp, such as 500000, 10kb, 2M or 1e6"
            self.fail(f"{value!r}: expected {expected}", param, ctx)
        return int(distance)


class Shard(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """One share of several, I/N, counted from 1."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Its number and how many there are, or a usage error."""
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", str(value))
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            self.fail(f"{value!r}: expected I/N with I from 1 to N, such as 3/100", param, ctx)
        return int(match[1]), int(match[2])


def output(help_text: str) -> Callable[[Function], Function]:
    """``-o/--output`` and ``--force``."""

    def decorate(function: Function) -> Function:
        """The command with both options."""
        function = click.option("--force", is_flag=True, help="Replace an output that exists.")(function)
        return click.option("-o", "--output", type=click.Path(dir_okay=False), help=help_text)(function)

    return decorate


seed = click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    help="Seed of everything random; the same seed gives the same bytes.",
)
debug = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")


def _say_what_runs(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    if value:
        command = shlex.join(["speid", str(context.info_name), *sys.argv[2:]])
        say(f"speid {__version__}, Python {platform.python_version()}: {command}")
    return value


verbose = click.option(
    "-v", "--verbose", is_flag=True, is_eager=True, callback=_say_what_runs, help="Say more on standard error."
)


def compute(function: Function) -> Function:
    """``--device``, ``--precision`` and ``--threads``."""
    function = click.option("--threads", type=click.IntRange(1, 4096), help="CPU threads.  [default: all cores]")(
        function
    )
    function = click.option(
        "--precision",
        type=click.Choice(["fp32", "tf32", "bf16"]),
        default="fp32",
        help="Arithmetic of the matrix products; tf32 needs CUDA.",
    )(function)
    return click.option(
        "--device",
        default="auto",
        metavar="auto|cpu|cuda|cuda:N|mps",
        help="Where to compute; auto takes CUDA where there is one.",
    )(function)


def common(function: Function) -> Function:
    """``-v/--verbose`` and ``--debug``."""
    return verbose(debug(function))


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (value or "").split(",")))


def chromosomes(option: str, help_text: str) -> Callable[[Function], Function]:
    """An option that takes chromosomes, with commas between them."""
    return click.option(option, callback=_names, metavar="CHROM,...", help=help_text)


promoter_first = click.option("--promoter-first", is_flag=True, help="Columns 1-3 are the promoter, 4-6 the enhancer.")


def training(function: Function) -> Function:
    """What both stages take; None stands for the preset's value."""
    for option in reversed(
        (
            click.option("--epochs", type=click.IntRange(0), help="Passes over the training pairs."),
            click.option("--batch-size", type=click.IntRange(2, 1_000_000), help="Pairs a step."),
            click.option("--lr", "learning_rate", type=FiniteFloat(0, min_open=True), help="Adam's learning rate."),
            click.option(
                "--patience",
                type=click.IntRange(0),
                help="Stop after so many epochs without a better validation AUPRC; 0: never.",
            ),
            click.option("--keep", type=click.Choice(["best", "last"]), help="Epoch to keep, by validation AUPRC."),
            click.option(
                "--save-every",
                type=FiniteFloat(0),
                default=10.0,
                metavar="MINUTES",
                help="Save the state of training this often, and after each epoch, in OUTPUT.state.",
            ),
            click.option("--resume", is_flag=True, help="Go on from OUTPUT.state, if there is one."),
        )
    ):
        function = option(function)
    return function


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Those options that the command line gave."""
    return {name: value for name, value in values.items() if value is not None}
