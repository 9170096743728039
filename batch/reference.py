# SPDX-License-Identifier: GPL-3.0-or-later
"""The real faces that heads are measured against."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from facegen_addon.arrays import RealArray
from facegen_addon.encoders.encoder import DEFAULT_ENCODER, EncoderSource
from facegen_addon.errors import UserError
from facegen_addon.latent.checked import LATENT_SIZE
from facegen_addon.latent.metrics import Moments, moments
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.real_faces import (
    HELD_OUT,
    lfw_directory,
    load_photos,
    one_photo_each,
    split_identities,
)
from facegen_addon.random_streams import random_stream


@dataclass(frozen=True)
class Reference:
    """Held-out real faces, or what stands in for them; `note` says plainly which.

    latents (M, D), one a person, D being 512 for FaceNet; moments: mean and covariance for Frechet
    distance; yardstick (K, D): further ones of the same kind, to show what real faces themselves
    would score.
    """

    note: str
    latents: Annotated[RealArray, "M D"]
    moments: Moments
    yardstick: Annotated[RealArray, "K D"]


NO_REFERENCE = (
    "Reference: none. The project's latents of real faces are FaceNet's and cannot be compared with"
    " this encoder's; --real-latents gives others. What needs them is left out."
)
"""The note where `reference_by` gives none."""


def reference_by(
    encoder: EncoderSource, size: int, real_latents: Path | None, count: int
) -> Reference | None:
    """The reference for heads that `encoder` read, whose latents have `size` numbers.

    None for one of another size than the default's, unless its own real latents are given. Of
    the same size are, say, other exports of the default one: for those the note warns.
    Arguments and UserError as of load_reference.
    """
    if size != LATENT_SIZE and real_latents is None:
        return None
    reference = load_reference(real_latents, count, size)
    if encoder.key == DEFAULT_ENCODER or real_latents is not None:
        return reference
    warning = (
        f" These are latents of {DEFAULT_ENCODER}, the heads' are of {encoder.name}: compare them"
        " only if both encoders read faces alike."
    )
    return replace(reference, note=reference.note + warning)


def load_reference(real_latents: Path | None, count: int, size: int = LATENT_SIZE) -> Reference:
    """Held-out identities of a file of real latents, else the density of real faces.

    real_latents: an .npz with latents (N, size) and identity (N,); None looks for the project's
    research data. count: heads in the run; the yardstick has as many, at most half of all.
    UserError if a named file is damaged, has too few people, or latents of another size.
    """
    path = real_latents or lfw_directory() / "latents_dev.npz"
    if path.is_file():
        photos = load_photos(path, size=None)
        if photos.latents.shape[1:] != (size,):
            raise UserError(
                f"{path} has latents of shape {photos.latents.shape}, the encoder gives {size}"
                " numbers a face: give that encoder's latents by --real-latents, or none"
            )
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
    samples = density.sample(random_stream(0), HELD_OUT)
    taken = min(count, HELD_OUT // 2)
    note = (
        "Reference: no file of real latents was found, so the Frechet distance is to the stored"
        " mean and covariance of held-out real people, while precision, recall and own identity"
        " use samples of the fitted density; the column “real” is such samples too."
    )
    return Reference(note, samples[taken:], density.held_out, samples[:taken])
