"""The reference that a model is used with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from speid_cli.errors import DataError, located
from speid_cli.genome.reference import Reference
from speid_cli.model.checkpoint import Checkpoint


@contextmanager
def open_reference(
    checkpoint: Checkpoint, model: str, given: str | None, warn: Callable[[str], object]
) -> Iterator[Reference]:
    """The FASTA that was given, that the model `model` remembers, or of ``SPEID_REFERENCE``.

    Another genome than the one trained on is refused. A changed sequence is too, unless the FASTA was
    given by name: then there is a warning.
    """
    with located(model):
        fasta = checkpoint.find_reference(given, os.environ.get("SPEID_REFERENCE"))
    with Reference(fasta) as genome:
        checkpoint.check_reference(genome)
        try:
            checkpoint.check_sequence(genome)
        except DataError as error:
            if given is None:
                raise
            error.hint = ""  # which says to give it by name
            warn(str(error))
        yield genome
