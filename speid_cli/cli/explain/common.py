"""What the questions about held-out pairs share: their options, whom they ask, and what they write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from speid_cli.cli import options
from speid_cli.cli.console import say, warn
from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import Terminated, located
from speid_cli.explain.record import Record, Run
from speid_cli.explain.settings import SubjectSettings
from speid_cli.files import write_folder

if TYPE_CHECKING:
    from speid_cli.explain.subject import Subject
    from speid_cli.model.checkpoint import Checkpoint
    from speid_cli.model.device import Device


@contextmanager
def recording(run: Run, made_of: Mapping[str, Any]) -> Iterator[Record]:
    """The record of a run; where a signal ends the run, how to continue is printed."""
    record = Record(run, made_of)
    try:
        with record:
            yield record
    except (KeyboardInterrupt, Terminated):
        if record.path.exists():
            say(f"{record.path}: what is finished; --resume continues from it")
        raise


subject_options = options.group(
    "settings",
    SubjectSettings,
    options.subset("Subset whose pairs are used."),
    click.option(
        "--pairs",
        "most_pairs",
        type=click.IntRange(0),
        default=SubjectSettings.most_pairs,
        metavar="N",
        help="Use at most N pairs: of more, a random sample, up to half of it positives; 0: use all.",
    ),
    options.allow_seen("Allow pairs that the model was, or may have been, trained on."),
    options.seed,
)
motif_options = options.group(
    "source",
    options.MotifSource,
    click.option(
        "--motifs",
        "files",
        type=options.INPUT_OR_DASH,
        multiple=True,
        metavar="FILE",
        help="JASPAR, PFM or MEME file of known motifs; may be given several times.",
    ),
    options.jaspar,
)
resume = click.option(
    "--resume", is_flag=True, help="Go on from what an interrupted run with the same inputs and options has finished."
)


@dataclass(frozen=True)
class Question:
    """The model, the pairs that it is asked about, known motifs, where to write, and how to compute."""

    model: str
    data: str
    source: options.MotifSource
    settings: SubjectSettings
    output: options.OutputOptions
    resume: bool
    cache_bytes: int | None
    compute: options.ComputeOptions

    @property
    def name(self) -> str:
        """The model's, for the page."""
        return Path(self.model).stem

    def read(self) -> tuple[Checkpoint, PairDataset]:
        """The model, and the data set as it was divided for it."""
        from speid_cli.model.checkpoint import Checkpoint

        checkpoint = Checkpoint.read(self.model)
        return checkpoint, checkpoint.division_of(PairDataset.read(self.data))

    def run(self, kind: str) -> Run:
        """The folder to write, by default MODEL.KIND, and what to do with what an interrupted run has finished."""
        return Run(self.output.folder(f"{self.name}.{kind}"), self.resume, self.output.force)

    def ask(self, checkpoint: Checkpoint, dataset: PairDataset, device: Device) -> Subject:
        """Score the pairs; print how well the model predicts them, and what makes that too good."""
        from speid_cli.explain.subject import ask

        with located(self.data):
            subject = ask(checkpoint, dataset, device, self.settings)
        say(subject.verdict)
        for warning in subject.warnings:
            warn(warning)
        return subject

    def write(self, run: Run, texts: Mapping[str, str]) -> None:
        """Write the files, ``report.html`` among them."""
        write_folder(run.folder, {name: text.encode() for name, text in texts.items()}, run.force)
        say(f"{run.folder / 'report.html'}: open it in a browser")


def question_options(folder: str) -> options.Decorator:
    """``question: Question``, of a command that writes `folder` by default."""
    return options.group(
        "question",
        Question,
        click.argument("model", type=options.INPUT, metavar="MODEL.pt"),
        click.argument("data", type=options.INPUT, metavar="DATA.npz"),
        motif_options,
        options.output_folder(folder),
        resume,
        subject_options,
        options.cache_memory,
        options.compute_options,
        options.common_options,
    )
