# SPDX-License-Identifier: GPL-3.0-or-later
"""The bust below a rendered head and what it wears, as objects that follow it in place."""

from __future__ import annotations

from typing import Annotated

import bpy
import numpy as np

from ...arrays import Float32Array, FloatArray, IntArray
from ...heads.wear.fitting import Fitting
from ...heads.wear.glasses import LENS
from ...heads.wear.outfit import NONE, Outfit
from ...heads.wear.torso import Torso
from ..head import worn_parts
from ..head.head_object import HeadObject


class Wardrobe:
    """The objects of one head's bust and outfit; things that are not worn are hidden."""

    def __init__(self, head: HeadObject, collection: bpy.types.Collection) -> None:
        self._model, self._head = head.model, head
        self.bust = worn_parts.new_bust(head.model, collection)
        self.clothes = worn_parts.new_clothes(collection)
        self.glasses = worn_parts.new_glasses(collection)
        self.headwear = worn_parts.new_headwear(collection)

    @property
    def classes(self) -> list[tuple[bpy.types.Mesh, tuple[str, ...]]]:
        """Meshes, and of which class of labels each of their materials is; "" for clear ones."""
        return [
            (self.bust.data, ("neck",)),
            (self.clothes.data, ("clothes", "clothes")),
            (self.glasses.data, ("glasses", "", "glasses")),
            (self.headwear.data, ("headwear",)),
        ]

    def fit(
        self,
        vertices: Annotated[Float32Array, "V 3"],
        parameters: Annotated[FloatArray, "P"],
        outfit: Outfit,
    ) -> tuple[Annotated[Float32Array, "B 3"], Annotated[IntArray, "Q 4"]]:
        """Dress the head, which has these vertices (V, 3) and parameters (P,), in an outfit with a
        garment: vertices (B, 3) and quads (Q, 4) of all that hides what is behind it."""
        torso = Torso.of(self._model, vertices)
        chest = worn_parts.fit_bust(self.bust, torso)
        worn_parts.colour_bust(self.bust.data, self._head.mesh_object.data, self._model)
        clothes = worn_parts.fit_clothes(self.clothes, torso, outfit)
        if self._head.hair_object is not None:
            worn_parts.lay_hair(self._head.hair_object.data, torso, clothes)
        solid = [
            (chest, worn_parts.bust_quads(self._model)),
            (clothes.vertices, clothes.quads),
            *self._fit_to_head(vertices, parameters, outfit),
        ]
        first = np.cumsum([0, *(len(shape) for shape, _ in solid)])
        return (
            np.concatenate([shape for shape, _ in solid]).astype(np.float32),
            np.concatenate([q + start for (_, q), start in zip(solid, first, strict=False)]),
        )

    def _fit_to_head(
        self, vertices: Float32Array, parameters: FloatArray, outfit: Outfit
    ) -> list[tuple[FloatArray, IntArray]]:
        """Put on glasses and hat, or take them off: vertices and quads of what is not clear."""
        self.glasses.hide_render = outfit.glasses == NONE
        self.headwear.hide_render = outfit.headwear == NONE
        fitting, solid = Fitting.of(self._model, vertices, parameters), []
        if outfit.glasses != NONE:
            worn = worn_parts.fit_glasses(self.glasses, fitting, outfit)
            solid.append((worn.vertices, worn.quads[worn.slot != LENS]))
        if outfit.headwear != NONE:
            worn = worn_parts.fit_headwear(self.headwear, fitting, outfit)
            if self._head.hair_object is not None:
                worn_parts.flatten_hair(self._head.hair_object.data, fitting, outfit.headwear)
            solid.append((worn.vertices, worn.quads))
        return solid
