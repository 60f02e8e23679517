"""The sequences that activate each convolution kernel of a trained network.

A window has a site of a kernel where the kernel's activation (convolution and bias, after ReLU) is largest in
the window and above half of its maximum over all windows, as in Alipanahi et al. 2015 (DeepBind; half of the
maximum: Kelley et al. 2016, Basset). All other positions above the half would add chance sites, which blur the
PPM of a motif that is short and rich in A and T.

Shapes: K kernels; L bp of a kernel; N windows, of which B go together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from speid_cli.dataset.pairs import Elements, PairDataset
from speid_cli.explain.settings import Advance
from speid_cli.genome.onehot import ALPHABET
from speid_cli.model.convolution import expand
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid

# Activations computed together, in values.
_PIECE, _GPU_PIECE = 1 << 23, 1 << 28


@dataclass(frozen=True)
class Kernel:
    """A kernel of a branch and its sites.

    Attributes
    ----------
    branch : {"enhancer", "promoter"}
    number : int
        From 0.
    counts : int64 (L, 4)
        How often each base is at each position of the sites, columns A, T, C, G. N is not counted.
    sites : int
        0 for a kernel that never activates.
    """

    branch: str
    number: int
    counts: NDArray[np.int64]
    sites: int

    @property
    def name(self) -> str:
        """Such as ``enhancer_12``."""
        return f"{self.branch}_{self.number}"

    def ppm(self, pseudocount: float = 0.0) -> NDArray[np.float64]:
        """Position probability matrix (L, 4), columns A, T, C, G, `pseudocount` added to each base's count first.

        Where nothing was counted it is 0.25 each.
        """
        counts = self.counts + pseudocount
        total = counts.sum(axis=1, keepdims=True)
        return np.divide(counts, total, out=np.full(counts.shape, 1 / len(ALPHABET)), where=total > 0)

    @property
    def bits(self) -> float:
        """Information content of the PPM, against a uniform background."""
        return float(information(self.ppm()).sum())


def information(ppm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Information content (L,) of each position in bits, against a uniform background."""
    return 2 + (ppm * np.log2(np.where(ppm > 0, ppm, 1))).sum(axis=1)


def find_sites(
    model: Speid,
    dataset: PairDataset,
    members: NDArray[np.int64],
    device: Device,
    advance: Advance = lambda windows: None,
) -> list[Kernel]:
    """All kernels of both branches, with their sites in the windows of some pairs; each element is read once.

    Parameters
    ----------
    members : int64 (M,)
        Positions of the pairs in the data set.
    advance : callable
        Is told how many windows more were read.
    """
    model.to(device.torch)
    found = []
    for branch, elements, index in dataset.sides:
        convolution = cast(nn.Conv1d, model.get_submodule(f"{branch}_conv"))
        rows = np.unique(index[members])
        value, position = _strongest(convolution, elements, rows, device, advance)
        active = (value > value.max(0) / 2).T  # (K, N)
        sequences = elements.window_codes(rows.tolist())
        for number, chosen in enumerate(active):
            sites = _sites(sequences[chosen], position[chosen, number], convolution.kernel_size[0])
            found.append(Kernel(branch, number, _counts(sites), len(sites)))
    return found


@torch.no_grad()
def _strongest(
    convolution: nn.Conv1d,
    elements: Elements,
    rows: NDArray[np.int32],
    device: Device,
    advance: Advance,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Largest activation of each kernel in each window (N, K), and its position."""
    piece = _PIECE if device.torch.type == "cpu" else _GPU_PIECE
    size = max(1, piece // (elements.window * convolution.out_channels))
    value = np.empty((len(rows), convolution.out_channels), np.float32)
    position = np.empty(value.shape, np.int64)
    for start in range(0, len(rows), size):
        some = slice(start, start + size)
        onehot = expand(device.put(elements.window_codes(rows[some].tolist())))  # (B, 4, window)
        strongest = convolution(onehot).relu_().max(2)  # (B, K)
        value[some], position[some] = strongest.values.cpu().numpy(), strongest.indices.cpu().numpy()
        advance(len(onehot))
    return value, position


def _sites(sequences: NDArray[np.uint8], position: NDArray[np.int64], length: int) -> NDArray[np.uint8]:
    """Base codes (S, L) from a position of each sequence (S, window) on."""
    return np.take_along_axis(sequences, position[:, None] + np.arange(length), axis=1)


def _counts(sites: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each base is at each position (L, 4) of sites (S, L)."""
    return np.stack([(sites == code).sum(axis=0) for code in range(len(ALPHABET))], axis=1)
