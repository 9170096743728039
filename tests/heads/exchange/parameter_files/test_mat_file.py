# SPDX-License-Identifier: GPL-3.0-or-later
"""MATLAB files of version 5, compressed or not, of both byte orders."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegen_addon.errors import UserError
from facegen_addon.heads.exchange.parameter_files.containers import parse

FILE = Path("a.mat")
_CLASSES = {"f8": (6, 9), "f4": (7, 7), "i1": (8, 1), "u1": (9, 2), "i2": (10, 3), "i4": (12, 5)}


def _element(kind: int, body: bytes, order: str) -> bytes:
    return struct.pack(order + "II", kind, len(body)) + body + b"\0" * (-len(body) % 8)


def _variable(name: str, array: np.ndarray, order: str) -> bytes:
    number, kind = _CLASSES[array.dtype.str[1:]]
    body = _element(6, struct.pack(order + "II", number, 0), order)
    body += _element(5, struct.pack(f"{order}{array.ndim}i", *array.shape), order)
    short = name.encode()
    if len(short) <= 4:  # a small element
        body += struct.pack(order + "I", len(short) << 16 | 1) + short.ljust(4, b"\0")
    else:
        body += _element(1, short, order)
    numbers = array.astype(array.dtype.newbyteorder(order)).tobytes("F")
    return _element(14, body + _element(kind, numbers, order), order)


def _file(variables: dict[str, np.ndarray], order: str = "<", packed: bool = False) -> bytes:
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(order + "H", 0x0100)
    head += b"IM" if order == "<" else b"MI"
    parts = [_variable(name, array, order) for name, array in variables.items()]
    if packed:
        parts = [struct.pack(order + "II", 15, len(zlib.compress(part))) + zlib.compress(part)
                 for part in parts]  # fmt: skip
    return head + b"".join(parts)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", _CLASSES)
def test_arrays_come_back(dtype: str, order: str, packed: bool, rng: np.random.Generator) -> None:
    variables = {
        "exp": (9 * rng.random((3, 5))).astype(dtype),
        "shapecode": (9 * rng.random((2, 3, 4))).astype(dtype),
    }
    found = parse(_file(variables, order, packed), FILE)
    assert list(found) == list(variables)
    for name, array in variables.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("packed", [False, True])
def test_scipy_agrees(packed: bool, rng: np.random.Generator) -> None:
    scipy_io = pytest.importorskip("scipy.io", reason="scipy is a test requirement")
    given = {
        "shape": rng.random((1, 100)),
        "few": np.float32([[1.5]]),
        "z": rng.random((2, 2)) * 1j,
        "whole": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "text": "neutral",
        "nested": {"a": 1},
    }
    stream = io.BytesIO()
    scipy_io.savemat(stream, given, do_compression=packed)
    found = parse(stream.getvalue(), FILE)
    for name in ("shape", "few", "z", "whole"):
        np.testing.assert_array_equal(found[name], given[name])
    assert found["text"] is None and found["nested"] is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"MATLAB 7.3 MAT-file".ljust(126) + b"IM" + b"\0" * 384 + b"\x89HDF\r\n\x1a\n", r"-v7'"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 99, "an HDF5 file"),
        (_file({"shape": np.ones((1, 9))})[:-30], "not a whole MATLAB file"),
        (_file({"shape": np.ones((1, 9))}, packed=True)[:-30], "not a whole MATLAB file"),
    ],
)
def test_what_cannot_be_read_is_called_what_it_is(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(data, FILE)


_WHOLE = [_file({"exp": np.ones((1, 3)), "longer": np.ones((2, 2))}, packed=p) for p in (0, 1)]  # type: ignore[arg-type]


@given(
    data=st.sampled_from(_WHOLE),
    position=st.integers(124, 600),
    value=st.binary(min_size=1, max_size=4),
)
def test_changed_bytes_raise_no_other_error(data: bytes, position: int, value: bytes) -> None:
    position %= len(data)
    changed = data[:position] + value + data[position + len(value) :]
    try:
        parse(changed, FILE)
    except UserError as error:
        assert "\n" not in str(error)
