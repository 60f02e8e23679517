"""``speid predict``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from speid_cli.cli import options
from speid_cli.cli.console import Stopwatch, say, warn
from speid_cli.cli.reference import open_reference, reference_option
from speid_cli.cli.scored import MadeOf, ScoredOutput
from speid_cli.errors import OptionError, counted
from speid_cli.files import sha256_of
from speid_cli.model.config import BATCH_SIZE, GPU_BATCH_SIZE, StreamSettings
from speid_cli.text import Share, count_lines

if TYPE_CHECKING:
    from speid_cli.model.checkpoint import Checkpoint
    from speid_cli.scoring.scale import Scale
    from speid_cli.scoring.stream import PairStream, StreamCounts

Shard = tuple[int, int]
FILES = "MODEL.pt... CANDIDATES.bedpe"


def prevalence(value: object) -> float | str:
    """A share between 0 and 1, or the word distance."""
    if value == "distance":
        return "distance"
    with suppress(ValueError):
        if 0 < (share := float(str(value))) < 1:
            return share
    raise click.BadParameter(f"{value!r}: expected a share between 0 and 1, or the word distance")


@dataclass(frozen=True)
class ProbabilityOptions:
    """``--calibrated`` and ``--prevalence``."""

    calibrated: bool
    prevalence: float | str | None

    def of(self, models: Sequence[str], checkpoints: Sequence[Checkpoint]) -> Scale:
        """From the logits of these models to probabilities."""
        from speid_cli.evaluation.posterior import calibrated
        from speid_cli.scoring.scale import PLAIN

        if not self.calibrated and self.prevalence is None:
            return PLAIN
        return calibrated(models, checkpoints, self.prevalence)


@click.command()
@click.argument("files", type=options.INPUT_OR_DASH, metavar=FILES, nargs=-1)
@reference_option
@options.output("Scored BEDPE to write; compressed if it ends in .gz.  [default: standard output]")
@click.option(
    "--append",
    is_flag=True,
    help="Add the probability as a new last column, whose number is printed at the end, instead of column 8.",
)
@click.option(
    "--on-invalid",
    type=click.Choice(["error", "na"]),
    default=StreamSettings.on_invalid,
    help="For a line that cannot be scored: stop with an error, or write '.' as its score and count it.",
)
@click.option(
    "--calibrated", is_flag=True, help="Print calibrated probabilities (of a model fitted by evaluate --fit)."
)
@click.option(
    "--prevalence",
    type=prevalence,
    metavar="SHARE|distance",
    help="Expected share of positives among the candidates, or the word distance: the share at each pair's own "
    "distance, as evaluate --fit --prior stored it. Implies --calibrated.  [default: that of the validation pairs]",
)
@options.promoter_first
@click.option(
    "--batch-size",
    type=click.IntRange(1, 1_000_000),
    help=f"Pairs computed together, where PyTorch's kernels run.  [default: {BATCH_SIZE}, on a GPU {GPU_BATCH_SIZE}]",
)
@click.option(
    "--block-size",
    type=click.IntRange(1, 10_000_000),
    default=StreamSettings.block_size,
    help="Lines held in memory at a time, at most.",
)
@options.cache_memory
@click.option(
    "--shard",
    type=options.shard,
    metavar="I/N",
    help="Score the I-th of N equal shares of the lines; all outputs, one after the other, are the complete output.",
)
@click.option(
    "--resume-output",
    "resume",
    is_flag=True,
    help="Resume an interrupted run that used this option: keep the lines already in the output (-o) and add the rest.",
)
@options.compute_options
@options.common_options
@options.group("output", ScoredOutput)
@options.group("settings", StreamSettings)
@options.group("scale", ProbabilityOptions)
def command(
    files: tuple[str, ...],
    reference: str | None,
    append: bool,
    shard: Shard | None,
    output: ScoredOutput,
    settings: StreamSettings,
    scale: ProbabilityOptions,
    compute: options.ComputeOptions,
) -> None:
    """Score candidate pairs with a trained model.

    CANDIDATES.bedpe may be gzip-compressed, or - for standard input. Every input line gives one
    output line, in order; column 8 is the probability that the pair interacts. No threshold is
    applied; the one that `evaluate --fit` chose is in `speid info MODEL.pt`. The logits of several
    models are averaged, or their calibrated log-odds.

    \b
    Example:
      speid predict model.pt candidates.bedpe > scored.bedpe
      zcat candidates.bedpe.gz | speid predict model.pt - | sort -t$'\\t' -k8,8gr | head
      speid predict fold1.pt fold2.pt fold3.pt candidates.bedpe > scored.bedpe
      speid predict model.pt candidates.bedpe --shard 3/100 -o part003.bedpe --resume-output
    """
    from speid_cli.model.ensemble import read_ensemble
    from speid_cli.model.processes import Processes
    from speid_cli.scoring.formats import ScoredBedpe
    from speid_cli.scoring.stream import PairStream

    models, candidates = _split(files)
    processes, clock = Processes.of_torchrun(), Stopwatch()
    output.check((*files, reference))
    share = Share(candidates, *shard) if shard else Share(candidates)
    if shard is not None or output.resume or processes.count > 1:
        _refuse_streams(candidates)
    lines = count_lines(share)
    checkpoints, device = read_ensemble(models), compute.open(processes)
    probabilities = scale.of(models, checkpoints)
    with open_reference(checkpoints[0], models[0], reference) as genome, processes.connected():
        output.check((str(genome.path),))
        networks = (checkpoint.model() for checkpoint in checkpoints)
        stream, format_ = PairStream(networks, device, genome, settings, probabilities), ScoredBedpe(append)
        made_of: MadeOf = {
            "--append": append, "--promoter-first": settings.promoter_first, "--calibrated": scale.calibrated,
            "--prevalence": scale.prevalence, "--precision": compute.precision,
            "--shard": shard and "{}/{}".format(*shard),
        }  # fmt: skip
        if output.resume and processes.is_main:
            made_of["model"] = " ".join(map(sha256_of, models))
            made_of["reference"] = f"{genome.digest:.16} {genome.sample:.16}"
        there = output.fill(stream, format_, share, processes, made_of, lines)
        if counts := processes.gather(stream.counts):
            _warn_of_inputs(checkpoints, stream, sum(each.outside for each in counts))
            _report(counts, there, format_.columns, clock.seconds)


def _split(files: tuple[str, ...]) -> tuple[list[str], str]:
    """The models, and the candidates, which are the last file."""
    if len(files) < 2:
        raise click.UsageError(f"expected {FILES}: one or more models, then the candidates")
    return [*files[:-1]], files[-1]


def _refuse_streams(path: str) -> None:
    """Refuse candidates that can be read only once."""
    if path == "-" or (Path(path).exists() and not Path(path).is_file()):
        name = "standard input" if path == "-" else f"{path} is a pipe: it"
        raise OptionError(f"{name} can be read only once; --shard, --resume-output and torchrun need a regular file")


def _warn_of_inputs(checkpoints: Sequence[Checkpoint], stream: PairStream, outside: int) -> None:
    """Warn of candidates unlike the training data, of contigs with other names, and of pairs outside the prior."""
    from speid_cli.dataset.composition import compare

    found, known = stream.compositions(), (checkpoint.composition for checkpoint in checkpoints)
    warn(next(filter(None, (compare(found, composition) for composition in known if composition)), None))
    warn(stream.reference.contigs.alias_warning())
    if outside and stream.scale.reach_bp:
        low, high = stream.scale.reach_bp
        warn(
            f"{counted(outside, 'pair')} not within the {low:,.0f} to {high:,.0f} bp that the prior was learnt from: "
            "the prior at the nearer end was used"
        )


def _report(counts: Sequence[StreamCounts], there: int, columns: set[int], seconds: float) -> None:
    """Report the lines that all processes have scored, after the lines that were there."""
    pairs, invalid = sum(each.pairs for each in counts), sum(each.invalid for each in counts)
    if columns:
        say(f"probability: column {' or '.join(map(str, sorted(columns)))}")
    if not pairs and not there:
        warn("no pairs in the input")
    if invalid:
        first = next(each.first_invalid for each in counts if each.invalid)
        since = "; lines of the interrupted run are not counted" if there else ""
        warn(f"{counted(invalid, 'line')} could not be scored, with '.' for a score; the first: {first}{since}")
    say(f"{counted(pairs - invalid, 'pair')} scored in {seconds:.1f} s")
