"""``speid explain kernels``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from speid_cli.cli.console import progress, say, warn
from speid_cli.cli.explain.common import Question, question_options, recording
from speid_cli.dataset.pairs import SIDES, PairDataset
from speid_cli.errors import OptionError, counted
from speid_cli.explain.record import Record
from speid_cli.files import sha256_of
from speid_cli.genome.motif_files import Motif

if TYPE_CHECKING:
    from speid_cli.evaluation.measures import Estimate
    from speid_cli.explain.kernels import Kernel
    from speid_cli.explain.matching import Matches
    from speid_cli.explain.pairs import PairScorer
    from speid_cli.explain.subject import Subject
    from speid_cli.model.device import Device
    from speid_cli.model.speid import Speid


@click.command()
@click.option(
    "--no-importance", is_flag=True, help="Leave out the importance of kernels, which takes most of the time."
)
@question_options("MODEL.kernels")
def command(question: Question, no_importance: bool) -> None:
    """Show what activates each convolution kernel, and how much the kernel matters.

    Writes kernels.tsv, kernels.meme and report.html. Importance is the drop in AUPRC on held-out pairs
    when the kernel is silenced to its mean. With --motifs or --jaspar, each kernel is compared with known
    motifs (Tomtom; needs memelite).

    \b
    Example:
      speid explain kernels pairs.pt pairs.npz --jaspar 2016
    """
    from speid_cli.explain.kernel_files import COLUMNS, kernel_rows, meme_lines
    from speid_cli.explain.kernel_page import page
    from speid_cli.explain.pairs import PairScorer
    from speid_cli.explain.table import table_text
    from speid_cli.model.motif_kernels import placed_motifs

    run, settings, motifs = question.run("kernels"), question.settings, question.source.read()
    checkpoint, dataset = question.read()
    placed = placed_motifs(checkpoint.provenance.get("motifs", []), checkpoint.config.kernel_length, question.model)
    device, network = question.compute.open(), checkpoint.model()
    subject = question.ask(checkpoint, dataset, device)
    kernels = _find_sites(network, dataset, subject, device)
    matches = _match(kernels, motifs, settings.seed)
    made_of = {"model": sha256_of(question.model), "data": dataset.digest, "precision": question.compute.precision}
    with recording(run, made_of | asdict(settings)) as record:
        scorer = PairScorer(network, dataset, subject.members, device, question.cache_bytes)
        drops = {} if no_importance else _importance(scorer, subject, network.config.n_kernels, record)
        rows = kernel_rows(network, kernels, drops, matches.kernels, placed, motifs)
        texts = {
            "kernels.tsv": table_text(COLUMNS, rows),
            "kernels.meme": "".join(f"{line}\n" for line in meme_lines(kernels)),
            "report.html": page(question.name, checkpoint, dataset, subject, kernels, rows, matches),
        }
        question.write(run, texts)
        record.remove()


def _find_sites(network: Speid, dataset: PairDataset, subject: Subject, device: Device) -> list[Kernel]:
    from speid_cli.explain.kernels import find_sites

    windows = sum(len(set(index[subject.members].tolist())) for _, _, index in dataset.sides)
    with progress("finding sites", windows, "windows") as bar:
        return find_sites(network, dataset, subject.members, device, bar.advance)


def _importance(scorer: PairScorer, subject: Subject, kernels: int, record: Record) -> dict[tuple[str, int], Estimate]:
    from speid_cli.explain.importance import importance

    with progress("silencing", len(SIDES) * kernels, "kernels") as bar:
        bar.skip(sum(map(len, record.parts.values())))
        return importance(scorer, subject, kernels, record, bar.advance)


def _match(kernels: Sequence[Kernel], motifs: Sequence[Motif], seed: int) -> Matches:
    """Compare with motifs, if there are any and memelite is there."""
    from speid_cli.explain.matching import FEWEST_MOTIFS, Matches, match_kernels

    if not motifs:
        say("no match: give motifs to compare with by --motifs or --jaspar")
        return Matches([None] * len(kernels))
    if len(motifs) < FEWEST_MOTIFS:
        warn(f"{counted(len(motifs), 'motif')} to compare with: q-values are reliable from {FEWEST_MOTIFS} on")
    say(f"comparing with {counted(len(motifs), 'motif')} (the first time on a machine, about a minute of compiling)")
    try:
        matches = match_kernels(kernels, motifs, seed)
    except OptionError as error:
        warn(f"no match: {error}")
        return Matches([None] * len(kernels))
    say(matches.summary)
    return matches
