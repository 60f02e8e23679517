"""``speid prepare``."""

from __future__ import annotations

from pathlib import Path

import click

from speid_cli.cli import options
from speid_cli.cli.console import Stopwatch, report, report_leaks, say, warn
from speid_cli.dataset.pairs import LONGEST_WINDOW
from speid_cli.dataset.splits import SplitSettings
from speid_cli.errors import OptionError
from speid_cli.files import atomic_file, check_output_path
from speid_cli.model.config import SpeidConfig

WINDOW = click.IntRange(1, LONGEST_WINDOW)
FRACTION = options.FiniteFloat(0, 1, max_open=True)


@click.command()
@click.argument("pairs", type=options.INPUT_OR_DASH, metavar="PAIRS.bedpe")
@click.argument("reference", type=options.INPUT, metavar="REFERENCE.fa")
@options.output("Data set to write.  [default: PAIRS.npz in the current folder]")
@click.option(
    "--enhancer-window",
    type=WINDOW,
    default=SpeidConfig.enhancer_window,
    help="Enhancer input in bp.",
)
@click.option(
    "--promoter-window",
    type=WINDOW,
    default=SpeidConfig.promoter_window,
    help="Promoter input in bp.",
)
@click.option(
    "--label-column",
    metavar="NAME|NUMBER",
    help="Column that holds 1 or 0.  [default: the one headed 'label', else column 8]",
)
@click.option(
    "--split",
    "method",
    type=click.Choice(["chrom", "block", "random", "none", "test"]),
    default="chrom",
    help="chrom: whole chromosomes to validation and test; block: a contiguous block of each chromosome to either; "
    "random: the paper's, which leaks; none: train on all; test: test on all.",
)
@click.option(
    "--test-fraction",
    type=FRACTION,
    default=SplitSettings.test_fraction,
    help="Share of the pairs to test on.",
)
@click.option(
    "--validation-fraction",
    type=FRACTION,
    default=SplitSettings.validation_fraction,
    help="Share to validate on.",
)
@options.chromosomes("--test-chroms", "Test on these chromosomes.")
@options.chromosomes("--validation-chroms", "Validate on these.")
@click.option(
    "--exclude",
    type=options.INPUT,
    metavar="BED",
    help="Leave out pairs with an element that overlaps these regions (needs bedtools).",
)
@options.promoter_first
@options.seed
@options.common
def command(
    pairs: str,
    reference: str,
    output: str | None,
    force: bool,
    method: str,
    test_fraction: float,
    validation_fraction: float,
    test_chroms: tuple[str, ...],
    validation_chroms: tuple[str, ...],
    seed: int,
    verbose: bool,
    exclude: str | None,
    **settings: object,
) -> None:
    """Turn labelled pairs and a reference into a data set.

    PAIRS.bedpe may be gzip-compressed, or - for standard input. Each unique element is stored
    once, one-hot and bit-packed, with the margins that shifting its window needs.

    \b
    Example:
      speid prepare pairs.bedpe hg19.fa --test-chroms chr8,chr9
    """
    from speid_cli.dataset.assembly import PrepareSettings, assemble
    from speid_cli.dataset.checks import median_gc, warnings
    from speid_cli.genome.reference import Reference

    clock, target = Stopwatch(), Path(output or _default_output(pairs))
    check_output_path(target, force, (pairs, reference, exclude))
    if not test_fraction + validation_fraction < 1:
        raise OptionError("--test-fraction and --validation-fraction leave nothing to train on")
    if method != "chrom" and (test_chroms or validation_chroms):
        raise OptionError(f"--test-chroms and --validation-chroms need --split chrom, not {method}")
    division = SplitSettings(method, test_fraction, validation_fraction, test_chroms, validation_chroms, seed)  # type: ignore[arg-type]
    with Reference(reference) as genome:
        dataset = assemble(pairs, genome, PrepareSettings(split=division, exclude=exclude, **settings))  # type: ignore[arg-type]
        if warning := genome.contigs.alias_warning():
            warn(warning)
    with atomic_file(target, force) as stream:
        dataset.write(stream)
    say(f"{target}:")
    gc = {f"median GC of {name}": value for name, value in median_gc(dataset.metadata["composition"]).items()}
    report(dataset.metadata["counts"] | gc | {"seconds": round(clock.seconds, 2), "bytes": target.stat().st_size})
    for text in warnings(dataset):
        warn(text)
    report_leaks(dataset.metadata["leaks"])


def _default_output(pairs: str) -> str:
    if pairs == "-":
        raise OptionError("PAIRS is standard input; name the data set by -o")
    return Path(pairs).name.removesuffix(".gz").removesuffix(".bedpe") + ".npz"
