"""``speid negatives``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import click

from speid_cli.cli import options
from speid_cli.cli.candidates import read_both
from speid_cli.cli.console import say, warn
from speid_cli.dataset.labels import Positives, read_positives
from speid_cli.dataset.negatives import BinCount, NegativeSettings, draw_negatives, pair_distance
from speid_cli.errors import DataError, OptionError, counted
from speid_cli.genome.bed import BedElement, place_of
from speid_cli.genome.candidates import candidate_header, candidate_line
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.intervals import ElementPair, Interval


@click.command()
@click.argument("positives", type=options.INPUT_OR_DASH, metavar="POSITIVES.bedpe")
@click.argument("enhancers", type=options.INPUT_OR_DASH, metavar="ENHANCERS.bed")
@click.argument("promoters", type=options.INPUT_OR_DASH, metavar="PROMOTERS.bed")
@click.option("--ratio", type=click.IntRange(1, 10_000), default=NegativeSettings.ratio, help="Negatives per positive.")
@click.option("--bins", type=click.IntRange(1, 1000), default=NegativeSettings.bins, help="Quantile bins of distance.")
@click.option(
    "--balance",
    type=click.Choice(["none", "elements"]),
    default=NegativeSettings.balance,
    help="elements: use only elements of positives, each RATIO times as often as among the positives.",
)
@options.chromosomes("--test-chroms", "Draw negatives on these chromosomes separately, for prepare --test-chroms.")
@click.option("--with-positives", is_flag=True, help="Write the positives too, with label 1, for prepare.")
@click.option("--strict", is_flag=True, help="Exit with an error if there are too few candidates.")
@options.output_options("BEDPE to write; compressed if it ends in .gz.  [default: standard output]")
@options.seed
@options.common_options
@options.group("settings", NegativeSettings)
def command(
    positives: str,
    enhancers: str,
    promoters: str,
    with_positives: bool,
    strict: bool,
    output: options.OutputOptions,
    settings: NegativeSettings,
) -> None:
    """Draw pairs that do not interact, at the positives' distances.

    Draws RATIO negatives for each positive in each quantile bin of the positives' distances, from
    all pairs of ENHANCERS.bed and PROMOTERS.bed that overlap no positive. The positives must be
    pairs of these elements, as `speid candidates --anchors` labels them. If POSITIVES.bedpe has
    labels (in a column headed label, else 0 or 1 in column 8), lines with label 0 are left out.
    Contigs are named as in POSITIVES.bedpe. Needs bedtools.

    \b
    Example:
      speid negatives labelled.bedpe enhancers.bed promoters.bed --with-positives > pairs.bedpe
    """
    output.check_text(positives, enhancers, promoters)
    contigs = ContigNames()
    found = read_positives(positives, contigs)
    _remark(found, positives)
    first, second = read_both(enhancers, promoters, contigs)
    warn(contigs.alias_warning())
    settings = replace(settings, test_chroms=tuple(contigs.find(chrom) or chrom for chrom in settings.test_chroms))
    if unknown := set(settings.test_chroms) - {pair.enhancer.chrom for pair in found.pairs}:
        raise OptionError(f"--test-chroms: no positive lies on {', '.join(sorted(unknown))}")
    sides = [element.interval for element in first], [element.interval for element in second]
    for side, (name, path) in enumerate((("enhancers", enhancers), ("promoters", promoters))):
        _compare({pair[side] for pair in found.pairs}, set(sides[side]), name, path, positives)
    negatives, counts = draw_negatives(found.pairs, *sides, settings)
    _report(counts, strict, positives)
    rows = [(pair, 0) for pair in negatives] + [(pair, 1) for pair in found.pairs] * with_positives
    output.write_lines(chain([candidate_header(labelled=True)], _lines(sorted(rows), first, second)))


def _lines(rows: list[tuple[ElementPair, int]], *sides: Sequence[BedElement]) -> list[str]:
    known = [{element.interval: element for element in side} for side in sides]

    def named(side: int, pair: ElementPair) -> BedElement:
        return known[side].get(pair[side]) or BedElement(pair[side], place_of(pair[side]))

    return [candidate_line(named(0, pair), named(1, pair), pair_distance(pair), label) for pair, label in rows]


def _remark(found: Positives, path: str) -> None:
    if found.labelled_0:
        say(f"{path}: left out {counted(found.labelled_0, 'line')} with label 0")
    if found.repeated:
        say(f"{path}: left out {counted(found.repeated, 'line')} that repeat a positive")
    if found.between_chromosomes:
        between = counted(found.between_chromosomes, "pair")
        warn(f"{path}: left out {between} between chromosomes, which have no distance")


def _compare(positive: set[Interval], known: set[Interval], name: str, path: str, positives: str) -> None:
    """Refuse a BED file that has none of the positives' elements of a side; warn where it lacks some."""
    if not positive & known:
        raise DataError(
            f"none of these positives' {name} ({len(positive):,}) is in {path}",
            expected="pairs of an interval of ENHANCERS.bed and one of PROMOTERS.bed",
            hint="label pairs by loops with `speid candidates ENHANCERS.bed PROMOTERS.bed --anchors LOOPS.bedpe`, "
            "or exchange the two BED files",
            path=positives,
        )
    if strangers := len(positive - known):
        warn(f"{path}: lacks {strangers:,} of the {len(positive):,} {name} of the positives")


def _report(counts: Sequence[BinCount], strict: bool, path: str) -> None:
    asked, found = sum(row.asked for row in counts), sum(row.found for row in counts)
    say(f"{'':<6}{'distance in bp':>24}{'asked':>12}{'found':>12}")
    for row in counts:
        say(f"  {row.subset:<4}{f'{row.low:,} - {row.high:,}':>24}{row.asked:>12,}{row.found:>12,}")
    say(f"  sum {'':>24}{asked:>12,}{found:>12,}")
    if short := sum(max(row.asked - row.found, 0) for row in counts):
        text = f"negatives: {asked:,} asked for, {found:,} found"
        if found == asked:
            text = f"{short:,} of {counted(asked, 'negative')} are from another bin of distances than requested"
        if strict:
            raise DataError(text, hint="use a lower --ratio or fewer --bins", path=path)
        warn(f"{path}: {text}")
