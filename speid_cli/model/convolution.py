"""One-hot convolution and pooling of one branch.

Shapes: B sequences; L window in bp; K kernels; T pooled steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Activations of one piece, in values, that stay inside the cache between convolution and pooling.
_PIECE = 1 << 21


def expand(codes: Tensor) -> Tensor:
    """One-hot float32 (B, 4, L) of base codes uint8 (B, L), on the device of the codes."""
    channels = torch.arange(4, dtype=torch.uint8, device=codes.device)
    return (codes.unsqueeze(1) == channels[:, None]).float()


def branch(convolution: nn.Conv1d, codes: Tensor, pool_length: int) -> Tensor:
    """Pooled features (B, K, T) of base codes uint8 (B, L): convolution, ReLU, max-pool.

    The batch goes through in pieces, since the activations before pooling are 20 times larger
    than the result. ReLU commutes with the maximum and comes after it.
    """
    size = max(1, _PIECE // (convolution.out_channels * codes.shape[1]))
    pooled = [F.max_pool1d(convolution(expand(piece)), pool_length) for piece in codes.split(size)]
    return F.relu(torch.cat(pooled))
