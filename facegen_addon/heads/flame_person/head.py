# SPDX-License-Identifier: GPL-3.0-or-later
"""A FLAME-type file's head with the complete look of `person`: `open_person` is the open head's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, Float32Array, FloatArray
from ...artifacts import artifact, load_npz
from ..anny.head import ARTIFACT as ANNY_ARTIFACT
from ..appearance_parameters import masculinity
from ..characteristics import Characteristics
from ..face_hair.face_hair import Neutral
from ..face_hair.parameters import with_face_hair
from ..flame.dressing import to_house
from ..flame.head import FlameHead
from ..flame.open_head import OPEN_FLAME, open_flame_head
from ..hair.parameters import with_hair
from ..parameters import ParameterTable
from ..person.head import ARTIFACT as PERSON_ARTIFACT
from ..person.head import PersonHead, PersonLook, lightness, person_head, years
from ..person.model import LASH_LENGTH, LIPS_CLOSED, Lashes
from ..person.people import draw_people
from ..skin.parameters import with_skin
from ..skin.statistics import SKIN_ARTIFACT
from .lids import AwakeLids
from .people import ComponentsOfPeople
from .wider import Widening

OPEN_PERSON = "open_person"
ARTIFACT = OPEN_PERSON
"""In models/index.json."""
LIKE_PERSON = "+person"
"""What is written after a FLAME file, or the name that its head got, for person's look on it."""

_MOUTH_CLOSED = "mouthClose"


def open_person_head() -> OpenPerson:
    """The open head with person's look."""
    return OpenPerson(open_flame_head(), person_head(), load_npz(ARTIFACT))


def like_person(bare: FlameHead) -> FlamePerson:
    """The head of a FLAME file, which a model without hair and colours of its own is, with person's
    look."""
    return FlamePerson(bare.name + LIKE_PERSON, bare, person_head(), load_npz(ARTIFACT))


class FlamePerson(PersonLook, FlameHead):
    """Components, expressions and poses of a FLAME-type file, and person's look.

    The file's vertices come first and are where the file has them; those of lashes, eyes, teeth
    and so on follow.
    """

    def __init__(
        self, name: str, bare: FlameHead, person: PersonHead, arrays: Mapping[str, AnyArray]
    ) -> None:
        """Dress the head ``bare`` of a file; arrays: of models/open_person.npz."""
        own = bare.flame.arrays
        dressing = replace(bare.dressing, landmarks=bare.landmark_embedding)
        wide = Widening(own, dressing, person, arrays).widened()
        super().__init__(name, wide.flame, wide.dressing)
        for change in (with_skin, with_hair, with_face_hair):
            self.table = change(self.table)
        self.file_vertices = len(own.template)
        self._bare, self._makehuman, self._rings = bare, wide.makehuman, wide.rings
        self._person_sources = person.sources
        self._lashes = Lashes.of(self.surface)
        self.people = ComponentsOfPeople.read_by(bare.dressing.phenotypes)

    @property
    def sources(self) -> dict[str, str]:
        """The file's, person's, and what joins them."""
        own = {**self._bare.sources, **self._person_sources}
        return {**own, ARTIFACT: artifact(ARTIFACT).sha256}

    @cached_property
    def characteristics(self) -> Characteristics | None:
        """Those of the head without person's look, whose components it has."""
        known = self._bare.characteristics
        return known and replace(known, table=self.table)

    @property
    def makehuman(self) -> Annotated[Float32Array, "T 3 2"]:
        """Corners (T, 3, 2) in the textures that they were made for."""
        return self._makehuman

    @property
    def dressed(self) -> bool:
        """Where its neck ends as person's does."""
        return self._rings

    def forward(
        self, parameters: Annotated[FloatArray, "... P"]
    ) -> Annotated[Float32Array, "N V 3"]:
        """Parameters (N, P), or (P,) of one head -> vertices (N, V, 3) float32."""
        return self._with_lashes(np.atleast_2d(parameters), super().forward(parameters))

    def incremental_forward(
        self,
    ) -> Callable[[Annotated[FloatArray, "P"]], Annotated[Float32Array, "V 3"]]:
        """FLAME's own incremental update."""
        move_to = super().incremental_forward()
        return lambda parameters: self._with_lashes(
            parameters[None], move_to(parameters)[None].copy()
        )[0]

    def _with_lashes(self, rows: FloatArray, vertices: Float32Array) -> Float32Array:
        """Vertices (N, V, 3), changed in place, with lashes as long as parameters (N, P) say."""
        lashes, lids = self._lashes.rows, self._lashes.lids
        more = self._lashes.growth(rows[:, self.table.index(LASH_LENGTH)]).astype(np.float32)
        vertices[:, lashes] += more[..., None] * (vertices[:, lashes] - vertices[:, lids])
        return vertices

    def neutral(self, parameters: Annotated[FloatArray, "P"]) -> Neutral:
        """The head of these parameters (P,) without expression and pose, as brows are laid on."""
        moved = parameters[self._shape].astype(np.float32) @ self._neutral_shapes
        return self.face_hair.neutral(self._neutral_rest + moved.reshape(-1, 3))

    @cached_property
    def _neutral_shapes(self) -> Float32Array:
        """The components of what `neutral` is made of, (S, 3 W)."""
        near = self.flame.arrays.shape_basis[self.face_hair.vertices]
        return to_house(near.transpose(2, 0, 1)).reshape(near.shape[2], -1)

    @cached_property
    def _neutral_rest(self) -> FloatArray:
        """The template there, (W, 3), moved to where person's is."""
        near = self.face_hair.vertices
        rest = to_house(self.flame.arrays.template[near])
        moved: FloatArray = rest - rest.mean(0) + self.surface.rest_position[near].mean(0)
        return moved

    def sample_prior(self, rng: np.random.Generator, n: int) -> Annotated[FloatArray, "N P"]:
        """Draw n people (n, P) as `person` has them, then components that such people have."""
        table = self.table
        values = table.mean + table.std * rng.standard_normal((n, len(table)))
        column = {name: values[:, table.index(name)] for name in table.names}
        who = {name: np.zeros(n) for name in ("gender", "weight", "muscle", *_WHO)}
        people = draw_people(rng, who)
        values[:, self._shape] = self.people.draw(rng, who)
        self.draw_looks(rng, column, people)
        column["facial_hair"][:] = masculinity(who["gender"])
        return np.clip(values, table.minimum, table.maximum)

    def attributes(self, parameters: Annotated[FloatArray, "N P"]) -> Annotated[FloatArray, "N 3"]:
        """Sex, age and lightness of heads (N, P), the first two read off the components."""
        read = self.people.read(parameters[:, self._shape])
        return np.stack(
            [np.clip(read["gender"], 0.0, 1.0), years(read["age"]), lightness(self, parameters)],
            axis=1,
        )


_WHO = ("age", "african", "asian", "caucasian")


class OpenPerson(FlamePerson):
    """The open head's components and mesh, on which person's parts are person's own."""

    def __init__(self, bare: FlameHead, person: PersonHead, arrays: Mapping[str, AnyArray]) -> None:
        """Dress the open head ``bare``."""
        super().__init__(OPEN_PERSON, bare, person, arrays)
        names = [self.table.names[column] for column in self.table.columns("expression")]
        self._awake = AwakeLids(self.flame.arrays, self.surface, names)
        self.table = self._at_ease(self.table)
        self.people = ComponentsOfPeople(
            *(arrays[f"people_{name}"].astype(float) for name in ("mean", "spread", "reading"))
        )

    @property
    def sources(self) -> dict[str, str]:
        """The baked files."""
        names = (OPEN_FLAME, ANNY_ARTIFACT, PERSON_ARTIFACT, SKIN_ARTIFACT, ARTIFACT)
        return {name: artifact(name).sha256 for name in names}

    def _at_ease(self, table: ParameterTable) -> ParameterTable:
        """A table by which lips touch and lids are open where no expression is asked for:
        MakeHuman's lips leave a slit, and its lids one, too."""
        awake = self._awake.expressions(np.zeros((1, len(self._shape))))
        means = {name: float(strength[0]) for name, strength in awake.items()}
        means[_MOUTH_CLOSED] = LIPS_CLOSED
        return ParameterTable(
            replace(row, mean=means.get(row.name, row.mean)) for row in table.parameters
        )

    def sample_prior(self, rng: np.random.Generator, n: int) -> Annotated[FloatArray, "N P"]:
        """Draw n people (n, P), who are awake."""
        values = super().sample_prior(rng, n)
        for name, strength in self._awake.expressions(values[:, self._shape]).items():
            values[:, self.table.index(name)] = strength
        return values
