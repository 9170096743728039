# SPDX-License-Identifier: GPL-3.0-or-later
"""The fine maps of a model, kept in the user's folder: to make them takes a process seconds."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, ByteArray, Float32Array
from ...artifacts import artifact, parse_npz
from ...atomic_file import replacing
from ...errors import UserError
from ...user_folder import user_folder
from .. import appearance
from .statistics import SKIN_ARTIFACT

_logger = logging.getLogger(__name__)
_FOLDER = Path(__file__).parent
_SOURCES = (*sorted(_FOLDER.glob("*.py")), Path(appearance.__file__))


@dataclass(frozen=True)
class FineMaps:
    """What a renderer adds to the colours of vertices, the same for every head of a model.

    Codes in [0, 1], (H, W, 4) each. colour: log of light (0.5 is none, FINE_RANGE at both ends)
    of every skin and of FINE's components. relief: DEPTHS' layers, 1 is the skin and 0 the
    deepest; then the mottling of a shaved beard. marks: profile, phase, kind (0, 0.5, 1), 1.
    """

    colour: Annotated[Float32Array, "H W 4"]
    relief: Annotated[Float32Array, "H W 4"]
    marks: Annotated[Float32Array, "H W 4"]


_IMAGES = [field.name for field in fields(FineMaps)]


def kept_maps(mesh: Iterable[Annotated[AnyArray, "..."]], make: Callable[[], FineMaps]) -> FineMaps:
    """What ``make`` makes of the arrays of a mesh, to 8 bits; a damaged copy is made again."""
    path = _place(mesh)
    try:
        codes = parse_npz(path.read_bytes(), path, "")
        return FineMaps(*(_values(codes[name]) for name in _IMAGES))
    except (OSError, UserError, KeyError):
        _logger.info("making the maps of a skin: a few seconds, once")
    made = make()
    images = {name: _codes(getattr(made, name)) for name in _IMAGES}
    try:
        with replacing(path) as unfinished:
            np.savez_compressed(unfinished, **images)  # type: ignore[arg-type]
    except UserError as error:
        _logger.warning("not kept, to be made again next time: %s", error)
    return FineMaps(*(_values(codes) for codes in images.values()))


def _codes(values: Float32Array) -> ByteArray:
    """Values in [0, 1] as an image of 8 bits holds them, which is what renderers are given."""
    return np.floor(255.0 * values + 0.5).astype(np.uint8)


def _values(codes: AnyArray) -> Float32Array:
    return codes.astype(np.float32) / np.float32(255.0)


def _place(mesh: Iterable[AnyArray]) -> Path:
    """Where maps lie, by all that they depend on."""
    key = hashlib.sha256(_code().encode())
    for text in (artifact(SKIN_ARTIFACT).sha256, np.__version__):
        key.update(text.encode())
    for array in mesh:
        key.update(np.ascontiguousarray(array).tobytes())
    return user_folder() / "skin" / f"{key.hexdigest()}.npz"


@cache
def _code() -> str:
    """A hash of the code that makes maps."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()
