"""``speid explain knockout``."""

from __future__ import annotations

from pathlib import Path

import click

from speid_cli.cli import options
from speid_cli.cli.console import progress, say
from speid_cli.cli.explain.asked import asking, replacement_options
from speid_cli.cli.explain.common import motif_options, resume, subject_options
from speid_cli.errors import counted
from speid_cli.explain.settings import KnockoutSettings, SubjectSettings
from speid_cli.files import write_folder


@click.command()
@click.argument("model", type=options.INPUT, metavar="MODEL.pt")
@click.argument("data", type=options.INPUT, metavar="DATA.npz")
@motif_options
@options.output_folder("MODEL.knockout")
@replacement_options
@resume
@subject_options
@options.cache_memory
@options.compute_options
@options.common_options
def command(
    model: str,
    data: str,
    source: options.MotifSource,
    output: options.OutputOptions,
    replacement: KnockoutSettings,
    resume: bool,
    settings: SubjectSettings,
    cache_bytes: int | None,
    compute: options.ComputeOptions,
) -> None:
    """Show what the model loses without the sites of each motif.

    In held-out pairs, 40 bp around each site are replaced by a shuffle that keeps the dinucleotides, in
    all enhancers, then in all promoters. The effect is the change of the logit minus the change when
    other sequence of the same element is replaced: alike in length, GC content, distance to the centre
    and sites of other motifs. Writes knockout.tsv and report.html.

    \b
    Example:
      speid explain knockout pairs.pt pairs.npz --jaspar 2016
    """
    from speid_cli.explain.knockout import COLUMNS, knock_out_all, mutants, trial
    from speid_cli.explain.motif_pages import knockout_page
    from speid_cli.explain.record import Run
    from speid_cli.explain.statistics import SIGNIFICANT
    from speid_cli.explain.table import table_lines

    target = output.folder(f"{Path(model).stem}.knockout")
    run = Run(target, resume, output.force)
    with asking(model, data, run, source, settings, replacement, compute, cache_bytes) as asked:
        draws, motifs = replacement.draws, len(asked.sides[0].hits)
        everything = asked.subject, asked.scorer, asked.sides, draws
        total = sum(mutants(side, motif, draws) for side in asked.sides for motif in range(motifs))
        asked.announce(f"{counted(motifs, 'motif')} in either side", total, lambda: trial(*everything))
        with progress("knocking out", total, "mutants") as bar:
            rows = knock_out_all(*everything, asked.record, bar.advance)
        page = knockout_page(Path(model).stem, asked.checkpoint, asked.dataset, asked.subject, rows)
        table = "".join(f"{line}\n" for line in table_lines(COLUMNS, rows))
        write_folder(target, {"knockout.tsv": table.encode(), "report.html": page.encode()}, output.force)
    found = [f"{row['name']} ({row['side']}, {row['effect']:+.2f})" for row in rows if row["q_value"] < SIGNIFICANT]
    say(
        f"{len(found):,} of {len(rows):,} effects are significant (q < {SIGNIFICANT}): {', '.join(found[:5]) or 'none'}"
    )
    say(f"{target / 'report.html'}: open it in a browser")
