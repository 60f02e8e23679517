"""Rows of integers numbered by what they hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
_MOST_KINDS = 2**62


def distinct(columns: Numbers) -> tuple[Numbers, Numbers]:
    """The first of each kind of rows (N, C), and of each row the number of its kind.

    Returns
    -------
    first : int64 (K,)
        The rows that equal no row before them, in order.
    number : int64 (N,)
        The position in `first` of the row that each row equals.
    """
    if not len(columns):
        return (np.empty(0, np.int64),) * 2
    key, kinds = np.zeros(len(columns), np.int64), 1
    for column in columns.T:
        low, span = int(column.min()), int(np.ptp(column)) + 1
        if kinds * span > _MOST_KINDS:
            (values, key), (others, column) = (np.unique(each, return_inverse=True) for each in (key, column))
            low, kinds, span = 0, len(values), len(others)
        key, kinds = key * span + (column - low), kinds * span
    values, number = np.unique(key, return_inverse=True)
    first = np.empty(len(values), np.int64)
    first[number[::-1]] = np.arange(len(key))[::-1]  # of a row that is assigned again, the last stays
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[number]
