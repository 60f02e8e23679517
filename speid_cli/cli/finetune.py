"""``speid finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from speid_cli.cli import options
from speid_cli.cli.console import warn
from speid_cli.cli.training import ConsoleObserver, announce, presets_table, training_run
from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import located
from speid_cli.model.config import PRESETS

if TYPE_CHECKING:
    from speid_cli.model.checkpoint import Checkpoint

HELP = f"""Train the layers after the LSTM on the original, imbalanced pairs (Singh et al. 2016, section 2.2.2).

Convolution, LSTM and their norms stay exactly as pre-training left them. If no epoch
improves the validation AUPRC, the weights of PRETRAINED.pt are kept (--keep best). The fold, if there
is one, is that of PRETRAINED.pt.

{presets_table("finetune")}

\b
Example:
  speid finetune pairs.pretrained.pt pairs.npz -o model.pt
"""


@click.command(help=HELP, short_help="Train the layers after the LSTM on the original pairs.")
@click.argument("pretrained", type=options.INPUT, metavar="PRETRAINED.pt")
@click.argument("data", type=options.INPUT, metavar="DATA.npz")
@options.output_options("Model to write.  [default: DATA.pt, with a fold DATA.foldI.pt]")
@options.training_options
@options.compute_options
@options.common_options
def command(
    pretrained: str,
    data: str,
    output: options.OutputOptions,
    training: options.TrainingOptions,
    compute: options.ComputeOptions,
) -> None:
    """Read, train, write."""
    from speid_cli.model.checkpoint import Checkpoint
    from speid_cli.training.stages import finetune

    start = Checkpoint.read(pretrained)
    dataset = start.division_of(PairDataset.read(data))
    is_another = start.provenance.get("dataset") != dataset.digest
    of_fold = f".fold{start.fold['number']}" if start.fold and not is_another else ""
    with training_run(output, f"{Path(data).stem}{of_fold}.pt", training, pretrained, data) as run:
        if is_another:
            without = "; its fold is not used" if start.fold else ""
            found = f"{data} is not the data set that {pretrained} was trained on"
            warn(f"{found}: its test pairs may have been seen{without}")
        preset = PRESETS.get(start.provenance.get("preset", "paper"), PRESETS["paper"])
        settings, device = training.change(preset.finetune), compute.open(run.processes)
        announce(dataset, settings)
        with ConsoleObserver() as observer, located(data):
            model = finetune(start, dataset, settings, device, training.seed, observer, run.training_state)
        run.write(model)
        _compare_with_start(model)


def _compare_with_start(model: Checkpoint) -> None:
    """Warn if fine-tuning ranks the validation pairs worse than before."""
    stage = model.provenance["stages"][-1]
    before = stage["validation_before"]
    after = [row["validation_auprc"] for row in model.history if row["stage"] == "finetuned"]
    if not after or not before >= 0:  # no epoch, or pairs of one class, without an AUPRC
        return
    figures = f"validation AUPRC was {before:.3f} before fine-tuning, and"
    if stage["kept_epoch"] == 0:
        warn(f"{figures} at best {max(after):.3f} after it: the pre-trained weights are kept (--keep best)")
    elif stage["settings"]["keep"] == "last" and after[-1] < before:
        warn(f"{figures} is {after[-1]:.3f} after it (--keep best keeps the better weights)")
