"""The network against the oracle, its sizes against the paper, its penalty against a sum."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import torch

from speid_cli.errors import DataError, OptionError
from speid_cli.genome.onehot import onehot
from speid_cli.model.config import PRESETS, SpeidConfig
from speid_cli.model.convolution import branch, expand, pooled_convolution, pooled_product
from speid_cli.model.layers import Dropout
from speid_cli.model.speid import Speid
from tests import builders, plain


def random_codes(rows: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 5, (rows, width), dtype=np.uint8))


def test_logits_are_differentiable_in_the_sequence() -> None:
    """Towards a small change of one base, against a difference quotient in float64."""
    model = builders.random_checkpoint().model().double()
    sides = [expand(random_codes(1, width)).double() for width in (builders.ENHANCER_WINDOW, builders.PROMOTER_WINDOW)]
    for side in (0, 1):
        changed = [values.clone() for values in sides]
        sides[side].requires_grad_()
        (gradient,) = torch.autograd.grad(model(*sides), sides[side])
        base = gradient.abs().argmax()
        changed[side].view(-1)[base] += 1e-6
        with torch.no_grad():
            quotient = (model(*changed) - model(*sides)).item() / 1e-6
        assert quotient == pytest.approx(gradient.view(-1)[base].item(), rel=1e-3) != 0


def test_the_paper_preset_has_the_paper_s_parameters() -> None:
    with torch.device("meta"):
        model = Speid(PRESETS["paper"].model)
    assert sum(values.numel() for values in model.parameters()) == 46_746_679
    shapes = {name: tuple(values.shape) for name, values in model.state_dict().items()}
    assert shapes["enhancer_conv.weight"] == shapes["promoter_conv.weight"] == (1024, 4, 40)
    assert shapes["feature_norm.running_var"] == (1024,)
    assert shapes["lstm.weight_ih_l0_reverse"] == (400, 1024)
    assert shapes["sequence_norm.weight"] == (200,)
    assert shapes["dense.weight"] == (925, 49_200)
    assert shapes["output.weight"] == (1, 925)
    assert shapes["output_norm.running_mean"] == (1,)
    assert (model.config.enhancer_steps, model.config.promoter_steps) == (148, 98)


@pytest.mark.parametrize("seed", range(3))
def test_forward_is_the_oracle_s(seed: int) -> None:
    checkpoint = builders.random_checkpoint(seed=seed)
    enhancer, promoter = random_codes(4, builders.ENHANCER_WINDOW, seed), random_codes(4, builders.PROMOTER_WINDOW, 9)
    with torch.no_grad():
        logits = checkpoint.model().logits_of_codes(enhancer, promoter).numpy()
    expected = [plain.logit(checkpoint.state_dict, asdict(checkpoint.config), onehot(e), onehot(p))
                for e, p in zip(enhancer.numpy(), promoter.numpy(), strict=True)]  # fmt: skip
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert np.ptp(logits) > 1e-3


def test_expanding_on_the_device_is_the_numpy_onehot() -> None:
    codes = random_codes(3, 50)
    np.testing.assert_array_equal(expand(codes).numpy(), onehot(codes.numpy()))


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    convolution, onehots = torch.nn.Conv1d(4, 6, 5), expand(random_codes(7, 60))
    whole = branch(convolution, onehots, 4)
    monkeypatch.setattr("speid_cli.model.convolution._PIECE", 2 * 6 * 60)
    torch.testing.assert_close(branch(convolution, onehots, 4), whole)


def test_a_matrix_product_is_the_convolution_with_its_gradients() -> None:
    convolution, onehots = torch.nn.Conv1d(4, 6, 5).double(), expand(random_codes(7, 60)).double().requires_grad_()
    inputs = onehots, *convolution.parameters()
    values = [pooled(convolution, onehots, 4) for pooled in (pooled_product, pooled_convolution)]
    torch.testing.assert_close(*values)
    up = torch.randn_like(values[0])
    torch.testing.assert_close(*(torch.autograd.grad(value, inputs, up) for value in values))


def test_weight_decay_is_the_gradient_of_the_l2_penalty_of_what_learns() -> None:
    model = Speid(builders.TINY)
    weights = [model.enhancer_conv.weight, model.promoter_conv.weight, model.dense.weight]
    penalised, others = model.parameter_groups()
    assert [id(values) for values in penalised["params"]] == [id(values) for values in weights]
    assert len(penalised["params"]) + len(others["params"]) == len(list(model.parameters()))
    (1e-5 * sum(values.square().sum() for values in weights)).backward()
    for values in weights:
        torch.testing.assert_close(values.grad, penalised["weight_decay"] * values.detach())
    assert others["weight_decay"] == 0
    model.freeze_features()
    penalised, others = model.parameter_groups()
    assert [id(values) for values in penalised["params"]] == [id(model.dense.weight)]
    assert all(values.requires_grad for values in others["params"])


def test_frozen_parts_stay_in_evaluation_mode() -> None:
    model = Speid(builders.TINY)
    model.freeze_features()
    model.train()
    assert not any(m.training for m in (model.feature_norm, model.lstm, model.sequence_norm, model.feature_dropout))
    assert all(m.training for m in (model.dense_norm, model.output_norm, model.sequence_dropout, model.dense_dropout))


def test_dropout_draws_from_its_own_generator() -> None:
    dropout, x = Dropout(0.25), torch.ones(100, 100)
    draws = []
    for _ in range(2):
        dropout.generator = torch.Generator().manual_seed(3)
        draws.append(dropout(x))
    assert torch.equal(*draws)
    assert draws[0].unique().tolist() == pytest.approx([0, 4 / 3])
    assert float((draws[0] == 0).float().mean()) == pytest.approx(0.25, abs=0.02)
    assert torch.equal(dropout.eval()(x), x)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_kernels": 0}, "n_kernels is 0; expected a whole number from 1 to 1000000"),
        ({"n_kernels": "8"}, "n_kernels is '8'; expected a whole number from 1 to 1000000"),
        ({"lstm_units": True}, "lstm_units is True; expected a whole number from 1 to 1000000"),
        ({"dense_dropout": 2.0}, "dense_dropout is 2.0; expected a number from 0 to below 1"),
        ({"promoter_window": 30}, "the promoter window is 30 bp; expected at least kernel [+] pool - 1 = 59 bp"),
    ],
)
def test_impossible_sizes_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        SpeidConfig(**values)  # type: ignore[arg-type]


def test_settings_from_text() -> None:
    config = SpeidConfig().with_values({"n_kernels": "64", "dense_dropout": "0"})
    assert (config.n_kernels, config.dense_dropout) == (64, 0.0)
    with pytest.raises(OptionError, match="no model setting 'kernels'; there are enhancer_window, "):
        SpeidConfig().with_values({"kernels": "1"})
    with pytest.raises(OptionError, match="n_kernels is -1; expected a whole number from 1 to 1000000"):
        SpeidConfig().with_values({"n_kernels": "-1"})
    with pytest.raises(OptionError, match="n_kernels=x: expected int"):
        SpeidConfig().with_values({"n_kernels": "x"})
