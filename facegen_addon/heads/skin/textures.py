# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters -> albedo, roughness and relief over the texels of one layout.

The whole skin, for exports and labels, and what a renderer needs for the same skin: the colours
of a mesh's vertices with maps of all that is finer, which are the same for every head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, IndexArray, RealArray
from ..appearance import Shade
from . import details
from .colour import PIGMENTS, srgb_of_linear
from .fine_maps import FineMaps, kept_maps
from .layout import rasterised, with_gutter
from .points import SkinPoints, Values, component_weights, vertex_points
from .statistics import COMPONENTS, SkinStatistics

FINE = ("past_youth", "old", "sex")
"""The components of which more is kept than vertices can hold."""
_FINE_ROWS = [COMPONENTS.index(name) for name in FINE]

FINE_RANGE = 0.35
"""Log of light at the ends of what the map of fine colour can say."""

DEPTHS = {"lines": 0.00080, "pores": 0.00022, "furrows": 0.00004}
"""The layers of the relief, and how deep each can be, metres."""

_OF_KINDS = np.array([[0.40, 0.08, 0.0], [0.42, 0.05, 0.05], [1.1, 0.25, 0.35]])
MARK_COLOURS = np.exp(_OF_KINDS @ PIGMENTS)
"""What each kind of marks, as details.KINDS has them, makes of the skin's light, (3, 3)."""

LINE_SHADE, STUBBLE_SHADE = 0.46, 0.30
"""Log of the light that is missing in the deepest line, and where a shaved hair is."""
_LINED = 2.7
"""Depth of the lines of the slider's end, as a share of what DEPTHS has."""
MAP_SIZE = 1024
"""Texels of a model's maps each way: half a millimetre on a face."""
_MOTTLING, _GRAINED, _PORE_SHADE = 0.026, 0.030, 0.22
"""Log of light, what is finer than the noise that vertices carry: flecks of a few millimetres, of
one, and what is missing in the deepest pore. Skin that is even there looks like wax."""


@dataclass(frozen=True)
class FineWeights:
    """How much there is of each map of fine detail.

    components (3,) as FINE has them; depths (3,) as DEPTHS has them; shares (3,) of marks, as
    details.KINDS has them; pattern in [0, 1]; fade: how clear marks are.
    """

    components: Annotated[FloatArray, "3"]
    depths: Annotated[FloatArray, "3"]
    shares: Annotated[FloatArray, "3"]
    pattern: float
    fade: float

    @classmethod
    def of(cls, values: Values) -> FineWeights:
        """Those of a skin of these parameters."""
        # At most every third of the places has a mole.
        shares = [values["skin_freckles"], values["skin_spots"], 0.35 * values["skin_moles"]]
        depths = [
            _LINED * values["skin_lines"],
            0.5 + 1.8 * values["skin_pores"],
            0.5 + values["skin_age"],
        ]
        return cls(
            component_weights(values)[_FINE_ROWS],
            np.array(depths),
            np.array(shares),
            values["skin_pattern"],
            1.0 - 0.6 * values["skin_melanin"],
        )


def stubble_weight(points: SkinPoints, values: Values) -> Annotated[Float32Array, "M"]:
    """How much of a shaved beard there is at each point, (M,) in [0, 1]."""
    return np.float32(values["beard_shadow"]) * points.beard


class SkinTextures:
    """The skin of a layout: of the texels (H, W) of ``layout`` (H, W, 2), MakeHuman's texture
    coordinates, M are on the head (the others NaN). What is the same for all heads is computed
    once: keep it.
    """

    def __init__(
        self, layout: Annotated[RealArray, "H W 2"], statistics: SkinStatistics | None = None
    ) -> None:
        self.inside = np.isfinite(layout[..., 0])
        self.points = SkinPoints([layout[self.inside]], statistics)

    @cached_property
    def relief(self) -> dict[str, Float32Array]:
        """Heights (M,) of DEPTHS' layers, metres: 0 or below."""
        lines = details.lines(self.points.position) * self.points.known
        layers = {"lines": lines, "pores": self._grain.pores, "furrows": self._grain.furrows}
        return {name: np.clip(layer, -DEPTHS[name], 0.0) for name, layer in layers.items()}

    @cached_property
    def marks(self) -> details.Marks:
        """Freckles, spots and moles of all patterns."""
        s = self.points.statistics
        skin = s.regions["mouth"] < 0.5
        return details.marks(self.points.position, s.position[skin].astype(np.float64))

    @property
    def stubble(self) -> Annotated[Float32Array, "M"]:
        """Where hairs are cut off, (M,) in [0, 1]."""
        return self._grain.stubble

    @cached_property
    def _grain(self) -> details.Grain:
        return details.grain(self.points.position)

    @cached_property
    def mottling(self) -> Annotated[Float32Array, "M"]:
        """Log of light (M,): unevenness down to pores, the same on all skins."""
        flecks = _MOTTLING * details.flecks(self.points.position, 0.0052, 7)
        grain = _GRAINED * details.flecks(self.points.position, 0.0023, 8)
        pores = _PORE_SHADE / DEPTHS["pores"] * self.relief["pores"]
        return (flecks + grain + pores).astype(np.float32)

    def albedo(
        self, values: Values, shades: Sequence[Shade] = ()
    ) -> Annotated[Float32Array, "M 3"]:
        """Linear RGB (M, 3) of the skin under hair too small to draw (each shade (M,))."""
        points, fine = self.points, FineWeights.of(values)
        light = self.mottling - STUBBLE_SHADE * stubble_weight(points, values) * self.stubble
        light = light + LINE_SHADE * fine.depths[0] / DEPTHS["lines"] * self.relief["lines"]
        colours = np.exp(points.log_colours(values) + light[:, None].astype(np.float32))
        strength = fine.fade * self.marks.strength(fine.shares, fine.pattern)
        marked = np.flatnonzero(strength)
        of_kind = MARK_COLOURS[self.marks.kind[marked]] - 1.0
        colours[marked] *= (1.0 + strength[marked, None] * of_kind).astype(np.float32)
        return points.painted(colours, shades)

    def codes(self, values: Values, shades: Sequence[Shade] = ()) -> Annotated[Float32Array, "M 3"]:
        """The same as sRGB codes (M, 3) in [0, 1]."""
        return srgb_of_linear(self.albedo(values, shades)).astype(np.float32)

    def roughness(self, values: Values) -> Annotated[Float32Array, "M"]:
        """Roughness of each texel, (M,) in [0.2, 0.8]."""
        return self.points.roughness(values)

    def height(self, values: Values) -> Annotated[Float32Array, "M"]:
        """Relief of each texel, (M,) metres: 0 or below."""
        depths = FineWeights.of(values).depths.astype(np.float32)
        layers = (depth * self.relief[name] for name, depth in zip(DEPTHS, depths, strict=True))
        return np.sum(list(layers), axis=0)

    def image(self, texels: RealArray, empty: float = 0.0) -> Float32Array:
        """Texels (M,) or (M, C) -> the layout's image (H, W) or (H, W, C)."""
        image = np.full((*self.inside.shape, *texels.shape[1:]), empty, np.float32)
        image[self.inside] = texels
        return image


class MeshSkin:
    """The skin of a mesh: its vertices' and, for what is finer, its layout's.

    faces (T, 3): the triangles of skin among ``count`` vertices; corners and makehuman (T, 3, 2):
    texture coordinates of their corners, the mesh's own and MakeHuman's.
    """

    def __init__(
        self,
        faces: Annotated[IndexArray, "T 3"],
        corners: Annotated[RealArray, "T 3 2"],
        makehuman: Annotated[RealArray, "T 3 2"],
        count: int,
    ) -> None:
        self.faces, self.corners, self.makehuman = faces, corners, makehuman
        self.vertices = vertex_points(faces, makehuman, count)

    def layout(self, size: int) -> Annotated[Float32Array, "S S 2"]:
        """Where the texels of the mesh's layout lie in MakeHuman's: (S, S, 2), NaN off the skin."""
        return with_gutter(rasterised(self.corners, self.makehuman, size))

    @cached_property
    def maps(self) -> FineMaps:
        """The maps of MAP_SIZE texels each way, to 8 bits: all heads of the model share them."""
        mesh = (self.faces, self.corners, self.makehuman, np.array(MAP_SIZE))
        return kept_maps(mesh, lambda: self.fine_maps(SkinTextures(self.layout(MAP_SIZE))))

    def fine_maps(self, textures: SkinTextures) -> FineMaps:
        """The maps of a layout of this mesh."""
        codes = self._fine_colour(textures) * (0.5 / FINE_RANGE) + 0.5
        depth = [1.0 + textures.relief[name] / DEPTHS[name] for name in DEPTHS]
        marks = textures.marks
        kind = marks.kind / np.float32(len(details.KINDS) - 1)
        maps = (
            (np.clip(codes, 0.0, 1.0), 0.5),
            (np.stack([*depth, textures.stubble], axis=1), 1.0),
            (np.stack([marks.profile, marks.phase, kind, np.ones_like(kind)], axis=1), 0.0),
        )
        return FineMaps(*(textures.image(texels, empty) for texels, empty in maps))

    def _fine_colour(self, textures: SkinTextures) -> FloatArray:
        """Log of light (M, 4) that vertices do not hold: of the mean, and of FINE's components."""
        known, points = self.vertices.statistics, textures.points
        parts = np.stack([known.mean, *known.components[_FINE_ROWS]])
        coarse = self.vertices.light(parts)[self.faces]
        held = with_gutter(rasterised(self.corners, coarse, len(textures.inside)))
        held = held[textures.inside]
        fine = points.light(parts) - np.where(np.isfinite(held), held, 0.0)
        fine *= points.known[:, None]
        fine[:, 0] += textures.mottling
        return fine
