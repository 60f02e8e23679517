"""The network written out step by step from its tensors alone, in float64 NumPy: the oracle.

It shares no code with the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
CHANNEL = {"A": 0, "T": 1, "C": 2, "G": 3}


def window_onehot(sequence: str, start: int, end: int, length: int) -> Array:
    """One-hot (4, length) of the window centred on [start, end), N outside the sequence."""
    first = (start + end - length) // 2
    onehot = np.zeros((4, length))
    for position in range(length):
        where = first + position
        letter = sequence[where].upper() if 0 <= where < len(sequence) else "N"
        if letter in CHANNEL:
            onehot[CHANNEL[letter], position] = 1
    return onehot


def logit(tensors: Mapping[str, Any], config: Mapping[str, Any], enhancer: Array, promoter: Array) -> float:
    """The network's logit for one pair of one-hot windows, norms by their running statistics."""
    t = {name: np.asarray(values, np.float64) for name, values in tensors.items()}
    features = np.concatenate(
        [pooled(onehot, t[f"{side}_conv.weight"], t[f"{side}_conv.bias"], config["pool_length"])
         for side, onehot in (("enhancer", enhancer), ("promoter", promoter))]
    )  # fmt: skip
    features = norm(features, t, "feature_norm", config)
    forward = recurrence(features, t, "")
    backward = recurrence(features[::-1], t, "_reverse")[::-1]
    sequence = norm(np.concatenate([forward, backward], axis=1), t, "sequence_norm", config)
    dense = t["dense.weight"] @ sequence.reshape(-1) + t["dense.bias"]
    hidden = np.maximum(norm(dense, t, "dense_norm", config), 0)
    last = t["output.weight"] @ hidden + t["output.bias"]
    return float(norm(last, t, "output_norm", config)[0])


def pooled(onehot: Array, weight: Array, bias: Array, pool: int) -> Array:
    """Convolution, ReLU and max-pool: (steps, kernels)."""
    length = weight.shape[2]
    positions = onehot.shape[1] - length + 1
    activations = np.array([np.einsum("kcl,cl->k", weight, onehot[:, p : p + length]) + bias for p in range(positions)])
    steps = positions // pool
    return np.maximum(activations[: steps * pool].reshape(steps, pool, -1), 0).max(axis=1)


def norm(x: Array, t: Mapping[str, Array], name: str, config: Mapping[str, Any]) -> Array:
    """Batch normalisation in evaluation."""
    scale = t[f"{name}.weight"] / np.sqrt(t[f"{name}.running_var"] + config["norm_epsilon"])
    return (x - t[f"{name}.running_mean"]) * scale + t[f"{name}.bias"]


def recurrence(x: Array, t: Mapping[str, Array], direction: str) -> Array:
    """One direction of the LSTM, gates i f g o: (steps, units)."""
    units = t["lstm.weight_hh_l0"].shape[1]
    h, c, outputs = np.zeros(units), np.zeros(units), []
    for row in x:
        gates = (t[f"lstm.weight_ih_l0{direction}"] @ row + t[f"lstm.bias_ih_l0{direction}"]
                 + t[f"lstm.weight_hh_l0{direction}"] @ h + t[f"lstm.bias_hh_l0{direction}"])  # fmt: skip
        i, f, g, o = gates.reshape(4, units)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.array(outputs)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))
