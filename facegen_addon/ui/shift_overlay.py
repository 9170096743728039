# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the arrays of the overlay of the roundtrip shift; shift_drawing draws them.

Each measured head has a ring coloured by its angle between requested and achieved latent. A map
shows all latents in one plane, with an arrow s -> F(B(s)) a head and the mean of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import bpy
import numpy as np

from ..arrays import Float32Array
from ..scene.head import latents
from ..scene.head.head_object import ID_KEY, MODEL_KEY, PARAMETERS_KEY
from ..scene.head.latents import LATENTS_KEY, Latents
from .shift_map import ShiftMap, angles_of, colour, degrees, has_shift, shift_map

_RING = 0.6  # radius of a ring as a share of the head's longest side: around the head, not on it
# Pixels of the map at a scale of 1.
MAP_WIDTH, MAP_HEIGHT = 190, 270
_MARGIN, _LEAST_REGION = 12, 400
_WRITTEN = 90  # below the upper edge: what Blender writes there, and its gizmo


@dataclass(frozen=True)
class Subject:
    """A head as the overlay sees it: centre (3,) and radius of its ring, metres; its latents."""

    head_id: str
    centre: Annotated[Float32Array, "3"]
    radius: float
    latents: Latents


@dataclass(frozen=True)
class Signature:
    """Hashes of the map's latents and the heads' places, equal as long as nothing has changed."""

    latents: int
    places: int


@dataclass(frozen=True)
class Rings:
    """N heads with a shift: centres (N, 3) and radii (N,), metres; angles (N,), radians;
    colours (N, 4), 0 to 1; labels, e.g. "23°"."""

    centres: Annotated[Float32Array, "N 3"]
    radii: Annotated[Float32Array, "N"]
    angles: Annotated[Float32Array, "N"]
    colours: Annotated[Float32Array, "N 4"]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class OverlayData:
    """All that is drawn; map is None where no latent is known."""

    rings: Rings
    map: ShiftMap | None


@dataclass(frozen=True)
class Box:
    """A rectangle, pixels."""

    x: float
    y: float
    width: float
    height: float


def heads_of(objects: Iterable[bpy.types.Object]) -> list[bpy.types.Object]:
    """Those of the objects that are heads."""
    return [o for o in objects if MODEL_KEY in o]


def signature(heads: Iterable[bpy.types.Object]) -> Signature:
    """The signature of these heads; cheap enough for each redraw."""
    known, places = [], []
    for head in heads:
        parameters = np.array(head[PARAMETERS_KEY], np.float64).tobytes()
        known.append((head.name, head[ID_KEY], head.get(LATENTS_KEY), parameters))
        matrix = tuple(tuple(row) for row in head.matrix_world)
        places.append((head[ID_KEY], matrix, tuple(tuple(corner) for corner in head.bound_box)))
    return Signature(hash(tuple(known)), hash(tuple(places)))


def subjects(heads: Iterable[bpy.types.Object]) -> list[Subject]:
    """The heads that have been measured, and not moved since."""
    found = []
    for head in heads:
        known = latents.read(head)
        if known.achieved is not None:
            found.append(Subject(head[ID_KEY], *_ring_of(head), known))
    return found


def _ring_of(head: bpy.types.Object) -> tuple[Float32Array, float]:
    """Centre (3,) and radius of the ring around a head, metres."""
    matrix = np.array(head.matrix_world)
    corners = np.array(head.bound_box) @ matrix[:3, :3].T + matrix[:3, 3]
    # Blender's corners 3, 4 and 1 lie along y, x and z from corner 0.
    sides = np.linalg.norm(corners[[1, 3, 4]] - corners[0], axis=1)
    return corners.mean(axis=0).astype(np.float32), _RING * float(sides.max())


def extract(found: Sequence[Subject]) -> OverlayData:
    """Rings and map of these heads."""
    return OverlayData(_rings(found), shift_map([subject.latents for subject in found]))


def moved(data: OverlayData, found: Sequence[Subject]) -> OverlayData:
    """The data with the rings where the heads stand now; the map is kept."""
    return replace(data, rings=_rings(found))


def _rings(found: Sequence[Subject]) -> Rings:
    shifted = [s for s in found if has_shift(s.latents)]
    angles = angles_of([s.latents for s in shifted])
    return Rings(
        np.array([s.centre for s in shifted], np.float32).reshape(-1, 3),
        np.array([s.radius for s in shifted], np.float32),
        angles,
        colour(angles),
        tuple(degrees(value) for value in angles),
    )


Disc = tuple[float, float, float]
"""What a head covers of a region: its middle's x and y, and a radius, pixels."""


def map_box(
    region: Box, overlapping: Iterable[Box], scale: float, heads: Sequence[Disc] = ()
) -> Box | None:
    """The map's place: the corner that covers least of the heads, if it can be the lower right one.

    None if what sidebars leave free is too narrow. Boxes in window pixels, heads and the result in
    the region's; ``scale`` is that of Blender's interface.
    """
    left, right = region.x, region.x + region.width
    bottom, top = region.y, region.y + region.height
    for box in overlapping:
        if box.width <= 1 or box.height <= 1:
            continue
        if box.height > box.width:
            if box.x > region.x + 0.5 * region.width:
                right = min(right, box.x)
            else:
                left = max(left, box.x + box.width)
        elif box.width > 0.5 * region.width:
            if box.y < region.y + 0.5 * region.height:
                bottom = max(bottom, box.y + box.height)
            else:
                top = min(top, box.y)
    width, height, margin = MAP_WIDTH * scale, MAP_HEIGHT * scale, _MARGIN * scale
    roomy = right - region.x >= _LEAST_REGION * scale
    tall = region.y + region.height - bottom >= height + 4 * margin
    if not (roomy and tall):
        return None
    columns = right - region.x - width - margin, left - region.x + margin
    rows = bottom - region.y + margin, top - region.y - height - _WRITTEN * scale
    corners = [Box(x, y, width, height) for y in rows for x in columns]
    return min(corners, key=lambda corner: _covered(corner, heads))


def _covered(box: Box, heads: Iterable[Disc]) -> float:
    """How deep heads reach into a box, pixels in all."""
    deep = 0.0
    for x, y, radius in heads:
        away = np.hypot(
            max(box.x - x, 0.0, x - box.x - box.width), max(box.y - y, 0.0, y - box.y - box.height)
        )
        deep += max(radius - float(away), 0.0)
    return deep
