# SPDX-License-Identifier: GPL-3.0-or-later
"""How near heads come that are fitted to photos: the figures of docs/results/photo.md.

    .venv/bin/python -m models.training.measure_fit                    # 24 photos of LFW
    .venv/bin/python -m models.training.measure_fit --count 40 --photos FOLDER

Fits a head to each photo as `fit` does and prints a table in Markdown: cosine distances from the
photo by FaceNet and by SFace, which nothing is fitted to, of the fitted head, of B alone, and of
heads that know nothing of the photo: the mean head, random ones of the prior.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from facegen_addon.arrays import ByteArray, FloatArray
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.errors import UserError
from facegen_addon.latent.real_faces import lfw_directory
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.photo.fitting import FRONT, FittedHead, FittingTools, Seen, fit_person
from facegen_addon.photo.photo_face import PhotoFace, find_faces, seen_latent
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.remedies import explain

COLUMNS = ("head", "FaceNet", "90 %", "SFace", "90 %", "below 0.51", "below 0.637")
_RANDOM = 16


@dataclass(frozen=True)
class Distances:
    """Of N photos from one kind of head: (N,) by FaceNet and by SFace."""

    facenet: Annotated[FloatArray, "N"]
    sface: Annotated[FloatArray, "N"]

    def cells(self, name: str) -> tuple[str, ...]:
        """A row of the table: medians, 90 % quantiles, shares that read as one person."""
        figures = [f(x) for x in (self.facenet, self.sface) for f in (np.median, _most)]
        shares = ((self.facenet < 0.51).mean(), (self.sface < 0.637).mean())
        return (name, *(f"{x:.3f}" for x in figures), *(f"{x:.0%}" for x in shares))


def nearer(fitted: Distances, other: Distances) -> str:
    """Shares of photos to which the fitted head is nearer than the other, in words."""
    by_facenet = float((fitted.facenet < other.facenet).mean())
    by_sface = float((fitted.sface < other.sface).mean())
    return f"{by_facenet:.0%} by FaceNet, {by_sface:.0%} by SFace"


def _most(values: FloatArray) -> float:
    return float(np.quantile(values, 0.9))


def strict(fitted: Distances, alone: Distances) -> Distances:
    """What `--nearest` would keep: B's own where the fitted head is further by FaceNet."""
    kept = fitted.facenet <= alone.facenet
    return Distances(
        np.where(kept, fitted.facenet, alone.facenet), np.where(kept, fitted.sface, alone.sface)
    )


def measure(
    photos: Sequence[Path], tools: FittingTools, sface: Encoder
) -> tuple[dict[str, Distances], list[float], list[str]]:
    """Distances by kind of head, seconds a photo, and what was left out."""
    from facegen_addon.scene.render.photo_file import read_photo

    strangers = _strangers(tools)
    rows: dict[str, list[tuple[float, float]]] = {}
    seconds, faults, bar = [], [], ProgressBar()
    for number, path in enumerate(photos, start=1):
        start = time.monotonic()
        try:
            (face,) = find_faces(read_photo(path), path.name, tools.detector, tools.encoder)
            head = _fitted(face, tools)
        except UserError as error:
            faults.append(str(error))
            continue
        seconds.append(time.monotonic() - start)
        photo = _by(sface, face.square, face.points)
        for name, seen, distance in (
            ("fitted", head.seen, head.distance),
            ("B alone", head.seen_alone, head.distance_alone),
        ):
            own = float(cosine_distance(photo, _by(sface, seen.image, seen.points)))
            rows.setdefault(name, []).append((distance, own))
        others = np.array(
            [
                (
                    cosine_distance(face.latent, seen_latent(s.image, s.points, tools.encoder)),
                    cosine_distance(photo, _by(sface, s.image, s.points)),
                )
                for s in strangers
            ]
        )
        rows.setdefault("mean head", []).append(tuple(others[0].tolist()))
        rows.setdefault("random head", []).append(tuple(np.median(others[1:], axis=0).tolist()))
        rows.setdefault(f"nearest of {_RANDOM} random", []).append(
            tuple(others[1:].min(axis=0).tolist())
        )
        bar.update("fit photos", number, len(photos))
    bar.close()
    if not rows:
        raise UserError(f"no photo can be used: {faults[0] if faults else 'there is none'}")
    return {n: Distances(*np.array(r).T) for n, r in rows.items()}, seconds, faults


def _fitted(face: PhotoFace, tools: FittingTools) -> FittedHead:
    steps = fit_person([face], tools)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            head: FittedHead = end.value
            return head


def _strangers(tools: FittingTools) -> list[Seen]:
    """The mean head and random ones, from the front."""
    model = tools.model
    heads = model.sample_prior(random_stream(0, "strangers"), _RANDOM)
    return [tools.see(row, FRONT, 1.0, None) for row in (model.table.default(), *heads)]


def _by(encoder: Encoder, image: ByteArray, points: FloatArray) -> FloatArray:
    return encoder.embed(encoder.cut(image, points)[None])[0].astype(np.float64)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 2 after an error that the user can put right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, default=lfw_directory() / "photos")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--model", default="person")
    options = parser.parse_args(arguments)
    try:
        photos = sorted(options.photos.glob("*.jpg"))[-options.count :]
        if not photos:
            raise UserError(f"{options.photos} holds no photos: name a folder of .jpg files")
        from facegen_addon.scene.workflows.photo_heads import fitting_tools

        with fitting_tools(options.model) as tools:
            found, seconds, faults = measure(photos, tools, Encoder.load("sface"))
    except UserError as error:
        print(f"measure_fit: {explain(error)}", file=sys.stderr)
        return 2
    alone, fitted = found["B alone"], found["fitted"]
    rows = {"fitted": fitted, "fitted, --nearest": strict(fitted, alone), **found}
    for cells in (COLUMNS, ("---",) * len(COLUMNS), *(d.cells(n) for n, d in rows.items())):
        print(f"| {' | '.join(cells)} |")
    for name in ("B alone", "mean head", f"nearest of {_RANDOM} random"):
        print(f"| nearer than {name}: {nearer(fitted, found[name])} |")
    print(f"| {np.median(seconds):.0f} s a photo; {len(seconds)} photos; left out: {faults} |")
    return 0


if __name__ == "__main__":
    run_process(main, "measure_fit")
