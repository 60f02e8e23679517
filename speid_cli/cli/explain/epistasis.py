"""``speid explain epistasis``."""

from __future__ import annotations

import re

import click
import numpy as np

from speid_cli.cli import options
from speid_cli.cli.console import progress, say, warn
from speid_cli.cli.explain.asked import asking, replacement_options
from speid_cli.cli.explain.common import Question, question_options
from speid_cli.cli.reference import open_reference, reference_option
from speid_cli.errors import DataError, OptionError, counted, located
from speid_cli.explain.settings import KnockoutSettings, MutagenesisSettings
from speid_cli.genome.intervals import ElementPair
from speid_cli.genome.pair_reader import PairReader


@click.command()
@click.option(
    "--pair",
    metavar="PAIR",
    help="Map one pair instead: CHROM:START-END,CHROM:START-END (enhancer first, counted from 1), or a line of a BEDPE "
    "file, FILE:LINE.",
)
@reference_option
@replacement_options
@question_options("MODEL.epistasis")
def command(question: Question, replacement: KnockoutSettings, pair: str | None, reference: str | None) -> None:
    """Show which motif of the enhancer the model reads together with which of the promoter.

    For each couple of motifs, in the held-out pairs with sites of both: how much larger the effect of one motif on
    the logit is when the other is present than when it is replaced, minus the same for other sequence. Writes
    epistasis.tsv and report.html. All couples of many motifs take long; give those that `knockout` found.

    With --pair, the same for every two tiles of 50 bp of one pair, with the effects of all substitutions
    and the sites of motifs (if any are given) at the margins. Writes tiles.tsv, sites.tsv and report.html.

    \b
    Example:
      speid explain epistasis pairs.pt pairs.npz --motifs found.meme
      speid explain epistasis pairs.pt pairs.npz --pair pairs.bedpe:12 --jaspar 2016
    """
    if pair is not None:
        if question.resume:
            raise OptionError("--resume does not fit --pair: a map of one pair is made in one go")
        _of_pair(question, replacement, read_pair(pair), reference)
    elif reference is not None:
        raise OptionError("--reference is read with --pair only; otherwise the data set has the sequence")
    else:
        _of_motifs(question, replacement)


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
    try:
        return ElementPair(options.region(regions[1]), options.region(regions[2]))
    except click.BadParameter as error:
        error.param_hint = "--pair"
        raise


def _of_motifs(question: Question, replacement: KnockoutSettings) -> None:
    from speid_cli.explain.epistasis import COLUMNS, couples_of, epistasis_of_all, trial
    from speid_cli.explain.motif_pages import epistasis_page
    from speid_cli.explain.statistics import SIGNIFICANT
    from speid_cli.explain.table import table_text

    run = question.run("epistasis")
    with asking(question, run, replacement) as asked:
        couples = couples_of(asked.motifs)
        total = int(couples.sum())
        asked.announce(counted(int((couples > 0).sum()), "couple"), total, lambda: trial(asked.motifs))
        with progress("epistasis", total, "mutants") as bar:
            rows = epistasis_of_all(asked.motifs, asked.record, bar.advance)
        found = [row for row in rows if row["q_value"] < SIGNIFICANT]
        names = [f"{row['enhancer_name']} with {row['promoter_name']} ({row['effect']:+.2f})" for row in found[:5]]
        say(f"{len(found):,} of {counted(len(rows), 'couple')} significant: {', '.join(names) or 'none'}")
        page = epistasis_page(question.name, asked.checkpoint, asked.dataset, asked.motifs.subject, rows)
        question.write(run, {"epistasis.tsv": table_text(COLUMNS, rows), "report.html": page})


def _of_pair(question: Question, replacement: KnockoutSettings, pair: ElementPair, reference: str | None) -> None:
    from speid_cli.dataset.metrics import sigmoid
    from speid_cli.explain.motif_pages import pair_page
    from speid_cli.explain.mutagenesis import PairWindows
    from speid_cli.explain.table import table_text
    from speid_cli.explain.tiles import SITE_COLUMNS, TILE_COLUMNS, map_pair, mutants_of
    from speid_cli.scoring.perturbed import PerturbedScorer

    run, motifs = question.run("epistasis"), question.source.read()
    checkpoint, dataset = question.read()
    with open_reference(checkpoint, question.model, reference) as genome, located("--pair"):
        windows = PairWindows(genome, checkpoint.config, MutagenesisSettings()).of(pair)
        if not any(len(window.asked) for window in windows):
            raise DataError("the windows of this pair hold only N", hint="is this the right genome build?")
        warn(genome.contigs.alias_warning())
    device = question.compute.open()
    subject = question.ask(checkpoint, dataset, device)
    scorer, seed, draws = PerturbedScorer(checkpoint.model(), device), question.settings.seed, replacement.draws
    with progress("epistasis", mutants_of(windows, draws), "mutants") as bar:
        found = map_pair(scorer, windows, motifs, replacement.p_value, draws, seed, bar.advance)
    probability = float(sigmoid(np.array([found.effects.logit]))[0])
    texts = {
        "tiles.tsv": table_text(TILE_COLUMNS, found.rows()),
        "sites.tsv": table_text(SITE_COLUMNS, found.sites),
        "report.html": pair_page(question.name, checkpoint, dataset, subject, found, probability),
    }
    question.write(run, texts)
