"""``speid candidates``."""

from __future__ import annotations

from itertools import chain

import click

from speid_cli.cli import options
from speid_cli.cli.console import say, warn
from speid_cli.errors import DataError, OptionError, counted
from speid_cli.genome.bed import BedElement, read_elements
from speid_cli.genome.candidates import CandidateCounts, candidate_header, candidates, joined_by_loops, read_loops
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.intervals import MAX_DISTANCE_BP, MIN_DISTANCE_BP


@click.command()
@click.argument("enhancers", type=options.INPUT_OR_DASH, metavar="ENHANCERS.bed")
@click.argument("promoters", type=options.INPUT_OR_DASH, metavar="PROMOTERS.bed")
@click.option(
    "--min-distance",
    type=options.distance,
    default=MIN_DISTANCE_BP,
    metavar="BP",
    help="Shortest distance between the nearest edges, such as 5000, 10kb or 2M.",
)
@click.option(
    "--max-distance",
    type=options.distance,
    default=MAX_DISTANCE_BP,
    metavar="BP",
    help="Longest distance between the nearest edges.",
)
@click.option(
    "--anchors",
    type=options.INPUT_OR_DASH,
    metavar="LOOPS.bedpe",
    help="Label a pair 1 if it joins the two anchors of one of these loops (as in a HiCCUPS list), else 0.",
)
@options.output_options("BEDPE to write; compressed if it ends in .gz.  [default: standard output]")
@options.common_options
def command(
    enhancers: str,
    promoters: str,
    min_distance: int,
    max_distance: int,
    anchors: str | None,
    output: options.OutputOptions,
) -> None:
    """Pair each enhancer with the promoters near it.

    Writes all pairs on one chromosome whose nearest edges are within the distances, sorted, as
    BEDPE with the enhancer first. A pair's name is both names with a ~ between them. Contigs may be
    named chr1 in one input and 1 in another: the output has the names of ENHANCERS.bed. --anchors
    needs bedtools.

    \b
    Example:
      speid candidates enhancers.bed promoters.bed | speid predict model.pt - > scored.bedpe
      speid candidates enhancers.bed promoters.bed --anchors loops.bedpe > pairs.bedpe
    """
    if min_distance > max_distance:
        raise OptionError(f"--min-distance {min_distance} is above --max-distance {max_distance}")
    output.check_text(enhancers, promoters, anchors)
    reach, contigs = (min_distance, max_distance), ContigNames()
    first, second = read_both(enhancers, promoters, contigs)
    joined = None
    if anchors is not None:
        joined = joined_by_loops(read_loops(anchors, contigs), first, second, reach)
        _refuse_unlabelled(len(joined), contigs, anchors)
    warn(contigs.alias_warning())
    counts = CandidateCounts()
    header = candidate_header(anchors is not None)
    output.write_lines(chain([header], candidates(first, second, reach, joined, counts)))
    _report(counts, (len(first), len(second)), anchors is not None)


def read_both(enhancers: str, promoters: str, contigs: ContigNames) -> tuple[list[BedElement], list[BedElement]]:
    """The elements of both files; warns of repeated intervals and of contigs that only one file has.

    Raises
    ------
    DataError
        A file is not valid, or they share no contig.
    """
    sides = []
    for path in (enhancers, promoters):
        elements, repeated = read_elements(path, contigs)
        if repeated:
            warn(f"{path}: left out {counted(repeated, 'line')} with a repeated interval")
        sides.append(elements)
    names = [{element.interval.chrom for element in side} for side in sides]
    for here, there, path in ((names[0], names[1], enhancers), (names[1], names[0], promoters)):
        if alone := sorted(here - there):
            warn(f"{path}: {counted(len(alone), 'contig')} in no other file: {', '.join(alone[:5])}")
    return sides[0], sides[1]


def _refuse_unlabelled(positives: int, contigs: ContigNames, anchors: str) -> None:
    if not positives:
        raise DataError(
            f"no candidate joins the two anchors of a loop (contigs: {contigs.examples()})",
            expected="at least one pair to label 1",
            hint="do the loops and the elements have the same genome build?",
            path=anchors,
        )


def _report(counts: CandidateCounts, elements: tuple[int, int], labelled: bool) -> None:
    positives = f", {counts.positives:,} of them labelled 1" if labelled else ""
    say(
        f"{counted(counts.pairs, 'pair')}{positives}; no partner within the distances for "
        f"{counted(elements[0] - counts.enhancers, 'enhancer')} and "
        f"{counted(elements[1] - counts.promoters, 'promoter')}"
    )
    if not counts.pairs:
        warn("no pairs: do both files have the same genome build?")
