"""``speid prepare``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from speid_cli.cli import options
from speid_cli.cli.console import Stopwatch, command_and_date, report, report_leaks, say, warn
from speid_cli.dataset.assembly import PrepareSettings, assemble
from speid_cli.dataset.checks import median_gc, warnings
from speid_cli.dataset.pairs import FEWEST_FOLDS, LONGEST_WINDOW, MOST_FOLDS
from speid_cli.dataset.splits import SplitSettings
from speid_cli.errors import OptionError
from speid_cli.files import atomic_file, check_output_path
from speid_cli.genome.reference import Reference
from speid_cli.model.config import SpeidConfig

WINDOW = click.IntRange(1, LONGEST_WINDOW)
FRACTION = options.FiniteFloat(0, 1, max_open=True)


@click.command()
@click.argument("pairs", type=options.INPUT_OR_DASH, metavar="PAIRS.bedpe")
@click.argument("reference", type=options.INPUT, metavar="REFERENCE.fa")
@options.output_options("Data set to write.  [default: PAIRS.npz in the current folder]")
@click.option(
    "--enhancer-window", type=WINDOW, default=SpeidConfig.enhancer_window, help="Length of the enhancer window in bp."
)
@click.option(
    "--promoter-window", type=WINDOW, default=SpeidConfig.promoter_window, help="Length of the promoter window in bp."
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
    "--test-fraction", type=FRACTION, default=SplitSettings.test_fraction, help="Share of the pairs to test on."
)
@click.option(
    "--validation-fraction", type=FRACTION, default=SplitSettings.validation_fraction, help="Share to validate on."
)
@click.option(
    "--folds",
    type=click.IntRange(FEWEST_FOLDS, MOST_FOLDS),
    metavar="K",
    help="Divide the pairs into K folds instead, by --split chrom, block or random; see pretrain --fold.",
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
@click.option(
    "--report",
    "page",
    type=click.Path(dir_okay=False),
    metavar="PAGE.html",
    help="Also draw distances, lengths and GC of interacting and other pairs of each subset, as a page.",
)
@options.seed
@options.common_options
@options.group("split", SplitSettings)
@options.group("settings", PrepareSettings)
def command(
    pairs: str, reference: str, page: str | None, output: options.OutputOptions, settings: PrepareSettings
) -> None:
    """Turn labelled pairs and a reference into a data set.

    PAIRS.bedpe may be gzip-compressed, or - for standard input. Each unique element is stored
    once, one-hot and bit-packed, with the margins that shifting its window needs.

    \b
    Example:
      speid prepare pairs.bedpe hg19.fa --test-chroms chr8,chr9
    """
    if pairs == "-" and output.path is None:
        raise OptionError("PAIRS is standard input; name the data set by -o")
    default = Path(pairs).name.removesuffix(".gz").removesuffix(".bedpe") + ".npz"
    clock, target = Stopwatch(), output.file(default, pairs, reference, settings.exclude)
    _check_split(settings.split)
    if page is not None:
        check_output_path(page, output.force, (pairs, reference, settings.exclude))
        if Path(page).resolve() == target.resolve():
            raise OptionError(f"--report and the data set are the same file, {page}")
    with Reference(reference) as genome:
        dataset = assemble(pairs, genome, settings)
        warn(genome.contigs.alias_warning())
    with atomic_file(target, output.force) as stream:
        dataset.write(stream)
    say(f"{target}:")
    gc = {f"median GC of {name}": value for name, value in median_gc(dataset.metadata["composition"]).items()}
    report(dataset.metadata["counts"] | gc | {"seconds": round(clock.seconds, 2), "bytes": target.stat().st_size})
    for text in warnings(dataset):
        warn(text)
    report_leaks(dataset.metadata["leaks"])
    if page is not None:
        from speid_cli.evaluation.split_page import split_page

        with atomic_file(page, output.force) as stream:
            stream.write(split_page(target.stem, dataset, command_and_date()).encode())
        say(f"{page}: open it in a browser")


def _check_split(split: SplitSettings) -> None:
    if split.folds and split.method in ("none", "test"):
        raise OptionError(f"--folds needs --split chrom, block or random, not {split.method}")
    if split.folds and replace(split, method="chrom", seed=0, folds=None) != SplitSettings():
        raise OptionError("--folds tests each pair once: leave out fractions, --test-chroms and --validation-chroms")
    fractions = split.test_fraction, split.validation_fraction
    usual = SplitSettings.test_fraction, SplitSettings.validation_fraction
    if split.method in ("none", "test") and fractions != usual:
        raise OptionError(f"--test-fraction and --validation-fraction do not fit --split {split.method}")
    if not sum(fractions) < 1:
        raise OptionError("--test-fraction and --validation-fraction leave nothing to train on")
    if split.method != "chrom" and (split.test_chroms or split.validation_chroms):
        raise OptionError(f"--test-chroms and --validation-chroms need --split chrom, not {split.method}")
