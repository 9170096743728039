# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads arrays of any shape that programs write as rows (N, K) of N heads."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from ....arrays import AnyArray, FloatArray
from ....errors import UserError
from ...flame.model import POSES
from .containers import REMEDY
from .foreign import describe_code
from .rotations import are_rotations, axis_angle_from_matrices, axis_angle_from_six
from .text import number_from_text

_COLUMN = 10  # so many heads of one component each are one head's code that lies on its side


def code_rows(value: Any, key: str, source: str) -> Annotated[FloatArray, "N K"]:
    """A code of shape or expression as rows (N, K); UserError that describes anything else.

    `source` stands for the file in errors, here and below; `key` is what the file calls the array.
    """
    described = describe_code(as_array(value))
    if described:
        raise UserError(f"{source}: {key} is {described}, not a code of FLAME's: {REMEDY}")
    rows = _rows(_numbers(value, key, source), key, source)
    if rows.shape[1] == 1 and len(rows) >= _COLUMN:
        raise UserError(
            f"{source}: {key} is a column of {len(rows)} numbers; a head's code is a row, (1, K)"
        )
    return rows


def vector_rows(value: Any, key: str, source: str) -> Annotated[FloatArray, "N K"]:
    """Vectors such as translations as rows (N, K)."""
    return _rows(_numbers(value, key, source), key, source)


def pose_rows(value: Any, key: str, rotations: int, source: str) -> Annotated[FloatArray, "N K"]:
    """Rotations as rows of axis-angles (N, K = 3 R); `rotations`: the R a head should have.

    From (..., 3 R), (..., R, 3) or matrices (..., R, 3, 3); with one rotation, (..., 3, 3).
    """
    array = _numbers(value, key, source)
    if array.shape[-2:] == (3, 3):
        matrices = array.astype(np.float64)
        if np.isfinite(matrices).all() and are_rotations(matrices):
            array = axis_angle_from_matrices(matrices)
        elif array.ndim > 2:
            raise UserError(f"{source}: {key} of shape {array.shape} holds no rotation matrices")
    apart = {rotations, len(POSES)} if rotations > 1 else set()
    if array.ndim > 1 and array.shape[-1] == 3 and array.shape[-2] in apart:
        array = array.reshape(*array.shape[:-2], -1)
    return _rows(array, key, source)


def six_rows(value: Any, key: str, rotations: int, source: str) -> Annotated[FloatArray, "N K"]:
    """Rotations in six numbers each, (N, 6 R), as rows of axis-angles (N, K = 3 R)."""
    rows = vector_rows(value, key, source)
    if rows.shape[1] != 6 * rotations:
        raise UserError(
            f"{source}: {key} has {rows.shape[1]} values a head; metrical-tracker has six a"
            f" rotation, {6 * rotations}"
        )
    return axis_angle_from_six(rows.reshape(-1, rotations, 6)).reshape(len(rows), -1)


def _numbers(value: Any, key: str, source: str) -> AnyArray:
    """The array of a file; UserError if it holds no numbers, or none for a head."""
    if value is None:  # what stands for text, cells and structures of MATLAB
        raise UserError(f"{source}: {key} is no array of numbers; expected shape (K,) or (N, K)")
    array = as_array(value)
    if array.dtype.kind in "US":
        array = _from_text(array, key, source)
    if array.dtype.kind not in "fiu" or not array.ndim:
        raise UserError(
            f"{source}: {key} is {_described(value, array)}; expected numbers of shape (K,) or"
            " (N, K)"
        )
    if 0 in array.shape[:-1] or array.shape == (0,):
        raise UserError(
            f"{source}: {key} has shape {array.shape}; expected at least one head's row"
        )
    return array


def as_array(value: Any) -> Annotated[AnyArray, "..."]:
    """A value as an array; one of objects, without axes, for lists of unlike lengths."""
    try:
        return np.asarray(value)
    except ValueError:
        return np.empty((), object)


def _from_text(array: AnyArray, key: str, source: str) -> AnyArray:
    """Numbers that were written as text."""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "latin-1")
    numbers = [number_from_text(text) for text in array.ravel().tolist()]
    if None in numbers:
        text = str(array.ravel()[numbers.index(None)])
        hint = "; write decimals with a point" if "," in text else ""
        raise UserError(
            f"{source}: {key} is of type {array.dtype} and shape {array.shape}, with the text"
            f" {text[:40]!r}; expected numbers{hint}"
        )
    return np.array(numbers, np.float64).reshape(array.shape)


def _rows(array: AnyArray, key: str, source: str) -> FloatArray:
    """Rows (N, K) of an array (K,), (N, K) or with more axes of one, (1, N, K) or (N, 1, K); all
    finite."""
    counts = [size for size in array.shape[:-1] if size != 1]
    if len(counts) > 1:
        raise UserError(
            f"{source}: {key} is of type {array.dtype} and shape {array.shape}; expected numbers of"
            " shape (K,) or (N, K)"
        )
    rows = array.reshape(counts[0] if counts else 1, array.shape[-1]).astype(np.float64)
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise UserError(
            f"{source}: {key} of head {row} is {rows[row, column]} at component {column + 1};"
            " expected finite numbers"
        )
    return rows


def _described(value: Any, array: AnyArray) -> str:
    if array.dtype.kind == "O":
        return f"a {type(value).__name__} that is no regular array"
    return f"of type {array.dtype} and shape {array.shape}"
