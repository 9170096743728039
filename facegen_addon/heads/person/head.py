# SPDX-License-Identifier: GPL-3.0-or-later
"""The `person` head as a head model: Anny's shapes on a mesh for modellers, and a skin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, Float32Array, FloatArray, IntArray, RealArray
from ...artifacts import artifact, load_npz
from ..anny.head import AnnyHead
from ..appearance import Appearance, painted
from ..face_hair.face_hair import (
    FaceColours,
    FaceHair,
    Neutral,
    ShadedPoints,
    with_density,
)
from ..face_hair.parameters import FACE_HAIR_NAMES, SHADED_BY, draw_face_hair
from ..hair.colour import colours_of_strands, mixed_colour, pigmented_colour, scalp_shade
from ..hair.drawing import draw_hair
from ..hair.groom import Groom
from ..hair.march import POINTS as HAIR_POINTS
from ..hair.parameters import HAIR_NAMES, hair_values
from ..hair.proxy import Outline
from ..hair.roots import HairRoots, skull_centre, zone_fields
from ..rig import Rig
from ..skin.parameters import SKIN_NAMES, draw_skin, skin_values
from ..skin.statistics import SKIN_ARTIFACT
from ..skin.textures import MeshSkin
from ..strands import POINTS, SCALP, HairStyle, Strands, StrandSet
from ..surface import halves
from .file import from_arrays
from .model import LASH_LENGTH, Person

PERSON = "person"
ARTIFACT = "person_head"
"""In models/index.json."""


_ANNYS_HAIR = frozenset(name for name in HairStyle.__annotations__ if name.startswith("hair_"))
_HAIR_SHADES = HAIR_NAMES & {
    *("hair_density", "hair_recession", "hair_thinning"),
    *("hair_melanin", "hair_redness", "hair_grey"),
}


_ON_LIDS, _FAINTEST = 0.5, 0.45
"""Mask of vertices on the lids' edges; how much of lashes of no density is hair, by eye."""


@dataclass(frozen=True)
class PersonHair(HairStyle):
    """The hair of one head and of its face: name of a parameter -> value. What other models' hair
    follows is zero. neutral: the head without expression, on which brows are laid."""

    groom: Mapping[str, float]
    face: Mapping[str, float]
    neutral: Neutral = field(compare=False)


@dataclass(frozen=True)
class PersonLook(Appearance):
    """The colours of one head, and those of the hair of its face."""

    face: FaceColours = field(kw_only=True)


def person_head() -> PersonHead:
    """The head of models/person_head.npz."""
    return PersonHead(load_npz(ARTIFACT))


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
        looks = SKIN_NAMES | HAIR_NAMES | frozenset(FACE_HAIR_NAMES) - {LASH_LENGTH}
        return (super().shape_parameters | {LASH_LENGTH}) - looks

    @property
    def colour_parameters(self) -> frozenset[str]:
        """Anny's, all of the skin's and of the face's hair."""
        shared = super().colour_parameters & frozenset(self.table.names)
        return shared | SKIN_NAMES | _HAIR_SHADES | SHADED_BY

    @cached_property
    def _scalp(self) -> StrandSet:
        every = super().strands
        return every.subset(every.region == SCALP)

    @cached_property
    def face_hair(self) -> FaceHair:
        """Brows and beard on this mesh."""
        return FaceHair(self.surface, self.landmark_embedding)

    @cached_property
    def strands(self) -> StrandSet:
        """Roots of hair, then of brows and beard."""
        parts = (self._scalp, self.face_hair.strands)
        return StrandSet(
            *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(StrandSet))
        )

    @cached_property
    def strand_sizes(self) -> Annotated[IntArray, "S"]:
        """Hair has more points than brows and beard."""
        return np.where(self.strands.region == SCALP, HAIR_POINTS, POINTS)

    @cached_property
    def groom(self) -> Groom:
        """The hair of this mesh."""
        surface, strands = self.surface, self._scalp
        rest = surface.rest_position
        corners = surface.faces[strands.triangle]
        roots = (rest[corners] * strands.bary[..., None]).sum(1)
        outline = Outline.of(surface, rest, skull_centre(roots))
        return Groom(HairRoots.of(strands, roots), outline, rest, surface.faces)

    @cached_property
    def _scalp_fields(self) -> dict[str, Float32Array]:
        """Zones of hair and the hairline: name -> (V,)."""
        hairline, rest = self.surface.fields["hairline"], self.surface.rest_position
        zones = zone_fields(rest, hairline, skull_centre(rest[hairline > 0]))
        return {**zones, "hairline": hairline}

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

    def hair_style(self, parameters: Annotated[FloatArray, "P"]) -> PersonHair:
        """Hair, brows and beard of one head (P,)."""
        return PersonHair(
            **dict.fromkeys(HairStyle.__annotations__, 0.0),
            groom=hair_values(self.table, parameters),
            face=self.face_values(parameters),
            neutral=self.neutral(parameters),
        )

    def grow(self, style: HairStyle, vertices: Annotated[Float32Array, "V 3"]) -> Strands:
        """Hair, then brows and beard, of a head with these vertices (V, 3)."""
        assert isinstance(style, PersonHair)
        hair = Strands.of(*self.groom.grow(style.groom, vertices))
        return hair.followed_by(self.face_hair.grow(style.face, style.neutral, vertices))

    def strand_colours(self, colours: Appearance) -> Annotated[Float32Array, "S 4"]:
        """The colour (S, 4) of each strand: all of them grey one by one."""
        assert isinstance(colours, PersonLook)
        hair = colours_of_strands(self.groom.roots, colours.hair, colours.grey)
        opaque = np.concatenate([hair, np.ones((len(hair), 1))], axis=1)
        return np.concatenate([opaque, self.face_hair.colours(colours.face)]).astype(np.float32)

    @cached_property
    def skin(self) -> MeshSkin:
        """MakeHuman's skins on this mesh."""
        surface = self.surface
        of_skin = surface.part[surface.faces[:, 0]] == surface.part_names.index("skin")
        makehuman = halves(self.texture_uv)
        corners = (surface.uv[of_skin].astype(float), makehuman[of_skin].astype(float))
        return MeshSkin(surface.faces[of_skin], *corners, len(surface.part))

    def appearance(self, parameters: Annotated[FloatArray, "P"]) -> PersonLook:
        """The colours of one head (P,)."""
        surface, hair = self.surface, hair_values(self.table, parameters)
        values = self.face_values(parameters)
        mixed, colours = mixed_colour(hair), FaceColours.of(values)
        shades = (
            scalp_shade(hair, surface.masks, self._scalp_fields, mixed),
            *self._shaded_vertices.shades(values, colours),
        )
        tint = self.skin.vertices.albedo(skin_values(self.table, parameters), shades)
        value = partial(self.value, parameters)
        pigmented = pigmented_colour(hair["hair_melanin"], hair["hair_redness"])
        look = painted(value, surface, tint, pigmented, colours.mean_brow)
        # Faint lashes let the lid's skin be seen between them.
        lids = tint[surface.masks["lid"] > _ON_LIDS].mean(0)
        hairy = _FAINTEST + (1.0 - _FAINTEST) * values["lash_density"]
        look.vertex_colour[surface.vertices_of("lashes")] = lids + hairy * (colours.lashes - lids)
        of_hair = {"grey": hair["hair_grey"], "covered": shades[0].amount.astype(np.float32)}
        return PersonLook(**(vars(look) | of_hair), face=colours)

    def draw_looks(
        self,
        rng: np.random.Generator,
        column: Mapping[str, Annotated[FloatArray, "N"]],
        people: Mapping[str, Annotated[FloatArray, "N"]],
    ) -> None:
        """Anny's, and skins, hair, brows and beards such as people have."""
        unused = {name: np.zeros(len(people["age"])) for name in _ANNYS_HAIR}
        super().draw_looks(rng, {**unused, **column}, people)
        draw_skin(rng, column, people)
        draw_hair(rng, column, people)
        draw_face_hair(rng, column, people)

    def rig(self, parameters: Annotated[FloatArray, "P"]) -> Rig:
        """Joints, skinning weights and pose of one head (P,)."""
        return replace(super().rig(parameters), weights=self.anny.weights)
