# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks on photos beside those of an independent detector: a table in Markdown.

    .venv-readers/bin/python -m models.training.landmarks.judge_photos           # photos of LFW
    .venv-readers/bin/python -m models.training.landmarks.judge_photos --sheet out/sheet.png

The detector is dlib's (Kazemi and Sullivan 2014), whose 68 points follow the same markup (iBUG,
300-W), with its own finder of faces; the weights lie in PyPI's `face_recognition_models`. Errors
are shares of the distance between the eyes. 51 points are eyes, brows, nose and lips. Of the jaw
both mean other things where a head is turned: theirs follows its outline, ours stays on its skin.
The habit of a network is what each of its landmarks is off by on average, measured on every second
photo and taken off the others': what remains is no matter of definitions. A second table says
whether sex, age and skin of the parameters agree with what others read off LFW's photos.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image, ImageDraw

from facegen_addon.arrays import ByteArray, FloatArray
from facegen_addon.encoders.face_detector import FaceDetector
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.real_faces import lfw_directory
from facegen_addon.photo.face_square import FaceSquare
from facegen_addon.photo.landmark_network import (
    FaceReading,
    LandmarkNetwork,
    between_the_eyes,
    five_of_landmarks,
)
from facegen_addon.report.section import Table
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.remedies import explain
from models.training.distributions_page import cell
from models.training.distributions_people import listed_photos
from models.training.distributions_readings import attribute_row
from models.training.fit_attributes import load_read
from models.training.landmarks.learning_set import MODEL

COLUMNS = (
    "landmarks",
    "51, median",
    "90 %",
    "68, median",
    "90 %",
    "jaw",
    "brows",
    "nose",
    "eyes",
    "lips",
)
ATTRIBUTE_COLUMNS = ("parameters", "sex", "age", "lightness")
_FEWEST = 10
"""Photos of which sex and age are known, below which nothing is said of these."""
_PARTS = (slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 68))
_INNER = slice(17, 68)
_ACROSS = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
     45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
     *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
)  # fmt: skip
"""Each landmark's partner on the other side of a face."""


@dataclass(frozen=True)
class JudgedPhoto:
    """picture (H, W, 3) uint8; five (5, 2): MTCNN's points; theirs, mirrored, mean (68, 2) pixels:
    dlib's landmarks, the same found in the mirrored photo, and the mean face's as the five points
    alone would put it; read (3,): sex, age and lightness of the cheeks as others read them off the
    photo, NaN where nothing was."""

    picture: Annotated[ByteArray, "H W 3"]
    five: Annotated[FloatArray, "5 2"]
    theirs: Annotated[FloatArray, "68 2"]
    mirrored: Annotated[FloatArray, "68 2"]
    mean: Annotated[FloatArray, "68 2"]
    read: Annotated[FloatArray, "3"]


class Dlib:
    """dlib's finder of faces and its 68 landmarks."""

    def __init__(self) -> None:
        import dlib

        package = importlib.util.find_spec("face_recognition_models")
        if package is None or not package.submodule_search_locations:
            raise UserError("face_recognition_models is missing: run `sh tools/set_up.sh readers`")
        folder = Path(package.submodule_search_locations[0]) / "models"
        self._find = dlib.get_frontal_face_detector()
        self._read = dlib.shape_predictor(str(folder / "shape_predictor_68_face_landmarks.dat"))

    def faces(self, picture: Annotated[ByteArray, "H W 3"]) -> list[Annotated[FloatArray, "68 2"]]:
        """Landmarks (68, 2), pixels from the picture's corner, of each face that it finds."""
        shapes = [self._read(picture, box) for box in self._find(picture, 1)]
        return [np.array([(p.x + 0.5, p.y + 0.5) for p in shape.parts()]) for shape in shapes]


def judged(
    pictures: Iterable[tuple[Annotated[ByteArray, "H W 3"], Annotated[FloatArray, "3"]]],
    detector: FaceDetector,
    other: Dlib,
    mean: Annotated[FloatArray, "68 2"],
) -> Iterator[JudgedPhoto]:
    """The largest face of each picture, where both find it, also in its mirror image.

    pictures, each with what is read off it (3,); mean (68, 2): the mean face in a face's square."""
    for picture, read in pictures:
        found = detector.detect(picture)
        if not found:
            continue
        five = found[0].points
        placed = FaceSquare.around(five).to_picture(mean)
        flipped = other.faces(np.ascontiguousarray(picture[:, ::-1]))
        back = [(face * (-1, 1) + (picture.shape[1], 0))[_ACROSS] for face in flipped]
        theirs, mirrored = _same(other.faces(picture), placed), _same(back, placed)
        if theirs is not None and mirrored is not None:
            yield JudgedPhoto(picture, five, theirs, mirrored, placed, read)


def _same(faces: Sequence[FloatArray], placed: FloatArray) -> FloatArray | None:
    """The one of these faces (68, 2) that lies where `placed` does; None if none does."""
    eyes = between_the_eyes(placed)
    near = [f for f in faces if np.linalg.norm(f.mean(0) - placed.mean(0)) < eyes]
    return near[0] if near else None


def readings_of(network: LandmarkNetwork, photos: Sequence[JudgedPhoto]) -> list[FaceReading]:
    """What the network reads off each photo by itself, no latent being known."""
    return [network.read(photo.picture, photo.five) for photo in photos]


def landmarks_of(readings: Sequence[FaceReading]) -> Annotated[FloatArray, "N 68 2"]:
    """The network's landmarks (N, 68, 2), pixels."""
    return np.stack([reading.landmarks for reading in readings])


def off(said: FloatArray, theirs: FloatArray) -> Annotated[FloatArray, "N 68"]:
    """Distances (N, 68) of landmarks (N, 68, 2), as shares of the one between the eyes."""
    away = np.linalg.norm(said - theirs, axis=-1)
    return np.asarray(away / between_the_eyes(theirs)[:, None])


def rows_of(
    photos: Sequence[JudgedPhoto], said: Mapping[str, Sequence[FaceReading]]
) -> Iterator[tuple[str, ...]]:
    """The rows of the table; said: readings of each photo by the names of their networks."""
    theirs = np.stack([photo.theirs for photo in photos])
    for name, readings in said.items():
        ours = landmarks_of(readings)
        yield _row(name, off(ours, theirs))
        yield _row(f"{name}, less its habit", off(_without_habit(ours, theirs), theirs))
    mean = np.stack([photo.mean for photo in photos])
    yield _row("mean face, by MTCNN's five points", off(mean, theirs))
    mirrored = np.stack([photo.mirrored for photo in photos])
    yield _row("dlib's own, in the mirrored photo", off(mirrored, theirs))


def attribute_rows(
    photos: Sequence[JudgedPhoto], said: Mapping[str, Sequence[FaceReading]]
) -> Iterator[tuple[str, ...]]:
    """How well the parameters' own sex, age and lightness agree with what others read off the
    photos, as `distributions_readings` has it; no row where hardly anything was read."""
    model = load_head_model(MODEL)
    read = np.stack([photo.read for photo in photos])
    known = np.flatnonzero(np.isfinite(read).all(axis=1))
    if len(known) < _FEWEST:
        return
    for name, readings in said.items():
        rows = np.tile(model.table.default(), (len(known), 1))
        for row, place in zip(rows, known, strict=True):
            for parameter, value in readings[place].parameters.items():
                row[model.table.index(parameter)] = value
        heads = model.attributes(rows)
        if heads is not None:
            figures = attribute_row(heads, read[known])
            yield (name, *(cell(figure, ".2f") for figure in figures.values()))


def _without_habit(said: FloatArray, theirs: FloatArray) -> FloatArray:
    """Landmarks (N, 68, 2) without what both definitions differ by: means over every second photo,
    in each face's own square, are taken off the others."""
    squares = [FaceSquare.around(five_of_landmarks(face)) for face in theirs]
    in_square = [
        np.stack([square.to_square(face) for square, face in zip(squares, faces, strict=True)])
        for faces in (said, theirs)
    ]
    habit = in_square[0] - in_square[1]
    corrected = in_square[0].copy()
    for half in (0, 1):
        corrected[half::2] -= habit[1 - half :: 2].mean(0)
    return np.stack([s.to_picture(face) for s, face in zip(squares, corrected, strict=True)])


def _row(name: str, shares: FloatArray) -> tuple[str, ...]:
    figures = []
    for part in (_INNER, slice(0, 68)):
        each = shares[:, part].mean(1)
        figures += [np.median(each), np.quantile(each, 0.9)]
    figures += [np.median(shares[:, part].mean(1)) for part in _PARTS]
    return (name, *(f"{figure:.3f}" for figure in figures))


def drawn(photo: JudgedPhoto, ours: FloatArray, side: int = 512) -> Image.Image:
    """The face, the network's landmarks (68, 2) in green and dlib's in red."""
    square = FaceSquare.around(five_of_landmarks(ours))
    upright = FaceSquare(square.middle, complex(abs(square.across)))
    image = Image.fromarray(upright.cut(photo.picture, side))
    pen = ImageDraw.Draw(image)
    for points, colour in ((photo.theirs, (255, 60, 40)), (ours, (60, 255, 60))):
        for x, y in (upright.to_square(points) + 1) * side / 2:
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
    return image


def sheet_of(
    photos: Sequence[JudgedPhoto], readings: Sequence[FaceReading], columns: int = 4
) -> Image.Image:
    """Photos drawn beside one another."""
    tiles = [drawn(photo, ours) for photo, ours in zip(photos, landmarks_of(readings), strict=True)]
    side = tiles[0].width
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * side, rows * side))
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (place % columns * side, place // columns * side))
    return sheet


def mean_face() -> Annotated[FloatArray, "68 2"]:
    """The mean head's landmarks (68, 2) from the front, in its square."""
    model = load_head_model(MODEL)
    points = model.landmarks(model.forward(model.table.default()))[0].astype(np.float64)
    seen = points[:, [0, 2]] * (1.0, -1.0)
    return FaceSquare.around(five_of_landmarks(seen)).to_square(seen)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, help="a folder of .jpg; default: those of LFW")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--network", type=Path, nargs="*", default=[], help="instead of ours")
    parser.add_argument("--sheet", type=Path, help="also draw the first 16 into this picture")
    options = parser.parse_args(arguments)
    try:
        photos = _photos(options.photos or lfw_directory() / "photos", options.count)
        networks = {
            path.stem: LandmarkNetwork.of(path.read_bytes(), path, 1) for path in options.network
        } or {"the network's": LandmarkNetwork.load(threads=1)}
    except UserError as error:
        print(f"judge_photos: {explain(error)}", file=sys.stderr)
        return 2
    said = {name: readings_of(network, photos) for name, network in networks.items()}
    print(Table("Off from dlib's", COLUMNS, tuple(rows_of(photos, said))).markdown())
    if attributes := tuple(attribute_rows(photos, said)):
        print(Table("Parameters and photos agree", ATTRIBUTE_COLUMNS, attributes).markdown())
    if options.sheet is not None:
        options.sheet.parent.mkdir(parents=True, exist_ok=True)
        sheet_of(photos[:16], next(iter(said.values()))[:16]).save(options.sheet)
    return 0


def _photos(folder: Path, count: int) -> list[JudgedPhoto]:
    """The first photos of a folder that can be judged; UserError if there is none."""
    files, read = sorted(folder.glob("*.jpg"))[:count], _read_of(folder)
    nothing = np.full(3, np.nan)
    pictures = (
        (np.asarray(Image.open(file).convert("RGB")), read.get(file.name, nothing))
        for file in files
    )
    photos = list(judged(pictures, FaceDetector.load(), Dlib(), mean_face()))
    if not photos:
        raise UserError(f"{folder} holds no .jpg of a face: name another folder by --photos")
    print(f"{len(photos)} of {len(files)} photos: both find the face", file=sys.stderr)
    return photos


def _read_of(folder: Path) -> dict[str, Annotated[FloatArray, "3"]]:
    """What others read off each photo (3,) by its file's name; nothing of photos but LFW's."""
    lfw = lfw_directory()
    if folder.parent != lfw:
        return {}
    attributes = load_read()[1]
    return {Path(file).name: attributes[row] for file, _, row in listed_photos(lfw)}


if __name__ == "__main__":
    run_process(main, "judge_photos")
