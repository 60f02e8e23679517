"""``speid explain epistasis``."""

from __future__ import annotations

import re
from pathlib import Path

import click
import numpy as np

from speid_cli.cli import options
from speid_cli.cli.console import progress, say
from speid_cli.cli.explain.asked import Asked, asking, replacement_options, show_subject
from speid_cli.cli.explain.common import motif_options, resume, subject_options
from speid_cli.cli.reference import open_reference, reference_option
from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import DataError, counted, located
from speid_cli.explain.settings import KnockoutSettings, MutagenesisSettings, SubjectSettings
from speid_cli.files import write_folder
from speid_cli.genome.bedpe import PairReader
from speid_cli.genome.intervals import ElementPair


@click.command()
@click.argument("model", type=options.INPUT, metavar="MODEL.pt")
@click.argument("data", type=options.INPUT, metavar="DATA.npz")
@motif_options
@click.option(
    "--pair",
    metavar="PAIR",
    help="Map one pair instead: CHROM:START-END,CHROM:START-END (enhancer first, counted from 1), or a line of a BEDPE "
    "file, FILE:LINE.",
)
@reference_option
@options.output_folder("MODEL.epistasis")
@replacement_options
@resume
@subject_options
@options.cache_memory
@options.compute_options
@options.common_options
def command(
    model: str,
    data: str,
    source: options.MotifSource,
    pair: str | None,
    reference: str | None,
    output: options.OutputOptions,
    replacement: KnockoutSettings,
    resume: bool,
    settings: SubjectSettings,
    cache_bytes: int | None,
    compute: options.ComputeOptions,
) -> None:
    """Show which motif of the enhancer the model reads together with which of the promoter.

    For each couple of motifs, in the held-out pairs with sites of both: the part of the logit that is
    there only while both are, minus the same figure for as much other sequence. Writes epistasis.tsv and
    report.html. All couples of many motifs take long; give those that `knockout` found.

    With --pair, the same for every two tiles of 50 bp of one pair, with the effects of all substitutions
    and the sites of motifs (if any are given) at the margins. Writes tiles.tsv, sites.tsv and report.html.

    \b
    Example:
      speid explain epistasis pairs.pt pairs.npz --motifs found.meme
      speid explain epistasis pairs.pt pairs.npz --pair pairs.bedpe:12 --jaspar 2016
    """
    from speid_cli.explain.record import Run

    target = output.folder(f"{Path(model).stem}.epistasis")
    if pair is None:
        run = Run(target, resume, output.force)
        with asking(model, data, run, source, settings, replacement, compute, cache_bytes) as asked:
            _of_motifs(asked, Path(model).stem, replacement.draws, target, output.force)
    else:
        places = read_pair(pair)
        _of_pair(model, data, source, places, reference, replacement, settings, compute, target, output.force)
    say(f"{target / 'report.html'}: open it in a browser")


def read_pair(text: str) -> ElementPair:
    """The pair that ``--pair`` names.

    Raises
    ------
    click.BadParameter
        It is neither two regions nor a file and a line.
    DataError
        The line is not a pair, or the file has no such line.
    """
    path, _, line = text.rpartition(":")
    if path and line.isdecimal():
        reader = PairReader(path)
        for found in reader.lines():
            if found.number == int(line) and found.role == "pair":
                return reader.pair(found)
        raise DataError(
            "no pair on this line", hint="lines are counted from 1, headers included", path=path, line=int(line)
        )
    regions = re.fullmatch(r"(.+:[0-9,]+-[0-9,]+),(.+:[0-9,]+-[0-9,]+)", text)
    if regions is None:
        raise click.BadParameter(
            f"{text!r}: expected CHROM:START-END,CHROM:START-END or FILE:LINE", param_hint="--pair"
        )
    return ElementPair(options.region(regions[1]), options.region(regions[2]))


def _of_motifs(asked: Asked, name: str, draws: int, target: Path, force: bool) -> None:
    from speid_cli.explain.epistasis import COLUMNS, couples_of, epistasis_of_all, trial
    from speid_cli.explain.motif_pages import epistasis_page
    from speid_cli.explain.statistics import SIGNIFICANT
    from speid_cli.explain.table import table_lines

    everything = asked.subject, asked.scorer, asked.sides, draws
    couples = couples_of(asked.sides, draws)
    total = int(couples.sum())
    if not total:
        raise DataError("no pair with a site of a motif in both elements", hint="give other motifs, or more pairs")
    asked.announce(counted(int((couples > 0).sum()), "couple"), total, lambda: trial(*everything))
    with progress("epistasis", total, "mutants") as bar:
        rows = epistasis_of_all(*everything, asked.record, bar.advance)
    page = epistasis_page(name, asked.checkpoint, asked.dataset, asked.subject, rows)
    table = "".join(f"{line}\n" for line in table_lines(COLUMNS, rows))
    write_folder(target, {"epistasis.tsv": table.encode(), "report.html": page.encode()}, force)
    found = [row for row in rows if row["q_value"] < SIGNIFICANT]
    names = [f"{row['enhancer_name']} with {row['promoter_name']} ({row['effect']:+.2f})" for row in found[:5]]
    say(f"{len(found):,} of {counted(len(rows), 'couple')} significant: {', '.join(names) or 'none'}")


def _of_pair(
    model: str,
    data: str,
    source: options.MotifSource,
    pair: ElementPair,
    reference: str | None,
    replacement: KnockoutSettings,
    settings: SubjectSettings,
    compute: options.ComputeOptions,
    target: Path,
    force: bool,
) -> None:
    from speid_cli.dataset.metrics import sigmoid
    from speid_cli.explain.motif_pages import pair_page
    from speid_cli.explain.mutagenesis import PairWindows
    from speid_cli.explain.subject import ask
    from speid_cli.explain.table import table_lines
    from speid_cli.explain.tiles import SITE_COLUMNS, TILE_COLUMNS, map_pair, mutants_of
    from speid_cli.model.checkpoint import Checkpoint
    from speid_cli.scoring.perturbed import PerturbedScorer

    motifs, checkpoint, dataset = source.read(), Checkpoint.read(model), PairDataset.read(data)
    with open_reference(checkpoint, model, reference) as genome, located("--pair"):
        on_reference = ElementPair(*map(genome.contigs.locate, pair))
        windows = PairWindows(genome, checkpoint.config, MutagenesisSettings()).of(on_reference)
    device = compute.open()
    with located(data):
        subject = ask(checkpoint, dataset, device, settings)
    show_subject(subject)
    scorer = PerturbedScorer(checkpoint.model(), device)
    with progress("epistasis", mutants_of(windows, replacement.draws), "mutants") as bar:
        found = map_pair(scorer, windows, motifs, replacement.p_value, replacement.draws, settings.seed, bar.advance)
    probability = float(sigmoid(np.array([found.effects.logit]))[0])
    texts = {
        "tiles.tsv": "".join(f"{line}\n" for line in table_lines(TILE_COLUMNS, found.rows())),
        "sites.tsv": "".join(f"{line}\n" for line in table_lines(SITE_COLUMNS, found.sites)),
        "report.html": pair_page(Path(model).stem, checkpoint, dataset, subject, found, probability),
    }
    write_folder(target, {name: text.encode() for name, text in texts.items()}, force)
