"""``speid features``."""

from __future__ import annotations

from contextlib import nullcontext

import click

from speid_cli.cli import options
from speid_cli.cli.console import Stopwatch, duration, progress, say, warn
from speid_cli.errors import counted
from speid_cli.evaluation.feature_table import read_feature_pairs, table_lines
from speid_cli.evaluation.features import TrackFeatures, check_ends, track_features
from speid_cli.genome.bed import place_of
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.intervals import Interval
from speid_cli.genome.pair_reader import PairReader
from speid_cli.genome.reference import Reference
from speid_cli.genome.tracks import read_tracks


@click.command()
@click.argument("pairs", type=options.INPUT_OR_DASH, metavar="PAIRS.bedpe")
@click.option(
    "--tracks", required=True, type=options.INPUT, metavar="TRACKS.tsv", help="Names and files of the tracks."
)
@click.option(
    "-f",
    "--reference",
    type=options.INPUT,
    metavar="REFERENCE.fa",
    help="Refuse pairs and peaks that end beyond the contigs of this FASTA, as in another genome build.",
)
@options.promoter_first
@options.output_options("Table to write; compressed if it ends in .gz.  [default: standard output]")
@options.common_options
def command(
    pairs: str, tracks: str, reference: str | None, promoter_first: bool, output: options.OutputOptions
) -> None:
    """Compute TargetFinder's features: the mean signal of assays in and between the elements of pairs.

    For each track of TRACKS.tsv (a header, then a line for each file: name, path) there are four columns: the signal in
    the enhancer, in the enhancer and 3,000 bp on both sides of it, in the promoter, and in the window between
    the two. Signal is that of all peaks that overlap, divided by the length in bp; of a bigWig, the mean. A pair
    without a window has NA there. Needs bedtools.

    \b
    Example:
      speid features pairs.bedpe --tracks peaks/tracks.tsv -o features.tsv.gz
    """
    clock, assays = Stopwatch(), read_tracks(tracks)
    output.check_text(pairs, tracks, reference, *(path for track in assays for path in track.paths))
    with Reference(reference) if reference else nullcontext() as genome:
        asked = read_feature_pairs(PairReader(pairs, promoter_first), genome.contigs if genome else None)
    check_ends(assays, pairs, asked.line, asked.placed, asked.contigs)
    with progress("tracks", sum(len(track.paths) for track in assays), "files") as bar:
        features = track_features(assays, *asked.places(), asked.chromosomes, asked.contigs, bar.advance)
    warn_of_tracks(features, asked.contigs, pairs, asked.given[0].pair.enhancer)
    output.write_lines(table_lines(asked, features, promoter_first))
    say(f"{counted(len(asked.given), 'pair')}, {counted(len(assays), 'track')}, {duration(clock.seconds)}")


def warn_of_tracks(features: TrackFeatures, contigs: ContigNames, path: str, enhancer: Interval) -> None:
    """Warn of contigs that are spelt differently, and of tracks and files that tell nothing on the pairs of a file.

    `enhancer` is the first of the file, as an example of its names and positions.
    """
    warn(contigs.alias_warning())
    for track, file, first, files in features.silent:
        lacking = f"{counted(files, 'file')} without a contig of {path}" if files else "no signal in any pair"
        warn(
            f"track {track!r} has {lacking}: the first interval of {file} is {place_of(first)}, "
            f"the first enhancer of {path} {place_of(enhancer)}"
        )
