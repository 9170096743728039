# SPDX-License-Identifier: GPL-3.0-or-later
"""The hair of a face: brows and beard of one head model, grown, coloured and shaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, Float32Array, FloatArray, RealArray
from ..appearance import Shade, smoothstep
from ..correspondence import SurfacePoints
from ..hair.colour import UNPIGMENTED, pigmented_colour
from ..remembered import LastResult
from ..strands import BEARD, BROW, MOUSTACHE, Strands, StrandSet
from ..surface import Surface
from . import beards, brows
from .brow_patch import BrowPatch
from .brows import Eyes, Values
from .parameters import face_hair_parameters

_LANDMARKS = slice(17, 48)
_BROWS, _EYES = (slice(17, 22), slice(22, 27)), (slice(36, 42), slice(42, 48))
"""Landmarks of the right and of the left one, and all that lie between."""
_USUAL_BONE = 0.0222
"""Metres by which the landmarks of a usual head's brows are above its eyes."""
_BLUR = 0.003
"""Metres: about half of what vertices around a brow are apart."""
_LASH_SHADE, _LASH_DARKENING = 0.14, 0.25
"""What lashes shade of the lid's edge, and their colour as a share of the brows'."""
_ALL_MEN = ("beard_density", "moustache_density", "soul_patch", "beard_sideburns")


@dataclass(frozen=True)
class Neutral:
    """A head without expression and pose: where its brow patch and its eyes are.

    nodes (R, C, 3) metres, of the patch.
    """

    nodes: Annotated[FloatArray, "R C 3"]
    eyes: Eyes


class ShadedPoints:
    """M points of the template that have a shade: a mesh's vertices, or a layout's texels.

    A brow's shade lies where the brow of a usual head does, so that it stays where it is when a
    head's shape changes.
    """

    def __init__(
        self,
        place: Annotated[RealArray, "M 3"],
        masks: Mapping[str, AnyArray],
        fields: Mapping[str, AnyArray],
        patch: BrowPatch,
        usual: Neutral,
    ) -> None:
        """Points at places (M, 3); masks and fields: name -> (M,) as a Surface has them."""
        self._lid = masks["lid"]
        skin = beards.growing(place, masks, fields)
        self._bearded = np.flatnonzero(skin)
        self._zones = beards.Zones(
            np.asarray(place[self._bearded], np.float64),
            skin[self._bearded],
            fields["beard"][self._bearded].astype(float),
        )
        self._browed = np.flatnonzero(patch.has(place))
        self._seen = patch.sampled(usual.nodes, place[self._browed][:, [0, 2]])[:, [0, 2]]
        self._eyes = usual.eyes

    def shades(self, values: Values, colours: FaceColours) -> tuple[Shade, ...]:
        """Shades of beard, brows and lashes, (M,) each."""
        beard, brow = np.zeros((2, len(self._lid)))
        beard[self._bearded] = self._zones.shade(values)
        brow[self._browed] = brows.shade(values, self._eyes, self._seen, _BLUR)
        lashes = self._lid * (_LASH_SHADE * values["lash_density"])
        return (
            Shade(beard, 0.6 * colours.mean_beard),
            Shade(brow, 0.8 * colours.mean_brow),
            Shade(lashes, colours.lashes),
        )


@dataclass(frozen=True)
class FaceColours:
    """Linear RGB (3,) of brows and beard where they have not greyed, shares of grey in [0, 1]."""

    brow: Annotated[FloatArray, "3"]
    beard: Annotated[FloatArray, "3"]
    brow_grey: float
    beard_grey: float

    @classmethod
    def of(cls, values: Values) -> FaceColours:
        """Those of a head's parameters."""
        redness = values["hair_redness"]
        brow = pigmented_colour(values["brow_melanin"], 0.45 * redness)
        beard = pigmented_colour(values["hair_melanin"], values["beard_redness"])
        return cls(brow, beard, values["brow_grey"], values["beard_grey"])

    @property
    def lashes(self) -> Annotated[FloatArray, "3"]:
        """Lashes: darker than brows."""
        return _LASH_DARKENING * self.mean_brow

    @property
    def mean_brow(self) -> Annotated[FloatArray, "3"]:
        """Brows, grey hairs among them."""
        return self.brow + self.brow_grey * (UNPIGMENTED - self.brow)

    @property
    def mean_beard(self) -> Annotated[FloatArray, "3"]:
        """The beard, grey hairs among them."""
        return self.beard + self.beard_grey * (UNPIGMENTED - self.beard)


def with_density(values: Values, share: float) -> dict[str, float]:
    """Values with facial hair as dense as shows: its ``share`` in [0, 1], of women 0."""
    return {**values, **{name: share * values[name] for name in _ALL_MEN}}


class FaceHair:
    """Brows and beard on a surface, which heads share. Values are those of `with_density`.

    What grew last grows again at once where the skin under it has not moved.
    """

    def __init__(self, surface: Surface, landmarks: SurfacePoints) -> None:
        self.patch = BrowPatch.of(surface)
        self.beard = beards.BeardRoots(surface)
        self._last_brows: LastResult[tuple[FloatArray, FloatArray]] = LastResult()
        self._last_beard: LastResult[tuple[FloatArray, FloatArray]] = LastResult()
        self._rest = surface.rest_position.astype(np.float64)
        first, last = _LANDMARKS.start, _LANDMARKS.stop
        corners = surface.faces[landmarks.triangle[first:last]]
        self._bary = landmarks.bary[first:last]
        self.vertices = np.union1d(self.patch.vertices, corners)
        self._of_patch = np.searchsorted(self.vertices, self.patch.vertices)
        self._of_landmarks = np.searchsorted(self.vertices, corners)

    def neutral(self, positions: Annotated[RealArray, "K 3"]) -> Neutral:
        """What there is to know of a head without expression and pose, whose ``self.vertices``
        are at (K, 3)."""
        points = (positions[self._of_landmarks] * self._bary[..., None]).sum(1)
        eyes = [
            points[part.start - _LANDMARKS.start : part.stop - _LANDMARKS.start] for part in _EYES
        ]
        bones = [
            points[part.start - _LANDMARKS.start : part.stop - _LANDMARKS.start] for part in _BROWS
        ]
        across = [np.abs(eye[:, 0]) for eye in eyes]
        height = np.array([eye[:, 2].mean() for eye in eyes])
        above = np.array([bone[:, 2].mean() for bone in bones]) - height - _USUAL_BONE
        return Neutral(
            self.patch.nodes(positions[self._of_patch]),
            Eyes(
                np.array([x.min() for x in across]),
                np.array([x.max() for x in across]),
                height,
                above,
            ),
        )

    @cached_property
    def strands(self) -> StrandSet:
        """Brows, the right one first, then the beard.

        A hair of a brow slides over the skin with the brow's parameters: its root is where it is
        on the template.
        """
        rank, own = brows.ranks()
        zones = self.beard.zones
        usual = {row.name: row.mean for row in face_hair_parameters()}
        template = self.neutral(self._rest[self.vertices])
        path = brows.lay_out(usual, template.eyes).path[:, 0]
        node = self.patch.nearest(self.patch.places(template.nodes, path))
        region = np.where(zones.lip > 0.5, MOUSTACHE, BEARD)
        return StrandSet(
            triangle=np.concatenate([self.patch.triangle[node], self.beard.triangle]),
            bary=np.concatenate([self.patch.weights[node], self.beard.bary]).astype(np.float32),
            region=np.concatenate([np.full(len(rank), BROW), region]).astype(np.uint8),
            field=np.concatenate([np.zeros(len(rank)), zones.below]).astype(np.float32),
            rank=np.concatenate([rank, self.beard.rank]).astype(np.float32),
            jitter=np.concatenate([own, self.beard.own]).astype(np.float32),
        )

    def grow(
        self, values: Values, neutral: Neutral, vertices: Annotated[RealArray, "V 3"]
    ) -> Strands:
        """The strands of a head with these vertices (V, 3)."""
        numbers = np.array(list(values.values()))
        under_beard, under_brows = vertices[self.beard.used], vertices[self.patch.vertices]
        beard, thickness = self._last_beard.of(
            (numbers, under_beard), lambda: self.beard.grow(values, under_beard)
        )
        eyes = [getattr(neutral.eyes, part.name) for part in fields(neutral.eyes)]
        brow, fineness = self._last_brows.of(
            (numbers, under_brows, neutral.nodes, *eyes),
            lambda: self._brows(values, neutral, under_brows),
        )
        return Strands.of(np.concatenate([brow, beard]), np.concatenate([fineness, thickness]))

    def _brows(
        self, values: Values, neutral: Neutral, under: RealArray
    ) -> tuple[FloatArray, FloatArray]:
        """Points (S, 6, 3) and radius (S, 6) of the hairs of both brows; under: the patch's."""
        laid = brows.lay_out(values, neutral.eyes)
        count, length = laid.path.shape[:2]
        nodes = self.patch.nodes(under)
        places = self._places(neutral, laid.path)
        faced = np.concatenate([nodes, self.patch.outward(nodes)], axis=-1).astype(np.float32)
        found = self.patch.sampled(faced, places.reshape(-1, 2))
        lifted = found[:, :3] + found[:, 3:] * brows.lift(values).reshape(-1, 1)
        points = lifted.reshape(count, length, 3)
        root = points[:, :1]
        shown = laid.shown[:, None, None]
        return root + (points - root) * shown, brows.radius(laid.shown)

    def _places(self, neutral: Neutral, path: FloatArray) -> FloatArray:
        """Places (S, 6, 2) on the patch of hairs (S, 6, 2): of their ends, and evenly between."""
        ends = path[:, [0, -1]]
        found = self.patch.places(neutral.nodes, ends.reshape(-1, 2)).reshape(ends.shape)
        moved = found - ends
        share = np.linspace(0.0, 1.0, path.shape[1])[:, None]
        return path + moved[:, :1] + share * (moved[:, 1:] - moved[:, :1])

    def colours(self, colours: FaceColours) -> Annotated[Float32Array, "S 4"]:
        """The colour (S, 4) of each strand, linear RGB and alpha 1: some lighter, some darker,
        and some grey."""
        strands = self.strands
        brow = (strands.region == BROW)[:, None]
        pigmented = np.where(brow, colours.brow, colours.beard)
        shade = np.clip(1.0 + 0.22 * strands.jitter[:, 1:2], 0.5, 1.6)
        share = np.where(brow, colours.brow_grey, colours.beard_grey)
        turn = 0.5 + 0.5 * np.tanh(0.8 * strands.jitter[:, 2:3])  # about uniform
        grey = smoothstep(-0.08, 0.08, 1.16 * share - 0.08 - turn)
        rgb = pigmented * shade + grey * (0.9 * UNPIGMENTED - pigmented * shade)
        return np.concatenate([rgb, np.ones((len(rgb), 1))], axis=1).astype(np.float32)
