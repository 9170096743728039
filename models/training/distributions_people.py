# SPDX-License-Identifier: GPL-3.0-or-later
"""People of LFW by whose photos training sets are judged, and distances of heads to them.

Photos and what encoders see in them stay in memory: nothing of a single person is written.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from facegen_addon.arrays import BoolArray, Float32Array, FloatArray, RealArray
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.encoders.face_detector import FaceDetector
from facegen_addon.errors import UserError
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.real_faces import lfw_directory, split_identities
from facegen_addon.latent.sphere import cosine_distance_matrix
from facegen_addon.photo.photo_face import PhotoFace, find_faces
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.progress import ProgressBar
from models.training import real_latents
from models.training.fit_attributes import load_read

_SAME = 0.999
"""Cosine of a photo's latent with itself, whatever it was rounded to."""


@dataclass(frozen=True)
class People:
    """N people: latents (N, 512) and sface (N, E) of a photo each; another (N, 512): the latent of
    another photo of the same person; held_out (N,): nothing at all was fitted to photos of theirs;
    attributes (N, 3): what others read off the photo, as Readings has it, NaN where nothing was.
    """

    latents: Annotated[RealArray, "N D"]
    sface: Annotated[RealArray, "N E"]
    another: Annotated[RealArray, "N D"]
    held_out: Annotated[BoolArray, "N"]
    attributes: Annotated[FloatArray, "N 3"]

    def __len__(self) -> int:
        return len(self.latents)


@dataclass(frozen=True)
class Likeness:
    """Of S heads for each of N people, NaN where no face was seen; all (N, S).

    facenet, sface: cosine distances from the photo; rank, sface_rank: place of the person, from 1
    on, among all by another photo, for SFace by the same photo.
    """

    facenet: Annotated[FloatArray, "N S"]
    sface: Annotated[FloatArray, "N S"]
    rank: Annotated[FloatArray, "N S"]
    sface_rank: Annotated[FloatArray, "N S"]

    @classmethod
    def of(
        cls,
        people: People,
        facenet: Annotated[RealArray, "N D"],
        sface: Annotated[RealArray, "N E"],
        usable: Annotated[BoolArray, "N"],
    ) -> Likeness:
        """What encoders see in one head each; unit norm where it is usable."""
        found = (
            np.diagonal(cosine_distance_matrix(facenet, people.latents)),
            np.diagonal(cosine_distance_matrix(sface, people.sface)),
            ranks(facenet, people.another),
            ranks(sface, people.sface),
        )
        return cls(*(np.where(usable, row, np.nan)[:, None] for row in found))

    @classmethod
    def joined(cls, parts: list[Likeness]) -> Likeness:
        """Heads of several networks for the same people."""
        names = cls.__dataclass_fields__
        return cls(*(np.hstack([getattr(part, name) for part in parts]) for name in names))

    def of_people(self, chosen: BoolArray | slice) -> Likeness:
        """Some of the people, ranked among all."""
        return Likeness(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def ranks(
    heads: Annotated[RealArray, "N D"], gallery: Annotated[RealArray, "N D"]
) -> Annotated[FloatArray, "N"]:
    """Place of one's own among the gallery (N, D), from 1 on, the nearest first."""
    distances = cosine_distance_matrix(heads, gallery)
    own = np.diagonal(distances)[:, None]
    return 1.0 + (distances < own).sum(axis=1)


def read_people(count: int, rounds: int, each: int) -> People:
    """The first `count` people with photos that can be used, those that nothing saw at first.

    Then such as may have been learned from, but for whose photos no head of `rounds` rounds of
    `each` requests was made. UserError if there are no photos.
    """
    from facegen_addon.scene.render.photo_file import read_photo

    folder = lfw_directory()
    photos, attributes = load_read()
    held_out = split_identities(photos.identity).held_out
    asked = asked_for(rounds, each)
    rows = sorted(listed_photos(folder), key=lambda row: row[1] not in held_out)
    tools = FaceDetector.load(), Encoder.load()
    sface = Encoder.load("sface")
    bar, found = ProgressBar(), []
    for file, identity, shown in rows:
        theirs = np.flatnonzero(photos.identity == identity)
        others = theirs[theirs != shown]
        known = identity not in held_out
        if not len(others) or (known and (photos.latents[theirs] @ asked.T).max() > _SAME):
            continue
        path = folder / file
        try:
            (face,) = find_faces(read_photo(path), path.name, *tools)
        except UserError:
            continue  # sunglasses, a profile: nothing that a head could be compared with
        other = photos.latents[random_stream(0, identity).choice(others)]
        found.append((face.latent, _by(sface, face), other, not known, attributes[shown]))
        bar.update("photos", len(found), count)
        if len(found) == count:
            break
    bar.close()
    if len(found) < 3:
        raise UserError(f"{folder} has {len(found)} photos that can be used: set FACEGEN_SHARED")
    return People(*(np.array(part) for part in zip(*found, strict=True)))


def asked_for(rounds: int, each: int) -> Annotated[Float32Array, "N 512"]:
    """Latents (N, 512) for which heads of latent guidance were made, as `propose` draws them."""
    fit, natural = real_latents.fit_latents(), NaturalFaces.load()
    return np.concatenate(
        [
            real_latents.latents_to_invert(each, fit, natural, random_stream(0, number))
            for number in range(1, rounds + 1)
        ]
    )


def listed_photos(folder: Path) -> list[tuple[str, int, int]]:
    """Photos: file, whose face it shows, and its row among all latents."""
    path = folder / "photos.csv"
    if not path.is_file():
        raise UserError(f"{folder} has no photos.csv: set FACEGEN_SHARED")
    with path.open(encoding="utf-8", newline="") as file:
        return [
            (row["file"], int(row["identity"]), int(row["row_in_latents_dev"]))
            for row in csv.DictReader(file)
        ]


def _by(encoder: Encoder, face: PhotoFace) -> FloatArray:
    return encoder.embed(encoder.cut(face.square, face.points)[None])[0].astype(np.float64)
