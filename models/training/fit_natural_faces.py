# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit the density of real faces on the sphere: models/natural_faces.npz, statistics only.

    python -m models.training.fit_natural_faces              # fit, write, register; about 10 s
    python -m models.training.fit_natural_faces --check      # figures of the committed file
    python -m models.training.fit_natural_faces --splits 5   # the whole fit, five splits' figures

Reads data/lfw/latents_dev.npz of the shared folder (FACEGEN_SHARED, else `shared` beside the
project). The file written is fitted to the `fit` identities of lfw.split_identities alone and holds
nothing of a single person: each group's mean and covariance stand for a hundred people or more.
The same seed gives the same file. NumPy only.

The fit: principal axes of the latents (every person weighs the same, however many photos), a
mixture of normals by expectation-maximisation on the leading ones, its covariances shrunk towards
the groups' common one. That alone makes neighbours too distant: nearest neighbours look for close
faces, and a smooth fit has too few. So groups are drawn apart (`contrast`) and each has faces
nearer to and farther from its mean (`spread`), under an affine map that restores the overall mean
and covariance of the samples on the sphere. The constants were chosen by cross-validation within
the fit identities, as a balance: less contrast leaves samples farther from real people, more makes
them crowd together, so that they miss some (recall).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import AnyArray, FloatArray, IntArray, RealArray
from facegen_addon.artifacts import models_directory
from facegen_addon.errors import UserError
from facegen_addon.latent.metrics import (
    Moments,
    PrecisionRecall,
    frechet_distance,
    kolmogorov_smirnov,
    moments,
    nearest_neighbour_distances,
    precision_recall,
)
from facegen_addon.latent.natural import ARTIFACT, NaturalFaces
from facegen_addon.latent.real_faces import Photos, load_photos, one_photo_each, split_identities
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.remedies import explain
from models.training.register import register

AXES = 128
"""Principal axes kept; those beyond hold 4e-5 of the variance."""
CORE_AXES = 78
"""Axes of the mixture: FaceNet's variance falls off a cliff after them, 0.3 % of it is beyond."""
GROUPS = 16
SHRINKAGE = 20.0
"""People's worth of the common covariance that each group's own is mixed with."""
CONTRAST = 0.75
"""Factor on the deviations within groups before the overall covariance is restored."""
SPREAD = 0.3
"""Standard deviation of the logarithm of a group's spreads."""
ITERATIONS = 20
SEEDING_ITERATIONS = 15
MATCHING_ROUNDS = 4
MATCHING_SAMPLES = 20_000

# Gauss-Hermite nodes and weights: three spreads with the moments of a log-normal one.
SPREAD_NODES = np.sqrt(3.0) * np.array([-1.0, 0.0, 1.0])
SPREAD_WEIGHTS = np.array([1.0, 4.0, 1.0]) / 6.0

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
DRAWS = 4
"""Sets of samples that each figure is averaged over."""


@dataclass(frozen=True)
class Mixture:
    """Normals with shares (K,), means (K, C) and covariances (K, C, C)."""

    shares: Annotated[FloatArray, "K"]
    means: Annotated[FloatArray, "K C"]
    covariances: Annotated[FloatArray, "K C C"]

    def log_densities(self, points: Annotated[FloatArray, "N C"]) -> Annotated[FloatArray, "N K"]:
        """Log of share times density, (N, K), up to one constant, of points (N, C)."""
        columns = []
        for share, mean, covariance in zip(self.shares, self.means, self.covariances, strict=True):
            inverse = np.linalg.inv(np.linalg.cholesky(covariance))
            squares = np.sum(((points - mean) @ inverse.T) ** 2, axis=1)
            columns.append(np.log(share) + np.log(np.diagonal(inverse)).sum() - 0.5 * squares)
        return np.stack(columns, axis=1)

    def mapped(
        self, matrix: Annotated[FloatArray, "C C"], shift: Annotated[FloatArray, "C"]
    ) -> Mixture:
        """The mixture of `matrix @ x + shift` for its points x."""
        return Mixture(
            self.shares, self.means @ matrix.T + shift, matrix @ self.covariances @ matrix.T
        )


def person_weights(identity: Annotated[AnyArray, "N"]) -> Annotated[FloatArray, "N"]:
    """Weight (N,) of each photo so that every person's photos weigh 1 together."""
    _, person, photos = np.unique(identity, return_inverse=True, return_counts=True)
    return 1.0 / photos[person]


def fit(
    photos: Photos, people: Annotated[AnyArray, "I"], held_out: Annotated[AnyArray, "J"], seed: int
) -> NaturalFaces:
    """The density of `people`, beside the statistics of one photo of each of `held_out`."""
    chosen = np.isin(photos.identity, people)
    latents = photos.latents[chosen].astype(np.float64)
    weights = person_weights(photos.identity[chosen])
    rng = random_stream(seed)

    basis = principal_axes(latents, weights)
    on_axes = latents @ basis
    core, tail = on_axes[:, :CORE_AXES], on_axes[:, CORE_AXES:]
    target = moments(core, weights)
    whitened = core / np.sqrt(np.diagonal(target.covariance))
    mixture = fit_mixture(whitened, weights, rng)
    mixture = replace(mixture, covariances=mixture.covariances * CONTRAST**2)
    mixture = mixture.mapped(np.diag(np.sqrt(np.diagonal(target.covariance))), np.zeros(CORE_AXES))

    tail_moments = moments(tail, weights)
    spreads = np.exp(SPREAD * SPREAD_NODES)
    reference = moments(photos.latents[one_photo_each(photos.identity, held_out, seed)])
    density = NaturalFaces(
        basis=basis,
        group_weights=mixture.shares,
        group_means=mixture.means,
        group_factors=np.linalg.cholesky(mixture.covariances),
        spreads=spreads / np.sqrt(SPREAD_WEIGHTS @ spreads**2),
        spread_weights=SPREAD_WEIGHTS,
        tail_means=tail_moments.mean,
        tail_deviations=np.sqrt(np.diagonal(tail_moments.covariance)),
        held_out_mean=reference.mean,
        held_out_covariance=basis.T @ reference.covariance @ basis,
    )
    return match_moments(density, mixture, target, seed)


def principal_axes(
    latents: Annotated[FloatArray, "N D"], weights: Annotated[FloatArray, "N"]
) -> Annotated[FloatArray, "D A"]:
    """Orthonormal axes (D, AXES), largest variance first, signs fixed for equal files."""
    _, vectors = np.linalg.eigh(moments(latents, weights).covariance)
    axes = vectors[:, ::-1][:, :AXES]
    largest = np.argmax(np.abs(axes), axis=0)
    return np.asarray(axes * np.sign(axes[largest, np.arange(AXES)]))


def fit_mixture(
    points: Annotated[FloatArray, "N C"],
    weights: Annotated[FloatArray, "N"],
    rng: np.random.Generator,
) -> Mixture:
    """Expectation-maximisation on points (N, C), covariances shrunk towards their common one."""
    memberships = np.eye(GROUPS)[nearest_centres(points, weights, rng)]
    for _ in range(ITERATIONS):
        mixture = maximised(points, weights[:, None] * memberships)
        scores = mixture.log_densities(points)
        memberships = np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))
    return maximised(points, weights[:, None] * memberships)


def nearest_centres(
    points: Annotated[FloatArray, "N C"],
    weights: Annotated[FloatArray, "N"],
    rng: np.random.Generator,
) -> Annotated[IntArray, "N"]:
    """Group (N,) of each point by k-means, to begin with."""
    centres = points[rng.choice(len(points), GROUPS, replace=False)]
    for _ in range(SEEDING_ITERATIONS):
        squares = np.sum(centres**2, axis=1) - 2.0 * points @ centres.T
        groups = np.argmin(squares, axis=1)
        # A centre that lost all its points stays where it is.
        centres = np.stack(
            [
                np.average(points[groups == group], axis=0, weights=weights[groups == group])
                if np.any(groups == group)
                else centres[group]
                for group in range(GROUPS)
            ]
        )
    return groups


def maximised(
    points: Annotated[FloatArray, "N C"], memberships: Annotated[FloatArray, "N K"]
) -> Mixture:
    """The mixture that memberships (N, K), in people, make most likely, shrunk."""
    people = memberships.sum(axis=0)
    means = memberships.T @ points / people[:, None]
    scatters = np.stack(
        [
            ((points - mean) * members[:, None]).T @ (points - mean)
            for mean, members in zip(means, memberships.T, strict=True)
        ]
    )
    common = scatters.sum(axis=0) / people.sum()
    covariances = (scatters + SHRINKAGE * common) / (people + SHRINKAGE)[:, None, None]
    return Mixture(people / people.sum(), means, covariances)


def match_moments(
    density: NaturalFaces, mixture: Mixture, target: Moments, seed: int
) -> NaturalFaces:
    """Map the mixture so that samples, normalised to the sphere, have the target's moments."""
    for _ in range(MATCHING_ROUNDS):
        samples = density.sample(random_stream(seed), MATCHING_SAMPLES)
        got = moments(samples @ density.basis[:, :CORE_AXES])
        matrix = np.linalg.cholesky(target.covariance) @ np.linalg.inv(
            np.linalg.cholesky(got.covariance)
        )
        mixture = mixture.mapped(matrix, target.mean - matrix @ got.mean)
        density = replace(
            density,
            group_means=mixture.means,
            group_factors=np.linalg.cholesky(mixture.covariances),
        )
    return density


@dataclass(frozen=True)
class Figures:
    """Comparison of samples with real people, from two halves of held-out ones, photo by photo.

    frechet_real: between the halves; frechet_samples: from as many samples to a half.
    nearest_real, nearest_samples: quantiles of the distance to the nearest in the other half.
    ks_samples: Kolmogorov-Smirnov gap between these; ks_real: the same with as many of the fitted
    people in place of samples, which is what chance alone makes of it.
    ks_within: the gap between nearest distances among the samples and among real people.
    coverage_samples, coverage_real: precision and recall to a half of samples, of the other half.
    """

    frechet_real: float
    frechet_samples: float
    nearest_real: list[float]
    nearest_samples: list[float]
    ks_real: float
    ks_samples: float
    ks_within: float
    coverage_real: PrecisionRecall
    coverage_samples: PrecisionRecall

    @property
    def frechet_ratio(self) -> float:
        """The issue's bar: at most 1.15."""
        return self.frechet_samples / self.frechet_real


def measure(density: NaturalFaces, photos: Photos, split_seed: int) -> Figures:
    """Figures of a density that was fitted to the `fit` identities of the split of this seed."""
    split = split_identities(photos.identity, split_seed)
    held_out = photos.latents[one_photo_each(photos.identity, split.held_out, split_seed)]
    fitted = photos.latents[one_photo_each(photos.identity, split.fit, split_seed)]
    size = len(held_out) // 2
    halves = held_out[:size], held_out[size : 2 * size]
    samples = [density.sample(random_stream(split_seed, draw), size) for draw in range(DRAWS)]
    others = [fitted[draw * size : (draw + 1) * size] for draw in range(DRAWS)]
    real = [nearest_neighbour_distances(halves[1 - side], halves[side]) for side in (0, 1)]

    def gap(sets: list[RealArray]) -> float:
        return float(
            np.mean(
                [
                    kolmogorov_smirnov(nearest_neighbour_distances(one, halves[side]), real[side])
                    for one in sets
                    for side in (0, 1)
                ]
            )
        )

    return Figures(
        frechet_real=frechet_distance(*halves),
        frechet_samples=float(
            np.mean([frechet_distance(one, half) for one in samples for half in halves])
        ),
        nearest_real=_quantiles(np.concatenate(real)),
        nearest_samples=_quantiles(
            np.concatenate(
                [nearest_neighbour_distances(one, half) for one in samples for half in halves]
            )
        ),
        ks_real=gap(others),
        ks_samples=gap(samples),
        ks_within=float(
            np.mean(
                [
                    kolmogorov_smirnov(
                        nearest_neighbour_distances(one), nearest_neighbour_distances(half)
                    )
                    for one in samples
                    for half in halves
                ]
            )
        ),
        coverage_real=precision_recall(*halves),
        coverage_samples=_mean_coverage(
            [precision_recall(half, one) for one in samples for half in halves]
        ),
    )


def _mean_coverage(figures: list[PrecisionRecall]) -> PrecisionRecall:
    return PrecisionRecall(
        float(np.mean([figure.precision for figure in figures])),
        float(np.mean([figure.recall for figure in figures])),
    )


def _quantiles(distances: RealArray) -> list[float]:
    return [round(float(value), 3) for value in np.quantile(distances, QUANTILES)]


def print_figures(figures: Figures, split_seed: int) -> None:
    """One split's figures, as lines."""
    print(
        f"split {split_seed}: Frechet distance, real half to real half  {figures.frechet_real:.4f}"
    )
    print(
        f"         samples to real half {figures.frechet_samples:.4f}, ratio "
        f"{figures.frechet_ratio:.3f} (at most 1.15 wanted)"
    )
    print(
        "         nearest neighbour, quantiles "
        + "  ".join(f"{100 * quantile:g} %" for quantile in QUANTILES)
    )
    print(f"           real -> held-out    {figures.nearest_real}")
    print(f"           samples -> held-out {figures.nearest_samples}")
    print(
        f"         Kolmogorov-Smirnov gap: samples {figures.ks_samples:.3f}, other real people "
        f"{figures.ks_real:.3f}; within each set {figures.ks_within:.3f}"
    )
    for name, coverage in (
        ("samples", figures.coverage_samples),
        ("the other half", figures.coverage_real),
    ):
        print(f"         precision {coverage.precision:.3f}, recall {coverage.recall:.3f}: {name}")


def save(density: NaturalFaces, path: Path) -> None:
    """Write the arrays as float32; the compressed file is the same for the same density."""
    arrays: dict[str, Any] = {
        field.name: getattr(density, field.name).astype(np.float32) for field in fields(density)
    }
    np.savez_compressed(path, **arrays)


def fit_split(photos: Photos, seed: int) -> NaturalFaces:
    """The density fitted to the `fit` identities of the split of this seed."""
    split = split_identities(photos.identity, seed)
    return fit(photos, split.fit, split.held_out, seed)


def check_splits(photos: Photos, count: int) -> None:
    """Fit and measure `count` splits, so that the figures are not one split's luck."""
    results = []
    for seed in range(count):
        results.append(measure(fit_split(photos, seed), photos, seed))
        print_figures(results[-1], seed)
    ratios = np.array([figures.frechet_ratio for figures in results])
    print(
        f"{count} splits: Frechet ratio {ratios.mean():.3f} (largest {ratios.max():.3f}); "
        f"Kolmogorov-Smirnov gap: samples {np.mean([f.ks_samples for f in results]):.3f}, "
        f"other real people {np.mean([f.ks_real for f in results]):.3f}"
    )


def fit_and_register(photos: Photos) -> None:
    """Fit the project's split, write the artifact and enter it with its figures."""
    path = models_directory() / f"{ARTIFACT}.npz"
    density = fit_split(photos, seed=0)
    save(density, path)
    smallest = density.group_weights.min() * len(split_identities(photos.identity).fit)
    figures = measure(NaturalFaces.load(path), photos, split_seed=0)
    print_figures(figures, split_seed=0)
    register(
        ARTIFACT,
        path,
        licence="GPL-3.0-or-later (statistics of research data; no single person's latent)",
        source="Labeled Faces in the Wild through FaceNet: data/lfw/latents_dev.npz",
        recipe=Path(__file__).name,
        people_fitted=len(split_identities(photos.identity).fit),
        people_held_out=len(split_identities(photos.identity).held_out),
        people_in_smallest_group=round(float(smallest)),
        frechet_real_halves=round(figures.frechet_real, 4),
        frechet_samples=round(figures.frechet_samples, 4),
        frechet_ratio=round(figures.frechet_ratio, 3),
        nearest_neighbour_real=figures.nearest_real,
        nearest_neighbour_samples=figures.nearest_samples,
        nearest_neighbour_gap_real=round(figures.ks_real, 3),
        nearest_neighbour_gap_samples=round(figures.ks_samples, 3),
        nearest_neighbour_gap_within=round(figures.ks_within, 3),
        precision_samples=round(figures.coverage_samples.precision, 3),
        recall_samples=round(figures.coverage_samples.recall, 3),
        precision_real=round(figures.coverage_real.precision, 3),
        recall_real=round(figures.coverage_real.recall, 3),
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, smallest group {smallest:.0f} people")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Options; the module's text is the help, examples included."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--latents", type=Path, help="another latents_dev.npz")
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--check", action="store_true", help="only measure the committed file")
    task.add_argument("--splits", type=int, metavar="N", help="only fit and measure N splits")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    try:
        if options.splits is not None and options.splits < 1:
            raise UserError(f"--splits {options.splits} measures nothing: give 1 or more")
        photos = load_photos(options.latents)
        if options.check:
            print_figures(measure(NaturalFaces.load(), photos, split_seed=0), split_seed=0)
        elif options.splits is not None:
            check_splits(photos, options.splits)
        else:
            fit_and_register(photos)
    except UserError as error:
        print(f"fit_natural_faces: {explain(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_process(main, "fit_natural_faces")
