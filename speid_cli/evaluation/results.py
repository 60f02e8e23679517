"""An evaluation as plain values (``metrics.json``) and as BEDPE (``predictions.bedpe``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from speid_cli import __version__
from speid_cli.dataset.checks import FEWEST_POSITIVES
from speid_cli.dataset.pairs import SUBSETS
from speid_cli.errors import counted
from speid_cli.evaluation.baselines import BASE_RATE, pair_distances
from speid_cli.evaluation.evaluate import MODEL_NAME, Evaluation, ModelResult
from speid_cli.evaluation.measures import beats_chance
from speid_cli.evaluation.settings import EvaluationSettings
from speid_cli.files import finite
from speid_cli.genome.bed import place_of
from speid_cli.genome.bedpe import COLUMNS, MISSING
from speid_cli.model.checkpoint import Checkpoint

FORMAT_VERSION = 1
_STRONGEST = 10


def as_plain(evaluation: Evaluation, settings: EvaluationSettings) -> dict[str, Any]:
    """What ``metrics.json`` holds: plain values, None for what is undefined.

    Where folds are judged together, ``model``, and ``threshold`` and ``calibration`` of each, are lists with one value
    a fold.
    """
    label, dataset = evaluation.label, evaluation.parts[0].dataset
    networks = [_plain_network(part.checkpoint) for part in evaluation.parts if part.checkpoint is not None]
    is_one = len(evaluation.parts) == 1
    content = {
        "format_version": FORMAT_VERSION,
        "speid_version": __version__,
        "subset": SUBSETS[settings.subset],
        "folds": len(evaluation.parts) if len(evaluation.parts) > 1 else None,
        "pairs": len(label),
        "positives": int(label.sum()),
        "base_rate": float(label.mean()),
        "held_out": evaluated_regions(evaluation),
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
        "networks": list(evaluation.networks),
        "differences": [
            {"models": list(names)} | {name: asdict(estimate) for name, estimate in found.items()}
            for names, found in evaluation.differences.items()
        ],
        "compared": compared(evaluation),
        "leaks": evaluation.leaks,
        "data": {"digest": dataset.digest}
        | {key: dataset.metadata.get(key) for key in ("source", "split", "reference")}
        | {"fold": dataset.metadata.get("fold") if is_one else None},
        "model": next(iter(networks), None) if is_one else networks or None,
    }
    return finite(content)


def _plain_network(checkpoint: Checkpoint) -> dict[str, Any]:
    """What is known of a network."""
    return {"stage": checkpoint.stage, "parameters": checkpoint.n_parameters, "provenance": checkpoint.provenance}


def meaning(evaluation: Evaluation) -> str:
    """One sentence on what the figures mean; without bootstrap replicates there is no verdict.

    A model is better than the base rate if it beats chance by both AUPRC and AUROC, see `beats_chance`.
    """
    if evaluation.seen:
        return "on pairs that the model may have been trained on, the figures say nothing about new pairs"
    positives = int(evaluation.label.sum())
    few = f"{counted(positives, 'positive')}: too few to tell" if positives < FEWEST_POSITIVES else ""
    if all(np.isnan(judged.estimates["auroc"].low) for judged in evaluation.models.values()):
        return "without intervals (--replicates 0) nothing is said on which model is better"
    if evaluation.network is None:
        return _meaning_of_baselines(evaluation, few)
    key = f"auprc{evaluation.within}"
    auprc, gain = evaluation.network.estimates[key], evaluation.network.estimates[f"{key}_gain"]
    name = "AUPRC within folds" if evaluation.within else "AUPRC"
    figures = f"{name} {auprc.value:.3f}, 95% interval {auprc.low:.3f} to {auprc.high:.3f}; base rate "
    figures += f"{auprc.value - gain.value:.3f}"
    speid = evaluation.networks[0]
    if not beats_chance(evaluation.network.estimates, evaluation.within):
        return f"{speid} is not significantly better than the base rate ({figures})" + (few and f"; {few}")
    if few:
        return f"{few} whether {speid} is better than the base rate ({figures})"
    rivals = {
        name: judged.estimates[key]
        for name, judged in evaluation.models.items()
        if name not in evaluation.networks and not name.startswith(MODEL_NAME)
    }
    equals = [name for name, found in rivals.items() if not auprc.low > found.high and name != BASE_RATE]
    beside = (
        f" but not clearly better than {', '.join(equals)}" if equals else " and than every baseline" if rivals else ""
    )
    return f"{speid} is better than the base rate{beside} ({figures})"


def compared(evaluation: Evaluation) -> list[str]:
    """A sentence for each two networks on the difference of their AUPRC."""
    sentences = []
    for (first, second), found in evaluation.differences.items():
        auprc = found["auprc"]
        figures = f"AUPRC {auprc.value:+.3f}, 95% interval {auprc.low:+.3f} to {auprc.high:+.3f}"
        better = "is better than" if auprc.low > 0 else "is worse than" if auprc.high < 0 else "does not differ "
        better += "" if auprc.low > 0 or auprc.high < 0 else "significantly from"
        sentences.append(f"{first} {better} {second} ({figures})")
    return sentences


def _meaning_of_baselines(evaluation: Evaluation, few: str) -> str:
    """What the figures of an evaluation without a network mean."""
    key = f"auprc{evaluation.within}"
    better = [
        f"{name} (AUPRC {judged.estimates[key].value:.3f})"
        for name, judged in evaluation.models.items()
        if beats_chance(judged.estimates, evaluation.within)
    ]
    first = next(iter(evaluation.models.values())).estimates
    base_rate = first[key].value - first[f"{key}_gain"].value
    among = ", among pairs of the same fold" if evaluation.within else ""
    found = f"better than the base rate of {base_rate:.3f}{among}: {', '.join(better) or 'nothing'}"
    return found + (few and f"; {few}")


def _plain_model(judged: ModelResult) -> dict[str, Any]:
    thresholds = [fitted.threshold for fitted in judged.fitted]
    calibrations = [fitted.calibration.as_plain() if fitted.calibration else None for fitted in judged.fitted]
    single = len(judged.fitted) == 1
    return {
        "threshold": thresholds[0] if single else thresholds,
        "calibration": calibrations[0] if single else calibrations,
        "measures": {name: asdict(estimate) for name, estimate in judged.estimates.items()},
    }


def evaluated_regions(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Where the pairs judged lie: chromosome, first and last bp of their elements, and how many begin there."""
    dataset = evaluation.parts[0].dataset
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


def strongest_pairs(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The pairs with the highest probabilities by the network: name, places, distance in bp, label, probability."""
    if evaluation.network is None:
        return []
    dataset, probability = evaluation.parts[0].dataset, evaluation.network.predictions.probability
    distance = pair_distances(dataset)
    rows = []
    for row in np.argsort(-probability, kind="stable")[:_STRONGEST]:
        pair = int(evaluation.members[row])
        enhancer, promoter = dataset.pair(pair)
        rows.append({
            "name": dataset.name[pair] if dataset.name else "", "enhancer": place_of(enhancer),
            "promoter": place_of(promoter), "distance": int(distance[pair]) if np.isfinite(distance[pair]) else None,
            "interacts": "yes" if dataset.label[pair] else "no", "probability": float(probability[row]),
        })  # fmt: skip
    return rows


def bedpe_lines(evaluation: Evaluation) -> Iterator[str]:
    """The pairs judged, with the network's probability as score.

    Further columns are the label, the network's calibrated probability, and the probability of each baseline.
    """
    dataset, network = evaluation.parts[0].dataset, evaluation.network
    others = {name: judged.predictions for name, judged in evaluation.models.items() if judged is not network}
    yield "#" + "\t".join((*COLUMNS, "label", "calibrated", *others))
    fitted = network is not None and all(found.calibration for found in network.fitted)
    for row, pair in enumerate(evaluation.members):
        enhancer, promoter = dataset.pair(pair)
        score = f"{network.predictions.probability[row]:.6g}" if network else MISSING
        calibrated = f"{network.predictions.calibrated[row]:.6g}" if network and fitted else MISSING
        name = dataset.name[pair] if dataset.name else MISSING
        values = [f"{found.probability[row]:.6g}" for found in others.values()]
        label = str(dataset.label[pair])
        yield "\t".join((*map(str, enhancer + promoter), name, score, MISSING, MISSING, label, calibrated, *values))
