# SPDX-License-Identifier: GPL-3.0-or-later
"""FLAME-format files ready for use: the open head, and any other dressed by it.

The open head (models/training/bake_open_flame.py) has the Anny head's triangles, so it takes over
what Anny knows of its surface.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from ...arrays import AnyArray
from ...artifacts import USER_MODEL_PREFIX, artifact, load_npz, parse_npz
from ...atomic_file import replacing
from ...errors import UserError
from ...user_folder import user_folder
from ..anny.head import ARTIFACT as ANNY_ARTIFACT
from ..anny.head import AnnyHead, anny_head
from ..characteristics import Characteristics
from ..correspondence import SurfacePoints, Target, stack_features
from ..landmarks import read_landmark_embedding
from . import characteristics, dressing, file
from .dressing import Dressing
from .file import FlameArrays, read_cached, read_flame_file
from .head import FlameHead

OPEN_FLAME = "open_flame"
_DIGITS = 12
EMBEDDING_FILE = "landmark_embedding.npy"
"""The official landmarks, as distributed, where it lies beside a FLAME file."""
_logger = logging.getLogger(__name__)


class OpenHead(FlameHead):
    """The head of models/open_flame.npz, on Anny's surface."""

    @cached_property
    def characteristics(self) -> Characteristics:
        """Those that were learned of its components."""
        return characteristics.of_open_head(self)

    @property
    def sources(self) -> dict[str, str]:
        """Its file and Anny's."""
        return {name: artifact(name).sha256 for name in (OPEN_FLAME, ANNY_ARTIFACT)}


class UserHead(FlameHead):
    """The head of a user's file, dressed by the open head."""

    @cached_property
    def characteristics(self) -> Characteristics:
        """The open head's, found again in the file's components: a second or less."""
        donor, dressing = open_flame()
        return characteristics.of_flame_file(self, donor, dressing.surface)


def open_flame_head() -> OpenHead:
    """The open head."""
    return OpenHead(OPEN_FLAME, *open_flame())


def flame_head_from_file(path: Path) -> FlameHead:
    """The head in a user's FLAME file; UserError where it is none.

    The official landmarks are used when landmark_embedding.npy lies beside it. They are the head's
    alone: what is cached follows from the file.
    """
    arrays = read_flame_file(path)
    embedding = path.with_name(EMBEDDING_FILE)
    official = None
    if embedding.exists():
        official = read_landmark_embedding(embedding, len(arrays.faces))
    name = USER_MODEL_PREFIX + arrays.sha256[:_DIGITS]
    return UserHead(name, arrays, _dressed(arrays), official)


def flame_head_from_cache(name: str) -> FlameHead:
    """The head of a file that was read before, by the name it got; UserError if it is gone.

    Its landmarks are those that the dressing found: a name says nothing of a file's surroundings.
    """
    arrays = read_cached(name.removeprefix(USER_MODEL_PREFIX))
    return UserHead(name, arrays, _dressed(arrays))


@cache
def open_flame() -> tuple[FlameArrays, Dressing]:
    """The open head's file and its dressing, which is Anny's surface."""
    arrays = file.from_arrays(
        load_npz(OPEN_FLAME), OPEN_FLAME, artifact(OPEN_FLAME).sha256, f"models/{OPEN_FLAME}.npz"
    )
    donor = anny_head()
    return arrays, Dressing(
        surface=donor.surface,
        strands=donor.strands,
        five_points=_five_points(donor),
        landmarks=donor.landmark_embedding,
        phenotypes=arrays.extras["facegen_phenotype_regressor"],
    )


def _five_points(donor: AnnyHead) -> SurfacePoints:
    """Anny's five points, means of vertices, as points on its surface."""
    surface = donor.surface
    template = surface.rest_position.astype(np.float64)
    wanted = donor.five_points(surface.rest_position).astype(np.float64)
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
    made = dressing.to_arrays(dressing.dress(arrays, *open_flame()))
    # In the order in memory that they are read back in: sums of another end in other bits.
    made = {name: np.ascontiguousarray(values) for name, values in made.items()}
    _write_cache(path, made)
    return dressing.from_arrays(made)


def _cache(arrays: FlameArrays) -> Path:
    """Where the dressing of a file lies, by all that this process lets it depend on."""
    ingredients = (
        str(dressing.FORMAT),
        arrays.sha256,
        open_flame()[0].sha256,
        artifact(ANNY_ARTIFACT).sha256,
        np.__version__,
    )
    key = hashlib.sha256("\n".join(ingredients).encode()).hexdigest()
    return user_folder() / "dressing" / f"{key}.npz"


def _write_cache(path: Path, made: Mapping[str, AnyArray]) -> None:
    try:
        with replacing(path) as unfinished:
            np.savez_compressed(unfinished, **made)  # type: ignore[arg-type]
    except UserError as error:
        _logger.warning("not cached, to be fitted again next time: %s", error)
