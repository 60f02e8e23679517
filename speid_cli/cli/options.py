"""Options that several commands share, and groups of options that reach a command as one dataclass."""

from __future__ import annotations

import math
import platform
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from functools import reduce, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from speid_cli import __version__
from speid_cli.cli.console import command_line, say, warn
from speid_cli.cli.outputs import text_output
from speid_cli.dataset.pairs import SUBSETS
from speid_cli.errors import OptionError, counted
from speid_cli.files import check_output_folder, check_output_path, check_writable_folder
from speid_cli.genome.intervals import Interval
from speid_cli.genome.motif_files import JASPAR_RELEASES, Motif, read_jaspar_release, read_motifs
from speid_cli.model.config import TrainingConfig

if TYPE_CHECKING:
    from speid_cli.model.device import Device, Precision
    from speid_cli.model.processes import Processes

Function = Callable[..., None]
Decorator = Callable[[Function], Function]

# Readers check the files themselves, since an error in a file exits with status 1, and click with 2.
INPUT = click.Path(dir_okay=False)
INPUT_OR_DASH = click.Path(dir_okay=False, allow_dash=True)
LARGEST_BP = 2_000_000_000  # bedtools keeps distances in 32 bits, and larger ones overflow without an error


class FiniteFloat(click.FloatRange):
    """A finite number in a range; click's range also accepts infinity and NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number, or a usage error."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


def memory_size(value: object) -> int:
    """Bytes in an amount of memory: a number followed by K, M, G or T, powers of 1024."""
    match = re.fullmatch(r"([0-9]{1,6})([KMGT]?)B?", str(value).upper())
    if match is None or int(match[1]) == 0:
        raise click.BadParameter(f"{value!r}: expected an amount of memory such as 500M or 8G")
    return int(match[1]) * 1024 ** " KMGT".index(match[2] or " ")


def distance(value: object) -> int:
    """Whole number of bp in a distance: 500000, 1e6, 10kb, 1.5M or 2Mb."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?(?:E\+?[0-9]{1,2})?)([KMG]?)(?:BP?)?", str(value).upper())
    found = Decimal(match[1]) * 1000 ** " KMG".index(match[2] or " ") if match else Decimal(-1)
    if not 0 <= found <= LARGEST_BP or found % 1:
        expected = f"a distance from 0 to {LARGEST_BP:,} bp, such as 500000, 10kb, 2M or 1e6"
        raise click.BadParameter(f"{value!r}: expected {expected}")
    return int(found)


def shard(value: object) -> tuple[int, int]:
    """Number, from 1, and count of one share of several: I/N."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", str(value))
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise click.BadParameter(f"{value!r}: expected I/N with I from 1 to N, such as 3/100")
    return int(match[1]), int(match[2])


def region(value: object) -> Interval:
    """Interval of CHROM:START-END, whose positions count from 1 and include both ends, as in samtools and UCSC."""
    match = re.fullmatch(r"(.+):([0-9,]{1,15})-([0-9,]{1,15})", str(value))
    start, end = (int(match[side].replace(",", "") or 0) for side in (2, 3)) if match else (0, 0)
    if match is None or not 1 <= start <= end:
        expected = "CHROM:START-END, counted from 1, such as chr1:1,000,001-1,000,500"
        raise click.BadParameter(f"{value!r}: expected {expected}")
    return Interval(match[1], start - 1, end)


def group(parameter: str, record: type, *options: Decorator) -> Decorator:
    """Pass several options to the command as one argument, an instance of a dataclass.

    An option gives the field of the same name its value. The options may also stand above this
    decorator, as may another group, which then is a field itself.
    """
    names = {field.name for field in fields(record)}

    def decorate(function: Function) -> Function:
        @wraps(function)
        def command(**values: object) -> None:
            given = {name: values.pop(name) for name in names & values.keys()}
            function(**values, **{parameter: record(**given)})

        return _with_options(*options)(command)

    return decorate


def _with_options(*options: Decorator) -> Decorator:
    """Several options as one decorator; help lists them in this order."""
    return lambda function: reduce(lambda command, option: option(command), reversed(options), function)


@dataclass(frozen=True)
class OutputOptions:
    """``-o/--output`` (None: the command's default) and ``--force``."""

    path: str | None
    force: bool

    def file(self, default: str, *inputs: str | None) -> Path:
        """The file to write, checked by `check_output_path`."""
        target = Path(self.path or default)
        check_output_path(target, self.force, inputs)
        return target

    def folder(self, default: str) -> Path:
        """The folder to write, checked by `check_output_folder` and `check_writable_folder`."""
        target = Path(self.path or default)
        check_output_folder(target, self.force)
        check_writable_folder(target.resolve().parent)
        return target

    def check_text(self, *inputs: str | None) -> None:
        """Check the output of `write_lines`, and that at most one input is standard input."""
        if inputs.count("-") > 1:
            raise OptionError("only one input can be standard input")
        if self.path not in (None, "-"):
            self.file("", *inputs)

    def write_lines(self, lines: Iterable[str]) -> None:
        """Write lines, or texts of several lines, to the file, or to standard output by default."""
        with text_output(self.path, self.force) as out:
            for line in lines:
                out.write(f"{line}\n".encode())


def output(help_text: str) -> Decorator:
    """``-o/--output`` and ``--force``, for the fields `path` and `force` of a group below."""
    return _with_options(
        click.option("-o", "--output", "path", type=click.Path(dir_okay=False), help=help_text),
        click.option("--force", is_flag=True, help="Replace an output that exists."),
    )


def output_options(help_text: str) -> Decorator:
    """``output: OutputOptions``."""
    return group("output", OutputOptions, output(help_text))


def output_folder(default: str) -> Decorator:
    """``output: OutputOptions``, of a command that writes a folder."""
    return group(
        "output",
        OutputOptions,
        click.option(
            "-o",
            "--output",
            "path",
            type=click.Path(file_okay=False),
            metavar="DIRECTORY",
            help=f"Folder to write.  [default: {default} in the current folder]",
        ),
        click.option("--force", is_flag=True, help="Replace the files in a folder that exists."),
    )


seed = click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    help="Random seed; the same seed gives byte-identical output.",
)


def _say_what_runs(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        say(f"speid {__version__}, Python {platform.python_version()}: {command_line()}")


common_options = _with_options(
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_say_what_runs,
        help="Print the version and the command line on standard error.",
    ),
    click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."),
)


@dataclass(frozen=True)
class ComputeOptions:
    """``--device``, ``--precision`` and ``--threads``."""

    device: str
    precision: Precision
    threads: int | None

    def open(self, processes: Processes | None = None) -> Device:
        """The device; prints its description on standard error."""
        from speid_cli.model.device import Device
        from speid_cli.model.processes import SINGLE_PROCESS

        device = Device(self.device, self.precision, self.threads, processes or SINGLE_PROCESS)
        each = f", in each of {device.processes.count} processes" if device.processes.count > 1 else ""
        say(f"device: {device.description}{each}")
        return device


compute_options = group(
    "compute",
    ComputeOptions,
    click.option(
        "--device",
        default="auto",
        metavar="auto|cpu|cuda|cuda:N|mps",
        help="Where to compute; auto takes CUDA where there is one.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["fp32", "tf32", "bf16"]),
        default="fp32",
        help="Arithmetic of the matrix products; tf32 needs CUDA.",
    ),
    click.option("--threads", type=click.IntRange(1, 4096), help="CPU threads.  [default: all cores]"),
)


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (value or "").split(",")))


def chromosomes(option: str, help_text: str) -> Decorator:
    """An option with a list of chromosomes, separated by commas."""
    return click.option(option, callback=_names, metavar="CHROM,...", help=help_text)


cache_memory = click.option(
    "--cache-memory",
    "cache_bytes",
    type=memory_size,
    metavar="SIZE",
    help="Memory for computed elements, such as 8G.  [default: a quarter of the machine's, or of what a GPU has free]",
)


def _number(context: click.Context, parameter: click.Parameter, subset: str) -> int:
    return SUBSETS.index(subset)


def subset(help_text: str) -> Decorator:
    """``--subset``, as the subset's number."""
    return click.option("--subset", type=click.Choice(SUBSETS), default="test", callback=_number, help=help_text)


def allow_seen(help_text: str) -> Decorator:
    """``--allow-seen``."""
    return click.option("--allow-seen", is_flag=True, help=help_text)


@dataclass(frozen=True)
class MotifSource:
    """Where motifs come from: files, a JASPAR release, or both."""

    files: tuple[str, ...]
    jaspar: str | None
    collection: str
    tax_group: str

    def read(self) -> list[Motif]:
        """The motifs, those of the files first and each once; none where neither was given."""
        motifs = [motif for path in self.files for motif in read_motifs(path)]
        if self.jaspar is not None:
            motifs += read_jaspar_release(self.jaspar, self.collection, tuple(self.tax_group.split(",")))
        once: dict[object, Motif] = {}
        for motif in motifs:
            once.setdefault((motif.identifier, motif.matrix.tobytes()), motif)
        if repeated := len(motifs) - len(once):
            warn(f"{counted(repeated, 'motif')} given more than once; each is used once")
        return [*once.values()]


jaspar = _with_options(
    click.option("--jaspar", type=click.Choice(JASPAR_RELEASES), help="Take a JASPAR release (needs pyjaspar)."),
    click.option("--collection", default="CORE", help="JASPAR collection."),
    click.option("--tax-group", default="vertebrates", metavar="GROUP,...", help="JASPAR groups."),
)

promoter_first = click.option("--promoter-first", is_flag=True, help="Columns 1-3 are the promoter, 4-6 the enhancer.")


@dataclass(frozen=True)
class TrainingOptions:
    """Options of a training stage: fields of `TrainingConfig` (None: the preset's value), and how to run it."""

    epochs: int | None
    batch_size: int | None
    learning_rate: float | None
    patience: int | None
    keep: Literal["best", "last"] | None
    save_every: float
    resume: bool
    seed: int
    copies: int | None = None
    shift: Literal["positives", "all", "none"] | None = None
    fixed_shifts: bool | None = None
    start: Literal["keras", "invariant"] | None = None

    def change(self, preset: TrainingConfig) -> TrainingConfig:
        """The preset's settings with the values from the command line."""
        values = {field.name: getattr(self, field.name, None) for field in fields(preset)}
        return replace(preset, **{name: value for name, value in values.items() if value is not None})


training_options = group(
    "training",
    TrainingOptions,
    click.option("--epochs", type=click.IntRange(0), help="Passes over the training pairs."),
    click.option("--batch-size", type=click.IntRange(2, 1_000_000), help="Pairs per training step."),
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
    click.option("--resume", is_flag=True, help="Resume from OUTPUT.state, if it exists."),
    seed,
)
