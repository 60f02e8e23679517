#!/usr/bin/env python3
"""Print the paths of the quickstart's results and the AUPRC on the held-out pairs.

usage: summarise.py DATA.npz SCORED.bedpe MODEL.pt
"""

from __future__ import annotations

import sys
from pathlib import Path

from sklearn.metrics import average_precision_score

from speid_cli.dataset.pairs import TEST, PairDataset
from speid_cli.genome.bedpe import SCORE_COLUMN
from speid_cli.genome.pair_reader import PairReader


def main(data: str, scored: str, model: str) -> None:
    """Read the scores back from the BEDPE file and compare them with the labels of the test subset."""
    dataset = PairDataset.read(data)
    scores = [float(line.fields[SCORE_COLUMN]) for line, _ in PairReader(scored)]
    if len(scores) != len(dataset):
        sys.exit(f"{scored} has {len(scores)} pairs and {data} has {len(dataset)}")
    members = dataset.members(TEST)
    label = dataset.label[members]
    results = {
        "simulation": "genome.fa enhancers.bed promoters.bed pairs.bedpe motifs.jaspar",
        "kernels": "kernels.npz",
        "data set": data,
        "pretrained": f"{Path(model).stem}.pretrained.pt {Path(model).stem}.pretrained.history.tsv",
        "model": f"{model} {Path(model).stem}.history.tsv",
        "scored pairs": scored,
        "report": "evaluation/report.html",
    }
    for what, names in results.items():
        for path in map(Path, names.split()):
            if path.exists():
                print(f"{what + ':':<14}{path.resolve()}")
    held_out = ", ".join(dataset.chromosomes_of(TEST))
    auprc = average_precision_score(label, [scores[member] for member in members])
    print(f"test subset:  {len(members)} pairs on {held_out}, held out of training")
    print(f"test AUPRC:   {auprc:.3f} (base rate {label.mean():.3f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
