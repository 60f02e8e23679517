"""The network in Keras 3 on TensorFlow, as a user of the original runs it today. Needs no speid.

usage: keras_peer.py WORK.npz
"""

from __future__ import annotations

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow  # noqa: E402
from keras import layers  # noqa: E402
from serve import Work, serve  # noqa: E402

BATCH = 100


def main() -> None:
    """Serve scoring, training and fine-tuning."""
    with np.load(sys.argv[1]) as data:
        sides = [onehot(data[name]) for name in ("enhancers", "promoters")]
        labels = data["labels"].astype(np.float32)
    first = [side[:BATCH] for side in sides]

    def scoring(on_batch: bool) -> Work:
        model = compiled(freeze=False)
        if on_batch:
            return lambda: model.predict_on_batch(first)
        return lambda: model.predict(sides, batch_size=BATCH, verbose=0)

    def training(on_batch: bool, freeze: bool = False) -> Work:
        model = compiled(freeze)
        if on_batch:
            return lambda: model.train_on_batch(first, labels[:BATCH])
        return lambda: model.fit(sides, labels, batch_size=BATCH, epochs=1, verbose=0)

    serve(
        {
            "score: predict": lambda: scoring(False),
            "score: predict_on_batch": lambda: scoring(True),
            "train: fit": lambda: training(False),
            "train: train_on_batch": lambda: training(True),
            "finetune: fit": lambda: training(False, freeze=True),
            "finetune: train_on_batch": lambda: training(True, freeze=True),
        },
        {"Keras": keras.__version__, "TensorFlow": tensorflow.__version__},
    )


def onehot(codes: np.ndarray) -> np.ndarray:
    """One-hot float32 (N, L, 4), position first as Keras has it."""
    return np.eye(5, 4, dtype=np.float32)[codes]


def compiled(freeze: bool) -> keras.Model:
    """The paper's network with the authors' dropout; frozen up to the norm after the LSTM."""
    inputs = [layers.Input((3000, 4)), layers.Input((2000, 4))]
    penalty = keras.regularizers.L2(1e-5)
    branches = []
    for side in inputs:
        x = layers.Conv1D(1024, 40, activation="relu", kernel_regularizer=penalty)(side)
        branches.append(layers.MaxPooling1D(20)(x))
    x = layers.BatchNormalization()(layers.Concatenate(axis=1)(branches))
    x = layers.Bidirectional(layers.LSTM(100, return_sequences=True))(layers.Dropout(0.25)(x))
    x = layers.BatchNormalization()(x)
    frozen = keras.Model(inputs, x)
    frozen.trainable = not freeze
    x = layers.Dense(925, kernel_regularizer=penalty)(layers.Flatten()(layers.Dropout(0.5)(x)))
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.Dense(1)(layers.Dropout(0.5)(x))
    model = keras.Model(inputs, layers.Activation("sigmoid")(layers.BatchNormalization()(x)))
    model.compile(keras.optimizers.Adam(1e-5), "binary_crossentropy")
    return model


if __name__ == "__main__":
    main()
