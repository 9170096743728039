# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents of real faces to train on and to judge by, and mixtures and samples of their density."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from facegen_addon.arrays import Float32Array, RealArray
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.real_faces import load_photos, one_photo_each, split_identities
from facegen_addon.latent.sphere import geodesic

MIXTURE_RANGE = (0.2, 0.8)


def fit_latents() -> Annotated[Float32Array, "N 512"]:
    """(N, 512) latents of all photos of the identities that may be learned from."""
    photos = load_photos()
    return photos.latents[np.isin(photos.identity, split_identities(photos.identity).fit)]


def held_out_latents(count: int) -> Annotated[Float32Array, "N 512"]:
    """(count, 512): one photo each of identities that nothing was fitted to."""
    photos = load_photos()
    people = split_identities(photos.identity).held_out[:count]
    return photos.latents[one_photo_each(photos.identity, people)]


def latents_to_invert(
    count: int, real: Annotated[RealArray, "R 512"], natural: NaturalFaces, rng: np.random.Generator
) -> Annotated[Float32Array, "N 512"]:
    """(count, 512): half real photos, a quarter geodesic mixtures of two, a quarter samples.

    Photos are drawn without repetition as long as they last.
    """
    quarter = count // 4
    order = np.resize(rng.permutation(len(real)), count - 2 * quarter)
    a, b = rng.integers(len(real), size=(2, quarter))
    mixtures = geodesic(real[a], real[b], rng.uniform(*MIXTURE_RANGE, quarter))
    rows = np.concatenate([real[order], mixtures, natural.sample(rng, quarter)])
    result: RealArray = rng.permutation(rows).astype(np.float32)
    return result
