"""``MODEL.pt``: tensors and plain values only, read without running anything in it."""

from __future__ import annotations

import os
import pickle
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from speid_cli.errors import DataError
from speid_cli.files import unreadable
from speid_cli.genome.reference import Reference
from speid_cli.model.config import SpeidConfig
from speid_cli.model.speid import Speid

FORMAT_VERSION = 1
STAGES = ("pretrained", "finetuned")


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and where it came from.

    Attributes
    ----------
    config : SpeidConfig
    state_dict : dict of Tensor
    stage : {"pretrained", "finetuned"}
    history : list of dict
        One row an epoch: losses and validation figures.
    provenance : dict
        Data set digest, held-out chromosomes, reference, motifs, seed, versions.
    threshold : float, optional
    calibration : dict, optional
    """

    config: SpeidConfig
    state_dict: dict[str, Tensor]
    stage: str
    history: list[dict[str, Any]]
    provenance: dict[str, Any]
    threshold: float | None = None
    calibration: dict[str, Any] | None = None

    @property
    def n_parameters(self) -> int:
        """Trainable parameters."""
        with torch.device("meta"):
            return sum(values.numel() for values in Speid(self.config).parameters())

    def model(self) -> Speid:
        """A network with copies of the tensors, in evaluation mode."""
        with torch.device("meta"):
            model = Speid(self.config)
        model.load_state_dict({name: values.detach().clone() for name, values in self.state_dict.items()}, assign=True)
        return model.eval()

    def find_reference(self, given: str | None) -> str:
        """The FASTA to read: the one given, else the one remembered, else ``$SPEID_REFERENCE``.

        Raises
        ------
        DataError
            None was given and the others are not there.
        """
        remembered = self._reference.get("path")
        variable = os.environ.get("SPEID_REFERENCE")
        if given is not None:
            return given
        if remembered and Path(remembered).exists():
            return remembered
        if variable:
            return variable
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

    @property
    def _stages(self) -> list[dict[str, Any]]:
        return self.provenance.get("stages") or []

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
        known = {"threshold": self.threshold, "calibration": self.calibration}
        torch.save(content | {name: value for name, value in known.items() if value is not None}, stream)

    @classmethod
    def read(cls, path: str | Path) -> Checkpoint:
        """Read ``MODEL.pt``.

        Raises
        ------
        DataError
            The file is missing or damaged, holds more than tensors and plain values, or lacks or
            misstates any part; nothing in it is run.
        """
        content = _load(path)
        try:
            version = content["format_version"]
            if type(version) is not int or version != FORMAT_VERSION:
                raise DataError(f"format version {version!r:.40}", expected=str(FORMAT_VERSION))
            checkpoint = cls(
                SpeidConfig(**content["config"]),
                dict(content["state_dict"]),
                content["stage"],
                list(content["history"]),
                dict(content["provenance"]),
                content.get("threshold"),
                content.get("calibration"),
            )
            checkpoint.check()
        except DataError as error:
            raise error.at(path) from None
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise DataError(f"not a speid model ({error!r})", path=path) from error
        return checkpoint

    def check(self) -> None:
        """Refuse tensors that are not those of the network.

        Raises
        ------
        DataError
            A tensor is missing, unknown, or of another shape or dtype; the stage is unknown.
        """
        if self.stage not in STAGES:
            raise DataError(f"stage {self.stage!r}", expected=" or ".join(STAGES))
        self._check_records()
        with torch.device("meta"):
            wanted = Speid(self.config).state_dict()
        if missing := wanted.keys() ^ self.state_dict.keys():
            raise DataError(f"tensors missing or unknown: {', '.join(sorted(map(str, missing))[:4])}")
        for name, like in wanted.items():
            _check_tensor(name, self.state_dict[name], like)

    def _check_records(self) -> None:
        """Refuse a history or a provenance that holds anything but plain values where they belong."""
        plain = all(map(_is_plain, (self.history, self.provenance, self.threshold, self.calibration)))
        rows = all(isinstance(row, dict) for row in self.history)
        kinds: dict[str, type] = {"reference": dict, "stages": list, "preset": str, "motifs": list}
        known = all(isinstance(self.provenance.get(name) or kind(), kind) for name, kind in kinds.items())
        if not (plain and rows and known and all(isinstance(entry, dict) for entry in self._stages)):
            raise DataError("a history or provenance that speid did not write")
        if not all(isinstance(value, str) for value in self._reference.values()):
            raise DataError("a reference that is no path and digest")


def _check_tensor(name: str, values: Any, like: Tensor) -> None:
    if not isinstance(values, Tensor) or values.shape != like.shape or values.dtype != like.dtype:
        found = f"{values.dtype} {tuple(values.shape)}" if isinstance(values, Tensor) else repr(type(values))
        raise DataError(f"tensor {name} is {found}", expected=f"{like.dtype} {tuple(like.shape)}")
    if values.layout != torch.strided or values.is_meta:
        raise DataError(f"tensor {name} has no values of its own", expected="a dense tensor")
    negative = name.endswith("running_var") and bool((values < 0).any())
    if negative or not bool(torch.isfinite(values).all()):
        raise DataError(f"tensor {name} holds infinite, undefined or impossible values", hint="train it again")


def _is_plain(value: Any) -> bool:
    """Whether a value is made of what JSON knows."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(item) for name, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def _has_pickle(stream: BinaryIO) -> bool:
    """Whether an archive is PyTorch's; an .npz is an archive too."""
    with zipfile.ZipFile(stream) as archive:
        return any(name.endswith("/data.pkl") for name in archive.namelist())


def _load(path: str | Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as stream:
            if not zipfile.is_zipfile(stream) or not _has_pickle(stream):
                raise DataError("not a PyTorch file", expected="a model written by speid", path=path)
            stream.seek(0)
            content = torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            "holds more than tensors and plain values, and was not opened",
            expected="a model written by speid",
            hint="do not run models from sources you do not trust",
            path=path,
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error
    except (
        zipfile.BadZipFile,
        RuntimeError,
        ValueError,
        KeyError,
        EOFError,
        AttributeError,
        TypeError,
        IndexError,
    ) as error:
        raise DataError(f"damaged ({str(error).splitlines()[0]})", path=path) from error
    if not isinstance(content, dict):
        raise DataError("not a speid model", path=path)
    return content
