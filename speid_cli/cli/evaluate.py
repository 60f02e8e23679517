"""``speid evaluate``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from speid_cli.cli import options
from speid_cli.cli.console import progress, report_leaks, say, warn
from speid_cli.cli.prior import check_prior, prior_option, with_prior
from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import located
from speid_cli.evaluation.settings import EvaluationSettings
from speid_cli.files import atomic_file, check_writable_folder, write_folder

if TYPE_CHECKING:
    from speid_cli.evaluation.evaluate import Evaluation
    from speid_cli.evaluation.measures import Estimate
    from speid_cli.model.checkpoint import Checkpoint

# Measures shown, and the widths of their columns, which fit in 80 characters.
_NARROW, _WIDE = 5, 19
_WIDTHS = {"auprc": _WIDE, "auroc": _WIDE, "f1": _NARROW, "calibrated_brier": _NARROW, "calibrated_ece": _NARROW}
_SHOWN = tuple(_WIDTHS)


@click.command()
@click.argument("model", type=options.INPUT, metavar="MODEL.pt")
@click.argument("data", type=options.INPUT, metavar="DATA.npz")
@options.output_folder("MODEL.evaluation")
@options.subset("Pairs to judge on.")
@click.option("--fit", is_flag=True, help="First fit threshold and calibration on validation; store them in MODEL.pt.")
@prior_option
@click.option("--replicates", type=click.IntRange(0, 100_000), default=1000, help="Bootstrap replicates.")
@click.option("--no-baselines", is_flag=True, help="Leave the baselines out.")
@options.allow_seen("Allow evaluation on pairs that the model was, or may have been, trained on.")
@options.seed
@options.compute_options
@options.common_options
@options.group("settings", EvaluationSettings)
def command(
    model: str,
    data: str,
    fit: bool,
    prior: str | None,
    output: options.OutputOptions,
    settings: EvaluationSettings,
    compute: options.ComputeOptions,
) -> None:
    """Evaluate a model on held-out pairs and compare it with baselines.

    Writes metrics.json, predictions.bedpe, pictures and report.html. Every measure has a bootstrap
    95% interval; threshold and calibration come from the validation pairs only. The threshold
    applies to uncalibrated probabilities.

    \b
    Example:
      speid evaluate pairs.pt pairs.npz --fit -o evaluation
      speid evaluate pairs.pt pairs.npz --fit --prior all_candidates.bedpe
    """
    from speid_cli.evaluation import evaluate as evaluation
    from speid_cli.model.checkpoint import Checkpoint

    check_prior(prior, fit)
    target = output.folder(f"{Path(model).stem}.evaluation")
    if fit:
        check_writable_folder(Path(model).resolve().parent)
    checkpoint, dataset = Checkpoint.read(model), PairDataset.read(data)
    device = compute.open()
    with located(data):
        if fit:
            checkpoint = with_prior(checkpoint, prior, dataset)
            checkpoint = evaluation.fit(checkpoint, dataset, device, settings.allow_seen)
        found = evaluation.evaluate(checkpoint, dataset, device, settings, say, _watch)
    if fit:
        with atomic_file(model, force=True) as stream:
            checkpoint.write(stream)
        _report_fit(model, checkpoint)
    write_folder(target, _contents(Path(model).stem, found, checkpoint, dataset, settings), output.force)
    _summarise(target, found)


def _contents(
    title: str, found: Evaluation, checkpoint: Checkpoint, dataset: PairDataset, settings: EvaluationSettings
) -> dict[str, bytes]:
    """The files of an evaluation by name."""
    from speid_cli.evaluation.page import page
    from speid_cli.evaluation.pictures import pictures
    from speid_cli.evaluation.results import as_plain, bedpe_lines

    content = as_plain(found, checkpoint, dataset, settings)
    drawn = pictures(found, checkpoint.history)
    texts = {
        "metrics.json": json.dumps(content, indent=2, allow_nan=False) + "\n",
        "predictions.bedpe": "".join(f"{line}\n" for line in bedpe_lines(found, dataset)),
        "report.html": page(title, content, drawn),
    }
    files = {f"{name}.svg": picture for name, picture in drawn.items()}
    return files | {name: text.encode() for name, text in texts.items()}


@contextmanager
def _watch(title: str, trees: int) -> Iterator[Callable[[int], None]]:
    """Print which baseline is trained, and show its progress."""
    say(title)
    with progress(title, trees, "trees") as bar:
        yield bar.advance


def _cell(estimate: Estimate, width: int) -> str:
    """A measure, with its interval where the column is wide."""
    interval = f" ({estimate.low:.3f}-{estimate.high:.3f})" if width > _NARROW else ""
    return f"{estimate.value:.3f}{interval}".ljust(width)


def _report_fit(model: str, checkpoint: Checkpoint) -> None:
    stored = " and a calibration" if checkpoint.calibration else ""
    say(f"{model}: stored a threshold of {checkpoint.threshold:.4g} for uncalibrated probabilities{stored}")
    if not checkpoint.calibration:
        warn(
            "no calibration is stored: that takes 10 validation pairs of either class, and positives that score "
            "significantly higher; predict --calibrated will refuse this model"
        )


def _summarise(target: Path, found: Evaluation) -> None:
    from speid_cli.evaluation.results import meaning

    if found.seen:
        warn(f"the model may have been trained on these pairs: {found.seen}")
    if found.chosen:
        warn(f"the figures are too good: these pairs were used to choose the model's {found.chosen}")
    width = max(map(len, found.models))
    heads = [f"{name.removeprefix('calibrated_'):<{_WIDTHS[name]}}" for name in _SHOWN]
    say(f"{'':<{width}}  {'  '.join(heads)}".rstrip())
    for name, judged in found.models.items():
        cells = [_cell(judged.estimates[measure], _WIDTHS[measure]) for measure in _SHOWN]
        say(f"{name:<{width}}  {'  '.join(cells)}".rstrip())
    say(f"95% bootstrap intervals, resampled by {found.clusters.unit}; brier and ece are after calibration")
    report_leaks(found.leaks)
    say(meaning(found))
    say(f"{target / 'report.html'}: open it in a browser")
