"""``speid explain``."""

from __future__ import annotations

import click

from speid_cli.cli.lazy import LazyGroup

QUESTIONS = ("kernels", "knockout", "epistasis", "mutagenesis", "variants")


@click.group(cls=LazyGroup, package=__name__, commands=QUESTIONS)
def command() -> None:
    """Show what a model has learnt, and what a variant changes.

    \b
    Over the held-out pairs of a data set:
      kernels      the sequences that activate each convolution kernel, and how much it matters
      knockout     the effect of removing the sites of each motif
      epistasis    which motif of the enhancer works together with which of the promoter
    For single pairs:
      mutagenesis  the effect of every substitution
      variants     the effect of the variants in a VCF

    \b
    Example:
      speid explain knockout pairs.pt pairs.npz --jaspar 2016
      speid explain variants pairs.pt pairs.bedpe variants.vcf.gz > effects.tsv
    """
