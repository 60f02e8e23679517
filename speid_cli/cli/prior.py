"""``evaluate --prior``: store in a model how likely a pair is to interact by its distance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from speid_cli.cli import options
from speid_cli.cli.console import say, warn
from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import OptionError

if TYPE_CHECKING:
    from speid_cli.model.checkpoint import Checkpoint

prior_option = click.option(
    "--prior",
    type=options.INPUT,
    metavar="CANDIDATES.bedpe",
    help="With --fit, also store the share of pairs that interact at each distance, learnt from all candidates "
    "with labels (candidates --anchors); predict --prevalence distance uses it.",
)


def check_prior(path: str | None, fit: bool, models: int) -> None:
    """Refuse ``--prior`` without ``--fit``, and a pipe for several models, each of which reads it."""
    if path is not None and not fit:
        raise OptionError("--prior needs --fit, which stores it in the model")
    if path is not None and models > 1 and not Path(path).is_file():
        raise OptionError("--prior is read once for each model: give a file, not a pipe")


def with_prior(checkpoint: Checkpoint, path: str | None, dataset: PairDataset) -> Checkpoint:
    """The model with the prior of these candidates; without a path, as it is."""
    from speid_cli.evaluation.prior import fit_prior

    if path is None:
        return checkpoint
    prior = fit_prior(path, dataset, warn)
    shares = "".join(f", {share:.2g} at {name}" for name, share in prior.shares().items())
    say(f"prior of distance: {prior.positives:,} of {prior.candidates:,} training candidates interact{shares}")
    return replace(checkpoint, prior=prior.as_plain())
