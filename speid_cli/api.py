"""speid from Python, for notebooks and scripts: the tables of ``predict`` and ``explain``, as arrays.

    model = load_model("pairs.pt")
    table = model.predict("candidates.bedpe", "hg19.fa")  # columns by name, as pandas.DataFrame takes them
    table = model.explain_mutagenesis(("chr1", 100_000, 100_800), ("chr1", 150_000, 151_000), "hg19.fa")
    table = model.explain_knockout("pairs.npz", read_jaspar_release("2016"))

Errors are those of the commands, `speid_cli.errors.SpeidError`; what the commands print as warnings are
Python's warnings here.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.composition import compare
from speid_cli.dataset.pairs import SIDES, PairDataset
from speid_cli.errors import DataError, OptionError, located
from speid_cli.evaluation.posterior import calibrated as calibrated_scale
from speid_cli.explain import epistasis, kernel_files, knockout, mutagenesis_files
from speid_cli.explain import variants as variant_effects
from speid_cli.explain.importance import importance
from speid_cli.explain.kernels import find_sites
from speid_cli.explain.matching import match_kernels
from speid_cli.explain.mutagenesis import PairWindows, substitutions
from speid_cli.explain.occurrences import MotifsInPairs
from speid_cli.explain.pairs import PairScorer
from speid_cli.explain.record import Parts
from speid_cli.explain.settings import KnockoutSettings, MutagenesisSettings, SubjectSettings
from speid_cli.explain.subject import Subject, ask
from speid_cli.genome.bedpe import MISSING
from speid_cli.genome.intervals import Interval
from speid_cli.genome.motif_files import Motif, read_jaspar_release, read_motifs
from speid_cli.genome.pair_reader import PairReader
from speid_cli.genome.reference import Reference
from speid_cli.genome.variants import read_variants
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.config import StreamSettings
from speid_cli.model.device import Device, Precision
from speid_cli.model.ensemble import read_ensemble
from speid_cli.model.motif_kernels import placed_motifs
from speid_cli.scoring.genome import open_reference
from speid_cli.scoring.perturbed import PerturbedScorer
from speid_cli.scoring.scale import PLAIN
from speid_cli.scoring.stream import PairStream
from speid_cli.text import Share

__all__ = ["KnockoutSettings", "Model", "SubjectSettings", "load_model", "read_jaspar_release", "read_motifs"]

Place = tuple[str, int, int]
Table = dict[str, NDArray[Any]]
_USUAL_PAIRS, _USUAL_REPLACEMENT = SubjectSettings(), KnockoutSettings()


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

    def explain_mutagenesis(self, enhancer: Place, promoter: Place, reference: str | None = None) -> Table:
        """What each substitution in the windows of one pair changes, as ``speid explain mutagenesis`` does.

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
        _, checkpoint = self._single
        with self._genome(reference) as genome, _as_file([(enhancer, promoter)]) as path:
            of_pairs = PairWindows(genome, checkpoint.config, MutagenesisSettings())
            ((pair,), _) = of_pairs.asked(PairReader(path))
            windows = of_pairs.of(pair.labelled.pair)
            _warn(genome.contigs.alias_warning())
        (first, second), scorer = windows, PerturbedScorer(checkpoint.model(), self.device)
        effects = substitutions(scorer, (first.codes, second.codes), (first.asked, second.asked))
        columns = zip(*mutagenesis_files.substitution_rows(windows, effects), strict=True)
        return {name: np.array(column) for name, column in zip(mutagenesis_files.COLUMNS[1:], columns, strict=True)}

    def explain_variants(
        self,
        pairs: str | Path | Iterable[tuple[Place, Place]],
        variants: str | Path,
        reference: str | None = None,
        *,
        percentile: bool = True,
        promoter_first: bool = False,
    ) -> Table:
        """What variants change in every pair whose windows they touch, as ``speid explain variants`` does.

        Parameters
        ----------
        pairs
            As of `predict`.
        variants : path
            A VCF file.
        percentile : bool
            Compare each change with those of all substitutions of the pair, which takes most of the time.

        Returns
        -------
        dict of arrays (M,)
            The columns of the command's table.
        """
        _, checkpoint = self._single
        with self._genome(reference) as genome, _as_file(pairs) as path:
            found = variant_effects.Pairs(PairReader(path, promoter_first), genome, checkpoint.config)
            scorer, memory = PerturbedScorer(checkpoint.model(), self.device), self.device.memory_bytes // 16
            asked = variant_effects.VariantScorer(scorer, found, genome, percentile, memory)
            rows = list(asked.rows(str(variants), read_variants(str(variants), asked.skipped)))
            for sentence in (*asked.left_out(), genome.contigs.alias_warning()):
                _warn(sentence)
        return _table(variant_effects.COLUMNS, rows)

    def explain_kernels(
        self,
        data: str | Path,
        motifs: Sequence[Motif] = (),
        settings: SubjectSettings = _USUAL_PAIRS,
        *,
        silence: bool = True,
    ) -> Table:
        """What activates each convolution kernel and how much it matters, as ``speid explain kernels`` does.

        Parameters
        ----------
        data : path
            A data set that ``speid prepare`` wrote.
        motifs : sequence of Motif
            To compare kernels with; needs memelite.
        settings : SubjectSettings
            The pairs to ask about.
        silence : bool
            Silence kernels, to see what they matter.

        Returns
        -------
        dict of arrays (2 K,)
            The columns of kernels.tsv, for the K kernels of both branches.
        """
        path, checkpoint = self._single
        placed = placed_motifs(checkpoint.provenance.get("motifs", []), checkpoint.config.kernel_length, path)
        dataset, subject = self._ask(data, settings)
        network = checkpoint.model()
        kernels = find_sites(network, dataset, subject.members, self.device)
        matches = match_kernels(kernels, motifs, settings.seed).kernels if motifs else [None] * len(kernels)
        scorer = PairScorer(network, dataset, subject.members, self.device)
        drops = importance(scorer, subject, checkpoint.config.n_kernels, Parts()) if silence else {}
        rows = kernel_files.kernel_rows(network, kernels, drops, matches, placed, motifs)
        return _table(kernel_files.COLUMNS, rows)

    def explain_knockout(
        self,
        data: str | Path,
        motifs: Sequence[Motif],
        settings: SubjectSettings = _USUAL_PAIRS,
        replacement: KnockoutSettings = _USUAL_REPLACEMENT,
    ) -> Table:
        """What the model loses without the sites of each motif, as ``speid explain knockout`` does.

        Parameters
        ----------
        data : path
            A data set that ``speid prepare`` wrote.
        motifs : sequence of Motif
            From `read_motifs` or `read_jaspar_release`.
        settings : SubjectSettings
            The pairs to ask about.
        replacement : KnockoutSettings
            How sites are found and replaced.

        Returns
        -------
        dict of arrays (2 N,)
            The columns of knockout.tsv, for N motifs in enhancers and in promoters.
        """
        asked = self._find_motifs(data, motifs, settings, replacement)
        return _table(knockout.COLUMNS, knockout.knock_out_all(asked, Parts()))

    def explain_epistasis(
        self,
        data: str | Path,
        motifs: Sequence[Motif],
        settings: SubjectSettings = _USUAL_PAIRS,
        replacement: KnockoutSettings = _USUAL_REPLACEMENT,
    ) -> Table:
        """Which motif of the enhancer the model reads together with which of the promoter.

        Parameters as of `explain_knockout`; the result has the columns of epistasis.tsv, a row for each couple
        of motifs that some pair has sites of.
        """
        asked = self._find_motifs(data, motifs, settings, replacement)
        return _table(epistasis.COLUMNS, epistasis.epistasis_of_all(asked, Parts()))

    @property
    def _single(self) -> tuple[str, Checkpoint]:
        """Path and content of the only model."""
        if len(self.paths) > 1:
            raise OptionError(f"one model is explained at a time, and these are {len(self.paths)}")
        return self.paths[0], self.checkpoints[0]

    def _ask(self, data: str | Path, settings: SubjectSettings) -> tuple[PairDataset, Subject]:
        _, checkpoint = self._single
        dataset = checkpoint.division_of(PairDataset.read(str(data)))
        with located(str(data)):
            subject = ask(checkpoint, dataset, self.device, settings)
        for warning in (*subject.warnings, None if subject.predicts else subject.verdict):
            _warn(warning)
        return dataset, subject

    def _find_motifs(
        self, data: str | Path, motifs: Sequence[Motif], settings: SubjectSettings, replacement: KnockoutSettings
    ) -> MotifsInPairs:
        if not motifs:
            raise OptionError("no motifs to ask about")
        dataset, subject = self._ask(data, settings)
        scorer = PairScorer(self.checkpoints[0].model(), dataset, subject.members, self.device)
        found = MotifsInPairs.find(subject, scorer, motifs, replacement)
        for warning in found.shortcomings():
            _warn(warning)
        return found

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


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Table:
    """Rows by column; what is not known is NaN among numbers, and empty among texts."""
    return {name: _column([row[name] for row in rows]) for name in columns}


def _column(values: Sequence[Any]) -> NDArray[Any]:
    unknown = "" if any(isinstance(value, str) for value in values) else np.nan
    return np.array([unknown if value is None else value for value in values])


def _warn(text: str | None) -> None:
    if text:
        warnings.warn(text, stacklevel=3)
