"""``speid explain mutagenesis``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from speid_cli.cli import options
from speid_cli.cli.console import progress, say, warn
from speid_cli.cli.explain.common import recording, resume
from speid_cli.cli.outputs import text_output
from speid_cli.cli.reference import open_reference, reference_option
from speid_cli.errors import counted, located
from speid_cli.explain.settings import MutagenesisSettings
from speid_cli.files import atomic_file, atomic_folder, check_output_path, sha256_of, sha256_of_lines

if TYPE_CHECKING:
    from speid_cli.explain.mutagenesis import AskedPair, PairEffects, PairWindows
    from speid_cli.explain.mutagenesis_page import Page
    from speid_cli.explain.record import Record
    from speid_cli.genome.reference import Reference
    from speid_cli.scoring.perturbed import PerturbedScorer


@click.command()
@click.argument("model", type=options.INPUT, metavar="MODEL.pt")
@click.argument("pairs", type=options.INPUT_OR_DASH, metavar="PAIRS.bedpe")
@reference_option
@options.output_folder("MODEL.mutagenesis")
@resume
@click.option(
    "--region",
    type=options.region,
    metavar="CHROM:START-END",
    help="Substitute only bases in this region; as in samtools, counted from 1, both ends included.",
)
@click.option("--elements", is_flag=True, help="Substitute only bases of the elements, not of all their windows.")
@options.promoter_first
@click.option(
    "--modisco",
    metavar="PREFIX",
    help="Also write the input of TF-MoDISco: PREFIX.enhancer.onehot.npz, PREFIX.enhancer.effects.npz, and both for "
    "the promoter.",
)
@options.cache_memory
@options.compute_options
@options.common_options
@options.group("settings", MutagenesisSettings)
def command(
    model: str,
    pairs: str,
    reference: str | None,
    resume: bool,
    promoter_first: bool,
    modisco: str | None,
    cache_bytes: int | None,
    output: options.OutputOptions,
    settings: MutagenesisSettings,
    compute: options.ComputeOptions,
) -> None:
    """Show the effect of every substitution in the windows of each pair.

    PAIRS.bedpe may be gzip-compressed, or - for standard input. Writes mutagenesis.tsv.gz (a line for
    each substitution: the mutant's probability and the change of the logit), a bigWig for each pair and
    side (what each base contributes: the negative of the mean change by its three substitutions; needs pybigtools),
    and report.html. Each substitution is made alone. Bases that are N are left out. The contributions in
    TF-MoDISco's input are the changes by the four bases of a position minus their mean.

    \b
    Example:
      speid explain mutagenesis pairs.pt pairs.bedpe --region chr22:20,000,001-20,001,000
      modisco motifs -s PREFIX.enhancer.onehot.npz -a PREFIX.enhancer.effects.npz -n 2000
    """
    from speid_cli.explain.mutagenesis import PairWindows, shown
    from speid_cli.explain.mutagenesis_files import modisco_names
    from speid_cli.explain.mutagenesis_page import Page
    from speid_cli.explain.record import Run
    from speid_cli.genome.pair_reader import PairReader
    from speid_cli.model.checkpoint import Checkpoint
    from speid_cli.scoring.perturbed import PerturbedScorer

    target = output.folder(f"{Path(model).stem}.mutagenesis")
    for name in modisco_names(modisco) if modisco else ():
        check_output_path(name, output.force, (model, pairs, reference))
    checkpoint, device = Checkpoint.read(model), compute.open()
    with open_reference(checkpoint, model, reference) as genome:
        windows = PairWindows(genome, checkpoint.config, _on_reference(settings, genome))
        asked, others = windows.asked(PairReader(pairs, promoter_first))
        _say_what_is_asked(asked, others, genome)
        made_of = {
            "model": sha256_of(model), "pairs": sha256_of_lines(map(str, asked)), "reference": genome.sample,
            "--region": settings.region and shown(settings.region), "--elements": settings.elements,
            "--precision": compute.precision,
        }  # fmt: skip
        with recording(Run(target, resume, output.force), made_of) as record:
            _compute(PerturbedScorer(checkpoint.model(), device, cache_bytes), windows, asked, record)
            page = Page(Path(model).stem, checkpoint, {"file of the reference": genome.path, **made_of})
            _write(target, modisco, output.force, windows.finished(asked, record), page)
            record.remove()
    say(f"{target / 'report.html'}: open it in a browser")


def _on_reference(settings: MutagenesisSettings, genome: Reference) -> MutagenesisSettings:
    """The settings with the reference's name of the region's contig."""
    if settings.region is None:
        return settings
    with located("--region"):
        return replace(settings, region=settings.region._replace(chrom=genome.contigs.resolve(settings.region.chrom)))


def _say_what_is_asked(asked: list[AskedPair], others: int, genome: Reference) -> None:
    from speid_cli.genome.bigwig import is_available

    if others:
        say(f"{counted(others, 'pair')} left out: they have no base to substitute")
    say(f"{counted(sum(pair.mutants for pair in asked), 'substitution')} in {counted(len(asked), 'pair')}")
    warn(genome.contigs.alias_warning())
    if not is_available():
        warn("no bigWig tracks: they need pybigtools; try: pip install pybigtools")


def _compute(scorer: PerturbedScorer, windows: PairWindows, asked: list[AskedPair], record: Record) -> None:
    """Add the effects of each pair to the record, unless they are there."""
    done = [pair for pair in asked if str(pair.line) in record.parts]
    if done:
        say(f"going on after {counted(len(done), 'pair')}")
    with progress("mutagenesis", sum(pair.mutants for pair in asked), "mutants") as bar:
        bar.skip(sum(pair.mutants for pair in done))
        windows.finish(asked, scorer, record, bar.advance)


def _write(target: Path, prefix: str | None, force: bool, pairs: Iterator[PairEffects], page: Page) -> None:
    """Write all files, one pair after the other, and remove the tracks of a run before."""
    from speid_cli.dataset.archive import write_archive
    from speid_cli.explain.mutagenesis_files import (
        COLUMNS,
        Modisco,
        modisco_names,
        table_rows,
        tracks_of_other_runs,
        write_tracks,
    )
    from speid_cli.genome.bigwig import is_available

    modisco, tracks = Modisco(), is_available()
    with atomic_folder(target, force) as folder:
        with text_output(str(folder / "mutagenesis.tsv.gz"), force) as table:
            table.write("\t".join(COLUMNS).encode() + b"\n")
            for pair in pairs:
                table.write("".join(f"{row}\n" for row in table_rows(pair)).encode())
                page.add(pair)
                if tracks:
                    write_tracks(folder, pair)
                if prefix:
                    modisco.add(pair)
        if prefix:
            for name, array in zip(modisco_names(prefix), modisco.arrays(), strict=True):
                with atomic_file(name, force) as stream:
                    write_archive(stream, {"arr_0": array})
        with atomic_file(folder / "report.html", force) as stream:
            stream.write(page.html().encode())
        written = {path.name for path in folder.iterdir()}
    for track in tracks_of_other_runs(target, written):
        track.unlink()
