"""``speid explain``."""

from __future__ import annotations

import click

from speid_cli.cli.lazy import LazyGroup

QUESTIONS = {
    "kernels": "What activates each kernel, and how much the kernel matters.",
    "knockout": "What the model loses without the sites of each motif.",
    "epistasis": "Which motif of the enhancer works with which of the promoter.",
    "mutagenesis": "The effect of every substitution in a pair.",
    "variants": "The effect of the variants in a VCF.",
}


@click.group(cls=LazyGroup, package=__name__, commands=QUESTIONS)
def command() -> None:
    """Show what a model has learnt, and what a variant changes.

    The first three commands ask about the held-out pairs of a data set, the last two, and epistasis
    --pair, about single pairs.

    \b
    Example:
      speid explain knockout pairs.pt pairs.npz --jaspar 2016
      speid explain variants pairs.pt pairs.bedpe variants.vcf.gz > effects.tsv
    """
