# SPDX-License-Identifier: GPL-3.0-or-later
"""What the landmark network says of held-out heads: two tables in Markdown.

.venv-recipes/bin/python -m models.training.landmarks.judge_heads      # from out/landmarks
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facegen_addon.arrays import FloatArray
from facegen_addon.choices import DISTRIBUTIONS
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.labels.camera import angles_of
from facegen_addon.photo.landmark_network import (
    LANDMARKS,
    FaceReading,
    LandmarkNetwork,
    between_the_eyes,
)
from facegen_addon.report.section import Table
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.remedies import explain
from models.training.landmarks.learning_set import MODEL, LearningSet
from models.training.landmarks.make_set import DEFAULT_FOLDER

POINT_COLUMNS = (
    "heads",
    "images",
    "68 landmarks",
    "90 %",
    "dense",
    "within spread",
    "yaw",
    "pitch",
    "roll",
)
PARTS = {
    "shape": (
        "phenotype", "cheeks", "chin", "ears", "brow", "eyes", "forehead", "skull", "mouth", "neck",
        "nose",
    ),
    "skin and colours": ("skin", "detail", "lips", "iris"),
    "hair and beard": ("hair", "beard"),
    "expression": ("expression", "resting"),
    "pose of eyes and jaw": ("pose",),
}  # fmt: skip
"""Parts of the look -> groups of the parameter table."""


def readings_of(network: LandmarkNetwork, data: LearningSet) -> list[FaceReading]:
    """What the network reads off each image, the latent being known where a face was seen."""
    return [
        network.read(image, five, latent)
        for image, five, latent in zip(data.images, data.five, data.latents, strict=True)
    ]


def shares_off(readings: Sequence[FaceReading], data: LearningSet) -> FloatArray:
    """How far each point lies off (N, K), of the distance between the eyes.

    Of turned heads that distance is short: it is the one of the same head from the front by the
    cosine of its yaw, but no less than a half of it."""
    said = np.stack([reading.points for reading in readings])
    away = np.linalg.norm(said - data.points, axis=-1)
    yaw = np.array([angles_of(rotation)[0] for rotation in data.rotations.astype(np.float64)])
    eyes = between_the_eyes(data.points.astype(np.float64)) / np.maximum(np.cos(yaw), 0.5)
    return np.asarray(away / eyes[:, None])


def point_row(name: str, readings: Sequence[FaceReading], data: LearningSet) -> tuple[str, ...]:
    """A row of the table of points: medians over images."""
    off = shares_off(readings, data)
    each = off[:, :LANDMARKS].mean(1)
    spread = np.stack([reading.spread for reading in readings])
    away = np.abs(np.stack([reading.points for reading in readings]) - data.points)
    true = np.array([np.degrees(angles_of(r)) for r in data.rotations.astype(np.float64)])
    turned = np.median(np.abs(np.array([reading.pose for reading in readings]) - true), axis=0)
    return (
        name, str(len(data)), f"{np.median(each):.3f}", f"{np.quantile(each, 0.9):.3f}",
        f"{np.median(off[:, LANDMARKS:].mean(1)):.3f}", f"{(away < spread[..., None]).mean():.0%}",
        *(f"{angle:.1f}" for angle in turned),
    )  # fmt: skip


def part_errors(
    network: LandmarkNetwork, readings: Sequence[FaceReading], data: LearningSet
) -> list[float]:
    """The root mean square error of each part of the look, in standard deviations of these very
    heads; 1 is what their mean would be off by."""
    table = load_head_model(MODEL).table
    errors = []
    for groups in PARTS.values():
        names = [n for n in network.names if table.parameters[table.index(n)].group in groups]
        columns = [table.index(n) for n in names]
        true = data.parameters[:, columns]
        said = np.array([[reading.parameters[n] for n in names] for reading in readings])
        varied = true.std(axis=0) > 1e-4
        off = (said - true)[:, varied] / true.std(axis=0)[varied]
        errors.append(float(np.sqrt(np.mean(off**2))))
    return errors


def milliseconds(network: LandmarkNetwork, data: LearningSet) -> float:
    """Median time of reading one face, both looks."""
    taken = []
    for row in range(len(data)):
        start = time.process_time()
        network.read(data.images[row], data.five[row])
        taken.append(time.process_time() - start)
    return float(np.median(taken)) * 1e3


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
    options = parser.parse_args(arguments)
    try:
        network = LandmarkNetwork.load(threads=1)
        data = LearningSet.read(options.folder)
    except UserError as error:
        print(f"judge_heads: {explain(error)}", file=sys.stderr)
        return 2
    held_out = data[data.held_out]
    points, parameters = [], []
    for distribution in DISTRIBUTIONS:
        part = held_out.of(distribution)
        if len(part):
            readings = readings_of(network, part)
            points.append(point_row(distribution, readings, part))
            errors = part_errors(network, readings, part)
            parameters.append((distribution, *(f"{error:.2f}" for error in errors)))
    print(Table("Points of held-out heads", POINT_COLUMNS, tuple(points)).markdown())
    print(Table("Parameters of held-out heads", ("heads", *PARTS), tuple(parameters)).markdown())
    print(f"\n{milliseconds(network, held_out):.1f} ms a face on one core", file=sys.stderr)
    return 0


if __name__ == "__main__":
    run_process(main, "judge_heads")
