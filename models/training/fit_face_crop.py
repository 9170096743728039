# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit the linear map from five landmarks to MTCNN's box: models/face_box.npz.

    python -m models.training.fit_face_crop                  # photos of ../shared/data/lfw
    python -m models.training.fit_face_crop --photos FOLDER  # photos.csv and the photos it names

MTCNN (the PyPI package `faceie`, NumPy only) finds the five landmarks in each photo; the box to
predict is the one behind photos.csv's crop, by which the latents of those photos were made. Only
the 40 coefficients are kept. Figures come from ten-fold cross-validation and are stored beside the
artifact in models/index.json: intersection over union (IoU) with the crops, and cosine distance
of FaceNet's latent from that of the true crop, for the map and for faceie's own boxes, that is for
another implementation of the same detector.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image

from facegen_addon.arrays import ByteArray, FloatArray
from facegen_addon.artifacts import models_directory
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.encoders.face_crop import (
    BOX_GROWTH,
    box_from_shape,
    crop_face,
    enlarge_box,
    shape_of_points,
)
from facegen_addon.errors import UserError
from facegen_addon.latent.real_faces import lfw_directory
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.remedies import explain
from models.training.register import register

CORNERS = ("crop_x0", "crop_y0", "crop_x1", "crop_y1")
FOLDS = 10

# Weight of the squared coefficients: keeps the map from leaning on tiny differences between points
# that a render's projected landmarks would not share with a detector's.
RIDGE = 3e-3


@dataclass(frozen=True)
class Faces:
    """One face a photo: landmarks (N, 5, 2), boxes that faceie found (N, 4), true crops (N, 4).

    In pixels, 0 at the image's left and upper edge; `photos` are N images (H, W, 3) uint8.
    """

    photos: list[Annotated[ByteArray, "_ _ 3"]]
    points: Annotated[FloatArray, "N 5 2"]
    detected: Annotated[FloatArray, "N 4"]
    crops: Annotated[FloatArray, "N 4"]


def detect(folder: Path) -> Faces:
    """Landmarks and boxes of the face in each photo that `folder`/photos.csv names."""
    rows = read_rows(folder)
    from faceie.mtcnn import detect_faces  # in the training environment alone

    photos, found = [], []
    bar = ProgressBar()
    for number, row in enumerate(rows, start=1):
        bar.update("detect faces", number, len(rows))
        photo = Image.open(folder / row["file"]).convert("RGB")
        crop = np.array([float(row[corner]) for corner in CORNERS])
        faces = detect_faces(photo, rotations=np.zeros(1), extract_images=None)
        if len(faces.probabilities):
            centres = (faces.bounding_boxes[:, :2] + faces.bounding_boxes[:, 2:]) / 2
            offsets = np.abs(centres - (crop[:2] + crop[2:]) / 2).sum(axis=1)
            face = int(offsets.argmin())
            points = faces.landmarks[face].reshape(5, 2)
            # faceie counts from the centre of the first pixel, as mirrored photos show.
            photos.append(np.asarray(photo))
            found.append((points + 0.5, faces.bounding_boxes[face], crop))
    return Faces(photos, *(np.array(column) for column in zip(*found, strict=True)))


def read_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of `folder`/photos.csv."""
    try:
        with (folder / "photos.csv").open(newline="", encoding="utf-8") as table:
            return list(csv.DictReader(table))
    except OSError as error:
        raise UserError(
            f"{folder / 'photos.csv'} cannot be read ({error.strerror}): give the folder of LFW"
            " photos by --photos"
        ) from None


def fit(
    points: Annotated[FloatArray, "N 5 2"], boxes: Annotated[FloatArray, "N 4"]
) -> Annotated[FloatArray, "10 4"]:
    """Ridge regression from landmark shape to the detector's box: coefficients (10, 4).

    Both sides are in the landmarks' own centre and scale, which makes the map follow any shift and
    zoom; mirror images are added, so that it treats left and right alike. The mean shape is not
    shrunk: the ridge pulls towards the mean box, not towards nothing.
    """
    points = np.concatenate([points, points[:, [1, 0, 2, 4, 3]] * [-1, 1]])
    boxes = np.concatenate([boxes, boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1]])
    centre, scale, shapes = shape_of_points(points)
    boxes = (boxes - np.concatenate([centre, centre], axis=1)) / scale[:, None]
    mean = shapes.mean(axis=0)
    free = np.eye(10) - np.outer(mean, mean) / (mean @ mean)
    # The shapes' centre is 0, so two directions are empty; the last term makes them harmless.
    normal = shapes.T @ shapes + RIDGE * len(shapes) * free + 1e-9 * np.eye(10)
    return np.linalg.solve(normal, shapes.T @ boxes)


def shrink_crop(crops: Annotated[FloatArray, "N 4"]) -> Annotated[FloatArray, "N 4"]:
    """The detector's boxes behind crops: `enlarge_box` undone; +0.5 for its truncation."""
    crops = crops + 0.5
    margin = (crops[:, 2:] - crops[:, :2]) * (BOX_GROWTH / 2 / (1 + BOX_GROWTH))
    return np.concatenate([crops[:, :2] + margin, crops[:, 2:] - margin], axis=1)


def predict_crop(
    coefficients: Annotated[FloatArray, "10 4"], points: Annotated[FloatArray, "N 5 2"]
) -> Annotated[FloatArray, "N 4"]:
    """Crops (N, 4) that a map gives, whole pixels as in `crop_face`."""
    centre, scale, shapes = shape_of_points(points)
    return np.trunc(enlarge_box(box_from_shape(centre, scale, shapes @ coefficients)))


def held_out_crops(faces: Faces) -> Annotated[FloatArray, "N 4"]:
    """Crop (N, 4) of each photo, predicted by a map fitted without that photo."""
    boxes = shrink_crop(faces.crops)
    order = random_stream(0).permutation(len(faces.points))
    crops = np.empty_like(faces.crops)
    for fold in range(FOLDS):
        test = order[fold::FOLDS]
        training = np.setdiff1d(order, test)
        crops[test] = predict_crop(fit(faces.points[training], boxes[training]), faces.points[test])
    return crops


def intersection_over_union(
    first: Annotated[FloatArray, "N 4"], second: Annotated[FloatArray, "N 4"]
) -> Annotated[FloatArray, "N"]:
    """IoU of boxes (N, 4) with boxes (N, 4): (N,)."""
    low, high = np.maximum(first[:, :2], second[:, :2]), np.minimum(first[:, 2:], second[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    areas = [(box[:, 2:] - box[:, :2]).prod(axis=1) for box in (first, second)]
    return common / (areas[0] + areas[1] - common)


def figures(faces: Faces) -> dict[str, object]:
    """Figures of how near held-out crops of the map, and faceie's boxes, come to the true ones."""
    encoder = Encoder.load(threads=2)
    true_latents = encoder.embed(cut_out(faces.photos, faces.crops))
    measured: dict[str, object] = {"photos": len(faces.photos)}
    detected = np.trunc(enlarge_box(faces.detected))
    for name, crops in (("held_out", held_out_crops(faces)), ("faceie", detected)):
        overlap = intersection_over_union(crops, faces.crops)
        distance = cosine_distance(encoder.embed(cut_out(faces.photos, crops)), true_latents)
        measured[name] = {
            "iou_median": round(float(np.median(overlap)), 3),
            "iou_5_percent": round(float(np.quantile(overlap, 0.05)), 3),
            "latent_distance_median": round(float(np.median(distance)), 3),
            "latent_distance_90_percent": round(float(np.quantile(distance, 0.9)), 3),
            **spread(crops, faces.crops),
        }
    return measured


def spread(
    boxes: Annotated[FloatArray, "N 4"], true: Annotated[FloatArray, "N 4"]
) -> dict[str, list[float]]:
    """By how much boxes (N, 4) lie off the true ones (N, 4): mean and standard deviation each.

    across, down: of the middle, in widths and heights; width, height: natural logarithms. What
    encoders/crop_jitter.py has its sizes from.
    """
    sides, true_sides = boxes[:, 2:] - boxes[:, :2], true[:, 2:] - true[:, :2]
    moved = (boxes[:, :2] + boxes[:, 2:] - true[:, :2] - true[:, 2:]) / 2 / true_sides
    columns = np.concatenate([moved, np.log(sides / true_sides)], axis=1)
    return {
        name: [round(float(column.mean()), 3), round(float(column.std()), 3)]
        for name, column in zip(("across", "down", "width", "height"), columns.T, strict=True)
    }


def cut_out(
    photos: list[Annotated[ByteArray, "_ _ 3"]], crops: Annotated[FloatArray, "N 4"]
) -> Annotated[ByteArray, "N 160 160 3"]:
    """The crops (N, 4) of N photos: (N, 160, 160, 3) uint8."""
    return np.stack([crop_face(photo, crop) for photo, crop in zip(photos, crops, strict=True)])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, default=lfw_directory())
    options = parser.parse_args(arguments)
    try:
        faces = detect(options.photos)
        output = models_directory() / "face_box.npz"
        coefficients = fit(faces.points, shrink_crop(faces.crops))
        # Six decimals: far below a pixel, and the same on every BLAS.
        np.savez(output, coefficients=coefficients.round(6))
        measured = figures(faces)
        register(
            "face_box",
            output,
            licence="GPL-3.0-or-later",
            source="40 coefficients fitted to landmarks (PyPI faceie 0.0.5) of 200 LFW photos",
            recipe=Path(__file__).name,
            **measured,
        )
    except UserError as error:
        print(f"fit_face_crop: {explain(error)}", file=sys.stderr)
        return 2
    print("\n".join(f"{name}: {value}" for name, value in measured.items()))
    return 0


if __name__ == "__main__":
    run_process(main, "fit_face_crop")
