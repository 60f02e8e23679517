"""``report.html`` of the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from speid_cli.dataset.pairs import SIDES, PairDataset
from speid_cli.evaluation.measures import Estimate
from speid_cli.explain.kernels import Kernel
from speid_cli.explain.matching import FEWEST_MOTIFS, MATCHED, PSEUDOCOUNT, Matches, trimmed
from speid_cli.explain.statistics import SIGNIFICANT
from speid_cli.explain.subject import Subject
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.report.page import render
from speid_cli.report.svg import IntervalRow, intervals, logo

_LOGOS, _INTERVALS = 100, 30  # at most: logos a branch, and intervals

Row = dict[str, Any]
_COLUMNS = [
    {"key": key, "title": title, "kind": kind, "help": text}
    for key, title, kind, text in (
        ("name", "Kernel", "text", "Branch, and number from 0"),
        ("logo", "Logo", "svg", ""),
        ("drop", "Drop in AUPRC", "interval", "AUPRC minus AUPRC with the kernel silenced, and 95% interval"),
        ("match", "Most like", "text", "The most similar known motif, where q is below 0.05"),
        ("q_value", "q", "pvalue", "Corrected for the number of motifs and of kernels"),
        ("sites", "Sites", "number", "Elements with a site"),
        ("bits", "Bits", "number", "Information content of all positions"),
        ("start_motif", "Began as", "text", "The motif that the kernel began as"),
        ("moved", "Moved", "number", "1 - correlation with that motif: 0 where the kernel has not changed"),
    )
]


def page(
    name: str,
    checkpoint: Checkpoint,
    dataset: PairDataset,
    subject: Subject,
    kernels: Sequence[Kernel],
    rows: Sequence[Row],
    matches: Matches,
) -> str:
    """The report; `rows` as `kernel_rows` gives them."""
    by_name = {(kernel.branch, kernel.number): kernel for kernel in kernels}
    left = dict.fromkeys(SIDES, _LOGOS)
    shown = []
    for row in rows:
        left[row["branch"]] -= 1
        shown.append(_shown(row, by_name[row["branch"], row["kernel"]], left[row["branch"]] >= 0))
    silenced = [row for row in shown if "drop" in row]
    top = sorted(silenced, key=lambda row: -row["drop"].value)[:_INTERVALS]
    return render(
        __package__,
        "kernels.html.j2",
        name=name,
        checkpoint=checkpoint,
        dataset=dataset,
        subject=subject,
        rows=shown,
        silenced=silenced,
        needed=sum(row["drop"].low > 0 for row in silenced),
        intervals=Markup(intervals([_interval(row) for row in top], "Drop in AUPRC without each kernel")),
        matches=matches,
        matched=MATCHED,
        fewest_motifs=FEWEST_MOTIFS,
        columns=[column for column in _COLUMNS if column["key"] in shown[0]],
        logos=_LOGOS,
    )


def _shown(row: Row, kernel: Kernel, logo_wanted: bool) -> Row:
    """A row of the page's table: matches that are not significant are left out."""
    similar = row["q_value"] is not None and row["q_value"] < SIGNIFICANT
    shown: Row = {
        "name": f"{row['branch']} {row['kernel']}",
        "logo": Markup(logo(trimmed(kernel.ppm(PSEUDOCOUNT)), kernel.name)) if logo_wanted and kernel.sites else None,
        "match": _motif(row) if similar else None,
        "q_value": row["q_value"] if similar else None,
    }
    if row["auprc_drop"] is not None:
        shown["drop"] = Estimate(row["auprc_drop"], row["auprc_low"], row["auprc_high"])
    return row | shown


def _motif(row: Row) -> str:
    identifier, name = row["match"], row["match_name"]
    return identifier if name == identifier else f"{name} ({identifier})"


def _interval(row: Row) -> IntervalRow:
    """A line of the picture, named after the kernel and the motif that it is like."""
    drop, name = row["drop"], row["name"] + (f" {row['match_name']}" if row["match"] else "")
    return IntervalRow(name, drop.value, drop.low, drop.high, drop.low > 0)
