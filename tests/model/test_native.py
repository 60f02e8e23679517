"""The native kernels of every kind against plain NumPy and PyTorch in float64."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from speid_cli.model.convolution import expand
from speid_cli.model.layers import BatchNorm, Dropout
from speid_cli.model.native.convolution import Branch, convolve
from speid_cli.model.native.layers import Drop, Features, Linear, Normalise, Recur
from speid_cli.model.native.library import KINDS, Kernels, Memory, load
from speid_cli.model.native.recurrence import Direction, recur

LIBRARY = os.environ.get("SPEID_TEST_LIBRARY")
KERNELS: dict[str, Kernels] = {}


def runs(kind: str) -> bool:
    """Whether this machine has the kernels, and the vector unit of a kind."""
    try:
        best = Kernels(1, path=Path(LIBRARY) if LIBRARY else None).kind
    except FileNotFoundError:
        return False
    return KINDS.index(kind) >= KINDS.index(best)


def kernels_of(kind: str) -> Kernels:
    if kind not in KERNELS:
        KERNELS[kind] = Kernels(2, kind, Path(LIBRARY) if LIBRARY else None)
    return KERNELS[kind]


AVAILABLE = [kind for kind in KINDS if runs(kind)]
pytestmark = pytest.mark.skipif(not AVAILABLE, reason="the native kernels were not built")
each_kind = pytest.mark.parametrize("kind", AVAILABLE)
SIZES = st.integers(1, 90)


def near(found: Tensor, expected: Tensor, size: Tensor | float | None = None) -> None:
    """Equal to rounding in fp32, relative to the size of the terms; by default the largest value's."""
    largest = float(torch.as_tensor(expected if size is None else size).abs().max())
    torch.testing.assert_close(found.double(), expected.double(), atol=4e-6 * max(largest, 1e-6), rtol=0)


@each_kind
@given(rows=SIZES, inner=st.integers(1, 900), columns=SIZES, seed=st.integers(0, 99))
def test_products(kind: str, rows: int, inner: int, columns: int, seed: int) -> None:
    kernels = kernels_of(kind)
    generator = torch.Generator().manual_seed(seed)
    a, b, bias = (torch.randn(*shape, generator=generator) for shape in ((rows, inner), (inner, columns), (columns,)))
    exact, size = a.double() @ b.double() + bias.double(), a.abs() @ b.abs() + 1
    out = torch.full((rows, columns), torch.nan)
    kernels.product(a, kernels.panels(b), out, bias)
    near(out, exact, size)
    kernels.product(a, kernels.panels(b), out, add=True)
    near(out, 2 * exact - bias.double(), size)
    kernels.product_by_rows(a, kernels.panels(b), out, bias)
    near(out, exact, size)
    for left in (a, a.T.contiguous().T):
        for right in (b, b.T.contiguous().T):
            out.fill_(torch.nan)
            kernels.product_of(left, right, out, bias)
            near(out, exact, size)


@each_kind
def test_a_product_takes_the_first_rows_of_the_panels(kind: str) -> None:
    kernels, a, b = kernels_of(kind), torch.randn(7, 20), torch.randn(50, 33)
    out = torch.empty(7, 33)
    kernels.product(a, kernels.panels(b), out)
    near(out, a.double() @ b[:20].double())


@each_kind
@given(
    sequences=st.integers(1, 9), kernel_length=st.integers(1, 11), width=st.integers(1, 7), count=st.integers(1, 70),
    extra=st.integers(0, 50), seed=st.integers(0, 99),
)  # fmt: skip
def test_convolution_and_its_gradients(
    kind: str, sequences: int, kernel_length: int, width: int, count: int, extra: int, seed: int
) -> None:
    """Features, and gradients given the same upstream gradient, with N and any letter beside the bases."""
    generator = torch.Generator().manual_seed(seed)
    length = kernel_length + width - 1 + extra
    codes = torch.randint(0, 7, (sequences, length), generator=generator, dtype=torch.uint8)
    conv = nn.Conv1d(4, count, kernel_length)
    with torch.no_grad():
        conv.weight.normal_(generator=generator)
        conv.bias.normal_(generator=generator)  # type: ignore[union-attr]
    found = Features.apply(kernels_of(kind), (codes, codes), width, *2 * [conv.weight, conv.bias])
    upstream = torch.randn(found.shape, generator=generator)
    gradients = torch.autograd.grad(found, list(conv.parameters()), upstream)

    exact = nn.Conv1d(4, count, kernel_length).double()
    exact.load_state_dict(conv.state_dict())
    pooled = F.relu(F.max_pool1d(exact(expand(codes).double()), width)).transpose(1, 2)
    expected = torch.cat([pooled, pooled], 1)
    near(found, expected.detach())
    again = torch.autograd.grad(expected, list(exact.parameters()), upstream.double())
    for one, other in zip(gradients, again, strict=True):
        near(one, other, upstream.abs().sum((0, 1)))


@each_kind
def test_a_branch_keeps_the_weights_that_it_was_made_of(kind: str) -> None:
    kernels, conv = kernels_of(kind), nn.Conv1d(4, 5, 6)
    codes = torch.randint(0, 5, (3, 40), dtype=torch.uint8)
    branch = Branch.of(kernels, conv.weight, conv.bias, 5)  # type: ignore[arg-type]
    index, outs = kernels.group_codes(codes), torch.empty(2, 3, 7, 5)
    convolve(kernels, branch, index, outs[0])
    with torch.no_grad():
        for values in conv.parameters():
            values.zero_()
    convolve(kernels, branch, index, outs[1])
    assert torch.equal(outs[0], outs[1])


@each_kind
@pytest.mark.parametrize("units", [1, 5, 16, 33, 100])
@pytest.mark.parametrize("pairs", [1, 4, 13])
def test_the_lstm_and_its_gradients(kind: str, units: int, pairs: int) -> None:
    torch.manual_seed(units)
    lstm = nn.LSTM(11, units, batch_first=True, bidirectional=True)
    exact = nn.LSTM(11, units, batch_first=True, bidirectional=True).double()
    exact.load_state_dict(lstm.state_dict())
    x = (3 * torch.randn(pairs, 9, 11)).requires_grad_()
    x64 = x.detach().double().requires_grad_()
    found, expected = Recur.apply(kernels_of(kind), x, *lstm.all_weights[0], *lstm.all_weights[1]), exact(x64)[0]
    near(found.detach(), expected.detach())
    upstream = torch.randn(found.shape)
    ours = torch.autograd.grad(found, [x, *lstm.parameters()], upstream)
    theirs = torch.autograd.grad(expected, [x64, *exact.parameters()], upstream.double())
    for one, other in zip(ours, theirs, strict=True):
        near(one, other, max(1e-2, float(other.abs().max())))


@each_kind
def test_gates_far_out_saturate(kind: str) -> None:
    """No overflow however large a gate is."""
    extremes = torch.tensor([-1e30, -200.0, -30.0, 0.0, 30.0, 200.0, 1e30])
    gates = torch.cartesian_prod(*[extremes] * 4).view(1, -1, 1, 4).expand(-1, -1, 2, -1).flatten(2).clone()
    count = gates.shape[1]
    found, cells = torch.empty(1, count, 2), torch.empty(1, count, 2)
    work = gates.clone()
    for task in recur(kernels_of(kind), Direction.FORWARD, torch.zeros(4, 1), work, found, cells):
        task()
    i, f, g, o = gates[0, :, :4].double().T
    cell, expected = torch.zeros((), dtype=torch.float64), []
    for step in range(count):
        cell = torch.sigmoid(f[step]) * cell + torch.sigmoid(i[step]) * torch.tanh(g[step])
        expected.append(torch.sigmoid(o[step]) * torch.tanh(cell))
    near(found[0, :, 0], torch.stack(expected))


@each_kind
@given(rows=st.integers(8, 200), columns=st.integers(1, 40), share=st.sampled_from([0.0, 0.25, 0.5]))
def test_batch_normalisation_with_dropout(kind: str, rows: int, columns: int, share: float) -> None:
    kernels = kernels_of(kind)
    norm, exact = BatchNorm(columns), nn.BatchNorm1d(columns).double()
    for part in (norm, exact):
        nn.init.uniform_(part.weight, 0.5, 1.5, generator=torch.Generator().manual_seed(1))
        nn.init.uniform_(part.bias, 1, 2, generator=torch.Generator().manual_seed(2))
    exact.load_state_dict(norm.state_dict())
    dropout = Dropout(share)
    x = (torch.randn(rows, columns) * 3 + 5).requires_grad_()
    dropout.generator = torch.Generator().manual_seed(4)
    found = Normalise.apply(kernels, norm, dropout, x, norm.weight, norm.bias)
    mask = (found != 0).double() / (1 - share)
    x64 = x.detach().double().requires_grad_()
    expected = exact(x64) * mask
    near(found.detach(), expected.detach(), 10 + x.detach().abs().max() / x.detach().std())
    near(norm.running_mean, exact.running_mean)  # type: ignore[arg-type]
    near(norm.running_var, exact.running_var)  # type: ignore[arg-type]
    assert norm.num_batches_tracked == 1
    upstream = torch.randn(rows, columns)
    ours = torch.autograd.grad(found, [x, *norm.parameters()], upstream)
    theirs = torch.autograd.grad(expected, [x64, *exact.parameters()], upstream.double())
    for one, other in zip(ours, theirs, strict=True):
        near(one, other, 10 * upstream.abs().sum(0))


@each_kind
def test_dropout_draws_from_its_generator_and_drops_its_share(kind: str) -> None:
    kernels, x = kernels_of(kind), torch.ones(300, 401, requires_grad=True)
    dropout = Dropout(0.25)
    draws = []
    for seed in (3, 3, 4):
        dropout.generator = torch.Generator().manual_seed(seed)
        draws.append(Drop.apply(kernels, dropout, x))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert draws[0].unique().tolist() == pytest.approx([0, 4 / 3])
    dropped = (draws[0] == 0).float()
    assert float(dropped.mean()) == pytest.approx(0.25, abs=0.01)
    assert float(dropped.mean(0).std()) < 0.04 > float(dropped.mean(1).std()), "rows and columns are alike"
    (gradient,) = torch.autograd.grad(draws[0].sum(), x)
    assert torch.equal(gradient, draws[0].detach())
    assert torch.equal(Drop.apply(kernels, dropout.eval(), x), x)


@each_kind
def test_a_dense_layer_and_its_gradients(kind: str) -> None:
    layer, x = nn.Linear(500, 37), torch.randn(13, 500, requires_grad=True)
    exact, x64 = nn.Linear(500, 37).double(), x.detach().double().requires_grad_()
    exact.load_state_dict(layer.state_dict())
    found, upstream = Linear.apply(kernels_of(kind), x, layer.weight, layer.bias), torch.randn(13, 37)
    near(found.detach(), exact(x64).detach())
    ours = torch.autograd.grad(found, [x, *layer.parameters()], upstream)
    theirs = torch.autograd.grad(exact(x64), [x64, *exact.parameters()], upstream.double())
    for one, other in zip(ours, theirs, strict=True):
        near(one, other)


def test_memory_comes_back_only_when_nobody_holds_it() -> None:
    memory = Memory()
    first = memory.empty(10, 100)
    first.fill_(7)
    view, address = first[3], first.data_ptr()
    assert address % 64 == 0
    del first
    gc.collect()
    other = memory.empty(10, 100)
    assert other.data_ptr() != address
    other.fill_(1)
    assert view.eq(7).all()
    del view
    gc.collect()
    assert memory.empty(5, 190).data_ptr() == address
    assert memory.empty(10, 10).data_ptr() not in (address, other.data_ptr()), "too small to take a large block"


def test_work_is_cut_into_equal_pieces() -> None:
    kernels = kernels_of(AVAILABLE[0])
    for count in (0, 1, 5, 64, 100):
        for least in (1, 6, 64):
            parts = kernels.spans(count, least, 4)
            assert [i for part in parts for i in range(part.start, part.stop)] == list(range(count))
            assert all(part.start % least == 0 for part in parts)
            assert len(parts) <= 4


def test_an_error_on_a_thread_is_raised() -> None:
    def fail(number: int) -> None:
        raise ValueError(number)

    with pytest.raises(ValueError, match="1"):
        kernels_of(AVAILABLE[0]).parallel(fail, [1, 2, 3])


def test_the_switch_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEID_NATIVE", "0")
    assert load(1) == (None, "PyTorch kernels (SPEID_NATIVE=0)")


def test_the_best_kind_is_the_first_that_runs() -> None:
    assert Kernels(1, path=Path(LIBRARY) if LIBRARY else None).kind == AVAILABLE[0]


def test_scratch_that_cannot_be_had_is_an_error() -> None:
    kernels, x = kernels_of(AVAILABLE[0]), torch.zeros(1, 1)
    with pytest.raises(MemoryError, match="no memory for product_of"):
        kernels.call("product_of", x, 1, 2, x, 1, 1, 2**50, 0, 0, x, 1, None)


def test_numbers_are_the_same_on_every_thread_count() -> None:
    a, b = torch.randn(50, 300), torch.randn(300, 70)
    outs = torch.empty(2, 50, 70)
    for out, threads in zip(outs, (1, 3), strict=True):
        kernels = Kernels(threads, AVAILABLE[0], Path(LIBRARY) if LIBRARY else None)
        kernels.product_of(a, b, out)
    assert np.array_equal(*outs.numpy())
