"""What `knockout` and `epistasis` begin with: a model, held-out pairs, and the sites of motifs in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from speid_cli.cli import options
from speid_cli.cli.console import Stopwatch, duration, say, warn
from speid_cli.cli.explain.common import Question, recording
from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import OptionError, counted
from speid_cli.explain.record import Record, Run
from speid_cli.explain.settings import KnockoutSettings
from speid_cli.files import sha256_of, sha256_of_lines

if TYPE_CHECKING:
    from speid_cli.explain.occurrences import MotifsInPairs
    from speid_cli.genome.motif_files import Motif
    from speid_cli.model.checkpoint import Checkpoint

replacement_options = options.group(
    "replacement",
    KnockoutSettings,
    click.option(
        "--draws",
        type=click.IntRange(1, 10_000),
        default=KnockoutSettings.draws,
        help="Random replacements of each site, and of its control.",
    ),
    click.option(
        "--p-value",
        type=options.FiniteFloat(0, 0.1, min_open=True),
        default=KnockoutSettings.p_value,
        help="Largest p-value of a match of a motif that counts as a site.",
    ),
)


@dataclass(frozen=True)
class Asked:
    """A model, a data set, and the sites of motifs in the pairs that the model is asked about."""

    checkpoint: Checkpoint
    dataset: PairDataset
    motifs: MotifsInPairs
    record: Record

    def announce(self, what: str, mutants: int, trial: Callable[[], int]) -> None:
        """Print how long it will take, from a trial that tells its number of mutants."""
        trial()  # the first also loads what the others find loaded
        clock = Stopwatch()
        rate = max(trial(), 1) / clock.seconds
        say(f"{what}: {counted(mutants, 'mutant')}, about {duration(mutants / rate)}")


@contextmanager
def asking(question: Question, run: Run, replacement: KnockoutSettings) -> Iterator[Asked]:
    """Read, score, and find sites. The record is removed at the end."""
    from speid_cli.explain.occurrences import MotifsInPairs
    from speid_cli.explain.pairs import PairScorer

    motifs = question.source.read()
    if not motifs:
        raise OptionError("no motifs to ask about; give --motifs FILE or --jaspar RELEASE")
    checkpoint, dataset = question.read()
    made_of = {
        "model": sha256_of(question.model), "data": dataset.digest, "motifs": digest_of(motifs),
        "--precision": question.compute.precision, **asdict(question.settings), **asdict(replacement),
    }  # fmt: skip
    with recording(run, made_of) as record:
        device = question.compute.open()
        subject = question.ask(checkpoint, dataset, device)
        scorer = PairScorer(checkpoint.model(), dataset, subject.members, device, question.cache_bytes)
        found = MotifsInPairs.find(subject, scorer, motifs, replacement)
        for warning in found.shortcomings():
            warn(warning)
        yield Asked(checkpoint, dataset, found, record)
        record.remove()


def digest_of(motifs: list[Motif]) -> str:
    """SHA-256 of motifs."""
    return sha256_of_lines(f"{motif.identifier} {motif.name} {motif.matrix.tolist()}" for motif in motifs)
