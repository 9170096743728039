# SPDX-License-Identifier: GPL-3.0-or-later
"""The `person` head as a head model: Anny's shapes on a mesh for modellers, and a skin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, Float32Array, FloatArray, RealArray
from ...artifacts import artifact, load_npz
from ..anny.head import AnnyHead
from ..appearance import Appearance, Shade, hair_colour, painted, scalp_shade, strand_colours
from ..face_hair.face_hair import FaceColours, FaceHair, Neutral, ShadedPoints, with_density
from ..face_hair.parameters import FACE_HAIR_NAMES, draw_face_hair
from ..rig import Rig
from ..skin.parameters import SKIN_NAMES, draw_skin, skin_values
from ..skin.statistics import SKIN_ARTIFACT
from ..skin.textures import MeshSkin
from ..strands import SCALP, HairStyle, Strands, StrandSet, grow
from ..surface import halves
from . import eyes, mouth
from .file import from_arrays
from .model import LASH_LENGTH, Person
from .people import draw_people, draw_shapes

PERSON = "person"
ARTIFACT = "person_head"
"""In models/index.json."""


def person_head() -> PersonHead:
    """The head of models/person_head.npz."""
    return PersonHead(load_npz(ARTIFACT))


_IN_OLD_TABLES = {"beard_extent": "beard_cheek"}
"""What a HairStyle calls parameters of the face's hair."""


_ON_LIDS, _FAINTEST = 0.5, 0.45
"""Mask of vertices on the lids' edges; how much of lashes of no density is hair, by eye."""


@dataclass(frozen=True)
class PersonStyle(HairStyle):
    """The hair of one head, and of its face: name -> value in the order of the table."""

    face: tuple[float, ...]


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
        """All but those of skin and hair; lashes are of the mesh."""
        return super().shape_parameters - SKIN_NAMES - frozenset(FACE_HAIR_NAMES) | {LASH_LENGTH}

    @property
    def colour_parameters(self) -> frozenset[str]:
        """Anny's, all of the skin's and of the face's hair."""
        shared = super().colour_parameters & frozenset(self.table.names)
        return shared | SKIN_NAMES | frozenset(FACE_HAIR_NAMES)

    @cached_property
    def skin(self) -> MeshSkin:
        """MakeHuman's skins on this mesh."""
        surface = self.surface
        of_skin = surface.part[surface.faces[:, 0]] == surface.part_names.index("skin")
        makehuman = halves(self.texture_uv)
        corners = (surface.uv[of_skin].astype(float), makehuman[of_skin].astype(float))
        return MeshSkin(surface.faces[of_skin], *corners, len(surface.part))

    @cached_property
    def _scalp(self) -> StrandSet:
        strands = super().strands
        return strands.subset(strands.region == SCALP)

    @cached_property
    def face_hair(self) -> FaceHair:
        """Brows and beard on this mesh."""
        return FaceHair(self.surface, self.landmark_embedding)

    @cached_property
    def strands(self) -> StrandSet:
        """The hair on the head, then that of the face."""
        face, scalp = self.face_hair.strands, self._scalp
        return StrandSet(
            *(
                np.concatenate([getattr(part, f.name) for part in (scalp, face)])
                for f in fields(face)
            )
        )

    @cached_property
    def _shaded_vertices(self) -> ShadedPoints:
        return self.shaded(self.surface.rest_position, self.surface.masks, self.surface.fields)

    def shaded(
        self,
        place: Annotated[RealArray, "M 3"],
        masks: Mapping[str, AnyArray],
        fields: Mapping[str, AnyArray],
    ) -> ShadedPoints:
        """Points of the template (M, 3), with masks and fields as a Surface has them, that are
        shaded by the face's hair."""
        usual = self.neutral(self.table.default())
        return ShadedPoints(place, masks, fields, self.face_hair.patch, usual)

    @cached_property
    def _neutral_shapes(self) -> Float32Array:
        """The blend shapes of what `neutral` is made of, (K, 3 W)."""
        shapes = self.anny.arrays.shapes.reshape(len(self.anny.arrays.shapes), -1, 3)
        return shapes[:, self.face_hair.vertices].reshape(len(shapes), -1)

    def neutral(self, parameters: Annotated[FloatArray, "P"]) -> Neutral:
        """The head of these parameters (P,) without expression and pose, as brows are laid on."""
        row = parameters.copy()
        row[self.table.columns("expression")] = 0.0
        moved = self.anny.coefficients(row[None])[0].astype(np.float32) @ self._neutral_shapes
        rest = self.anny.arrays.template[self.face_hair.vertices]
        return self.face_hair.neutral(rest + moved.reshape(-1, 3))

    def face_values(self, parameters: Annotated[FloatArray, "P"]) -> dict[str, float]:
        """Name -> value of what the face's hair follows, facial hair as dense as it shows."""
        names = (*FACE_HAIR_NAMES, "hair_melanin", "hair_redness", "hair_grey")
        values = {name: self.value(parameters, name) for name in names}
        return with_density(values, self.facial_hair(parameters))

    def hair_style(self, parameters: Annotated[FloatArray, "P"]) -> PersonStyle:
        """The hair of one head (P,), and of its face."""
        shared = {
            name: self.value(parameters, _IN_OLD_TABLES.get(name, name))
            for name in HairStyle.__annotations__
        }
        return PersonStyle(**shared, face=tuple(self.face_values(parameters).values()))

    def grow(
        self, parameters: Annotated[FloatArray, "P"], vertices: Annotated[Float32Array, "V 3"]
    ) -> Strands:
        """The strands of one head (P,) with these vertices (V, 3)."""
        scalp = grow(self._scalp, self.hair_style(parameters), vertices, self.surface.faces)
        values, neutral = self.face_values(parameters), self.neutral(parameters)
        face = self.face_hair.grow(values, neutral, vertices)
        return Strands(
            np.concatenate([scalp.points, face.points]),
            np.concatenate([scalp.radius, face.radius]),
        )

    def strand_colours(
        self, parameters: Annotated[FloatArray, "P"], look: Appearance
    ) -> Annotated[Float32Array, "S 4"]:
        """The colour (S, 4) of each strand of one head (P,)."""
        colours = FaceColours.of(self.face_values(parameters))
        return np.concatenate([strand_colours(self._scalp, look), self.face_hair.colours(colours)])

    def appearance(self, parameters: Annotated[FloatArray, "P"]) -> Appearance:
        """The colours of one head (P,)."""
        value, surface = partial(self.value, parameters), self.surface
        hair = hair_colour(value("hair_melanin"), value("hair_redness"), value("hair_grey"))
        values = self.face_values(parameters)
        colours = FaceColours.of(values)
        shades = (
            scalp_shade(value, surface.masks, surface.fields, hair),
            *self._shaded_vertices.shades(values, colours),
            self._wet_rims,
        )
        tint = self.skin.vertices.albedo(skin_values(self.table, parameters), shades)
        look = painted(value, surface, tint, hair, colours.mean_brow)
        # Faint lashes let the lid's skin be seen between them.
        lids = tint[surface.masks["lid"] > _ON_LIDS].mean(0)
        lashes = lids + (_FAINTEST + (1.0 - _FAINTEST) * values["lash_density"]) * (
            colours.lashes - lids
        )
        look.vertex_colour[surface.vertices_of("lashes")] = lashes
        iris = eyes.iris_colour(value("iris_melanin"), value("iris_green"))
        eyes.paint(look.vertex_colour, surface, iris)
        mouth.paint(look.vertex_colour, surface)
        return replace(look, iris=iris)

    @cached_property
    def _wet_rims(self) -> Shade:
        return eyes.wet_rims(self.surface)

    def sample_prior(self, rng: np.random.Generator, n: int) -> Annotated[FloatArray, "N P"]:
        """Draw n people (n, P): see `people`."""
        table = self.table
        values = table.mean + table.std * rng.standard_normal((n, len(table)))
        column = {name: values[:, table.index(name)] for name in table.names}
        people = draw_people(rng, column)
        draw_shapes(rng, column)
        self.draw_looks(rng, column, people)
        return np.clip(values, table.minimum, table.maximum)

    def draw_looks(
        self,
        rng: np.random.Generator,
        column: Mapping[str, Annotated[FloatArray, "N"]],
        people: Mapping[str, Annotated[FloatArray, "N"]],
    ) -> None:
        """Anny's, and skins, eyes, brows and beards such as people have."""
        super().draw_looks(rng, column, people)
        draw_skin(rng, column, people)
        eyes.draw_eyes(rng, column, people)
        draw_face_hair(rng, column, people)

    def rig(self, parameters: Annotated[FloatArray, "P"]) -> Rig:
        """Joints, skinning weights and pose of one head (P,)."""
        return replace(super().rig(parameters), weights=self.anny.weights)
