"""``speid explain knockout``."""

from __future__ import annotations

import click

from speid_cli.cli.console import progress, say
from speid_cli.cli.explain.asked import asking, replacement_options
from speid_cli.cli.explain.common import Question, question_options
from speid_cli.errors import counted
from speid_cli.explain.settings import KnockoutSettings


@click.command()
@replacement_options
@question_options("MODEL.knockout")
def command(question: Question, replacement: KnockoutSettings) -> None:
    """Show what the model loses without the sites of each motif.

    In held-out pairs, 40 bp around each site are replaced by a shuffle that keeps the dinucleotides, in
    all enhancers, then in all promoters. The effect is the change of the logit minus the change when
    other sequence of the same element is replaced: alike in length, GC content, distance to the centre
    and sites of other motifs. Writes knockout.tsv and report.html.

    \b
    Example:
      speid explain knockout pairs.pt pairs.npz --jaspar 2016 --pairs 200
    """
    from speid_cli.explain.knockout import COLUMNS, knock_out_all, mutants_of_all, trial
    from speid_cli.explain.motif_pages import knockout_page
    from speid_cli.explain.statistics import SIGNIFICANT
    from speid_cli.explain.table import table_text

    run = question.run("knockout")
    with asking(question, run, replacement) as asked:
        motifs, total = asked.motifs, sum(mutants_of_all(asked.motifs).values())
        asked.announce(f"{counted(len(motifs.motifs), 'motif')} in either side", total, lambda: trial(motifs))
        with progress("knocking out", total, "mutants") as bar:
            rows = knock_out_all(motifs, asked.record, bar.advance)
        found = [f"{row['name']} ({row['side']}, {row['effect']:+.2f})" for row in rows if row["q_value"] < SIGNIFICANT]
        named = ", ".join(found[:5]) or ("none" if total else "no motif has a site in these pairs")
        say(f"{len(found):,} of {len(rows):,} effects are significant (q < {SIGNIFICANT}): {named}")
        page = knockout_page(question.name, asked.checkpoint, asked.dataset, motifs.subject, rows)
        question.write(run, {"knockout.tsv": table_text(COLUMNS, rows), "report.html": page})
