# SPDX-License-Identifier: GPL-3.0-or-later
"""The `person` head as a head model: Anny's shapes on a mesh for modellers, and a skin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, Float32Array, FloatArray, IntArray
from ...artifacts import artifact, load_npz
from ..anny.head import AnnyHead
from ..appearance import Appearance, hair_shades
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
from ..strands import POINTS, SCALP, HairStyle, Strands, StrandSet, grow
from ..surface import halves
from .file import from_arrays
from .model import Person

PERSON = "person"
ARTIFACT = "person_head"
"""In models/index.json."""


_MEASURED = 200
_ANNYS_HAIR = frozenset(name for name in HairStyle.__annotations__ if name.startswith("hair_"))
_HAIR_SHADES = HAIR_NAMES & {
    *("hair_density", "hair_recession", "hair_thinning"),
    *("hair_melanin", "hair_redness", "hair_grey"),
}


@dataclass(frozen=True)
class PersonHair(HairStyle):
    """Brows and beard of one head, and its hair: name of a parameter -> value."""

    groom: Mapping[str, float]


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
        """All but those of skin and hair."""
        return super().shape_parameters - SKIN_NAMES - HAIR_NAMES

    @property
    def colour_parameters(self) -> frozenset[str]:
        """Anny's and all of the skin's."""
        return super().colour_parameters | SKIN_NAMES | _HAIR_SHADES

    @cached_property
    def strands(self) -> StrandSet:
        """Roots of hair, then of brows and beard."""
        every = super().strands
        order = np.argsort(every.region != SCALP, kind="stable")
        return every.subset(order)

    @cached_property
    def strand_sizes(self) -> Annotated[IntArray, "S"]:
        """Hair has more points than brows and beard."""
        return np.where(self.strands.region == SCALP, HAIR_POINTS, POINTS)

    @cached_property
    def face_strands(self) -> StrandSet:
        """Roots of brows and beard, after a few of the scalp, from which the skull is measured."""
        hair = np.flatnonzero(self.strands.region == SCALP)
        every = np.arange(len(self.strands))
        return self.strands.subset(np.concatenate([hair[:_MEASURED], every[len(hair) :]]))

    @cached_property
    def groom(self) -> Groom:
        """The hair of this mesh."""
        surface, strands = self.surface, self.strands.subset(self.strands.region == SCALP)
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

    def hair_style(self, parameters: Annotated[FloatArray, "P"]) -> PersonHair:
        """Hair, brows and beard of one head (P,)."""
        share = self.facial_hair(parameters)
        names = HairStyle.__annotations__
        face = {n: self.value(parameters, n) if n not in _ANNYS_HAIR else 0.0 for n in names}
        face["beard_density"] *= share
        face["moustache_density"] *= share
        return PersonHair(**face, groom=hair_values(self.table, parameters))

    def grow(self, style: HairStyle, vertices: Annotated[Float32Array, "V 3"]) -> Strands:
        """Hair, then brows and beard, of a head with these vertices (V, 3)."""
        assert isinstance(style, PersonHair)
        hair = Strands.of(*self.groom.grow(style.groom, vertices))
        face = grow(self.face_strands, style, vertices, self.surface.faces)
        return hair.followed_by(face.after(_MEASURED))

    def strand_colours(self, colours: Appearance) -> Annotated[Float32Array, "S 4"]:
        """The colour (S, 4) of each strand: hair's strands grey one by one."""
        rgba = super().strand_colours(colours)
        hair = colours_of_strands(self.groom.roots, colours.hair, colours.grey)
        rgba[: len(hair), :3] = hair
        return rgba

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
        hair = hair_values(self.table, parameters)
        mixed = mixed_colour(hair)
        _, *face = hair_shades(value, surface.masks, surface.fields, share, mixed, look.brow)
        shades = (scalp_shade(hair, surface.masks, self._scalp_fields, mixed), *face)
        tint = self.skin.vertices.albedo(skin_values(self.table, parameters), shades)
        is_skin = surface.vertices_of("skin")[:, None]
        return replace(
            look,
            vertex_colour=np.where(is_skin, tint, look.vertex_colour),
            hair=pigmented_colour(hair["hair_melanin"], hair["hair_redness"]),
            grey=hair["hair_grey"],
            covered=shades[0].amount.astype(np.float32),
        )

    def draw_looks(
        self,
        rng: np.random.Generator,
        column: Mapping[str, Annotated[FloatArray, "N"]],
        people: Mapping[str, Annotated[FloatArray, "N"]],
    ) -> None:
        """Anny's, and skins such as people have."""
        unused = {name: np.zeros(len(people["age"])) for name in _ANNYS_HAIR}
        super().draw_looks(rng, {**unused, **column}, people)
        draw_skin(rng, column, people)
        draw_hair(rng, column, people)

    def rig(self, parameters: Annotated[FloatArray, "P"]) -> Rig:
        """Joints, skinning weights and pose of one head (P,)."""
        return replace(super().rig(parameters), weights=self.anny.weights)
