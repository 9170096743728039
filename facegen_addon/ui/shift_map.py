# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the map of the scene's latents: a plane through them, and the shifts of the heads in it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated

import numpy as np

from ..arrays import Float32Array, RealArray
from ..errors import UserError
from ..latent.checked import LATENT_SIZE
from ..latent.natural import NaturalFaces
from ..latent.sphere import angle
from ..random_streams import random_stream
from ..scene.head.latents import Latents
from .remedies import explain

FULL = float(np.radians(60.0))
"""The angle at which the colours end."""
TICKS = (0, 20, 40, 60)
"""Degrees that the colour bar names."""
# matplotlib's viridis (S. van der Walt, N. Smith; CC0) without its darkest fifth, which does not
# stand out from Blender's grey: ordered in lightness, also to the colour-blind.
STOPS = ("3e4989", "31688e", "26828e", "1f9e89", "35b779", "6dcd59", "b4de2c", "fde725")
_BACKDROP, _BACKDROP_SEED = 250, 0
_REACH = 0.86  # of the map's half width: where the outermost latent lies
_LEAST_SPREAD = 0.1  # distance on the sphere that fills the map at most, however alike the heads

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShiftMap:
    """All latents in a plane, coordinates -1 to 1: right is where the mean shift leads.

    shifts (N, 2, 2): arrows from requested to achieved, colours (N, 4); before (K, 2, 2): the same
    before a correction; lone (L, 2): achieved latents of heads that nothing was asked of; backdrop
    (M, 2): natural faces; mean (1, 2, 2): arrow between the means of several shifts, or (0, 2, 2).
    mean_shift (512,): mean of F(B(s)) - s, and common: the angle that it spans, radians: what all
    shifts have in common, never more than mean_angle, the mean of their angles. mean_angle_before:
    that without corrections, None where there are none.
    """

    shifts: Annotated[Float32Array, "N 2 2"]
    colours: Annotated[Float32Array, "N 4"]
    before: Annotated[Float32Array, "K 2 2"]
    lone: Annotated[Float32Array, "L 2"]
    backdrop: Annotated[Float32Array, "M 2"]
    mean: Annotated[Float32Array, "A 2 2"]
    mean_shift: Annotated[Float32Array, "512"]
    common: float
    mean_angle: float
    mean_angle_before: float | None


def colour(angles: Annotated[RealArray, "..."] | float) -> Annotated[Float32Array, "... 4"]:
    """Colours (..., 4) of angles in radians, those beyond FULL in the last colour."""
    stops = np.array([[int(s[i : i + 2], 16) / 255.0 for i in (0, 2, 4)] for s in STOPS])
    share = np.clip(np.asarray(angles, np.float64) / FULL, 0.0, 1.0)
    places = np.linspace(0.0, 1.0, len(stops))
    channels = [np.interp(share, places, stops[:, i]) for i in range(3)]
    return np.stack([*channels, np.ones_like(share)], axis=-1).astype(np.float32)


def degrees(radians: float) -> str:
    """An angle in whole degrees."""
    return f"{np.degrees(radians):.0f}°"


def has_shift(known: Latents) -> bool:
    """Whether both the requested and the achieved latent are known."""
    return known.requested is not None and known.achieved is not None


def angles_of(known: Sequence[Latents]) -> Annotated[Float32Array, "N"]:
    """Angles (N,) from requested to achieved latents, radians."""
    pairs = _rows([k.requested for k in known]), _rows([k.achieved for k in known])
    return angle(*pairs).astype(np.float32)


def _rows(found: Sequence[Float32Array | None]) -> Float32Array:
    """The latents (N, 512) that are known."""
    return np.array([row for row in found if row is not None], np.float32).reshape(-1, LATENT_SIZE)


def shift_map(known: Sequence[Latents]) -> ShiftMap | None:
    """The map of these heads' latents; None where there is none."""
    shifted = [k for k in known if has_shift(k)]
    corrected = [k for k in shifted if k.before is not None]
    s, f = _rows([k.requested for k in shifted]), _rows([k.achieved for k in shifted])
    s_before, before = _rows([k.requested for k in corrected]), _rows([k.before for k in corrected])
    lone = _rows([k.achieved for k in known if k.requested is None])
    everything = np.concatenate([s, f, before, lone])
    if not len(everything):
        return None
    mean_shift = (f - s).mean(axis=0) if len(s) else np.zeros(LATENT_SIZE, np.float32)
    plane = Plane.through(everything, mean_shift, _natural())
    shifts, backdrop = _arrows(plane, s, f), plane.project(_natural())
    angles = angles_of(shifted)
    return ShiftMap(
        shifts=shifts,
        colours=colour(angles),
        before=_arrows(plane, s_before, before),
        lone=plane.project(lone),
        backdrop=backdrop[(np.abs(backdrop) < 1).all(axis=1)],
        mean=shifts.mean(axis=0, keepdims=True) if len(s) > 1 else shifts[:0],
        mean_shift=mean_shift,
        common=_spanned(mean_shift),
        mean_angle=float(angles.mean()) if len(s) else 0.0,
        mean_angle_before=_mean_before(shifted) if corrected else None,
    )


def _arrows(plane: Plane, start: Float32Array, end: Float32Array) -> Float32Array:
    """Arrows (N, 2, 2) on the map between latents (N, 512)."""
    return np.stack([plane.project(start), plane.project(end)], axis=1)


def _spanned(chord: Float32Array) -> float:
    """The angle between two points of the sphere that lie as far apart as a vector is long."""
    return float(2.0 * np.arcsin(min(0.5 * float(np.linalg.norm(chord)), 1.0)))


def _mean_before(shifted: Sequence[Latents]) -> float:
    """Mean angle of the shifts before any was corrected."""
    first = [k if k.before is None else replace(k, achieved=k.before) for k in shifted]
    return float(angles_of(first).mean())


@dataclass(frozen=True)
class Plane:
    """A plane of the latents: their mean (512,), axes (2, 512) and map units per distance."""

    mean: Annotated[Float32Array, "512"]
    axes: Annotated[Float32Array, "2 512"]
    scale: float

    @classmethod
    def through(
        cls,
        points: Annotated[Float32Array, "N 512"],
        right: Annotated[Float32Array, "512"],
        others: Annotated[Float32Array, "M 512"],
    ) -> Plane:
        """The plane of ``right`` (512,) and of the largest spread of ``points`` (N, 512) across.

        The principal plane of the points where ``right`` is zero. Signs do not depend on the
        solver. ``others`` (M, 512) decide, by next to no weight, where the points leave an axis
        open.
        """
        mean = points.mean(axis=0)
        missing = np.zeros((2, points.shape[1]))  # if there are fewer than two rows
        rows = np.concatenate([points - mean, 1e-3 * (others - mean), missing])
        length = float(np.linalg.norm(right))
        first = right[None].astype(np.float64) / length if length > 1e-6 else missing[:0]
        rows -= rows @ first.T @ first
        principal = np.linalg.svd(rows, full_matrices=False)[2]
        largest = np.abs(principal[:2]).argmax(axis=1)
        signs = np.sign(principal[np.arange(2), largest])
        axes = np.concatenate([first, principal[:2] * signs[:, None]])[:2]
        spread = np.abs((points - mean) @ axes.T).max()
        return cls(mean, axes.astype(np.float32), _REACH / max(float(spread), _LEAST_SPREAD))

    def project(self, points: Annotated[Float32Array, "N 512"]) -> Annotated[Float32Array, "N 2"]:
        """Points (N, 512) on the map (N, 2)."""
        return ((points - self.mean) @ self.axes.T * self.scale).astype(np.float32)


@cache
def _natural() -> Float32Array:
    """The latents (M, 512) of some natural faces, always the same."""
    try:
        faces = NaturalFaces.load()
    except UserError as error:
        _logger.warning("no backdrop: %s", explain(error))
        return np.zeros((0, LATENT_SIZE), np.float32)
    return faces.sample(random_stream(_BACKDROP_SEED), _BACKDROP).astype(np.float32)


def arrow_heads(
    arrows: Annotated[Float32Array, "N 2 2"], size: float
) -> Annotated[Float32Array, "N 3 2"]:
    """Triangles (N, 3, 2) at the ends of arrows (N, 2, 2), no longer than half of them."""
    along = arrows[:, 1] - arrows[:, 0]
    length = np.linalg.norm(along, axis=1, keepdims=True)
    unit = along / np.maximum(length, 1e-9)
    reach = np.minimum(size, 0.5 * length)
    across = np.stack([-unit[:, 1], unit[:, 0]], axis=1) * 0.45 * reach
    base = arrows[:, 1] - unit * reach
    return np.stack([arrows[:, 1], base + across, base - across], axis=1).astype(np.float32)


def discs(
    centres: Annotated[Float32Array, "N 2"], radius: float, corners: int = 12
) -> Annotated[Float32Array, "M 3 2"]:
    """Triangles (N * corners, 3, 2) of discs at centres (N, 2)."""
    turn = np.linspace(0.0, 2.0 * np.pi, corners + 1)
    rim = radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    wedges = np.stack([np.zeros((corners, 2)), rim[:-1], rim[1:]], axis=1)
    return (centres[:, None, None] + wedges[None]).reshape(-1, 3, 2).astype(np.float32)
