# SPDX-License-Identifier: GPL-3.0-or-later
"""The `person` head as a head model: Anny's shapes on a mesh for modellers, and a skin."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, Float32Array, FloatArray, IntArray, RealArray
from ...artifacts import artifact, load_npz
from ..anny.head import AnnyHead
from ..appearance import Appearance, Shade, painted
from ..appearance_parameters import draw_appearance
from ..face_hair.face_hair import FaceColours, FaceHair, Neutral, ShadedPoints, with_density
from ..face_hair.named import BEARDS, BROWS
from ..face_hair.parameters import FACE_HAIR_NAMES, SHADED_BY, draw_face_hair
from ..hair.colour import colours_of_strands, mixed_colour, pigmented_colour, scalp_shade
from ..hair.cut import POINTS as HAIR_POINTS
from ..hair.drawing import draw_hair
from ..hair.groom import Groom
from ..hair.hairline import hairline_field, scalp_mask, scalp_strands
from ..hair.parameters import HAIR_NAMES, hair_values
from ..hair.roots import skull_centre, zone_fields
from ..hair.styles import STYLES
from ..head_model import HeadModel
from ..rig import Rig
from ..skin.colour import lab_of_rgb
from ..skin.parameters import SKIN_NAMES, draw_skin, skin_values
from ..skin.points import global_colour
from ..skin.statistics import SKIN_ARTIFACT
from ..skin.textures import MeshSkin
from ..strands import POINTS, SCALP, HairStyle, Strands, StrandSet
from ..surface import halves
from . import eyes, mouth
from .file import PersonArrays, from_arrays
from .model import LASH_LENGTH, Person
from .people import draw_people, draw_shapes

PERSON = "person"
ARTIFACT = "person_head"
"""In models/index.json."""


def person_head() -> PersonHead:
    """The head of models/person_head.npz."""
    return PersonHead(load_npz(ARTIFACT))


_ANNYS_HAIR = frozenset(name for name in HairStyle.__annotations__ if name.startswith("hair_"))
_HAIR_SHADES = HAIR_NAMES & {
    *("hair_density", "hair_recession", "hair_thinning", "hair_side_length", "hair_top_length"),
    *("hair_melanin", "hair_redness", "hair_grey"),
}
"""Parameters of hair that shade the scalp."""
_ON_LIDS, _FAINTEST, _LOWER = 0.5, 0.55, 0.6
"""Mask of vertices on the lids' edges; how much of lashes of no density is hair, and what those of
the lower lids have of it, by eye."""


@dataclass(frozen=True)
class PersonStyle(HairStyle):
    """The hair of one head, name of a parameter -> value, and of its face; without colours, of
    which strands do not grow."""

    groom: Mapping[str, float]
    face: tuple[float, ...]


_COLOURS = frozenset(
    (
        *("hair_melanin", "hair_redness", "hair_grey"),
        *("brow_melanin", "brow_grey", "beard_grey", "beard_redness"),
    )
)
"""What strands look like, not how they grow."""


_GROWN, _YOUNG, _YEARS = 0.6, 18.0, 155.0
"""Age's slider at 18 years, and years per unit from there: as `people` draws them."""


def years(age: Annotated[FloatArray, "N"]) -> Annotated[FloatArray, "N"]:
    """Years (N,) of Anny's age (N,)."""
    return _YOUNG + _YEARS * (age - _GROWN)


def age_of(years: float) -> float:
    """Anny's age of somebody of so many years."""
    return _GROWN + (years - _YOUNG) / _YEARS


def lightness(
    model: HeadModel, parameters: Annotated[FloatArray, "N P"]
) -> Annotated[FloatArray, "N"]:
    """L* of CIE L*a*b* of the skins (N,) of heads (N, P)."""
    colours = [global_colour(skin_values(model.table, row)) for row in parameters]
    found: FloatArray = lab_of_rgb(np.exp(colours).reshape(-1, 3))[:, 0]
    return found


class PersonLook(HeadModel):
    """Skin, hair, brows and beard, eyes and mouth of `person`, on any surface with its parts.

    Such a model's table has the rows of `with_skin`, `with_hair` and `with_face_hair`, and its
    surface lies on the template of `person`.
    """

    studio_light = "portrait"
    denoised = True

    @property
    @abstractmethod
    def makehuman(self) -> Annotated[Float32Array, "T 3 2"]:
        """The triangles' corners (T, 3, 2) in the textures that they were made for: of skin
        MakeHuman's."""

    @abstractmethod
    def neutral(self, parameters: Annotated[FloatArray, "P"]) -> Neutral:
        """The head of these parameters (P,) without expression and pose, as brows are laid on."""

    @property
    def named_styles(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        """Hair, brows and beards that have names."""
        return {"hair": STYLES, "brows": BROWS, "beard": BEARDS}

    @property
    def shape_parameters(self) -> frozenset[str]:
        """All but those of skin and hair; lashes are of the mesh."""
        drawn = SKIN_NAMES | HAIR_NAMES | frozenset(FACE_HAIR_NAMES)
        return super().shape_parameters - drawn | {LASH_LENGTH}

    @property
    def colour_parameters(self) -> frozenset[str]:
        """Anny's, all of the skin's and of the face's hair, and what of the head's shades it."""
        shared = super().colour_parameters & frozenset(self.table.names)
        return shared | SKIN_NAMES | _HAIR_SHADES | SHADED_BY

    @cached_property
    def groom(self) -> Groom:
        """The hair of this mesh."""
        return Groom.on(self.surface, self._scalp)

    @cached_property
    def _scalp_fields(self) -> dict[str, Float32Array]:
        """Zones of hair and the hairline: name -> (V,)."""
        rest, scalp = self.surface.rest_position, scalp_mask(self.surface)
        hairline = hairline_field(rest)
        zones = zone_fields(rest, hairline, skull_centre(rest[(hairline > 0) & (scalp > 0)]))
        return {**zones, "scalp": scalp}

    @property
    def dressed(self) -> bool:
        """It wears what `heads.wear` has."""
        return True

    @cached_property
    def skin(self) -> MeshSkin:
        """MakeHuman's skins on this mesh."""
        surface = self.surface
        of_skin = surface.part[surface.faces[:, 0]] == surface.part_names.index("skin")
        corners = (surface.uv[of_skin].astype(float), self.makehuman[of_skin].astype(float))
        skin = MeshSkin(surface.faces[of_skin], *corners, len(surface.part))
        skin.vertices.wet = self._wet_rims.amount.astype(np.float32)
        return skin

    @cached_property
    def _scalp(self) -> StrandSet:
        return scalp_strands(self.surface)

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

    def face_values(self, parameters: Annotated[FloatArray, "P"]) -> dict[str, float]:
        """Name -> value of what the face's hair follows, facial hair as dense as it shows."""
        names = (*FACE_HAIR_NAMES, "hair_melanin", "hair_redness", "hair_grey")
        values = {name: self.value(parameters, name) for name in names}
        return with_density(values, self.facial_hair(parameters))

    def hair_style(self, parameters: Annotated[FloatArray, "P"]) -> PersonStyle:
        """The hair of one head (P,), and of its face."""
        unused = dict.fromkeys(HairStyle.__annotations__, 0.0)
        values = self.face_values(parameters).items()
        face = tuple(value for name, value in values if name not in _COLOURS)
        groom = hair_values(self.table, parameters)
        for name in _COLOURS & groom.keys():
            del groom[name]
        return PersonStyle(**unused, groom=groom, face=face)

    @cached_property
    def strand_sizes(self) -> Annotated[IntArray, "S"]:
        """Hair has more points than brows and beard."""
        return np.where(self.strands.region == SCALP, HAIR_POINTS, POINTS)

    def grow(
        self, parameters: Annotated[FloatArray, "P"], vertices: Annotated[Float32Array, "V 3"]
    ) -> Strands:
        """The strands of one head (P,) with these vertices (V, 3)."""
        hair = Strands.of(*self.groom.grow(hair_values(self.table, parameters), vertices))
        values, neutral = self.face_values(parameters), self.neutral(parameters)
        return hair.followed_by(self.face_hair.grow(values, neutral, vertices))

    def strand_colours(
        self, parameters: Annotated[FloatArray, "P"], look: Appearance
    ) -> Annotated[Float32Array, "S 4"]:
        """The colour (S, 4) of each strand of one head (P,): hair's strands grey one by one."""
        hair = colours_of_strands(self.groom.roots, look.hair, look.grey)
        opaque = np.ones((len(hair), 1), np.float32)
        face = self.face_hair.colours(FaceColours.of(self.face_values(parameters)))
        return np.concatenate([np.concatenate([hair, opaque], axis=1), face])

    def appearance(self, parameters: Annotated[FloatArray, "P"]) -> Appearance:
        """The colours of one head (P,)."""
        value, surface = partial(self.value, parameters), self.surface
        hair = hair_values(self.table, parameters)
        mixed = mixed_colour(hair)
        values = self.face_values(parameters)
        colours = FaceColours.of(values)
        under_hair = scalp_shade(hair, self._scalp_fields, mixed)
        shades = (
            under_hair,
            *self._shaded_vertices.shades(values, colours),
            self._wet_rims,
            Shade(self._lash_line * eyes.darkness(values["lash_density"]), colours.lashes),
        )
        tint = self.skin.vertices.albedo(skin_values(self.table, parameters), shades)
        look = painted(value, surface, tint, mixed, colours.mean_brow)
        # Faint lashes let the lid's skin be seen between them.
        lids = tint[surface.masks["lid"] > _ON_LIDS].mean(0)
        amount = _FAINTEST + (1.0 - _FAINTEST) * values["lash_density"]
        rows = np.flatnonzero(surface.vertices_of("lashes"))
        height = surface.rest_position[rows, 2]
        seen = amount * np.where(height > height.mean(), 1.0, _LOWER)[:, None]
        look.vertex_colour[rows] = lids + seen * (colours.lashes - lids)
        iris = eyes.iris_colour(value("iris_melanin"), value("iris_green"))
        eyes.paint(look.vertex_colour, surface, iris)
        mouth.paint(look.vertex_colour, surface)
        pigmented = pigmented_colour(hair["hair_melanin"], hair["hair_redness"])
        covered = under_hair.amount.astype(np.float32)
        return replace(look, iris=iris, hair=pigmented, grey=hair["hair_grey"], covered=covered)

    @cached_property
    def _lash_line(self) -> Annotated[FloatArray, "V"]:
        return eyes.lash_line(self.surface)

    @cached_property
    def _wet_rims(self) -> Shade:
        return eyes.wet_rims(self.surface)

    def draw_looks(
        self,
        rng: np.random.Generator,
        column: Mapping[str, Annotated[FloatArray, "N"]],
        people: Mapping[str, Annotated[FloatArray, "N"]],
    ) -> None:
        """Anny's, and skins, eyes, hair, brows and beards such as people have."""
        unused = {name: np.zeros(len(people["age"])) for name in _ANNYS_HAIR}
        draw_appearance(rng, {**unused, **column}, people)
        draw_skin(rng, column, people)
        eyes.draw_eyes(rng, column, people)
        draw_hair(rng, column, people)
        draw_face_hair(rng, column, people)


class PersonHead(PersonLook, AnnyHead):
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
    def arrays(self) -> PersonArrays:
        """What was baked."""
        return self._person

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
    def makehuman(self) -> Annotated[Float32Array, "T 3 2"]:
        """Corners of the quads' halves (T, 3, 2), as `texture_uv`."""
        return halves(self.texture_uv)

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

    def sample_prior(self, rng: np.random.Generator, n: int) -> Annotated[FloatArray, "N P"]:
        """Draw n people (n, P): see `people`."""
        table = self.table
        values = table.mean + table.std * rng.standard_normal((n, len(table)))
        column = {name: values[:, table.index(name)] for name in table.names}
        people = draw_people(rng, column)
        draw_shapes(rng, column)
        self.draw_looks(rng, column, people)
        return np.clip(values, table.minimum, table.maximum)

    def attributes(self, parameters: Annotated[FloatArray, "N P"]) -> Annotated[FloatArray, "N 3"]:
        """Sex, age and lightness of heads (N, P); see HeadModel."""
        female, age = (parameters[:, self.table.index(name)] for name in ("gender", "age"))
        return np.stack([female, years(age), lightness(self, parameters)], axis=1)

    def rig(self, parameters: Annotated[FloatArray, "P"]) -> Rig:
        """Joints, skinning weights and pose of one head (P,)."""
        return replace(super().rig(parameters), weights=self.anny.weights)
