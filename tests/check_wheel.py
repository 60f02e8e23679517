"""Load the kernels of an installed wheel and run two of them, in a Python that has nothing else.

usage: python -I tests/check_wheel.py     (-I: the package that is installed, not the one beside)
"""

from __future__ import annotations

import ctypes
import importlib.util
from array import array
from pathlib import Path


def call(function: ctypes._NamedFuncPointer, *arguments: array | int | None) -> None:
    """Call a kernel with addresses and numbers."""
    converted = [
        ctypes.c_void_p(each.buffer_info()[0]) if isinstance(each, array) else ctypes.c_int64(each or 0)
        for each in arguments
    ]
    assert not function(*converted)


def check_group_codes(library: ctypes.CDLL) -> None:
    """Four bases are one number to base 5, the first base its highest digit."""
    codes, index = array("B", [1, 2, 3, 0]), array("H", [0] * 4)
    library.group_codes.restype = None
    call(library.group_codes, codes, 1, len(codes), index)
    assert index[0] == ((1 * 5 + 2) * 5 + 3) * 5, index


def check_product(library: ctypes.CDLL, kind: str) -> None:
    """(2, 3) times (3, columns), with as many columns as a panel has."""
    columns = 4 * ctypes.c_int64.in_dll(library, f"lanes_{kind}").value
    a, b, out = array("f", range(6)), array("f", range(3 * columns)), array("f", [0] * (2 * columns))
    call(library[f"product_{kind}"], a, 3, 1, b, len(b), 2, 3, columns, out, columns, None, 0)
    expected = [sum(a[3 * r + k] * b[columns * k + c] for k in range(3)) for r in range(2) for c in range(columns)]
    assert out.tolist() == expected, out


def main() -> None:
    """Find the package that is installed, check, and say what was found."""
    spec = importlib.util.find_spec("speid_cli")
    assert spec is not None and spec.origin is not None, "speid is not installed"
    path = Path(spec.origin).parent / "model" / "native" / "_kernels.so"
    library = ctypes.CDLL(str(path))
    library.best_kind.restype = ctypes.c_char_p
    kind = library.best_kind().decode()
    check_group_codes(library)
    check_product(library, kind)
    print(f"native kernels ({kind}) in {path}")


if __name__ == "__main__":
    main()
