"""``MODEL.pt``: tensors and plain values only, read without running anything in it."""

from __future__ import annotations

import reprlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from speid_cli.dataset.composition import Composition
from speid_cli.dataset.pairs import MOST_FOLDS, PairDataset
from speid_cli.dataset.plain import is_plain, is_reference
from speid_cli.dataset.zips import check_memory
from speid_cli.errors import DataError
from speid_cli.genome.reference import Reference
from speid_cli.kinds import MODEL, expecting
from speid_cli.model.config import SpeidConfig
from speid_cli.model.speid import Speid
from speid_cli.model.stored import load_stored, save_plain

FORMAT_VERSION = 1
STAGES = ("pretrained", "finetuned")


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and where it came from.

    Attributes
    ----------
    stage : {"pretrained", "finetuned"}
    history : list of dict
        One row an epoch: losses and validation figures.
    provenance : dict
        Data set digest, held-out chromosomes, reference, motifs, seed, versions.
    """

    config: SpeidConfig
    state_dict: dict[str, Tensor]
    stage: str
    history: list[dict[str, Any]]
    provenance: dict[str, Any]
    threshold: float | None = None
    calibration: dict[str, Any] | None = None
    prior: dict[str, Any] | None = None

    @property
    def n_parameters(self) -> int:
        """Trainable parameters."""
        with torch.device("meta"):
            return sum(values.numel() for values in Speid(self.config).parameters())

    def model(self) -> Speid:
        """A network with copies of the tensors, in evaluation mode."""
        return Speid.with_weights(self.config, self.state_dict)

    @property
    def composition(self) -> tuple[Composition, Composition] | None:
        """Composition of the enhancers and promoters of its data set; None where it is not stored."""
        sides = self.provenance.get("composition")
        return (Composition(**sides["enhancer"]), Composition(**sides["promoter"])) if sides else None

    @property
    def fold(self) -> dict[str, Any] | None:
        """Number, count and data set of the fold that it was trained to be tested on; None for a model of no fold."""
        return self.provenance.get("fold")

    def division_of(self, dataset: PairDataset) -> PairDataset:
        """The data set as it was divided for this model: by its fold, if that is one of this data set's."""
        return dataset.for_fold(self.fold["number"]) if self.fold and self.fold["data"] == dataset.digest else dataset

    def find_reference(self, given: str | None, fallback: str | None) -> str:
        """The FASTA to read: the one given, else the one remembered, else the fallback.

        Raises
        ------
        DataError
            None was given and the others are not there.
        """
        remembered = self._reference.get("path")
        if given is not None:
            return given
        if remembered and Path(remembered).exists():
            return remembered
        if fallback:
            return fallback
        raise DataError(
            f"the reference it was trained on is not at {remembered}" if remembered else "it remembers no reference",
            expected="a FASTA",
            hint="give it by -f REFERENCE.fa or SPEID_REFERENCE",
        )

    def check_reference(self, reference: Reference) -> None:
        """Refuse a reference with other contigs than the one trained on.

        Raises
        ------
        DataError
            Contig names or lengths differ; both digests are named.
        """
        wanted = self._reference.get("digest")
        if wanted not in (None, reference.digest):
            raise DataError(
                f"contig names and lengths have digest {reference.digest}",
                expected=f"{wanted}, those of {self._reference.get('path')}, on which the model was trained",
                hint="is this the right genome build?",
                path=reference.path,
            )

    def check_sequence(self, reference: Reference) -> None:
        """Refuse a reference whose sequence differs from the one trained on in a sample of positions.

        Raises
        ------
        DataError
            The sample differs; both digests are named.
        """
        wanted = self._reference.get("sample")
        if wanted is not None and wanted != (found := reference.sample):
            raise DataError(
                f"the sequence has changed: a sample of it has digest {found}",
                expected=f"{wanted}, that of {self._reference.get('path')} when the data set was prepared",
                hint="to use this FASTA anyway, give it with -f",
                path=reference.path,
            )

    @property
    def _reference(self) -> dict[str, str]:
        return self.provenance.get("reference") or {}

    def write(self, stream: BinaryIO) -> None:
        """Write ``MODEL.pt``; the same checkpoint gives the same bytes."""
        content = {
            "format_version": FORMAT_VERSION,
            "config": asdict(self.config),
            "state_dict": {name: values.detach().cpu() for name, values in self.state_dict.items()},
            "stage": self.stage,
            "history": self.history,
            "provenance": self.provenance,
        }
        known = {"threshold": self.threshold, "calibration": self.calibration, "prior": self.prior}
        save_plain(content | {name: value for name, value in known.items() if value is not None}, stream)

    @classmethod
    @expecting(MODEL)
    def read(cls, path: str | Path) -> Checkpoint:
        """Read ``MODEL.pt``.

        Raises
        ------
        DataError
            The file is missing or damaged, holds more than tensors and plain values, or lacks or
            misstates any part; nothing in it is run.
        """
        content = load_stored(path)
        try:
            return cls._from_stored(content)
        except DataError as error:
            raise error.at(path) from None
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise DataError(f"not a speid model ({error!r:.100})", path=path) from error

    @classmethod
    def _from_stored(cls, content: Any) -> Checkpoint:
        if not isinstance(content, dict):
            raise DataError("not a speid model")
        if not is_plain(content | {"state_dict": None}):
            raise DataError("a config, history or provenance that speid did not write")
        version = content["format_version"]
        if type(version) is not int or version != FORMAT_VERSION:
            raise DataError(f"format version {reprlib.repr(version)}", expected=str(FORMAT_VERSION))
        config = content["config"]
        if not isinstance(config, dict) or not all(type(value) in (bool, int, float) for value in config.values()):
            raise DataError("a config that is not a table of numbers")
        checkpoint = cls(
            SpeidConfig(**config),
            content["state_dict"],
            content["stage"],
            content["history"],
            content["provenance"],
            content.get("threshold"),
            content.get("calibration"),
            content.get("prior"),
        )
        checkpoint._check_records()
        return replace(checkpoint, state_dict=_copied_tensors(checkpoint.state_dict, checkpoint.config))

    def _check_records(self) -> None:
        """Refuse a stage, history or provenance with values of the wrong type."""
        if self.stage not in STAGES:
            raise DataError(f"stage {reprlib.repr(self.stage)}", expected=" or ".join(STAGES))
        if not (_is_table(self.history) and isinstance(self.provenance, dict) and self._is_known()):
            raise DataError("a config, history or provenance that speid did not write")
        if not all(type(value) in (int, float) for side in self.composition or () for value in side):
            raise DataError("a composition that is not a table of numbers")
        if self.fold and not _is_fold(self.fold):
            raise DataError("a fold that is not a number, a count and a data set", hint="train it again")
        if not is_reference(self._reference):
            raise DataError("a reference that is not a path and a digest")
        if self.threshold is not None and not (type(self.threshold) in (int, float) and 0 <= self.threshold <= 1):
            raise DataError(f"threshold {reprlib.repr(self.threshold)}", expected="a number from 0 to 1")
        for name, values in (("calibration", self.calibration), ("prior", self.prior)):
            if values is not None and not isinstance(values, dict):
                raise DataError(f"a {name} that is not a table", hint="fit it again: speid evaluate --fit")

    def _is_known(self) -> bool:
        """Whether the entries of the provenance that are used have the right types."""
        stages, fitted_on = self.provenance.get("stages", []), self.provenance.get("fitted_on") or {}
        if not (_is_table(stages) and isinstance(fitted_on, dict)):
            return False
        texts = [
            row.get(f"{name}_chromosomes", []) for row in (*stages, fitted_on) for name in ("trained", "validated")
        ]
        kinds: dict[str, type] = {"reference": dict, "preset": str, "motifs": list, "fold": dict}
        return (
            all(isinstance(self.provenance.get(name) or kind(), kind) for name, kind in kinds.items())
            and all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in texts)
            and all(isinstance(row.get("settings", {}), dict) for row in stages)
        )


def _is_fold(fold: dict[str, Any]) -> bool:
    number, count, data = (fold.get(name) for name in ("number", "count", "data"))
    return type(number) is type(count) is int and 1 <= number <= count <= MOST_FOLDS and isinstance(data, str)


def _is_table(rows: Any) -> bool:
    return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)


def _copied_tensors(stored: Any, config: SpeidConfig) -> dict[str, Tensor]:
    """Copies of the tensors of a network, after their shapes and types have been checked."""
    with torch.device("meta"):
        wanted = Speid(config).state_dict()
    if not isinstance(stored, dict):
        raise DataError("a state_dict that is not a table of tensors")
    if missing := wanted.keys() ^ stored.keys():
        raise DataError(f"tensors missing or unknown: {', '.join(sorted(map(str, missing))[:4]):.200}")
    size = sum(like.nbytes for like in wanted.values())
    for name, like in wanted.items():
        values = stored[name]
        if not isinstance(values, Tensor) or values.shape != like.shape or values.dtype != like.dtype:
            found = f"{values.dtype} {tuple(values.shape)}" if isinstance(values, Tensor) else repr(type(values))
            raise DataError(f"tensor {name} is {found}", expected=f"{like.dtype} {tuple(like.shape)}")
    check_memory("the network", 2 * size)
    state = {name: stored[name].detach().clone(memory_format=torch.contiguous_format) for name in wanted}
    for name, values in state.items():
        if not bool(torch.isfinite(values).all()) or (name.endswith("running_var") and bool((values < 0).any())):
            raise DataError(f"tensor {name} holds infinite, undefined or impossible values", hint="train it again")
    return state
