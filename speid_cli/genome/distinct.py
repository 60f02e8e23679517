"""Rows of integers numbered by what they hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


def distinct(columns: Numbers) -> tuple[Numbers, Numbers]:
    """The first of each kind of rows (N, C), and of each row the number of its kind.

    Returns
    -------
    first : int64 (K,)
        The rows that equal no row before them, in order.
    number : int64 (N,)
        The position in `first` of the row that each row equals.
    """
    number = np.zeros(len(columns), np.int64)
    for column in columns.T:
        values, value = np.unique(column, return_inverse=True)
        _, first, number = np.unique(number * len(values) + value, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[number]
