# SPDX-License-Identifier: GPL-3.0-or-later
"""What an exported head wears: bust, clothes, glasses and headwear as objects of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, IntArray
from ...heads.appearance import Appearance
from ...heads.head_model import HeadModel
from ...heads.rig import Rig, strongest
from ...heads.strands import Strands
from ...heads.wear.fitting import Fitting
from ...heads.wear.garments import bare
from ...heads.wear.glasses import DARK, LENS, glasses
from ...heads.wear.headwear import flattened, headwear
from ...heads.wear.neck import neck_rings
from ...heads.wear.outfit import NONE, Outfit, Rgb
from ...heads.wear.over_clothes import over_clothes
from ...heads.wear.pieces import Piece
from ...heads.wear.torso import Torso
from ...random_streams import random_stream
from ..head.fabric import FLECKS, STRIPES
from ..head.worn_parts import bust_quads, bust_uv, evened, garment_of, ribbon_colour
from .bake import Textures, colour_image
from .part import Look, Part

CLOTH_TEXTURE = "cloth"
_TILE = 64
"""Texels each way of the texture of a pattern, which repeats."""
_MOTTLED = 25.0
"""Times that the texture of mottled cloth repeats a metre."""
_PLAIN = 8
"""Texels each way, from the texture's first corner, that show no pattern: there seams lie."""
_CLOTH, _FRAME, _SKIN = 0.9, 0.4, 0.5
_GLASS = 0.05
"""Roughness of materials, chosen by eye."""
_LENSES = {LENS: ("Lenses", (0.5, 0.5, 0.5), 0.08), DARK: ("Dark Lenses", (0.02, 0.02, 0.022), 0.9)}
"""Slot of glasses -> name, colour and how much it covers of what lies behind."""


@dataclass(frozen=True)
class Dressed:
    """A head (P,) with vertices (V, 3) metres, weights (V, J) and what it wears."""

    model: HeadModel
    parameters: Annotated[FloatArray, "P"]
    vertices: Annotated[Float32Array, "V 3"]
    outfit: Outfit
    rig: Rig
    appearance: Appearance

    def parts(self, textured: bool) -> tuple[Part, ...]:
        """The objects of what is worn; patterns need textures."""
        outfit, parts = self.outfit, []
        if outfit.neckline != NONE:
            torso = Torso.of(self.model, self.vertices)
            parts += [self._bust(torso, textured), self._clothes(torso, textured)]
        if outfit.glasses != NONE:
            parts.append(self._glasses())
        if outfit.headwear != NONE:
            worn = headwear(self._fitting, outfit.headwear)
            colour = _trimmed(worn, outfit.hat, ribbon_colour(outfit))
            looks = (Look("Headwear", outfit.hat, _CLOTH, specular=0.0),)
            parts.append(self._part("Headwear", worn, colour, looks, self._with_head(worn)))
        return tuple(parts)

    def lying(self, strands: Strands) -> FloatArray:
        """Points of strands (N, 3), metres, on clothes, and flat under headwear."""
        points = strands.points.astype(float)
        if self.outfit.neckline != NONE:
            torso = Torso.of(self.model, self.vertices)
            points = over_clothes(torso, garment_of(torso, self.outfit), points)
        if self.outfit.headwear == NONE:
            return points
        return flattened(self._fitting, self.outfit.headwear, points)

    @property
    def _fitting(self) -> Fitting:
        return Fitting.of(self.model, self.vertices, self.parameters)

    @property
    def _edge(self) -> IntArray:
        edge: IntArray = neck_rings(self.model).vertices[0]
        return edge

    def _bust(self, torso: Torso, textured: bool) -> Part:
        edge, quads = self._edge, bust_quads(self.model)
        colour = evened(self.appearance.vertex_colour[edge].astype(float))
        mean = tuple(colour[-1].tolist())
        return Part(
            name="Bust",
            vertices=bare(torso).reshape(-1, 3).astype(np.float32),
            faces=quads.astype(np.int32),
            uv=bust_uv(self.model).astype(np.float32),
            colour=_opaque(colour),
            looks=(Look("Skin", mean, _SKIN, "skin" if textured else "", 0.42),),
            look_of_face=np.zeros(len(quads), np.int32),
            keys=None,
            weights=strongest(evened(self.rig.weights[edge])),
        )

    def _clothes(self, torso: Torso, textured: bool) -> Part:
        outfit, cloth = self.outfit, garment_of(torso, self.outfit)
        pattern = textured and outfit.pattern != "plain"
        look = Look("Cloth", outfit.colour, _CLOTH, CLOTH_TEXTURE if pattern else "", 0.0)
        colour = _trimmed(cloth, outfit.colour, outfit.colour)
        mean = self.rig.weights[self._edge].mean(0)
        weights = strongest(np.tile(mean, (len(cloth.vertices), 1)))
        return self._part("Clothes", cloth, colour, (look,), weights)

    def _glasses(self) -> Part:
        outfit, worn = self.outfit, glasses(self._fitting, self.outfit.glasses)
        colour = _trimmed(worn, outfit.frame, outfit.frame)
        looks = [Look("Frame", outfit.frame, _FRAME)]
        for slot, (name, light, cover) in _LENSES.items():
            colour[np.unique(worn.quads[worn.slot == slot])] = light
            looks.append(Look(name, light, _GLASS, alpha=cover))
        return self._part("Glasses", worn, colour, tuple(looks), self._with_head(worn))

    def _with_head(self, worn: Piece) -> FloatArray:
        """Weights of what moves as the skull does."""
        weights = np.zeros((len(worn.vertices), len(self.rig.names)))
        weights[:, self.rig.names.index("head")] = 1.0
        return weights

    def _part(
        self,
        name: str,
        worn: Piece,
        colour: FloatArray,
        looks: tuple[Look, ...],
        weights: FloatArray,
    ) -> Part:
        slot = worn.slot if len(looks) > 1 else np.zeros(len(worn.slot), int)
        used, look_of_face = np.unique(slot, return_inverse=True)
        return Part(
            name=name,
            vertices=worn.vertices.astype(np.float32),
            faces=worn.quads.astype(np.int32),
            uv=_cloth_uv(worn, self.outfit.pattern),
            colour=_opaque(colour),
            looks=tuple(looks[number] for number in used),
            look_of_face=look_of_face.astype(np.int32),
            keys=None,
            weights=weights,
        )


def pattern_texture(outfit: Outfit) -> Textures:
    """A tile of an outfit's patterned cloth, a new image of the file."""
    first, second = np.array(outfit.colour), np.array(outfit.second)
    light = first + _pattern(outfit.pattern)[..., None] * (second - first)
    return Textures(
        colour_image(
            f"{CLOTH_TEXTURE} colour",
            light.astype(np.float32),
            np.ones((_TILE, _TILE), np.float32),
        )
    )


def _pattern(name: str) -> Annotated[FloatArray, "_ _"]:
    """How much of the second colour each texel of the tile has, as the material of renders says."""
    across, down, mottled = STRIPES[name]
    stripe = (np.arange(_TILE) / _TILE > 0.6).astype(float)
    covers = 0.5 if across and down else 1.0
    share: FloatArray = covers * (
        float(across > 0.0) * stripe[None] + float(down > 0.0) * stripe[:, None]
    )
    share = share + mottled * FLECKS * random_stream(0).random((_TILE, _TILE))
    share[:_PLAIN, :_PLAIN] = 0.0
    return share


def _cloth_uv(worn: Piece, pattern: str) -> Annotated[Float32Array, "Q 4 2"]:
    """Places of corners (Q, 4, 2) on the tile; faces of seams and bands lie where it is plain."""
    across, down, mottled = STRIPES.get(pattern, (0.0, 0.0, 0.0))
    often = _MOTTLED if mottled else 1.0
    uv = (worn.cloth * [across or often, down or often])[worn.quads]
    uv[(worn.trim[worn.quads] == 1.0).all(1)] = 0.5 * _PLAIN / _TILE
    return uv.astype(np.float32)


def _trimmed(worn: Piece, colour: Rgb, trim: Rgb) -> Annotated[FloatArray, "V 3"]:
    return np.asarray(colour) + worn.trim[:, None] * np.subtract(trim, colour)


def _opaque(colour: FloatArray) -> Annotated[Float32Array, "V 4"]:
    return np.insert(colour, 3, 1.0, axis=1).astype(np.float32)
