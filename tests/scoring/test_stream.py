"""Streams of pairs that are scored by their distance too, and by several networks."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from speid_cli.errors import DataError
from speid_cli.genome.reference import Reference
from speid_cli.model.config import StreamSettings
from speid_cli.model.device import Device
from speid_cli.scoring.scale import Scale
from speid_cli.scoring.stream import PairStream
from speid_cli.text import Share
from tests import builders

BETWEEN = "chr1\t0\t100\t2\t500\t600"
LINES = ["chr1\t0\t100\tchr1\t600\t700", "1\t900\t950\tchr1\t0\t100", "chr1\t0\t100\tchr1\t50\t90"]
BY_DISTANCE = Scale((lambda logits, distance: np.asarray(distance) / 1000,), (300.0, 600.0))


def scores(scale: Scale, lines: list[str], settings: StreamSettings) -> tuple[list[float | None], PairStream]:
    builders.write_pairs(Path("in.bedpe"), lines, None)
    with Reference("genome.fa") as reference:
        stream = PairStream([builders.random_checkpoint().model()], Device("cpu"), reference, settings, scale)
        return [value for scored in stream.score(Share("in.bedpe")) for value in scored.probabilities], stream


@pytest.mark.parametrize("block_size", [1, 100])
@pytest.mark.parametrize("promoter_first", [False, True])
def test_the_scale_is_given_the_distance_of_each_pair(
    genome: dict[str, str], block_size: int, promoter_first: bool
) -> None:
    found, stream = scores(BY_DISTANCE, LINES, StreamSettings(promoter_first=promoter_first, block_size=block_size))
    assert found == pytest.approx([1 / (1 + math.exp(-bp / 1000)) for bp in (500, 800, 0)])
    assert (stream.counts.pairs, stream.counts.outside) == (3, 2)


def test_a_pair_between_chromosomes_has_no_distance(genome: dict[str, str]) -> None:
    message = (
        "in.bedpe:4: elements on chr1 and chr2, between which there is no distance; expected both on one chromosome, "
        "for --prevalence distance; leave out such pairs, or give --prevalence as a number"
    )
    with pytest.raises(DataError, match=f"^{message}$"):
        scores(BY_DISTANCE, [*LINES, BETWEEN], StreamSettings())
    found, stream = scores(BY_DISTANCE, [*LINES, BETWEEN], StreamSettings(on_invalid="na"))
    assert found[3] is not None and math.isnan(found[3])
    assert (stream.counts.invalid, stream.counts.first_invalid) == (1, message)
    assert scores(Scale(), [*LINES, BETWEEN], StreamSettings())[1].counts.invalid == 0
