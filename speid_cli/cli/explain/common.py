"""Options that several questions share."""

from __future__ import annotations

import click

from speid_cli.cli import options
from speid_cli.explain.settings import SubjectSettings

subject_options = options.group(
    "settings",
    SubjectSettings,
    options.subset("Pairs to ask about."),
    click.option(
        "--pairs",
        "most_pairs",
        type=click.IntRange(0),
        default=SubjectSettings.most_pairs,
        metavar="N",
        help="Of more pairs, ask about a random sample of N, up to half of them positives; 0: all pairs.",
    ),
    options.allow_seen("Also ask about pairs that the model was, or may have been, trained on."),
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
