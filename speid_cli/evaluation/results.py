"""An evaluation as plain values (``metrics.json``) and as BEDPE (``predictions.bedpe``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from speid_cli import __version__
from speid_cli.dataset.checks import FEWEST_POSITIVES
from speid_cli.dataset.pairs import SUBSETS, PairDataset
from speid_cli.errors import counted
from speid_cli.evaluation.baselines import BASE_RATE
from speid_cli.evaluation.evaluate import MODEL_NAME, Evaluation, ModelResult
from speid_cli.evaluation.settings import EvaluationSettings
from speid_cli.files import finite
from speid_cli.genome.bedpe import COLUMNS, MISSING
from speid_cli.model.checkpoint import Checkpoint

FORMAT_VERSION = 1


def as_plain(
    evaluation: Evaluation, checkpoint: Checkpoint, dataset: PairDataset, settings: EvaluationSettings
) -> dict[str, Any]:
    """What ``metrics.json`` holds: plain values, None for what is undefined."""
    label = dataset.label[evaluation.members]
    content = {
        "format_version": FORMAT_VERSION,
        "speid_version": __version__,
        "subset": SUBSETS[settings.subset],
        "pairs": len(label),
        "positives": int(label.sum()),
        "base_rate": float(label.mean()),
        "held_out": evaluated_regions(evaluation, dataset),
        "may_have_been_seen": evaluation.seen or None,
        "chosen_on_these_pairs": evaluation.chosen or None,
        "meaning": meaning(evaluation),
        "resampling": {
            "unit": evaluation.clusters.unit,
            "units": int(evaluation.clusters.cluster.max()) + 1,
            "replicates": settings.replicates,
            "interval": 0.95,
            "seed": settings.seed,
        },
        "models": {name: _plain_model(judged) for name, judged in evaluation.models.items()},
        "leaks": evaluation.leaks,
        "data": {"digest": dataset.digest}
        | {key: dataset.metadata.get(key) for key in ("source", "split", "reference")},
        "model": {
            "stage": checkpoint.stage,
            "parameters": checkpoint.n_parameters,
            "provenance": checkpoint.provenance,
        },
    }
    return finite(content)


def meaning(evaluation: Evaluation) -> str:
    """One sentence on what the figures mean.

    The network is better than the base rate if the interval of AUPRC minus base rate, computed in
    each bootstrap replicate, is above 0.
    """
    if evaluation.seen:
        return "on pairs that the model may have been trained on, the figures say nothing about new pairs"
    label, speid = evaluation.models[MODEL_NAME].predictions.label, evaluation.models[MODEL_NAME].estimates
    auprc, base, positives = speid["auprc"], float(label.mean()), int(label.sum())
    figures = f"AUPRC {auprc.value:.3f}, 95% interval {auprc.low:.3f} to {auprc.high:.3f}; base rate {base:.3f}"
    few = f"{counted(positives, 'positive')}: too few to tell" if positives < FEWEST_POSITIVES else ""
    if not speid["auprc_gain"].low > 0:
        return f"speid is not significantly better than the base rate ({figures})" + (few and f"; {few}")
    if few:
        return f"{few} whether speid is better than the base rate ({figures})"
    rivals = {name: judged.estimates["auprc"] for name, judged in evaluation.models.items() if name != MODEL_NAME}
    equals = [name for name, found in rivals.items() if not auprc.low > found.high and name != BASE_RATE]
    beside = (
        f" but not clearly better than {', '.join(equals)}" if equals else " and than every baseline" if rivals else ""
    )
    return f"speid is better than the base rate{beside} ({figures})"


def _plain_model(judged: ModelResult) -> dict[str, Any]:
    return {
        "threshold": judged.predictions.threshold,
        "calibration": judged.calibration.as_plain() if judged.calibration else None,
        "measures": {name: asdict(estimate) for name, estimate in judged.estimates.items()},
    }


def evaluated_regions(evaluation: Evaluation, dataset: PairDataset) -> list[dict[str, Any]]:
    """Where the pairs judged lie: chromosome, first and last bp of their elements, and how many begin there."""
    enhancer, promoter = (side.interval[index[evaluation.members]] for _, side, index in dataset.sides)
    elements = np.concatenate([enhancer, promoter])
    return [
        {
            "chromosome": dataset.chromosomes[chrom],
            "start": int(elements[elements[:, 0] == chrom, 1].min()),
            "end": int(elements[elements[:, 0] == chrom, 2].max()),
            "pairs": int((enhancer[:, 0] == chrom).sum()),
        }
        for chrom in np.unique(elements[:, 0])
    ]


def bedpe_lines(evaluation: Evaluation, dataset: PairDataset) -> Iterator[str]:
    """The pairs judged, with the network's probability as score, their label and calibrated probability."""
    yield "#" + "\t".join((*COLUMNS, "label", "calibrated"))
    found, calibrated = evaluation.models[MODEL_NAME].predictions, evaluation.models[MODEL_NAME].calibration
    for row, pair in enumerate(evaluation.members):
        sides = []
        for _, elements, index in dataset.sides:
            chrom, start, end = elements.interval[index[pair]].tolist()
            sides += [dataset.chromosomes[chrom], str(start), str(end)]
        scores = f"{found.probability[row]:.6g}", f"{found.calibrated[row]:.6g}" if calibrated else MISSING
        name = dataset.name[pair] if dataset.name else MISSING
        yield "\t".join((*sides, name, scores[0], MISSING, MISSING, str(found.label[row]), scores[1]))
