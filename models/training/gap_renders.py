# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads of the people in photos, rendered in several ways: as training sees them, and as photos do.

Renders are kept, a file a person, so that a stopped run goes on; photos stay in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from facegen_addon.arrays import FloatArray, RealArray
from facegen_addon.artifacts import read_npz
from facegen_addon.choices import WORLD_PRESETS
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.encoders.face_detector import FaceDetector
from facegen_addon.errors import UserError
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.wear.garments import NECKLINES
from facegen_addon.heads.wear.glasses import GLASSES
from facegen_addon.heads.wear.headwear import HEADWEAR
from facegen_addon.heads.wear.outfit import NONE, PATTERNS, Outfit, drawn_colours
from facegen_addon.labels.shot import Light, Shot
from facegen_addon.latent.real_faces import lfw_directory
from facegen_addon.photo.camera_fit import SMILE, fit_camera
from facegen_addon.photo.fitting import FRONT
from facegen_addon.photo.photo_face import SQUARE, find_faces
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.progress import ProgressBar
from models.training import pairs
from models.training.distributions_people import listed_photos
from models.training.gap_pictures import Picture

PLAIN, CAMERA, MOUTH = "studio, from the front", "photo's camera", "photo's camera and smile"
LIGHT, ALL = "HDRIs as light and background", "camera, smile, HDRIs, clothes, glasses"

_GLASSES, _HATS = 0.17, 0.05
"""Shares of the people who wear them, about as in the photos."""
_DARK = ("aviator", "sunglasses")
"""Photos of people who wear these are left out."""

Render = Callable[[Shot], Picture]


@dataclass(frozen=True)
class Person:
    """A photo, whose it is, its row among all latents, its latent, and five landmarks (5, 2) in the
    square in which heads are compared."""

    photo: Picture
    identity: int
    row: int
    latent: Annotated[RealArray, "D"]
    square_points: Annotated[FloatArray, "5 2"]


def read_photos(count: int) -> list[Person]:
    """The first `count` people with a photo that can be fitted; UserError if there are too few."""
    from facegen_addon.scene.render.photo_file import read_photo

    folder = lfw_directory()
    tools = FaceDetector.load(), Encoder.load()
    found: list[Person] = []
    bar = ProgressBar()
    for file, identity, row in listed_photos(folder):
        path = folder / file
        try:
            image = read_photo(path)
            (face,) = find_faces(image, path.name, *tools)
        except UserError:
            continue  # sunglasses, a profile: nothing that a head could be compared with
        photo = Picture(image, face.points / face.scale + face.corner)
        found.append(Person(photo, identity, row, face.latent, face.points))
        bar.update("photos", len(found), count)
        if len(found) == count:
            break
    bar.close()
    if len(found) < count:
        raise UserError(f"{folder} has {len(found)} photos that can be used: give --people fewer")
    return found


def shots_of(
    model: HeadModel, head: Annotated[FloatArray, "P"], person: Person, number: int
) -> dict[str, Shot]:
    """The shots of a person's head (P,) by name; what is drawn depends on the number.

    In an order in which the head often stays as it is, which costs a renderer less.
    """
    rng = random_stream("gap", number)
    fit = fit_camera(model, head, person.square_points, SQUARE)
    smiling = np.array(head, np.float64)
    for name in set(SMILE) & set(model.table.names):
        smiling[model.table.index(name)] = fit.smile
    light = Light(
        str(rng.choice(WORLD_PRESETS)), rotation=float(rng.uniform(-np.pi, np.pi)),
        strength=float(np.exp(rng.normal(0.0, 0.2))),
    )  # fmt: skip
    outfit = _drawn_outfit(rng)
    return {
        PLAIN: Shot(head, FRONT),
        CAMERA: Shot(head, fit.view),
        LIGHT: Shot(head, FRONT, light),
        MOUTH: Shot(smiling, fit.view),
        ALL: Shot(smiling, fit.view, light, outfit=outfit),
    }


def _drawn_outfit(rng: np.random.Generator) -> Outfit:
    clear = [name for name in GLASSES if name not in _DARK]
    glasses = str(rng.choice(clear)) if rng.random() < _GLASSES else NONE
    headwear = str(rng.choice(list(HEADWEAR))) if rng.random() < _HATS else NONE
    return Outfit(
        neckline=str(rng.choice(list(NECKLINES))), pattern=str(rng.choice(PATTERNS)),
        glasses=glasses, headwear=headwear, **drawn_colours(rng),
    )  # fmt: skip


def kept(
    folder: Path, shots: Sequence[dict[str, Shot]], render: Render
) -> dict[str, list[Picture]]:
    """Renders of everybody, by the names of shots; those in the folder are not made again."""
    bar, found = ProgressBar(), dict[str, list[Picture]]()
    for number, theirs in enumerate(shots):
        path = folder / f"person_{number:04d}.npz"
        if not path.is_file():
            made = [render(shot) for shot in theirs.values()]
            images, points = zip(*((one.image, one.points) for one in made), strict=True)
            pairs.save_npz(path, images=np.stack(images), points=np.stack(points))
        stored = read_npz(path)
        for name, *picture in zip(theirs, stored["images"], stored["points"], strict=True):
            found.setdefault(name, []).append(Picture(*picture))
        bar.update("renders", number + 1, len(shots))
    bar.close()
    return found
