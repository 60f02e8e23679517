"""``speid predict``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from speid_cli.cli import options
from speid_cli.cli.console import Stopwatch, say, warn
from speid_cli.cli.scored import ScoredOutput
from speid_cli.errors import DataError, OptionError, counted, located
from speid_cli.files import count_lines, read_lines, sha256_of
from speid_cli.model.config import ScoringConfig


@click.command()
@click.argument("model", type=options.INPUT, metavar="MODEL.pt")
@click.argument("candidates", type=options.INPUT_OR_DASH, metavar="CANDIDATES.bedpe")
@click.option(
    "-f",
    "--reference",
    type=options.INPUT,
    metavar="REFERENCE.fa",
    help="FASTA to read.  [default: the one the model remembers, else $SPEID_REFERENCE]",
)
@options.output("Scored BEDPE to write; compressed if it ends in .gz.  [default: standard output]")
@click.option("--append", is_flag=True, help="Leave column 8 alone; add a last column, whose number is printed.")
@click.option(
    "--on-invalid",
    type=click.Choice(["error", "na"]),
    default="error",
    help="A line that cannot be scored: stop there, or give it '.' and count it.",
)
@click.option(
    "--calibrated", is_flag=True, help="Print calibrated probabilities (of a model fitted by evaluate --fit)."
)
@click.option(
    "--prevalence",
    type=options.FiniteFloat(0, 1, min_open=True, max_open=True),
    help="Share of positives to expect among the candidates; implies --calibrated.  [default: validation's]",
)
@options.promoter_first
@click.option(
    "--batch-size",
    type=click.IntRange(1, 1_000_000),
    help="Pairs computed together, where PyTorch's kernels run.  "
    f"[default: {ScoringConfig.batch_size}, on a GPU {ScoringConfig.gpu_batch_size}]",
)
@click.option(
    "--block-size",
    type=click.IntRange(1, 10_000_000),
    default=ScoringConfig.block_size,
    help="Lines held in memory at a time, at most.",
)
@click.option(
    "--cache-memory",
    type=options.Bytes(),
    metavar="SIZE",
    help="Memory for elements that later lines may share: 500M, 8G.  [default: a quarter of the device's]",
)
@click.option(
    "--shard",
    type=options.Shard(),
    metavar="I/N",
    help="Score the I-th of N equal shares of the lines; the shares' outputs, one after the other, are the whole.",
)
@click.option(
    "--resume-output",
    is_flag=True,
    help="Go on after the last whole line that an interrupted run left of the output (-o); keep what this one writes.",
)
@options.compute
@options.common
def command(
    model: str,
    candidates: str,
    reference: str | None,
    output: str | None,
    force: bool,
    append: bool,
    on_invalid: str,
    calibrated: bool,
    prevalence: float | None,
    promoter_first: bool,
    batch_size: int | None,
    block_size: int,
    cache_memory: int | None,
    device: str,
    precision: Any,
    threads: int | None,
    shard: tuple[int, int] | None,
    resume_output: bool,
    verbose: bool,
) -> None:
    """Score candidate pairs with a trained model.

    CANDIDATES.bedpe may be gzip-compressed, or - for standard input. Every input line gives one
    output line, in order; column 8 is the probability that the pair interacts. No threshold is
    applied; the one that `evaluate --fit` chose is in `speid info MODEL.pt`.

    \b
    Example:
      speid predict model.pt candidates.bedpe > scored.bedpe
      zcat candidates.bedpe.gz | speid predict model.pt - | sort -t$'\\t' -k8,8gr | head
      speid predict model.pt candidates.bedpe --shard 3/100 -o part003.bedpe --resume-output
    """
    from speid_cli.dataset.composition import compare
    from speid_cli.genome.reference import Reference
    from speid_cli.model.checkpoint import Checkpoint
    from speid_cli.model.device import Device
    from speid_cli.model.processes import Processes
    from speid_cli.scoring.formats import ScoredBedpe
    from speid_cli.scoring.stream import WHOLE, PairStream, Portion, StreamSettings

    processes = Processes.of_torchrun()
    target = ScoredOutput(None if output == "-" else output, force, resume_output)
    target.check((model, candidates, reference))
    if (shard or resume_output or processes.count > 1) and (candidates == "-" or _is_pipe(candidates)):
        name = "standard input" if candidates == "-" else f"{candidates} is a pipe: it"
        raise OptionError(f"{name} is read once, and shards, --resume-output and torchrun need a file")
    lines = count_lines(candidates)
    portion = WHOLE
    if shard:
        lines = sum(1 for _ in read_lines(candidates)) if lines is None else lines  # says what is wrong with it
        portion = Portion.shard(*shard, lines)
    checkpoint, clock = Checkpoint.read(model), Stopwatch()
    compute = Device(device, precision, threads, processes)
    say(f"device: {compute.description}")
    settings = StreamSettings(promoter_first, on_invalid, block_size, batch_size, cache_memory)
    with located(model):
        fasta = checkpoint.find_reference(reference, os.environ.get("SPEID_REFERENCE"))
        probabilities = _probabilities(checkpoint, calibrated, prevalence)
    target.check((fasta,))
    with Reference(fasta) as genome, processes.connected():
        _check_genome(checkpoint, genome, given=reference is not None)
        stream = PairStream(checkpoint.model(), compute, genome, settings, probabilities)
        options_given = {
            "--append": append, "--promoter-first": promoter_first, "--calibrated": calibrated,
            "--prevalence": prevalence, "--precision": precision, "--shard": shard and "{}/{}".format(*shard),
        }  # fmt: skip
        made_of = _digests(model, genome) | options_given if resume_output and processes.is_main else {}
        format_ = ScoredBedpe(append)
        there = target.fill(stream, format_, candidates, portion, processes, made_of, lines)
        if counts := processes.gather(stream.counts):
            if checkpoint.composition and (difference := compare(stream.compositions(), checkpoint.composition)):
                warn(difference)
            if format_.columns:
                say(f"probability: column {' or '.join(map(str, sorted(format_.columns)))}")
            _report(counts, there, genome.contigs.alias_warning(), clock.seconds)


def _is_pipe(path: str) -> bool:
    return Path(path).exists() and not Path(path).is_file()


def _digests(model: str, genome: Any) -> dict[str, Any]:
    """What tells the model and the reference from others."""
    return {"model": sha256_of(model), "reference": f"{genome.digest:.16} {genome.sample:.16}"}


def _check_genome(checkpoint: Any, genome: Any, given: bool) -> None:
    """Refuse another genome; the same with a changed sequence only if nobody has asked for it."""
    checkpoint.check_reference(genome)
    try:
        checkpoint.check_sequence(genome)
    except DataError as error:
        if not given:
            raise
        warn(str(error))


def _probabilities(checkpoint: Any, calibrated: bool, prevalence: float | None) -> Callable[[Any], Any]:
    """What makes probabilities of logits."""
    from speid_cli.dataset.metrics import sigmoid
    from speid_cli.evaluation.calibration import Calibration

    if not calibrated and prevalence is None:
        return sigmoid
    if checkpoint.calibration is None:
        raise DataError("the model has no calibration", hint="speid evaluate MODEL.pt DATA.npz --fit stores one")
    calibration = Calibration.from_plain(checkpoint.calibration)
    return lambda logits: calibration.probabilities(logits, prevalence)


def _report(counts: list[Any], there: int, alias_warning: str | None, seconds: float) -> None:
    """What went through, of all processes together, after the lines that were there."""
    if alias_warning:
        warn(alias_warning)
    pairs, invalid = (sum(getattr(each, name) for each in counts) for name in ("pairs", "invalid"))
    if not pairs and not there:
        warn("no pairs in the input")
    if invalid:
        first = next(each.first_invalid for each in counts if each.invalid)
        warn(f"{counted(invalid, 'line')} could not be scored, with '.' for a score; the first: {first}")
    say(f"{counted(pairs - invalid, 'pair')} scored in {seconds:.1f} s")
