"""What is judged: one model on its pairs, several beside one another, or those of all folds on their own test folds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from speid_cli.dataset.pairs import TRAIN, PairDataset, check_both_classes
from speid_cli.errors import DataError, OptionError, counted
from speid_cli.model.checkpoint import Checkpoint


class Part(NamedTuple):
    """A data set as it was divided for a model, the model and its file; None where only baselines are judged."""

    dataset: PairDataset
    checkpoint: Checkpoint | None = None
    path: str | None = None


def are_rivals(models: Sequence[tuple[str, Checkpoint]]) -> bool:
    """Whether there are several models, all of one fold or all of none, so that they are judged on the same pairs."""
    return len(models) > 1 and len({str(checkpoint.fold) for _, checkpoint in models}) == 1


def parts_of(models: Sequence[tuple[str, Checkpoint]], dataset: PairDataset) -> list[Part]:
    """The parts of an evaluation.

    Parameters
    ----------
    models : sequence of (path, Checkpoint)
        None: the data set as it is stored, or as it is divided for each of its folds. One: that model.
        More: one for each fold of the data set, in any order.

    Raises
    ------
    DataError
        A model was not trained on one of this data set's folds, or a fold has no model or two.
    """
    if not models:
        return [Part(divided) for divided in dataset.divisions]
    if len(models) == 1:
        ((path, checkpoint),) = models
        return [Part(checkpoint.division_of(dataset), checkpoint, path)]
    of_fold = dict(_by_fold(models, dataset))
    _check_alike([of_fold[number] for number in sorted(of_fold)])
    missing = [number for number in range(1, dataset.folds + 1) if number not in of_fold]
    if missing:
        raise DataError(
            f"no model of fold {', '.join(map(str, missing))}",
            expected=f"one for each of {counted(dataset.folds, 'fold')}",
            hint=f"train it: speid pretrain DATA.npz --fold {missing[0]}",
        )
    return [Part(dataset.for_fold(number), *of_fold[number]) for number in sorted(of_fold)]


def check_trainable(parts: Sequence[Part], subset: int) -> None:
    """Refuse to judge baselines alone where they cannot be trained, or on the pairs that they are trained on.

    Raises
    ------
    DataError
        The training pairs lack positives or negatives.
    OptionError
        The training pairs are to be judged.
    """
    if subset == TRAIN:
        raise OptionError("baselines are trained on the training subset: give --subset validation or --subset test")
    for number, part in enumerate(parts, start=1):
        label = part.dataset.label[part.dataset.members(TRAIN)]
        of_fold = f" of fold {number}" * (len(parts) > 1)
        check_both_classes(label, f"the training subset{of_fold} has", "the baselines are trained on it")


def _check_alike(models: Sequence[tuple[Checkpoint, str]]) -> None:
    """Refuse models of different stages: pre-training balances the classes, so that its probabilities are higher."""
    (first, first_path), *others = models
    for checkpoint, path in others:
        if checkpoint.stage != first.stage:
            raise DataError(
                f"{checkpoint.stage}, and {first_path} is {first.stage}",
                expected="models of the same stage, pretrained or finetuned",
                path=path,
            )


def _by_fold(
    models: Sequence[tuple[str, Checkpoint]], dataset: PairDataset
) -> Iterator[tuple[int, tuple[Checkpoint, str]]]:
    """The number of each model's fold, the model and its file."""
    paths: dict[int, str] = {}
    for path, checkpoint in models:
        fold = checkpoint.fold
        if fold is None or fold["data"] != dataset.digest:
            found = "of no fold" if fold is None else f"of fold {fold['number']} of another data set"
            raise DataError(
                f"a model {found}",
                expected="models of the folds of this data set, one each",
                hint="speid pretrain DATA.npz --fold I trains one; judge other models one at a time",
                path=path,
            )
        number = fold["number"]
        if number in paths:
            raise DataError(f"a model of fold {number}, as is {paths[number]}", expected="one for each fold", path=path)
        paths[number] = path
        yield number, (checkpoint, path)
