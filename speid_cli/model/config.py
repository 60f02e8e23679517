"""Sizes of the network and settings of its training, each defined once. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from speid_cli.errors import DataError, OptionError

LARGEST = 1_000_000
# Pairs that go through the network together by default, on a CPU and on a GPU; elements that do.
BATCH_SIZE, GPU_BATCH_SIZE, ELEMENT_BATCH_SIZE = 256, 8192, 256


@dataclass(frozen=True)
class SpeidConfig:
    """Sizes of the network; the defaults are the paper's (Singh et al. 2016, figure 1, section 2.1).

    Attributes
    ----------
    enhancer_window, promoter_window : int
        Inputs in bp.
    n_kernels, kernel_length : int
        Convolution kernels of each branch and their length in bp.
    pool_length : int
        Width and stride of the max-pooling in bp.
    lstm_units, dense_units : int
        LSTM units each way; units of the dense layer.
    feature_dropout, sequence_dropout, dense_dropout : float
        Share dropped before the LSTM, after it and after the dense layer. The paper does not
        mention dropout; these values are from the authors' code.
    l2_penalty : float
        Weight of the sum of squares of convolution and dense weights in the loss.
    norm_epsilon, norm_momentum : float
        Batch normalisation: what is added to the variance, and the share of a new batch in the
        running statistics (PyTorch's momentum; in Keras, the authors' momentum is 0.99).
    """

    enhancer_window: int = 3000
    promoter_window: int = 2000
    n_kernels: int = 1024
    kernel_length: int = 40
    pool_length: int = 20
    lstm_units: int = 100
    dense_units: int = 925
    feature_dropout: float = 0.25
    sequence_dropout: float = 0.5
    dense_dropout: float = 0.5
    l2_penalty: float = 1e-5
    norm_epsilon: float = 1e-3
    norm_momentum: float = 0.01

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(item.default, int) and not (type(value) is int and 0 < value <= LARGEST):
                raise DataError(f"{item.name} is {value!r}", expected=f"a whole number from 1 to {LARGEST}")
            if isinstance(item.default, float) and not (type(value) in (int, float) and 0 <= value < 1):
                raise DataError(f"{item.name} is {value!r}", expected="a number from 0 to below 1")
        for side, steps in (("enhancer", self.enhancer_steps), ("promoter", self.promoter_steps)):
            if steps < 1:
                raise DataError(
                    f"the {side} window is {getattr(self, side + '_window')} bp",
                    expected=f"at least kernel + pool - 1 = {self.kernel_length + self.pool_length - 1} bp",
                )

    @property
    def enhancer_steps(self) -> int:
        """LSTM steps over the enhancer: pooled positions of a valid convolution."""
        return (self.enhancer_window - self.kernel_length + 1) // self.pool_length

    @property
    def promoter_steps(self) -> int:
        """LSTM steps over the promoter."""
        return (self.promoter_window - self.kernel_length + 1) // self.pool_length

    @property
    def steps(self) -> int:
        """LSTM steps in all: the enhancer's, then the promoter's."""
        return self.enhancer_steps + self.promoter_steps

    def with_values(self, assignments: dict[str, str]) -> SpeidConfig:
        """A copy with some fields read from text.

        Raises
        ------
        OptionError
            No such field, or a value that it cannot have.
        """
        kinds = {item.name: int if isinstance(item.default, int) else float for item in fields(self)}
        values: dict[str, Any] = {}
        for name, text in assignments.items():
            if name not in kinds:
                raise OptionError(f"no model setting {name!r}; there are {', '.join(kinds)}")
            try:
                values[name] = kinds[name](text)
            except ValueError:
                raise OptionError(f"{name}={text}: expected {kinds[name].__name__}") from None
        try:
            return replace(self, **values)
        except DataError as error:
            raise OptionError(str(error)) from None


@dataclass(frozen=True)
class TrainingConfig:
    """How one stage trains; the defaults are the paper's pre-training.

    Attributes
    ----------
    epochs, batch_size, learning_rate
        Adam (Singh et al. 2016, section 2.1).
    copies : int
        Copies of each positive per epoch, shifted unless `shift` is "none"; 0: as many as balance
        the classes.
    shift : {"positives", "all", "none"}
        Which windows are shifted at random (section 2.2.1: the positives'). If only positives
        are shifted, the network can learn that centred elements are negatives.
    fixed_shifts : bool
        Draw the shifts once, as the paper describes, instead of anew each epoch.
    patience : int
        Stop after this many epochs without a better validation; 0 never stops early.
    keep : {"best", "last"}
        Which epoch's weights to write.
    averaging : float
        Validate and write a moving average of the weights, and of the norms' running statistics, over about
        this share of all steps so far (0.1: the last tenth); 0: no average.
    start : {"keras", "invariant"}
        First weights for pre-training: Keras's, or those with which a motif means the same at each place of
        an element (`initialisers.init_position_invariant`) and, with motif kernels, the LSTM begins by
        reading the motifs (`initialisers.init_lstm_from_motifs`).
    """

    epochs: int = 32
    batch_size: int = 100
    learning_rate: float = 1e-5
    copies: int = 20
    shift: Literal["positives", "all", "none"] = "positives"
    fixed_shifts: bool = False
    patience: int = 0
    keep: Literal["best", "last"] = "best"
    averaging: float = 0.0
    start: Literal["keras", "invariant"] = "keras"


@dataclass(frozen=True)
class StreamSettings:
    """Settings for reading and scoring candidates.

    Attributes
    ----------
    promoter_first : bool
        Columns 1-3 are the promoter.
    on_invalid : {"error", "na"}
        Stop at the first line that cannot be scored, or give such lines no probability.
    block_size : int
        Lines held at a time, at most.
    batch_size : int, optional
        Pairs computed together, where PyTorch runs the network.
    cache_bytes : int, optional
        Memory for computed elements.
    """

    promoter_first: bool = False
    on_invalid: Literal["error", "na"] = "error"
    block_size: int = 16384
    batch_size: int | None = None
    cache_bytes: int | None = None


@dataclass(frozen=True)
class Preset:
    """A network and its training settings.

    `motif_kernels` is how many kernels start as motifs by default: about half, and three quarters of
    the few that `tiny` has, which learns a motif that it is not given slowly. The paper's 525 is
    what its authors placed: 519 matrices of JASPAR 2016 and 6 reverse complements.
    """

    model: SpeidConfig = SpeidConfig()
    pretrain: TrainingConfig = TrainingConfig()
    finetune: TrainingConfig = TrainingConfig(epochs=80, copies=1, shift="none")
    motif_kernels: int = 525


def _small_training(learning_rate: float) -> tuple[TrainingConfig, TrainingConfig]:
    """Settings that learn from small data in minutes: Adam at a high rate, weights averaged, stopped early.

    At these rates the running statistics of norms lag behind the weights, so that validation jumps from one
    epoch to the next; with averaged weights it does not. All windows are shifted: if only the positives'
    were, the network could learn that centred elements are negatives.
    """
    pretrain = TrainingConfig(
        epochs=12, learning_rate=learning_rate, copies=0, shift="all", patience=4, averaging=0.1, start="invariant"
    )
    finetune = replace(pretrain, epochs=24, copies=1, shift="none", start="keras")
    return pretrain, finetune


# Much dropout before the LSTM would hide the only site of a motif, and with it why a pair interacts; without any,
# chance sites are learnt too.
_LITTLE_DATA = SpeidConfig(
    feature_dropout=0.05, sequence_dropout=0.0, dense_dropout=0.3, l2_penalty=1e-3, norm_momentum=0.1
)
PRESETS = {
    "paper": Preset(),
    "small": Preset(
        replace(_LITTLE_DATA, n_kernels=200, lstm_units=50, dense_units=800), *_small_training(1e-3), motif_kernels=100
    ),
    "tiny": Preset(
        replace(_LITTLE_DATA, n_kernels=32, lstm_units=32, dense_units=32), *_small_training(2e-3), motif_kernels=24
    ),
}
