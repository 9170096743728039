# SPDX-License-Identifier: GPL-3.0-or-later
"""A variety seen by another detector: which pairs are still apart?

    .venv/bin/python batch/run.py generate --model person --count 64 --output out/hands
    .venv-recipes/bin/python -m models.training.report_other_hands out/hands

Reads the images of finished `generate` runs, finds each face by MTCNN (PyPI `faceie`), crops it as
facenet-pytorch does, and compares all pairs by their run's encoder: FaceNet alone. Prints a table
in Markdown, a row a run, and how far MTCNN's boxes lie off the run's own; with --demand another
distance than the run's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image

from facegen_addon.arrays import ByteArray, FloatArray, RealArray
from facegen_addon.encoders.encoder import DEFAULT_ENCODER, Encoder
from facegen_addon.encoders.face_crop import crop_face, enlarge_box
from facegen_addon.errors import UserError
from facegen_addon.latent.selection import greedy_selection
from facegen_addon.latent.sphere import cosine_distance_matrix
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.remedies import explain
from models.training.fit_face_crop import spread

COLUMNS = (
    "run", "apart in", "renders", "heads", "demanded", "nearest, ours", "nearest, theirs",
    "pairs below", "kept by 99.9 %", "left",
)  # fmt: skip

Detect = Callable[[Annotated[ByteArray, "H W 3"]], Annotated[FloatArray, "4"] | None]
"""An image -> the box of its face (4,) pixels; None if there is none."""


@dataclass(frozen=True)
class Run:
    """images (S, S, 3) uint8 of a finished run; boxes (N, 4) pixels, of its own crops; achieved
    (N, 512), the latents it chose them by."""

    folder: Path
    images: list[Annotated[ByteArray, "_ _ 3"]]
    boxes: Annotated[FloatArray, "N 4"]
    achieved: Annotated[RealArray, "N 512"]
    demanded: float
    apart_in: str
    renders: int

    @classmethod
    def read(cls, folder: Path) -> Run:
        """UserError if there is no finished run by the default encoder in `folder`."""
        try:
            report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
            with np.load(folder / "heads.npz") as heads:
                achieved = heads["achieved"]
            files = sorted((folder / "images").glob("*.png"))
            images = [np.asarray(Image.open(file).convert("RGB")) for file in files]
            request, variety = report["request"], report["variety"]
            boxes = np.array([label["face_box"] for label in _labels(folder)])
        except (OSError, ValueError, KeyError, tarfile.TarError):
            raise UserError(
                f"{folder} holds no finished run: name the folder that `generate` made"
            ) from None
        if request["encoder"] != DEFAULT_ENCODER:
            raise UserError(
                f"{folder} was chosen by {request['encoder']}: name a run by {DEFAULT_ENCODER}"
            )
        return cls(
            folder,
            images,
            boxes,
            achieved,
            float(request["distance"]),
            request.get("apart_in", "one-render"),
            variety["renders_spent"],
        )


def _labels(folder: Path) -> Iterator[dict[str, Any]]:
    """What is written beside each image, in their order."""
    for shard in sorted(folder.glob("heads-*.tar")):
        with tarfile.open(shard) as archive:
            for name in sorted(archive.getnames()):
                if name.endswith(".json"):
                    yield json.load(archive.extractfile(name))  # type: ignore[arg-type]


def row(run: Run, theirs: Annotated[RealArray, "N 512"], demanded: float) -> tuple[str, ...]:
    """Cells as COLUMNS name them; theirs (N, 512): the heads' latents by the other crop."""
    pairs = np.triu_indices(len(theirs), 1)
    matrix = cosine_distance_matrix(theirs)
    ours, seen = cosine_distance_matrix(run.achieved)[pairs], matrix[pairs]
    below = int(np.sum(seen < demanded))
    return (
        run.folder.name,
        run.apart_in,
        str(run.renders),
        str(len(theirs)),
        f"{demanded:.3g}",
        f"{ours.min():.3f}",
        f"{seen.min():.3f}",
        f"{below} of {len(seen)} ({below / len(seen):.2%})",
        f"{np.quantile(seen, 0.001):.3f}",
        str(len(greedy_selection(matrix, demanded))),
    )


def found_by(run: Run, detect: Detect) -> Annotated[FloatArray, "N 4"]:
    """Boxes (N, 4) of the crops that another detector makes of a run's heads."""
    boxes = []
    for number, image in enumerate(run.images):
        box = detect(image)
        if box is None:
            raise UserError(f"{run.folder}: no face is found in image {number}; render it larger")
        boxes.append(enlarge_box(box))
    return np.stack(boxes)


def seen_in(
    run: Run, boxes: Annotated[FloatArray, "N 4"], encoder: Encoder
) -> Annotated[RealArray, "N 512"]:
    """Latents (N, 512) of a run's heads by these crops."""
    crops = [
        crop_face(image, box, encoder.image_size)
        for image, box in zip(run.images, boxes, strict=True)
    ]
    return encoder.embed(np.stack(crops))


def mtcnn(image: Annotated[ByteArray, "H W 3"]) -> Annotated[FloatArray, "4"] | None:
    """MTCNN's surest box (4,) pixels."""
    from faceie.mtcnn import detect_faces  # in the training environment alone

    found = detect_faces(Image.fromarray(image), rotations=np.zeros(1), extract_images=None)
    if not len(found.probabilities):
        return None
    return np.asarray(found.bounding_boxes[int(np.argmax(found.probabilities))], np.float64)


def main(arguments: Sequence[str] | None = None, detect: Detect = mtcnn) -> int:
    """Print the table; 2 after an error that the user can put right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a run")
    parser.add_argument("--demand", type=float, help="distance to judge by; default: each run's")
    options = parser.parse_args(arguments)
    try:
        encoder = Encoder.load(threads=2)
        rows, offsets = [], []
        for folder in options.runs:
            run = Run.read(folder)
            boxes = found_by(run, detect)
            rows.append(row(run, seen_in(run, boxes, encoder), options.demand or run.demanded))
            offsets.append(f"{run.folder.name}: their boxes off ours, {spread(boxes, run.boxes)}")
    except UserError as error:
        print(f"report_other_hands: {explain(error)}", file=sys.stderr)
        return 2
    for cells in (COLUMNS, ("---",) * len(COLUMNS), *rows):
        print(f"| {' | '.join(cells)} |")
    print("", *offsets, sep="\n")
    return 0


if __name__ == "__main__":
    run_process(main, "report_other_hands")
