"""``speid explain variants``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from speid_cli.cli import options
from speid_cli.cli.console import Stopwatch, duration, progress, say, warn
from speid_cli.cli.outputs import write_table
from speid_cli.cli.reference import open_reference, reference_option
from speid_cli.errors import counted
from speid_cli.text import Share, count_lines

if TYPE_CHECKING:
    from speid_cli.explain.variants import VariantScorer

_SHOWN = "chrom", "position", "reference", "alternative", "name", "side", "logit_change"  # on a terminal


@click.command()
@click.argument("model", type=options.INPUT, metavar="MODEL.pt")
@click.argument("pairs", type=options.INPUT_OR_DASH, metavar="PAIRS.bedpe")
@click.argument("variants", type=options.INPUT_OR_DASH, metavar="VARIANTS.vcf")
@reference_option
@options.output_options("Table to write; compressed if it ends in .gz.  [default: standard output]")
@click.option(
    "--no-percentile",
    is_flag=True,
    help="Leave out the percentile among all substitutions of the pair, which takes most of the time.",
)
@options.promoter_first
@options.cache_memory
@options.compute_options
@options.common_options
def command(
    model: str,
    pairs: str,
    variants: str,
    reference: str | None,
    no_percentile: bool,
    promoter_first: bool,
    cache_bytes: int | None,
    output: options.OutputOptions,
    compute: options.ComputeOptions,
) -> None:
    """Show what variants change in every pair whose windows they touch.

    Each alternative allele is applied alone to the reference: SNVs, changes of several bases and short
    indels. An indel also shifts the sequence beside it: shift_change is the effect of the shift alone. The
    percentile is the share of all substitutions of the same pair, in %, that change the logit by at most as much.

    \b
    Example:
      speid explain variants pairs.pt pairs.bedpe variants.vcf.gz > effects.tsv
    """
    from speid_cli.explain.table import table_fields
    from speid_cli.explain.variants import COLUMNS, Pairs, VariantScorer
    from speid_cli.genome.pair_reader import PairReader
    from speid_cli.genome.variants import read_variants
    from speid_cli.model.checkpoint import Checkpoint
    from speid_cli.scoring.perturbed import PerturbedScorer

    output.check_text(model, pairs, variants, reference)
    checkpoint, device = Checkpoint.read(model), compute.open()
    with open_reference(checkpoint, model, reference) as genome:
        found = Pairs(PairReader(pairs, promoter_first), genome, checkpoint.config)
        memory = cache_bytes or device.memory_bytes // 4
        scorer = PerturbedScorer(checkpoint.model(), device, memory)
        asked = VariantScorer(scorer, found, genome, not no_percentile, memory // 4)
        if not no_percentile:
            _say_how_long(asked)
        with progress("variants", count_lines(Share(variants)), "lines") as bar:
            rows = asked.rows(variants, read_variants(variants, asked.skipped), bar.advance)
            write_table(output.path, output.force, COLUMNS, table_fields(COLUMNS, rows), _SHOWN)
        warn(genome.contigs.alias_warning())
        _report(asked)


def _say_how_long(asked: VariantScorer) -> None:
    clock = Stopwatch()
    pairs = asked.rank_first_pair()
    say(
        f"percentiles: {clock.seconds:.2g} s a pair, so {duration(clock.seconds * pairs)} if every one of "
        f"{counted(pairs, 'pair')} has a variant (--no-percentile leaves them out)"
    )


def _report(asked: VariantScorer) -> None:
    counts = asked.counts
    for sentence in asked.left_out():
        warn(sentence)
    say(f"{counted(counts.variants, 'variant')}; {counts.untouched:,} in no window; {counted(counts.rows, 'row')}")
