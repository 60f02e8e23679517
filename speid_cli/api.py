"""speid from Python, for notebooks and scripts: what ``predict`` and ``explain mutagenesis`` compute, as arrays.

    model = load_model("pairs.pt")
    table = model.predict("candidates.bedpe", "hg19.fa")  # columns by name, as pandas.DataFrame takes them
    table = model.mutagenesis(("chr1", 100_000, 100_800), ("chr1", 150_000, 151_000), "hg19.fa")

Errors are those of the commands, `speid_cli.errors.SpeidError`; what the commands print as warnings are
Python's warnings here.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.composition import compare
from speid_cli.dataset.pairs import SIDES
from speid_cli.errors import DataError, OptionError
from speid_cli.evaluation.posterior import calibrated as calibrated_scale
from speid_cli.explain.mutagenesis import PairWindows, substitutions
from speid_cli.explain.mutagenesis_files import COLUMNS, substitution_rows
from speid_cli.explain.settings import MutagenesisSettings
from speid_cli.genome.bedpe import MISSING
from speid_cli.genome.intervals import ElementPair, Interval
from speid_cli.genome.pair_reader import PairReader
from speid_cli.genome.reference import Reference
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.config import StreamSettings
from speid_cli.model.device import Device, Precision
from speid_cli.model.ensemble import read_ensemble
from speid_cli.scoring.genome import open_reference
from speid_cli.scoring.perturbed import PerturbedScorer
from speid_cli.scoring.scale import PLAIN
from speid_cli.scoring.stream import PairStream
from speid_cli.text import Share

Place = tuple[str, int, int]
Table = dict[str, NDArray[Any]]


def load_model(*paths: str, device: str = "auto", precision: Precision = "fp32", threads: int | None = None) -> Model:
    """Read one trained model, or several whose predictions are averaged.

    Parameters
    ----------
    paths : str
        Files that ``speid finetune`` wrote.
    device, precision, threads
        As the options of these names.

    Raises
    ------
    SpeidError
        A file is not a model, the models do not fit together, or the device is not here.
    """
    if not paths:
        raise OptionError("load_model needs at least one model")
    return Model([str(path) for path in paths], read_ensemble(paths), Device(device, precision, threads))


class Model:
    """Trained networks on a device; made by `load_model`."""

    def __init__(self, paths: list[str], checkpoints: list[Checkpoint], device: Device) -> None:
        self.paths, self.checkpoints, self.device = paths, checkpoints, device

    def predict(
        self,
        pairs: str | Path | Iterable[tuple[Place, Place]],
        reference: str | None = None,
        *,
        calibrated: bool = False,
        prevalence: float | str | None = None,
        promoter_first: bool = False,
    ) -> Table:
        """Score pairs, as ``speid predict`` does.

        Parameters
        ----------
        pairs : path, or iterable of pairs
            A BEDPE file, or pairs of places (chrom, start, end), 0-based and half-open, the enhancer first.
        reference : str, optional
            FASTA; default: as the commands find it.
        calibrated, prevalence, promoter_first
            As the options of these names.

        Returns
        -------
        dict of arrays (N,)
            One row for each pair: ``enhancer_chrom``, ``enhancer_start``, ``enhancer_end``, the same of the
            promoter, ``name`` (``.``: none) and ``probability``.

        Raises
        ------
        SpeidError
            A pair is not valid; the message gives its line.
        """
        scale = PLAIN
        if calibrated or prevalence is not None:
            scale = calibrated_scale(self.paths, self.checkpoints, prevalence)
        networks = (checkpoint.model() for checkpoint in self.checkpoints)
        with self._genome(reference) as genome, _as_file(pairs) as path:
            stream = PairStream(networks, self.device, genome, StreamSettings(promoter_first), scale)
            read = list(PairReader(path, promoter_first))
            found = [value for scored in stream.score(Share(path)) for value in scored.probabilities]
            known = (checkpoint.composition for checkpoint in self.checkpoints if checkpoint.composition)
            _warn(next(filter(None, (compare(stream.compositions(), each) for each in known)), None))
            _warn(genome.contigs.alias_warning())
        table = {
            f"{side}_{name}": np.array([getattr(getattr(pair, side), name) for _, pair in read])
            for side in SIDES
            for name in Interval._fields
        }
        table["name"] = np.array([fields[6] if len(fields := line.fields) > 6 else MISSING for line, _ in read])
        table["probability"] = np.array([value for value in found if value is not None], np.float64)
        return table

    def mutagenesis(self, enhancer: Place, promoter: Place, reference: str | None = None) -> Table:
        """What each substitution in the windows of one pair changes, by the first model.

        Parameters
        ----------
        enhancer, promoter : tuple
            Chromosome, start and end, 0-based and half-open.

        Returns
        -------
        dict of arrays (M,)
            ``side``, ``chrom``, ``position`` (0-based), ``reference``, ``alternative``, ``probability`` of the
            mutant, and ``logit_change``.
        """
        checkpoint = self.checkpoints[0]
        with self._genome(reference) as genome:
            pair = ElementPair(*(genome.contigs.locate(Interval(*place)) for place in (enhancer, promoter)))
            windows = PairWindows(genome, checkpoint.config, MutagenesisSettings()).of(pair)
        (first, second), scorer = windows, PerturbedScorer(checkpoint.model(), self.device)
        effects = substitutions(scorer, (first.codes, second.codes), (first.asked, second.asked))
        columns = zip(*substitution_rows(windows, effects), strict=True)
        return {name: np.array(column) for name, column in zip(COLUMNS[1:], columns, strict=True)}

    def _genome(self, reference: str | None) -> AbstractContextManager[Reference]:
        return open_reference(self.checkpoints[0], self.paths[0], reference, _warn)


@contextmanager
def _as_file(pairs: str | Path | Iterable[tuple[Place, Place]]) -> Iterator[str]:
    """A BEDPE file of the pairs; errors name them ``pairs``."""
    if isinstance(pairs, str | Path):
        yield str(pairs)
        return
    with TemporaryDirectory(prefix="speid-") as folder:
        path = Path(folder, "pairs")
        path.write_text("".join("\t".join(map(str, (*one, *other))) + "\n" for one, other in pairs))
        try:
            yield str(path)
        except DataError as error:
            error.path = "pairs" if error.path == str(path) else error.path
            raise


def _warn(text: str | None) -> None:
    if text:
        warnings.warn(text, stacklevel=3)
