"""A question that several modules work on."""

from __future__ import annotations

import pytest

from tests.explain import planted


@pytest.fixture(scope="session")
def question() -> planted.Question:
    """Planted pairs; nothing changes them."""
    return planted.question()
