"""Files of `torch.save`: every dense tensor as it was, and nothing believed that the file says of itself."""

from __future__ import annotations

import pickle
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from speid_cli.dataset import zips
from speid_cli.errors import DataError
from speid_cli.model.stored import LONGEST_PICKLE_BYTES, StoredFile, load_plain
from tests import hostile

GRID = torch.arange(12.0).reshape(3, 4)
FLAT = torch.arange(20)


@pytest.mark.parametrize(
    "value",
    [
        GRID,
        GRID.T,
        GRID[1:, ::2],
        GRID[:0],
        torch.tensor(5),
        torch.ones(1).expand(1, 1),
        torch.nn.Parameter(GRID),
        FLAT.to(torch.uint8),
        FLAT.to(torch.int16),
        FLAT.to(torch.int32),
        FLAT.to(torch.int8),
        FLAT.to(torch.float64),
        FLAT.to(torch.float16),
        FLAT.to(torch.bfloat16),
        FLAT.to(torch.complex64),
        FLAT > 3,
    ],
)
def test_tensors_come_back(folder: Path, value: Tensor) -> None:
    torch.save({"value": [value, (value, 1)]}, "x.pt")
    first, (second, _) = load_plain("x.pt")["value"]
    assert first is second
    assert torch.equal(first, value)
    assert (first.dtype, first.shape) == (value.dtype, value.shape)
    assert first.is_contiguous()


def test_views_of_one_storage_come_back(folder: Path) -> None:
    torch.save({"first": FLAT[:3], "second": FLAT[3:].reshape(-1, 1)}, "x.pt")
    again = load_plain("x.pt")
    assert torch.equal(again["first"], FLAT[:3])
    assert torch.equal(again["second"][:, 0], FLAT[3:])


def test_a_state_dict_comes_back(folder: Path) -> None:
    layer = torch.nn.BatchNorm1d(3)
    torch.save(layer.state_dict(), "x.pt")
    again = load_plain("x.pt")
    assert again.keys() == layer.state_dict().keys()
    assert again["num_batches_tracked"] == 0


def save(value: Any, **members: bytes) -> dict[str, bytes]:
    """``x.pt`` of a value, with some members exchanged; its members."""
    torch.save(value, "x.pt")
    found = hostile.members_of(Path("x.pt").read_bytes()) | {f"x/{name}": content for name, content in members.items()}
    hostile.write("x.pt", hostile.zipped(found))
    return found


def test_no_tensor_is_read_before_it_is_asked_for(folder: Path) -> None:
    save({"large": torch.zeros(1 << 20), "small": GRID})
    tracemalloc.start()
    try:
        with StoredFile("x.pt") as file:
            assert torch.equal(file.load(file.content["small"]), GRID)
            assert (file.content["large"].n_bytes, file.content["large"].storage.n_bytes) == (4 << 20, 4 << 20)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


class Tampered:
    """A tensor whose pickle states other numbers."""

    def __init__(self, values: Tensor, *arguments: Any) -> None:
        self.values, self.arguments = values, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        function, (storage, *_) = self.values.__reduce_ex__(2)
        return function, (storage, *self.arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, (10**6, 10**6), (0, 0), False, {}), r"damaged \(a tensor \(1000000, 1000000\) of 12 stored values\)"),
        ((0, (10**6, 10**6), (10**6, 1), False, {}), r"damaged \(a tensor \(1000000, 1000000\) of 12 stored values\)"),
        ((0, (3, 5), (4, 1), False, {}), r"damaged \(a tensor \(3, 5\) of 12 stored values\)"),
        ((1, (3, 4), (4, 1), False, {}), r"damaged \(a tensor \(3, 4\) of 12 stored values\)"),
        ((0, (3, 4), (2**50, 1), False, {}), r"damaged \(a tensor \(3, 4\) of 12 stored values\)"),
        ((-1, (3,), (1,), False, {}), "damaged .a tensor whose offset, shape or stride is no number"),
        ((0, (3,), (-1,), False, {}), "damaged .a tensor whose offset, shape or stride is no number"),
        ((0, (2**200,), (1,), False, {}), "damaged .a tensor whose offset, shape or stride is no number"),
        ((0, (3.0,), (1,), False, {}), "damaged .a tensor whose offset, shape or stride is no number"),
        ((0, ("3",), (1,), False, {}), "damaged .a tensor whose offset, shape or stride is no number"),
        ((0, (3,), (1, 1), False, {}), "damaged .a tensor that is more than storage, offset, shape and stride"),
        ((0, (1,) * 99, (1,) * 99, False, {}), "damaged .a tensor that is more than storage, offset, shape and stride"),
        (
            (0, (3,), (1,), False, {}, {"neg": True}),
            "damaged .a tensor that is more than storage, offset, shape and st",
        ),
        ((0, 3, 1, False, {}), "damaged .'int' object is not iterable"),
        ((0,), "damaged ._rebuilt"),
    ],
)
def test_tensors_that_lie_are_refused(folder: Path, arguments: tuple[Any, ...], message: str) -> None:
    save({"value": Tampered(GRID, *arguments)})
    with pytest.raises(DataError, match=f"^x.pt: {message}"):
        load_plain("x.pt")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"K\x0c", b"K\xff", "damaged .'x/data/0' does not hold 255 values"),
        (b"K\x0c", b"J\xff\xff\xff\x7f", "damaged .'x/data/0' does not hold 2147483647 values"),
        (b"K\x0c", b"J\xff\xff\xff\xff", "damaged .'x/data/0' does not hold -1 values"),
        (
            b"K\x0c",
            b"\x8a\x08" + (2**62).to_bytes(8, "little"),
            "damaged .'x/data/0' does not hold 4611686018427387904",
        ),
        (b"K\x0c", b"K\x0b", "damaged .'x/data/0' does not hold 11 values"),
        (b"K\x0c", b"\x88", "damaged .a storage without type, name and length"),
        (b"FloatStorage", b"DoubleStorage", "damaged .'x/data/0' does not hold 12 values"),
        (
            b"FloatStorage",
            b"QUInt8Storage",
            "holds more than tensors and plain values.*it asks for 'torch QUInt8Storage'",
        ),
        (b"X\x01\x00\x00\x000", b"X\x01\x00\x00\x009", "damaged .'x/data/9' does not hold 12 values"),
        (b"X\x01\x00\x00\x000", b"K\x00", "damaged .a storage without type, name and length"),
        (b"storage", b"starage", "damaged .a storage without type, name and length"),
        (b"Q", b"", "damaged .a tensor that is more than storage"),
        (b"_rebuild_tensor_v2", b"_rebuild_parameter", "damaged .a parameter that is no tensor"),
        (
            b"_rebuild_tensor_v2",
            b"_rebuild_wrapper_subclass",
            "holds more than tensors and plain values, and was not op",
        ),
    ],
)
def test_storages_that_lie_are_refused(folder: Path, old: bytes, new: bytes, message: str) -> None:
    members = save({"value": GRID})
    assert old in members["x/data.pkl"]
    hostile.write("x.pt", hostile.zipped(members | {"x/data.pkl": members["x/data.pkl"].replace(old, new, 1)}))
    with pytest.raises(DataError, match=f"^x.pt: {message}"):
        load_plain("x.pt")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: GRID.to_sparse(), "'torch._utils _rebuild_sparse_tensor'"),
        (lambda: torch.quantize_per_tensor(GRID, 1.0, 0, torch.qint8), "'torch._utils _rebuild_qtensor'"),
        (lambda: torch.empty(3, device="meta"), "'torch._utils _rebuild_meta_tensor_no_storage'"),
        (lambda: torch.float32, "'torch float32'"),
        (lambda: torch.Size([1]), "'torch Size'"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_other_tensors_are_not_opened(folder: Path, make: Callable[[], Any], name: str) -> None:
    torch.save({"value": make()}, "x.pt")
    with pytest.raises(DataError) as caught:
        load_plain("x.pt")
    assert str(caught.value) == (
        "x.pt: holds more than tensors and plain values, and was not opened; expected a model written by speid; "
        f"it asks for {name}; do not run models from sources you do not trust"
    )


def test_members_that_torch_would_not_write_are_refused(folder: Path) -> None:
    members = save({"value": GRID})
    bomb = members | {"x/data.pkl": b"]" * (LONGEST_PICKLE_BYTES + 1)}
    other = "big" if sys.byteorder == "little" else "little"
    cases = {
        "member 'x/data.pkl' is encrypted, or packed by method 8; expected stored": hostile.zipped(
            bomb, zipfile.ZIP_DEFLATED
        ),
        "4,194,305 bytes of plain values; expected at most 4,194,304": hostile.zipped(bomb),
        "member 'x/data/0' states a size that it cannot have": hostile.misstated(
            hostile.zipped(members), "x/data/0", file_size=4_000_000_000
        ),
        "x/data/0: damaged (Bad CRC-32 for file 'x/data/0')": hostile.misstated(
            hostile.zipped(members), "x/data/0", crc=1
        ),
        f"stored with another order of bytes; expected {sys.byteorder}-endian numbers": hostile.zipped(
            members | {"x/byteorder": other.encode()}
        ),
        "not a PyTorch file; expected a model written by speid": hostile.zipped(members | {"y/data.pkl": b"."}),
        "not a speid model": hostile.zipped(members | {"x/data.pkl": b"\x80\x02]."}),
    }
    for message, content in cases.items():
        with pytest.raises(DataError) as caught:
            load_plain(hostile.write("x.pt", content))
        assert str(caught.value) == f"x.pt: {message}"


def test_values_without_end_are_refused(folder: Path) -> None:
    itself: dict[str, Any] = {}
    itself["again"] = [itself]
    members = save({})
    hostile.write("x.pt", hostile.zipped(members | {"x/data.pkl": pickle.dumps(itself, 2)}))
    with pytest.raises(DataError, match="x.pt: values that hold one another without end"):
        load_plain("x.pt")


def test_what_stands_many_times_over_is_made_once(folder: Path) -> None:
    value: list[Any] = []
    for _ in range(200):
        value = [value, value]
    torch.save({"value": value}, "x.pt")
    left, right = load_plain("x.pt")["value"]
    assert left is right


def test_a_tensor_that_does_not_fit_into_memory_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save({"value": GRID})
    monkeypatch.setattr(zips, "available_bytes", lambda: 95)
    with pytest.raises(DataError, match="x.pt: a tensor takes 96 bytes of memory; expected at most the 95 that are"):
        load_plain("x.pt")
