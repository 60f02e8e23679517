"""Held-out pairs whose elements have planted motifs, and what the questions are asked with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.pairs import TEST, Elements, PairDataset
from speid_cli.explain.occurrences import MotifsInPairs, Occurrences
from speid_cli.explain.pairs import PairScorer
from speid_cli.explain.settings import SubjectSettings
from speid_cli.explain.subject import Subject, ask
from speid_cli.genome.onehot import encode, pack
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.device import Device
from tests import builders

WORDS = ("TGACTCAGG", "CCATTGTTC", "GGGAAGTAA")
MOTIFS = [builders.consensus_motif(f"MA{number}", word, 200) for number, word in enumerate(WORDS)]
P_VALUE = 1e-5  # reached by the words themselves only
# Element, word and start: one site, two far apart, two in one stretch, at the start of a window.
PLACES = [
    (0, 0, 60), (1, 0, 100), (2, 0, 20), (2, 0, 130), (3, 0, 90), (3, 0, 104), (4, 0, 0),
    (3, 1, 10), (4, 1, 120), (5, 1, 70), (6, 1, 40), (7, 1, 150), (8, 2, 30),
]  # fmt: skip
ELEMENTS, PAIRS, DRAWS = 10, 40, 3


class Question(NamedTuple):
    """A model, its held-out pairs and the sites of `MOTIFS` in them."""

    checkpoint: Checkpoint
    dataset: PairDataset
    subject: Subject
    scorer: PairScorer
    sides: tuple[Occurrences, Occurrences]

    @property
    def motifs(self) -> MotifsInPairs:
        """What knock-out and epistasis are asked with."""
        return MotifsInPairs(self.subject, self.scorer, self.sides, DRAWS)


def windows(length: int, seed: int) -> NDArray[np.uint8]:
    """Random elements with the words of `PLACES`."""
    codes = np.random.default_rng(seed).integers(0, 4, (ELEMENTS, length), dtype=np.uint8)
    for element, word, start in PLACES:
        codes[element, start : start + len(WORDS[word])] = encode(WORDS[word].encode())
    return codes


def dataset_of(enhancers: NDArray[np.uint8], promoters: NDArray[np.uint8]) -> PairDataset:
    """Pairs to test on, of all elements in turn; a quarter of them interact."""
    sides = []
    for codes in (enhancers, promoters):
        (count, window), start = codes.shape, 1000 * np.arange(len(codes))
        interval = np.stack([np.zeros(count, np.int64), start, start + 100], axis=1)
        sides.append(Elements(pack(codes), window, window, np.zeros((count, 2), np.int16), interval))
    pair = np.arange(PAIRS, dtype=np.int32)
    index = pair % len(enhancers), (pair * 3 + pair // 10) % len(promoters)
    label, subset = (pair % 4 == 0).astype(np.int8), np.full(PAIRS, TEST, np.int8)
    return PairDataset(sides[0], sides[1], *index, label, subset, ("chr1",), {})


def question(cache_bytes: int | None = None) -> Question:
    """All pairs, asked about an untrained network."""
    dataset, device = dataset_of(windows(300, 1), windows(200, 3)), Device("cpu")
    checkpoint = builders.random_checkpoint(stages=[{"stage": "finetuned", "dataset": dataset.digest}])
    checkpoint.state_dict["feature_norm.running_mean"].abs_()  # of what a ReLU gives
    subject = ask(checkpoint, dataset, device, SubjectSettings())
    scorer = PairScorer(checkpoint.model(), dataset, subject.members, device, cache_bytes)
    first, second = (Occurrences.find(side, elements, MOTIFS, P_VALUE) for side, elements in enumerate(scorer.sides))
    return Question(checkpoint, dataset, subject, scorer, (first, second))


def nothing(mutants: int) -> None:
    """An observer of progress that looks away."""
