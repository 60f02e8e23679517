"""``speid motifs``."""

from __future__ import annotations

from dataclasses import dataclass

import click

from speid_cli.cli import options
from speid_cli.cli.console import say, warn
from speid_cli.errors import DataError, OptionError, counted
from speid_cli.files import atomic_file
from speid_cli.genome.motif_files import Motif
from speid_cli.model.config import PRESETS
from speid_cli.model.motif_kernels import KernelInitialisers, choose, fit, place


@dataclass(frozen=True)
class PlacingOptions:
    """How motifs are placed into kernels."""

    preset: str
    kernel_length: int | None
    max_kernels: int | None
    reverse_complements: str
    pseudocount: float
    long_motifs: str
    seed: int

    def place(self, motifs: list[Motif]) -> KernelInitialisers:
        """Kernels for the motifs, or for as many as there is room for."""
        length = self.kernel_length or PRESETS[self.preset].model.kernel_length
        _report_long(motifs, length, refuse=self.long_motifs == "refuse")
        limit = PRESETS[self.preset].motif_kernels if self.max_kernels is None else self.max_kernels
        chosen = choose(fit(motifs, length), limit, self.reverse_complements == "all", self.seed)
        if left_out := len(motifs) - sum(motif.strand == "+" for motif in chosen):
            room = counted(limit, "kernel")
            warn(f"{counted(left_out, 'motif')} left out at random: there is room in {room} (--max-kernels)")
        return place(chosen, length, self.pseudocount, self.seed)


@click.command()
@click.argument("files", nargs=-1, type=options.INPUT_OR_DASH, metavar="[FILE]...")
@options.jaspar
@options.output_options("Initialisers to write.  [default: kernels.npz]")
@click.option("--preset", type=click.Choice(list(PRESETS)), default="paper", help="Network that the kernels are for.")
@click.option("--kernel-length", type=click.IntRange(1, 10_000), help="Kernel length in bp.  [default: the preset's]")
@click.option(
    "--max-kernels",
    type=click.IntRange(0, 1_000_000),
    help="Maximum number of kernels to initialise; of more motifs, a random subset is used.  [default: "
    f"{', '.join(f'{name}: {preset.motif_kernels}' for name, preset in PRESETS.items())}]",
)
@click.option(
    "--reverse-complements",
    type=click.Choice(["all", "none"]),
    default="none",
    help="Give each motif a second kernel for the other strand.",
)
@click.option("--pseudocount", type=options.FiniteFloat(0, 1e9), default=0.0, help="Added to each letter's count.")
@click.option(
    "--long-motifs",
    type=click.Choice(["cut", "refuse"]),
    default="cut",
    help="Motifs longer than the kernel: use the middle, or stop.",
)
@options.seed
@options.common_options
@options.group("source", options.MotifSource)
@options.group("placing", PlacingOptions)
def command(source: options.MotifSource, placing: PlacingOptions, output: options.OutputOptions) -> None:
    """Turn JASPAR, PFM or MEME motifs into kernel initialisers.

    The probability matrix of each motif, minus 0.25, is written into one kernel of both branches,
    at a random offset. Give files, --jaspar, or both.

    \b
    Example:
      speid motifs --jaspar 2016 -o kernels.npz
      speid motifs factors.meme --preset small --reverse-complements all
    """
    if not source.files and source.jaspar is None:
        raise OptionError("no motifs: give motif files, or --jaspar RELEASE")
    target = output.file("kernels.npz", *source.files)
    motifs = source.read()
    say(f"{counted(len(motifs), 'motif')} read")
    kernels = placing.place(motifs)
    with atomic_file(target, output.force) as stream:
        kernels.write(stream)
    say(f"{target}: {counted(len(kernels), 'kernel')} of {kernels.kernel_length} bp")


def _report_long(motifs: list[Motif], length: int, refuse: bool) -> None:
    long = [motif for motif in motifs if motif.length > length]
    if long and refuse:
        raise DataError(
            f"motif {long[0].identifier} is {long[0].length} bp long",
            expected=f"{length} bp at most",
            hint="--long-motifs cut uses the middle",
            path=long[0].source,
        )
    if long:
        names = ", ".join(motif.identifier for motif in long[:5]) + ", ..." * (len(long) > 5)
        warn(f"{counted(len(long), 'motif')} longer than the kernel, cut to the middle {length} bp: {names}")
