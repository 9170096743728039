# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents of Labeled Faces in the Wild, and the one split of its identities that everything uses.

The data is research data of real people: it is read from the shared data folder and never
committed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np

from ..arrays import Float32Array, IntArray
from ..artifacts import read_npz
from ..errors import UserError
from ..random_streams import random_stream
from .checked import LATENT_SIZE, checked_latents
from .sphere import normalise

HELD_OUT = 1000
"""Identities that no fit and no training sees."""


class Photos(NamedTuple):
    """Latents (N, 512) float32 of unit norm, and whose face each shows, (N,) int."""

    latents: Annotated[Float32Array, "N D"]
    identity: Annotated[IntArray, "N"]


class IdentitySplit(NamedTuple):
    """Identities to fit and train on, and held-out ones to judge by; each in a random order."""

    fit: Annotated[IntArray, "K"]
    held_out: Annotated[IntArray, "M"]


def lfw_directory() -> Path:
    """`data/lfw` in the shared folder: FACEGEN_SHARED, else `shared` beside the project."""
    default = Path(__file__).resolve().parents[3] / "shared"
    return Path(os.environ.get("FACEGEN_SHARED", default)) / "data" / "lfw"


def load_photos(path: Path | None = None, size: int | None = LATENT_SIZE) -> Photos:
    """All photos' latents, from `latents_dev.npz`; UserError if the file cannot be used.

    size: numbers that a latent has to have, those of FaceNet's by default; None: any.
    """
    path = path or lfw_directory() / "latents_dev.npz"
    arrays = read_npz(path)
    if not {"latents", "identity"} <= arrays.keys():
        raise UserError(f"{path} needs the arrays latents and identity: set FACEGEN_SHARED")
    latents, identity = arrays["latents"], arrays["identity"]
    try:
        checked_latents(latents, size)
    except UserError as error:
        raise error.within(str(path)) from None
    if identity.shape != latents.shape[:1]:
        raise UserError(
            f"{path}: identity of shape {identity.shape}, {len(latents)} latents: give each one"
        )
    return Photos(normalise(latents).astype(np.float32), identity)


def split_identities(
    identity: Annotated[IntArray, "N"], seed: int = 0, held_out: int = HELD_OUT
) -> IdentitySplit:
    """Split the identities that occur in `identity` (N,) at random, the same way for one seed.

    Seed 0 is the project's split: natural_faces.npz and the backward mapping are fitted to its
    `fit` side alone. Other seeds serve to show how far a figure depends on the split.
    """
    people = random_stream(seed).permutation(np.unique(identity))
    if len(people) <= held_out:
        raise UserError(f"{len(people)} identities are too few to hold out {held_out} of them")
    return IdentitySplit(people[held_out:], people[:held_out])


def one_photo_each(
    identity: Annotated[IntArray, "N"], people: Annotated[IntArray, "K"], seed: int = 0
) -> Annotated[IntArray, "K"]:
    """Row of one photo of each of `people`, drawn at random, in their order: (len(people),) int.

    The draw for a person depends on the seed alone, not on who else is asked for.
    """
    shuffled = random_stream(seed).permutation(len(identity))
    chosen, first = np.unique(identity[shuffled], return_index=True)
    return shuffled[first[np.searchsorted(chosen, people)]]
