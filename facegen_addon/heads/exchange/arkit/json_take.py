# SPDX-License-Identifier: GPL-3.0-or-later
"""ARKit's curves in JSON: one face, frames, or names beside a matrix."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....arrays import FloatArray
from ....errors import UserError
from .take import Take, canonical, weights_by_name
from .timecode import seconds_of

_NAME_KEYS = (
    "facsNames", "names", "blendShapeNames", "blendshapeNames", "blendshape_names", "channels",
    "blendShapes", "blendshapes",
)  # fmt: skip
_MATRIX_KEYS = ("weightMat", "weights", "frames", "values", "data")
_FRAME_KEYS = ("frames", "faceBlendshapes", "face_blendshapes", "data", "results")
_FACE_KEYS = (
    "blendShapes", "blendshapes", "blend_shapes", "faceBlendshapes", "face_blendshapes", "weights",
    "categories", "values",
)  # fmt: skip
_RATE_KEYS = ("exportFps", "fps", "frameRate", "frame_rate")
_SECONDS = {"time": 1.0, "timestamp_ms": 1e-3, "timestampMs": 1e-3, "timeMs": 1e-3}
"""Keys of a frame's moment, and how many seconds their unit is."""

_FORMS = (
    "expected {name: weight}, a list of such frames, MediaPipe's categories, or names and a list of"
    " weights a frame"
)


def take_from_json(text: str, path: Path) -> Take:
    """Read JSON of one of the known forms; UserError, in one line, if it is of none."""
    try:
        content = json.loads(text, object_pairs_hook=lambda pairs: _unique(pairs, path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON ({error}); export again") from None
    outer = content if isinstance(content, Mapping) else {}
    source = "audio2face" if "facsNames" in outer else "json"
    matrix = _named_matrix(outer, path)
    if matrix is not None:
        names, values = matrix
        weights, notes, warnings = weights_by_name(names, values, path)
        times = _even(outer, len(values), path)
        return Take(source, weights, times=times, notes=notes, warnings=warnings)
    curves = _curves(outer)
    frames = _frames(content) if curves is None else [curves]
    if frames is None:
        raise UserError(f"{path}: {_FORMS}")
    if not frames:
        raise UserError(f"{path} has no frame of a face; record again")
    faces = [_face(frame, number, path) for number, frame in enumerate(frames)]
    if any("categoryName" in str(frame) or "category_name" in str(frame) for frame in frames[:1]):
        source = "mediapipe"
    names, values = _aligned(faces, path)
    weights, notes, warnings = weights_by_name(names, values, path)
    times = _moments(frames) if len(frames) == len(values) else None
    times = _even(outer, len(values), path) if times is None else times
    return Take(source, weights, times=times, notes=notes, warnings=warnings)


def _unique(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{path}: {twice!r:.40} is there twice; remove or rename one")
    return found


def _named_matrix(outer: Mapping[str, Any], path: Path) -> tuple[list[str], FloatArray] | None:
    """Names and weights (N, K) of a file that has both side by side; None for other files."""
    names = next((outer[key] for key in _NAME_KEYS if _are_texts(outer.get(key))), None)
    values = next((outer[key] for key in _MATRIX_KEYS if isinstance(outer.get(key), list)), None)
    if names is None or values is None:
        return None
    rows = [row.get("weights", row.get("w")) if isinstance(row, Mapping) else row for row in values]
    if rows and not isinstance(rows[0], list):
        rows = [rows]
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            size = len(row) if isinstance(row, list) else "no list of"
            raise UserError(
                f"{path}: frame {number} has {size} weights; expected {len(names)}, one a name"
            )
    numbers = [[_number(v, n, i, path) for v, n in zip(row, names, strict=True)]
               for i, row in enumerate(rows)]  # fmt: skip
    return list(names), np.array(numbers, np.float64).reshape(len(rows), len(names))


def _curves(outer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The face itself where the file is one: names to a weight, or to a list of them."""
    return outer if any(canonical(name) for name in outer) else None


def _frames(content: Any) -> list[Any] | None:
    """The frames of a file; None if it has none."""
    if isinstance(content, list):
        if content and isinstance(content[0], Mapping) and _category(content[0]):
            return [content]
        return content
    for key in _FRAME_KEYS:
        value = content.get(key) if isinstance(content, Mapping) else None
        if isinstance(value, list):
            return _frames(value)
    if isinstance(content, Mapping) and any(key in content for key in _FACE_KEYS):
        return [content]
    return None


def _face(frame: Any, number: int, path: Path) -> dict[str, Any]:
    """A frame's names and weights, wherever it keeps them."""
    if isinstance(frame, Mapping):
        if any(canonical(name) for name in frame):
            return _weights(frame)
        inner = next((frame[key] for key in _FACE_KEYS if key in frame), None)
        if inner is not None:
            return _face(inner, number, path)
    if isinstance(frame, list) and frame:
        if all(isinstance(entry, Mapping) and _category(entry) for entry in frame):
            names = [_category(entry) for entry in frame]
            pairs = zip(names, (entry.get("score") for entry in frame), strict=True)
            return _unique([(str(name), score) for name, score in pairs], path)
        if len(frame) == 1 and not isinstance(frame[0], int | float):  # the one face in a picture
            return _face(frame[0], number, path)
        if all(isinstance(entry, int | float) for entry in frame):
            raise UserError(
                f"{path}: frame {number} has {len(frame)} numbers without names, and tools order"
                " the curves differently; add a list of names"
            )
        raise UserError(f"{path}: frame {number} has {len(frame)} faces; keep one")
    raise UserError(f"{path}: frame {number} has no blend shapes; {_FORMS}")


def _weights(frame: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a frame that may be weights: ARKit's curves, numbers under unknown names."""
    said = {*_SECONDS, *_RATE_KEYS}
    return {
        name: value
        for name, value in frame.items()
        if canonical(name) or (isinstance(value, int | float) and name not in said)
    }


def _aligned(faces: list[dict[str, Any]], path: Path) -> tuple[list[str], FloatArray]:
    """Names and weights (N, K) of frames; UserError unless all have the same names."""
    names = list(faces[0])
    for number, face in enumerate(faces):
        other = set(names) ^ set(face)
        if other:
            raise UserError(
                f"{path}: {min(other)!r:.40} is in frame {number} or in frame 0 but not in both;"
                " every frame needs the same curves"
            )
    if len(faces) == 1 and names and all(isinstance(value, list) for value in faces[0].values()):
        lengths = {len(value) for value in faces[0].values()}
        if len(lengths) > 1:
            raise UserError(
                f"{path}: its curves have {' and '.join(map(str, sorted(lengths)))} frames;"
                " expected as many in each"
            )
        faces = [
            dict(zip(names, row, strict=True))
            for row in zip(*faces[0].values(), strict=True)
        ]  # fmt: skip
    rows = [[_number(face[name], name, i, path) for name in names] for i, face in enumerate(faces)]
    return names, np.array(rows, np.float64).reshape(len(rows), len(names))


def _number(value: Any, name: str, frame: int, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(
            f"{path}: {name!r:.40} of frame {frame} is {value!r:.40}; expected a number"
        )
    return float(value)


def _moments(frames: list[Any]) -> FloatArray | None:
    """Seconds (N,) from the first frame, where all frames say when they were."""
    for key, unit in _SECONDS.items():
        if all(isinstance(frame, Mapping) and isinstance(frame.get(key), int | float)
               for frame in frames):  # fmt: skip
            return seconds_of([str(frame[key] * unit) for frame in frames])
    return None


def _even(outer: Mapping[str, Any], count: int, path: Path) -> FloatArray | None:
    """Seconds (N,) of frames at the rate that the file names; None where it names none."""
    rate = next((outer[key] for key in _RATE_KEYS if key in outer), None)
    if rate is None:
        return None
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1000:
        raise UserError(
            f"{path}: its frame rate is {rate!r:.40}; expected 1000 frames a second at most"
        )
    return np.arange(count) / float(rate)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _category(entry: Mapping[str, Any]) -> Any:
    return entry.get("categoryName") or entry.get("category_name")
