"""``speid pretrain``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from speid_cli.cli import options
from speid_cli.cli.training import ConsoleObserver, announce, assignments, presets_table, training_run
from speid_cli.dataset.pairs import MOST_FOLDS, PairDataset
from speid_cli.errors import located
from speid_cli.model.config import PRESETS
from speid_cli.model.motif_kernels import KernelInitialisers

HELP = f"""Train a network on augmented pairs (Singh et al. 2016, section 2.2.1).

Each positive is copied with random shifts so that the classes balance. The weights of the epoch
with the best validation AUPRC are kept.

{presets_table("pretrain")}

\b
Example:
  speid pretrain pairs.npz --preset small --motifs kernels.npz
  speid pretrain pairs.npz -o paper.pretrained.pt      # the network of the paper: hours on a CPU
"""


def by_preset(setting: str) -> str:
    """A setting's default for each preset, for help."""
    return ", ".join(f"{name}: {getattr(preset.pretrain, setting)}" for name, preset in PRESETS.items())


@click.command(help=HELP, short_help="Train a network on augmented pairs.")
@click.argument("data", type=options.INPUT, metavar="DATA.npz")
@options.output_options("Model to write.  [default: DATA.pretrained.pt, with a fold DATA.pretrained.foldI.pt]")
@click.option(
    "--preset", type=click.Choice(list(PRESETS)), default="paper", help="Sizes of the network and how it trains."
)
@click.option(
    "--fold",
    type=click.IntRange(1, MOST_FOLDS),
    metavar="I",
    help="Test on fold I of `prepare --folds`, validate on the next and train on the others.",
)
@click.option("--motifs", type=options.INPUT, metavar="KERNELS.npz", help="Initialise kernels with these motifs.")
@click.option(
    "--copies",
    type=click.IntRange(0, 10_000),
    help=f"Copies of each positive per epoch; 0: as many as balance the classes.  [default: {by_preset('copies')}]",
)
@click.option(
    "--shift",
    type=click.Choice(["positives", "all", "none"]),
    help=f"Pairs whose windows are shifted at random.  [default: {by_preset('shift')}]",
)
@click.option("--fixed-shifts", is_flag=True, default=None, help="Draw the shifts once, not anew each epoch.")
@click.option(
    "--start",
    type=click.Choice(["keras", "invariant"]),
    help="First weights: Keras's, as in the paper; or those with which a motif means the same at each place of an "
    f"element, and the LSTM reads motif kernels.  [default: {by_preset('start')}]",
)
@click.option(
    "--set",
    "sizes",
    multiple=True,
    callback=assignments,
    metavar="NAME=VALUE",
    help="Change a setting of the network, such as n_kernels=64; repeatable.",
)
@options.training_options
@options.compute_options
@options.common_options
def command(
    data: str,
    preset: str,
    fold: int | None,
    motifs: str | None,
    sizes: dict[str, str],
    output: options.OutputOptions,
    training: options.TrainingOptions,
    compute: options.ComputeOptions,
) -> None:
    """Read, train, write."""
    from speid_cli.training.stages import pretrain

    of_fold = "" if fold is None else f".fold{fold}"
    with training_run(output, f"{Path(data).stem}.pretrained{of_fold}.pt", training, data, motifs) as run:
        dataset = PairDataset.read(data)
        if fold is not None:
            with located(data):
                dataset = dataset.for_fold(fold)
        kernels = KernelInitialisers.read(motifs) if motifs else None
        settings, device = training.change(PRESETS[preset].pretrain), compute.open(run.processes)
        windows = {"enhancer_window": dataset.enhancers.window, "promoter_window": dataset.promoters.window}
        config = replace(PRESETS[preset].model, **windows).with_values(sizes)
        announce(dataset, settings)
        smaller = "--preset small trains a smaller network in much less time" if preset == "paper" else ""
        with ConsoleObserver(smaller) as observer, located(data):
            seed, state = training.seed, run.training_state
            model = pretrain(dataset, config, settings, kernels, device, seed, observer, preset, state)
        run.write(model)
