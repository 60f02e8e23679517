"""The reports of `knockout` and `epistasis`, of motifs and of one pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from markupsafe import Markup

from speid_cli.dataset.pairs import SIDES, PairDataset
from speid_cli.explain.mutagenesis import base_values, shown
from speid_cli.explain.statistics import SIGNIFICANT
from speid_cli.explain.subject import Subject
from speid_cli.explain.tiles import PairMap
from speid_cli.genome.intervals import Interval
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.report.page import render
from speid_cli.report.svg import IntervalRow, heat_map, intervals, track

Rows = Sequence[Mapping[str, Any]]
# Rows in a picture, and motifs of a side in a map.
_SHOWN, _MOTIFS_SHOWN = 30, 20
# Of one pair: couples of tiles and sites in tables, and tiles of a side that are named after a motif.
_TILES_SHOWN, _SITES_SHOWN, _TILES_NAMED = 50, 200, 12


def knockout_page(name: str, checkpoint: Checkpoint, dataset: PairDataset, subject: Subject, rows: Rows) -> str:
    """``report.html`` of a knock-out; rows as `knock_out_all` sorts them."""
    known = [row for row in rows if row["pairs"]]
    dots = [_dot(row, f"{row['name']}, {row['side']}") for row in known[:_SHOWN]]
    shown = [dict(row, interval=_interval(row), auprc=_interval(row, "auprc_change", "auprc")) for row in known]
    return render(
        __package__,
        "knockout.html.j2",
        name=name,
        checkpoint=checkpoint,
        dataset=dataset,
        subject=subject,
        rows=shown,
        silent=len(rows) - len(known),
        significant=SIGNIFICANT,
        dots=Markup(intervals(dots, "Effects of the motifs with their 95% intervals")),
    )


def epistasis_page(name: str, checkpoint: Checkpoint, dataset: PairDataset, subject: Subject, rows: Rows) -> str:
    """``report.html`` of the epistasis of motifs; rows as `epistasis_of_all` sorts them."""
    known = [row for row in rows if row["pairs"]]
    dots = [_dot(row, f"{row['enhancer_name']} with {row['promoter_name']}") for row in known[:_SHOWN]]
    return render(
        __package__,
        "epistasis.html.j2",
        name=name,
        checkpoint=checkpoint,
        dataset=dataset,
        subject=subject,
        rows=[dict(row, interval=_interval(row)) for row in known],
        significant=SIGNIFICANT,
        dots=Markup(intervals(dots, "Epistasis of the couples with their 95% intervals")),
        map=Markup(_couples(known)),
    )


def pair_page(
    name: str, checkpoint: Checkpoint, dataset: PairDataset, subject: Subject, found: PairMap, probability: float
) -> str:
    """``report.html`` of the map of one pair."""
    tracks = [
        Markup(
            track(
                base_values(changes),
                f"What each base of the {window.side} window contributes",
                marked=(window.element.start - window.start, window.element.end - window.start),
            )
        )
        for window, changes in zip(found.windows, found.effects.changes, strict=True)
    ]
    sites = sorted(found.sites, key=lambda site: -abs(site["effect"]))
    return render(
        __package__,
        "pair.html.j2",
        name=name,
        checkpoint=checkpoint,
        dataset=dataset,
        subject=subject,
        windows=[(window, shown(window.element), shown(window.interval)) for window in found.windows],
        probability=probability,
        map=Markup(_tiles(found)),
        tracks=tracks,
        rows=[
            {
                "enhancer": shown(Interval(row["enhancer_chrom"], row["enhancer_start"], row["enhancer_end"])),
                "promoter": shown(Interval(row["promoter_chrom"], row["promoter_start"], row["promoter_end"])),
                "epistasis": row["epistasis"],
            }
            for row in islice(found.rows(), _TILES_SHOWN)
        ],
        sites=[
            dict(site, place=shown(Interval(site["chrom"], site["start"], site["end"])))
            for site in sites[:_SITES_SHOWN]
        ],
    )


def _tiles(found: PairMap) -> str:
    """The map, with the strength of tiles and the best sites in the strongest at its margins."""
    names = _tile_names(found, 0), _tile_names(found, 1)
    title = "Epistasis of the tiles of the enhancer (rows) and of the promoter (columns)"
    return heat_map(found.epistasis, *names, title, top=found.strengths(1), left=found.strengths(0))


def _tile_names(found: PairMap, side: int) -> list[str]:
    """The best site in each of the strongest tiles; a position at every fifth of the others."""
    strengths, tiles = np.abs(found.strengths(side)), found.tiles(side)
    names = [f"{start + 1:,}" if number % 5 == 0 else "" for number, (start, _) in enumerate(tiles)]
    for number in np.argsort(-strengths, kind="stable")[:_TILES_NAMED].tolist():
        start, end = tiles[number]
        inside = [
            site
            for site in found.sites
            if site["side"] == SIDES[side] and start <= (site["start"] + site["end"]) / 2 < end
        ]
        if inside:
            names[number] = max(inside, key=lambda site: abs(site["effect"]))["name"]
    return names


def _couples(rows: Rows) -> str:
    """A map of enhancer motifs by promoter motifs: those of the couples with the largest effects."""
    strongest = sorted(rows, key=lambda row: -abs(row["effect"]))
    enhancers, promoters = (
        dict(list({row[f"{side}_motif"]: row[f"{side}_name"] for row in strongest}.items())[:_MOTIFS_SHOWN])
        for side in ("enhancer", "promoter")
    )
    # The same order on both sides, so that couples of one motif are on the diagonal.
    first, second = (sorted(side, key=side.__getitem__) for side in (enhancers, promoters))
    values = np.zeros((len(first), len(second)))
    for row in rows:
        if row["enhancer_motif"] in enhancers and row["promoter_motif"] in promoters:
            values[first.index(row["enhancer_motif"]), second.index(row["promoter_motif"])] = row["effect"]
    names = [enhancers[motif] for motif in first], [promoters[motif] for motif in second]
    title = "Epistasis of enhancer motifs (rows) and promoter motifs (columns)"
    return heat_map(values, *names, title, cell=20)


def _dot(row: Mapping[str, Any], name: str) -> IntervalRow:
    return IntervalRow(name, row["effect"], row["low"], row["high"], row["q_value"] < SIGNIFICANT)


def _interval(row: Mapping[str, Any], value: str = "effect", bounds: str = "") -> dict[str, float]:
    prefix = f"{bounds}_" if bounds else ""
    return {"value": row[value], "low": row[f"{prefix}low"], "high": row[f"{prefix}high"]}
