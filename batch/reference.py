# SPDX-License-Identifier: GPL-3.0-or-later
"""The real faces that heads are measured against."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegen_addon.latent.metrics import Moments, moments
from facegen_addon.latent.natural import NaturalFaces
from models.recipes.lfw import (
    HELD_OUT,
    lfw_directory,
    load_photos,
    one_photo_each,
    split_identities,
)


@dataclass(frozen=True)
class Reference:
    """Held-out real faces, or what stands in for them; `note` says plainly which.

    latents (M, 512), one a person; moments: mean and covariance for Frechet distance; yardstick
    (K, 512): further ones of the same kind, to show what real faces themselves would score.
    """

    note: str
    latents: NDArray[np.floating]
    moments: Moments
    yardstick: NDArray[np.floating]


def load_reference(real_latents: Path | None, count: int) -> Reference:
    """Held-out identities of a file of real latents, else the density of real faces.

    real_latents: an .npz with latents (N, 512) and identity (N,); None looks for the project's
    research data. count: heads in the run; the yardstick has as many, at most half of all.
    UserError if a named file is damaged or has too few people.
    """
    path = real_latents or lfw_directory() / "latents_dev.npz"
    if path.is_file():
        photos = load_photos(path)
        people = split_identities(photos.identity).held_out
        latents = photos.latents[one_photo_each(photos.identity, people)]
        taken = min(count, len(latents) // 2)
        rest = latents[taken:]
        note = (
            f"Reference: one photo each of {len(rest)} real people whom no fit and no training"
            f" has seen, from {path.name}; the column “real” is {taken} further such people."
        )
        return Reference(note, rest, moments(rest), latents[:taken])
    density = NaturalFaces.load()
    samples = density.sample(np.random.default_rng(0), HELD_OUT)
    taken = min(count, HELD_OUT // 2)
    note = (
        "Reference: no file of real latents was found, so the Frechet distance is to the stored"
        " mean and covariance of held-out real people, while precision, recall and own identity"
        " use samples of the fitted density; the column “real” is such samples too."
    )
    return Reference(note, samples[taken:], density.held_out, samples[:taken])
