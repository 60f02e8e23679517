"""``speid evaluate``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from speid_cli.cli import options
from speid_cli.cli.console import command_and_date, progress, report_leaks, say, warn
from speid_cli.cli.prior import check_prior, prior_option, with_prior
from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import OptionError, located
from speid_cli.evaluation.settings import EvaluationSettings
from speid_cli.files import atomic_file, check_writable_folder, write_folder
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.reference import Reference

if TYPE_CHECKING:
    from speid_cli.evaluation.evaluate import Evaluation
    from speid_cli.evaluation.features import TrackFeatures
    from speid_cli.evaluation.measures import Estimate
    from speid_cli.evaluation.parts import Part
    from speid_cli.model.checkpoint import Checkpoint
    from speid_cli.model.device import Device

# Measures shown, and the widths of their columns, which fit in 80 characters.
_NARROW, _WIDE = 5, 19
_WIDTHS = {"auprc": _WIDE, "auroc": _WIDE, "f1": _NARROW, "calibrated_brier": _NARROW, "calibrated_ece": _NARROW}


@click.command()
@click.argument("files", type=options.INPUT, nargs=-1, required=True, metavar="MODEL.pt... DATA.npz")
@options.output_folder("MODEL.evaluation, or DATA.evaluation,")
@options.subset("Pairs to judge on.")
@click.option("--fit", is_flag=True, help="First fit threshold and calibration on validation; store them in MODEL.pt.")
@prior_option
@click.option("--no-model", is_flag=True, help="Judge the baselines alone, on DATA.npz, in each fold if it has folds.")
@click.option(
    "--tracks",
    type=options.INPUT,
    metavar="TRACKS.tsv",
    help="Also judge TargetFinder, trained on the signal of these tracks; see `speid features`.",
)
@click.option("--replicates", type=click.IntRange(0, 100_000), default=1000, help="Bootstrap replicates.")
@click.option("--ensemble", is_flag=True, help="Of several models, also judge the mean of their logits.")
@click.option("--no-baselines", is_flag=True, help="Leave the baselines out.")
@options.allow_seen("Allow evaluation on pairs that the model was, or may have been, trained on.")
@options.seed
@options.compute_options
@options.common_options
@options.group("settings", EvaluationSettings)
def command(
    files: tuple[str, ...],
    fit: bool,
    prior: str | None,
    no_model: bool,
    tracks: str | None,
    output: options.OutputOptions,
    settings: EvaluationSettings,
    compute: options.ComputeOptions,
) -> None:
    """Evaluate a model on held-out pairs and compare it with baselines.

    Writes metrics.json, predictions.bedpe, pictures and report.html. Every measure has a bootstrap
    95% interval; threshold and calibration come from the validation pairs only. The threshold
    applies to uncalibrated probabilities.

    Given one model for each fold of DATA.npz, it judges each on its own test fold, and all
    predictions together. Given several models that were trained with the same split, it judges each, and
    the differences between them on the same pairs.

    \b
    Example:
      speid evaluate pairs.pt pairs.npz --fit -o evaluation
      speid evaluate pairs.pt pairs.npz --fit --prior all_candidates.bedpe
      speid evaluate pairs.fold*.pt pairs.npz
      speid evaluate one.pt other.pt pairs.npz --ensemble
      speid evaluate pairs.fold*.pt pairs.npz --tracks tracks.tsv
      speid evaluate pairs.npz --no-model --tracks tracks.tsv
    """
    from threadpoolctl import threadpool_limits

    from speid_cli.evaluation.evaluate import evaluate
    from speid_cli.evaluation.parts import are_rivals, parts_of
    from speid_cli.model.checkpoint import Checkpoint

    *models, data = files
    _check_models(models, no_model, fit, bool(tracks), settings)
    check_prior(prior, fit, len(models))
    title = Path(models[0] if len(models) == 1 else data).stem
    target = output.folder(f"{title}.evaluation")
    dataset = PairDataset.read(data)
    read = [(path, Checkpoint.read(path)) for path in models]
    if settings.ensemble and not are_rivals(read):
        raise OptionError("--ensemble needs several models that were divided alike")
    with located(data):
        if are_rivals(read):
            parts = [part for each in read for part in parts_of([each], dataset)]
        else:
            parts = parts_of(read, dataset)
    device = compute.open() if models else None
    with located(data):
        if device is not None and fit:
            parts = [_fit(part, prior, device, settings.allow_seen) for part in parts]
    features = _features(tracks, dataset, data) if tracks else None
    rivals = dict(zip(_names(models), parts, strict=True)) if are_rivals(read) else {}
    with located(data), threadpool_limits(compute.threads):
        found = evaluate(parts[:1] if rivals else parts, device, settings, features, say, rivals)
    for _, checkpoint, path in parts if fit else ():
        if checkpoint is not None and path is not None:
            with atomic_file(path, force=True) as stream:
                checkpoint.write(stream)
            _report_fit(path, checkpoint)
    write_folder(target, _contents(title, found, settings), output.force)
    _summarise(target, found)


def _names(models: list[str]) -> list[str]:
    """Names of models in tables: those of their files, with folders where these are needed to tell them apart."""
    from speid_cli.evaluation.baselines import BASELINES
    from speid_cli.evaluation.evaluate import ENSEMBLE, MODEL_NAME
    from speid_cli.genome.bedpe import COLUMNS

    stems = [Path(path).stem for path in models]
    taken = {ENSEMBLE, *BASELINES, *COLUMNS, "label", "calibrated"}
    is_clear = len(set(stems)) == len(stems) and not any(
        stem in taken or stem.startswith((f"{MODEL_NAME} +", "TargetFinder")) for stem in stems
    )
    return [" ".join(name.split()) for name in (stems if is_clear else models)]


def _check_models(models: list[str], no_model: bool, fit: bool, tracks: bool, settings: EvaluationSettings) -> None:
    """Refuse models with --no-model, and nothing to judge."""
    if no_model and (models or fit):
        raise OptionError("--no-model cannot be used with MODEL.pt or --fit")
    if no_model and settings.no_baselines and not tracks:
        raise OptionError("--no-model --no-baselines needs --tracks: nothing else is left to judge")
    if not models and not no_model:
        raise OptionError("MODEL.pt and DATA.npz are needed; --no-model judges the baselines alone")
    if len({Path(path).resolve() for path in models}) < len(models):
        raise OptionError("a model is given twice")
    for path in models if fit else ():
        check_writable_folder(Path(path).resolve().parent)


def _fit(part: Part, prior: str | None, device: Device, allow_seen: bool) -> Part:
    """The part with threshold, calibration and prior in its model."""
    from speid_cli.evaluation.evaluate import fit

    dataset, checkpoint, _ = part
    if checkpoint is None:
        return part
    with_all = fit(with_prior(checkpoint, prior, dataset), dataset, device, allow_seen)
    return part._replace(checkpoint=with_all)


def _features(tracks: str, dataset: PairDataset, data: str) -> TrackFeatures:
    """TargetFinder's features of all pairs."""
    from speid_cli.cli.features import warn_of_tracks
    from speid_cli.evaluation.targetfinder import dataset_features
    from speid_cli.genome.tracks import read_tracks

    assays, contigs = read_tracks(tracks), _contigs(dataset, data)
    with progress("tracks", sum(len(track.paths) for track in assays), "files") as bar:
        features = dataset_features(dataset, data, assays, contigs, bar.advance)
    warn_of_tracks(features, contigs, data, dataset.pair(0).enhancer)
    return features


def _contigs(dataset: PairDataset, data: str) -> ContigNames:
    """Those of the genome that the data set was made from, with lengths, if it is found; else the data set's."""
    remembered = dataset.metadata.get("reference") or {}
    for path in (remembered.get("path", ""), os.environ.get("SPEID_REFERENCE", "")):
        if Path(path).is_file():
            with Reference(path) as genome:
                if genome.digest == remembered.get("digest"):
                    return genome.contigs
    warn(
        f"the reference of {data} is not at {remembered.get('path')}: whether the tracks are of the same genome build "
        "is not checked; SPEID_REFERENCE=REFERENCE.fa gives it"
    )
    return ContigNames(dataset.chromosomes, data)


def _contents(title: str, found: Evaluation, settings: EvaluationSettings) -> dict[str, bytes]:
    """The files of an evaluation by name."""
    from speid_cli.evaluation.page import page
    from speid_cli.evaluation.pictures import pictures
    from speid_cli.evaluation.results import as_plain, bedpe_lines, strongest_pairs

    content, drawn = as_plain(found, settings), pictures(found)
    texts = {
        "metrics.json": json.dumps(content, indent=2, allow_nan=False) + "\n",
        "predictions.bedpe": "".join(f"{line}\n" for line in bedpe_lines(found)),
        "report.html": page(title, content, drawn, strongest_pairs(found), command_and_date()),
    }
    files = {f"{name}.svg": picture for name, picture in drawn.items()}
    return files | {name: text.encode() for name, text in texts.items()}


def _cell(estimate: Estimate, width: int) -> str:
    """A measure, with its interval where the column is wide."""
    interval = f" ({estimate.low:.3f}-{estimate.high:.3f})" if width > _NARROW else ""
    return f"{estimate.value:.3f}{interval}".ljust(width)


def _report_fit(model: str, checkpoint: Checkpoint) -> None:
    stored = " and a calibration" if checkpoint.calibration else ""
    say(f"{model}: stored a threshold of {checkpoint.threshold:.4g} for uncalibrated probabilities{stored}")
    if not checkpoint.calibration:
        warn(
            "no calibration is stored: it needs at least 10 validation pairs of each class, and positives that score "
            "significantly higher than negatives; predict --calibrated will refuse this model"
        )


def _summarise(target: Path, found: Evaluation) -> None:
    from speid_cli.evaluation.results import compared, meaning

    if found.seen:
        warn(f"the model may have been trained on these pairs: {found.seen}")
    if found.chosen:
        warn(f"the figures are too good: these pairs were used to choose the {found.chosen}")
    width = max(map(len, found.models))
    shown = {name: f"{name}{found.within}" if name.startswith("au") else name for name in _WIDTHS}
    heads = [name.removeprefix("calibrated_").ljust(column) for name, column in _WIDTHS.items()]
    say(f"{'':<{width}}  {'  '.join(heads)}".rstrip())
    for name, judged in found.models.items():
        cells = [_cell(judged.estimates[measure], _WIDTHS[name]) for name, measure in shown.items()]
        say(f"{name:<{width}}  {'  '.join(cells)}".rstrip())
    say(f"95% bootstrap intervals, resampled by {found.clusters.unit}; brier and ece are after calibration")
    uncalibrated = [name for name in found.networks if None in {each.calibration for each in found.models[name].fitted}]
    if uncalibrated:
        say(
            f"no calibration of {', '.join(uncalibrated)}: its brier and ece are those of one probability for all "
            "pairs, the share of positives among the validation pairs"
        )
    if found.within:
        say("auprc and auroc are those among pairs of the same fold; for all pairs together, see the report")
    report_leaks(found.leaks)
    for sentence in (meaning(found), *compared(found)):
        say(sentence)
    say(f"{target / 'report.html'}: open it in a browser")
