# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair, brows and beard of an exported head: cards with a texture, or a ribbon for each strand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, Float32Array, FloatArray, RealArray
from ...heads.appearance import Appearance
from ...heads.hair_cards import hair_cards
from ...heads.head_model import HeadModel
from ...heads.ribbons import ribbons
from ...heads.rig import strongest
from ...heads.strands import Strands
from .part import Look, Part, ShapeKeys

HAIR_TEXTURE = "hair"
_SEEN = 1e-3  # metres; hair that an expression moves nowhere as far has no key for it
_STILL = 2e-4  # metres; hair that a key moves less keeps still, which glTF stores for nothing
_ROUGHNESS, _SPECULAR = 0.55, 0.15
"""Of the material of renders, too, in [0, 1] without unit."""


@dataclass(frozen=True)
class HairOnHead:
    """A head (P,) with vertices (V, 3) metres, on which strands grow, and what moves them.

    laid: where points (N, 3) of strands lie, which headwear may press down and clothes hold up.
    """

    model: HeadModel
    parameters: Annotated[FloatArray, "P"]
    vertices: Annotated[Float32Array, "V 3"]
    keys: ShapeKeys | None
    weights: Annotated[FloatArray, "V J"]
    appearance: Appearance
    laid: Callable[[Strands], FloatArray]

    def ribbons(self) -> Part | None:
        """Strands as ribbons, each moving as its root does; None for a head without any."""
        made = ribbons(self._grown())
        if not len(made.strand):
            return None
        colour = made.of_vertices(self._colours)
        return self._part(made.vertices, made.faces, made.uv, colour, made.of_vertices)

    def cards(self, triangles: int, textured: bool) -> Part | None:
        """Strands as at most so many triangles of cards; None for a head without any.

        Not ``textured``: each card has its strand's colour, and no hairs are drawn on it.
        """
        made = hair_cards(self.model.strands, self._grown(), triangles)
        if not len(made.faces):
            return None
        colour = made.of_vertices(self._colours)
        part = partial(self._part, texture=HAIR_TEXTURE if textured else "")
        return part(made.vertices, made.faces, made.uv, colour, made.of_vertices)

    @property
    def _colours(self) -> Float32Array:
        return self.model.strand_colours(self.parameters, self.appearance)

    def _grown(self) -> Strands:
        grown = self.model.grow(self.parameters, self.vertices)
        return replace(grown, points=self.laid(grown).astype(np.float32))

    def _part(
        self,
        vertices: Float32Array,
        faces: AnyArray,
        uv: Float32Array,
        colour: AnyArray,
        of_vertices: Callable[[AnyArray], AnyArray],
        texture: str = "",
    ) -> Part:
        strands = self.model.strands
        corners = self.model.surface.faces[strands.triangle]
        bary = strands.bary.astype(np.float64)

        def at_roots(values: RealArray) -> FloatArray:
            """Values of the head's vertices (V, C) -> those of the hair's."""
            return of_vertices((values[corners] * bary[:, :, None]).sum(1))

        return Part(
            name="Hair",
            vertices=vertices,
            faces=faces,
            uv=uv,
            colour=colour,
            looks=(
                Look("Hair", tuple(self.appearance.hair.tolist()), _ROUGHNESS, texture, _SPECULAR),
            ),
            look_of_face=np.zeros(len(faces), np.int32),
            keys=None if self.keys is None else _moved_keys(self.keys, at_roots),
            weights=strongest(at_roots(self.weights)),
        )


def _moved_keys(keys: ShapeKeys, at_roots: Callable[[RealArray], FloatArray]) -> ShapeKeys | None:
    """The keys of the hair: the head's, as they move its roots; None if none does."""
    offsets = np.stack([at_roots(offset).astype(np.float32) for offset in keys.offsets])
    distance = np.linalg.norm(offsets, axis=2)
    offsets[distance < _STILL] = 0.0
    moving = np.flatnonzero(distance.max(1) >= _SEEN)
    if not len(moving):
        return None
    names = tuple(keys.names[key] for key in moving)
    return ShapeKeys(names, offsets[moving], keys.values[moving], keys.lowest[moving])
