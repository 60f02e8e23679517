"""What `knockout` and `epistasis` are run on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.explain.runs import write_motifs
from tests.explain import planted


@pytest.fixture
def asked(folder: Path) -> planted.Question:
    """``pairs.npz``, all of it to test on, ``pairs.pt``, and the planted motifs as ``motifs.jaspar``."""
    question = planted.question()
    for path, content in (("pairs.npz", question.dataset), ("pairs.pt", question.checkpoint)):
        with open(path, "wb") as stream:
            content.write(stream)
    write_motifs(*planted.WORDS)
    return question
