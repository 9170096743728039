# SPDX-License-Identifier: GPL-3.0-or-later
"""The `person` head as a head model: Anny's parameters and prior on a mesh for modellers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from ...arrays import AnyArray, Float32Array, FloatArray
from ...artifacts import artifact, load_npz
from ..anny.head import AnnyHead
from ..rig import Rig
from .file import from_arrays
from .model import Person

PERSON = "person"
ARTIFACT = "person_head"
"""In models/index.json."""


def person_head() -> PersonHead:
    """The head of models/person_head.npz."""
    return PersonHead(load_npz(ARTIFACT))


class PersonHead(AnnyHead):
    """Quads with a layout of their own; teeth, gums, corneas and lashes as parts.

    Parameters and prior are Anny's, so that a row of one is a row of the other.
    """

    name = PERSON

    def __init__(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take the arrays of models/person_head.npz."""
        self._person = from_arrays(arrays)
        self.anny: Person = Person(self._person)
        self.table = self._person.anny.table

    @property
    def sources(self) -> dict[str, str]:
        """The baked file."""
        return {ARTIFACT: artifact(ARTIFACT).sha256}

    @property
    def texture_uv(self) -> Annotated[Float32Array, "Q 4 2"]:
        """Corners of the quads (Q, 4, 2) in the textures that they were made for: of skin and
        tongue MakeHuman's."""
        return self._person.texture_uv

    def rig(self, parameters: Annotated[FloatArray, "P"]) -> Rig:
        """Joints, skinning weights and pose of one head (P,)."""
        return replace(super().rig(parameters), weights=self.anny.weights)
