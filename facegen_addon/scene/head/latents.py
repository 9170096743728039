# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a head's latents, requested and achieved, on its object.

Latents belong to parameters: when sliders are moved by hand, what was asked for and what was
measured no longer speak of the head, so they are stored with the parameters' digest and not found
afterwards. Undo, copies and saved files carry them along.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

import bpy
import numpy as np

from ...arrays import Float32Array
from ...errors import UserError
from ...latent.checked import checked_latents
from ...latent.sphere import cosine_distance
from .head_object import PARAMETERS_KEY

SEED_KEY = "facegen_seed"
LATENTS_KEY = "facegen_latents"


@dataclass(frozen=True)
class Latents:
    """Latents (512,) of unit norm, each None where it is not known.

    requested: what was asked of B; achieved: what FaceNet says of the head's render; before: what
    it said before a correction moved the head, so that both shifts can be shown.
    """

    requested: Annotated[Float32Array, "512"] | None = None
    achieved: Annotated[Float32Array, "512"] | None = None
    before: Annotated[Float32Array, "512"] | None = None

    @property
    def shift(self) -> float | None:
        """Cosine distance from the requested latent to the achieved one."""
        return _distance(self.requested, self.achieved)

    @property
    def shift_before(self) -> float | None:
        """Cosine distance from the requested latent to the one achieved before the correction."""
        return _distance(self.requested, self.before)


def store(mesh_object: bpy.types.Object, latents: Latents) -> None:
    """Keep these latents for the parameters that the head has now."""
    known = {
        name: [round(float(value), 7) for value in latent]
        for name, latent in vars(latents).items()
        if latent is not None
    }
    mesh_object[LATENTS_KEY] = json.dumps({"of": _digest(mesh_object), **known})


def read(mesh_object: bpy.types.Object) -> Latents:
    """The latents of a head's present parameters; all None where none are known."""
    content = _content(mesh_object)
    if content.pop("of", None) != _digest(mesh_object):
        return Latents()
    names = [field.name for field in fields(Latents) if field.name in content]
    try:
        return Latents(**{name: checked_latents(content[name])[0] for name in names})
    except UserError:  # edited by hand
        return Latents()


def moved_since(mesh_object: bpy.types.Object) -> bool:
    """Whether the head was measured with parameters that it no longer has."""
    content = _content(mesh_object)
    return "achieved" in content and content["of"] != _digest(mesh_object)


def store_seed(mesh_object: bpy.types.Object, seed: int | None) -> None:
    """Keep the seed that a head was drawn with; None: it was not drawn."""
    if seed is None:
        mesh_object.pop(SEED_KEY, None)
    else:
        mesh_object[SEED_KEY] = seed


def store_achieved(mesh_object: bpy.types.Object, achieved: Annotated[Float32Array, "512"]) -> None:
    """Add a measurement to what is known."""
    store(mesh_object, replace(read(mesh_object), achieved=achieved))


def _content(mesh_object: bpy.types.Object) -> dict[str, Any]:
    """The stored mapping; empty where it is not ours: anybody can edit an object's properties."""
    try:
        content = json.loads(mesh_object.get(LATENTS_KEY, ""))
    except (TypeError, ValueError):
        return {}
    return content if isinstance(content, dict) and "of" in content else {}


def _digest(mesh_object: bpy.types.Object) -> str:
    values = np.array(mesh_object[PARAMETERS_KEY], np.float64)
    return hashlib.sha256(values.tobytes()).hexdigest()[:16]


def _distance(a: Float32Array | None, b: Float32Array | None) -> float | None:
    return None if a is None or b is None else float(cosine_distance(a, b))
