"""The command line. click and rich live in this package and nowhere else."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from types import FrameType
from typing import NoReturn

import click

from speid_cli import __version__
from speid_cli.cli.lazy import LazyGroup
from speid_cli.errors import OptionError, SpeidError, Terminated
from speid_cli.files import unreadable

COMMANDS = {
    "elements": "Make promoters from genes, and enhancers from a segmentation.",
    "candidates": "Pair each enhancer with the promoters near it.",
    "negatives": "Draw pairs that do not interact, at the positives' distances.",
    "features": "Compute TargetFinder's features of pairs.",
    "prepare": "Turn labelled pairs and a reference into a data set.",
    "motifs": "Turn JASPAR, PFM or MEME motifs into kernel initialisers.",
    "pretrain": "Train a network on augmented pairs.",
    "finetune": "Train the layers after the LSTM on the original pairs.",
    "evaluate": "Judge a model on held-out pairs, beside baselines.",
    "predict": "Score candidate pairs with a trained model.",
    "export": "Write the strongest pairs as a table or a browser track.",
    "explain": "Show what a model has learnt, and what a variant changes.",
    "info": "Show the content of a data set, motif kernels or a model.",
    "completion": "Print the script that completes commands in bash, zsh or fish.",
}
SEVERAL_PROCESSES = ("pretrain", "finetune", "predict")


class Commands(LazyGroup):
    """All commands."""

    def invoke(self, context: click.Context) -> object:
        """Run a command; when the reader of a pipe has gone, end silently, as on SIGPIPE."""
        try:
            result = super().invoke(context)
            sys.stdout.flush()
        except BrokenPipeError:
            _discard_stdout()
            raise Terminated(signal.SIGPIPE) from None
        return result


@click.group(
    cls=Commands,
    package=__name__,
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
)
@click.version_option(__version__, prog_name="speid")
def cli() -> None:
    """Predict enhancer-promoter interactions from DNA sequence (SPEID, Singh et al. 2016).

    \b
    Example, from labelled pairs to scored candidates:
      speid prepare pairs.bedpe hg19.fa
      speid motifs --jaspar 2016 --preset tiny
      speid pretrain pairs.npz --preset tiny --motifs kernels.npz
      speid finetune pairs.pretrained.pt pairs.npz
      speid evaluate pairs.pt pairs.npz
      speid predict pairs.pt candidates.bedpe > scored.bedpe
    """


def main(arguments: list[str] | None = None) -> int:
    """Run ``speid`` and return its exit status; the only place that prints error messages."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not _open_streams():
        return SpeidError.exit_status
    previous = {number: signal.signal(number, _terminate) for number in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        _refuse_many_processes(arguments)
        with_exit = cli.main(arguments, prog_name="speid", standalone_mode=False)
        return with_exit if isinstance(with_exit, int) else 0
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(signal.SIGINT)
    except Terminated as error:
        return _interrupted(error.signal_number)
    except Exception as error:
        if "--debug" in arguments:
            traceback.print_exc()
        return _report_error(error)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _interrupted(signal_number: int) -> int:
    """Print which signal ended the run, and return the exit status."""
    if signal_number != signal.SIGPIPE:
        print(f"speid: interrupted by {signal.Signals(signal_number).name}", file=sys.stderr)
    return 128 + signal_number


def _report_error(error: Exception) -> int:
    """Print an error, and return its exit status."""
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, OSError):
        if error.filename is None:  # standard output: errors of other files have a name
            _discard_stdout()
        text = str(unreadable(error.filename or "standard output", error))
    elif isinstance(error, SpeidError):
        text = str(error)
    elif isinstance(error, MemoryError):
        text = "out of memory; try a smaller --cache-memory, --block-size or --batch-size"
    else:
        text = f"internal error: {error!r}; run again with --debug and report it"
    print(f"speid: {text}", file=sys.stderr)
    return error.exit_status if isinstance(error, SpeidError) else SpeidError.exit_status


def _refuse_many_processes(arguments: list[str]) -> None:
    """Refuse to run a command of one process under torchrun, which would run it several times."""
    count = os.environ.get("WORLD_SIZE", "1")
    name = next((argument for argument in arguments if argument in COMMANDS), None)
    if count.isdecimal() and int(count) > 1 and "RANK" in os.environ and name not in (*SEVERAL_PROCESSES, None):
        raise OptionError(f"speid {name} runs in one process, and torchrun has started {count}; run without torchrun")


def _terminate(signal_number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated(signal_number)


def _open_streams() -> bool:
    """Replace a closed input or error stream by the null device; False where the output is closed."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115 (for the whole run)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    if sys.stdout is None:
        print("speid: standard output is closed", file=sys.stderr)
    return sys.stdout is not None


def _discard_stdout() -> None:
    """Point standard output to the null device, so that flushing it at exit does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
