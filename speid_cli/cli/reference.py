"""The reference that a model is used with, as an option."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

from speid_cli.cli import options
from speid_cli.cli.console import warn

if TYPE_CHECKING:
    from speid_cli.genome.reference import Reference
    from speid_cli.model.checkpoint import Checkpoint

reference_option = click.option(
    "-f",
    "--reference",
    type=options.INPUT,
    metavar="REFERENCE.fa",
    help="FASTA to read.  [default: the path stored in the model, else $SPEID_REFERENCE]",
)


def open_reference(checkpoint: Checkpoint, model: str, given: str | None) -> AbstractContextManager[Reference]:
    """See `speid_cli.scoring.genome.open_reference`; warnings are printed."""
    from speid_cli.scoring.genome import open_reference

    return open_reference(checkpoint, model, given, warn)
