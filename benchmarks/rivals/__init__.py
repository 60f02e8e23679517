"""Rival networks for the accuracy bench, each built from its published description alone.

All take base codes uint8 (B, L) of enhancers and promoters (A 0, T 1, C 2, G 3, N 4) and give
logits (B,).
"""

from __future__ import annotations

from .cnn import PlainCnn
from .dilated import DilatedCnn
from .epivan import EmbeddingGru

RIVALS = {"plain CNN": PlainCnn, "6-mer embedding + GRU": EmbeddingGru, "dilated CNN": DilatedCnn}
