# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures about sets of latents: how varied, how natural, how well a roundtrip came back.

Latents are unit rows (N, D). Distances are cosine distances, in [0, 2].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from ..arrays import FloatArray, IntArray, RealArray
from .sphere import cosine_distance, cosine_distance_matrix


class Moments(NamedTuple):
    """Mean (D,) and covariance (D, D) of a set of latents, all that Frechet distance needs."""

    mean: Annotated[FloatArray, "D"]
    covariance: Annotated[FloatArray, "D D"]


@dataclass(frozen=True)
class PairwiseDistances:
    """Distances of all pairs of one set."""

    minimum: float
    median: float
    quantile95: float


@dataclass(frozen=True)
class PrecisionRecall:
    """Shares of the generated inside the real manifold, and of the real inside the generated."""

    precision: float
    recall: float


@dataclass(frozen=True)
class DistanceSummary:
    """Median and 90 % quantile of some distances, e.g. of a roundtrip."""

    median: float
    quantile90: float


@dataclass(frozen=True)
class Plausibility:
    """Standardised parameters against a prior of 1: root mean squares, share beyond 3."""

    rms: float
    group_rms: dict[str, float]
    share_beyond_3: float


def moments(
    latents: Annotated[RealArray, "N D"], weights: Annotated[RealArray, "N"] | None = None
) -> Moments:
    """Mean and unbiased covariance of rows (N, D); `weights` (N,) need not sum to 1.

    ValueError for fewer than two rows.
    """
    latents = np.asarray(latents, np.float64)
    if len(latents) < 2:
        raise ValueError(f"{len(latents)} latents have no covariance: at least 2 are needed")
    shares = np.full(len(latents), 1.0) if weights is None else np.asarray(weights, np.float64)
    shares = shares / shares.sum()
    mean = shares @ latents
    centred = latents - mean
    covariance = (centred * shares[:, None]).T @ centred / (1.0 - np.sum(shares**2))
    return Moments(mean, covariance)


def frechet_distance(
    a: Annotated[RealArray, "N D"] | Moments, b: Annotated[RealArray, "M D"] | Moments
) -> float:
    """Squared Frechet (2-Wasserstein) distance of the normal distributions fitted to two sets.

    Each side is a set of latents (N, D) or its moments. Sets are comparable only at equal size:
    the estimate falls with the number of rows (Heusel et al. 2017).
    """
    first = a if isinstance(a, Moments) else moments(a)
    second = b if isinstance(b, Moments) else moments(b)
    root = _matrix_root(first.covariance)
    middle = root @ second.covariance @ root
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh((middle + middle.T) / 2), 0.0)).sum()
    apart = np.sum((first.mean - second.mean) ** 2)
    spread = np.trace(first.covariance) + np.trace(second.covariance) - 2.0 * shared
    return float(max(apart + spread, 0.0))


def frechet_to(reference: Moments) -> Callable[[Annotated[RealArray, "N D"]], float]:
    """`frechet_distance` of many sets of few latents (N, D) to one reference, quicker."""
    root, whole = _matrix_root(reference.covariance), float(np.trace(reference.covariance))

    def distance(latents: Annotated[RealArray, "N D"]) -> float:
        rows = np.asarray(latents, np.float64)
        mean = rows.mean(axis=0)
        # The covariance is that of these rows alone, so a matrix of N x D has all that it shares.
        deviations = (rows - mean) / np.sqrt(len(rows) - 1)
        shared = np.linalg.svd(deviations @ root, compute_uv=False).sum()
        spread = whole + np.sum(deviations**2) - 2.0 * shared
        return float(max(np.sum((mean - reference.mean) ** 2) + spread, 0.0))

    return distance


def _matrix_root(covariance: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def pairwise_distances(latents: Annotated[RealArray, "N D"]) -> PairwiseDistances:
    """Figures of the distances within one set; ValueError for fewer than two latents."""
    if len(latents) < 2:
        raise ValueError("one latent has no pairs")
    upper = np.triu_indices(len(latents), 1)
    distances = cosine_distance_matrix(latents)[upper]
    return PairwiseDistances(
        float(distances.min()), float(np.median(distances)), float(np.quantile(distances, 0.95))
    )


def nearest_neighbour_distances(
    latents: Annotated[RealArray, "N D"], reference: Annotated[RealArray, "M D"] | None = None
) -> Annotated[FloatArray, "N"]:
    """Distance of each of `latents` (N, D) to its nearest in `reference`, (N,).

    Without a reference, to its nearest other one in the same set.
    """
    return _neighbour_distances(cosine_distance_matrix(latents, reference), 1, reference is None)


def _neighbour_distances(distances: FloatArray, k: int, within: bool) -> FloatArray:
    """Row-wise k-th smallest distance; `within` one set, a row's distance to itself is left out."""
    if within:
        distances = distances.copy()
        np.fill_diagonal(distances, np.inf)
    if distances.shape[1] - int(within) < k:
        raise ValueError(f"a {k}-th neighbour needs more than {distances.shape[1]} latents")
    return np.partition(distances, k - 1, axis=1)[:, k - 1]


def precision_recall(
    real: Annotated[RealArray, "N D"], generated: Annotated[RealArray, "M D"], k: int = 3
) -> PrecisionRecall:
    """k-nearest-neighbour precision and recall (Kynkaanniemi et al. 2019).

    A set's manifold is the union of balls around its members, each reaching to the member's k-th
    nearest other one. Both figures depend on the sets' sizes: compare at equal ones.
    """
    across = cosine_distance_matrix(real, generated)
    real_reach = _neighbour_distances(cosine_distance_matrix(real), k, within=True)
    generated_reach = _neighbour_distances(cosine_distance_matrix(generated), k, within=True)
    return PrecisionRecall(
        float(np.mean(np.any(across <= real_reach[:, None], axis=0))),
        float(np.mean(np.any(across <= generated_reach[None, :], axis=1))),
    )


def kolmogorov_smirnov(a: Annotated[RealArray, "N"], b: Annotated[RealArray, "M"]) -> float:
    """Largest gap, in [0, 1], between the distribution functions of two samples of numbers."""
    a, b = np.sort(a), np.sort(b)
    steps = np.concatenate([a, b])
    below_a = np.searchsorted(a, steps, side="right") / len(a)
    below_b = np.searchsorted(b, steps, side="right") / len(b)
    return float(np.max(np.abs(below_a - below_b)))


def distance_summary(distances: Annotated[RealArray, "N"]) -> DistanceSummary:
    """Median and 90 % quantile of distances (N,)."""
    return DistanceSummary(float(np.median(distances)), float(np.quantile(distances, 0.9)))


def roundtrip_summary(
    requested: Annotated[RealArray, "N D"], achieved: Annotated[RealArray, "N D"]
) -> DistanceSummary:
    """Summary of the distances between requested and achieved latents, (N, D) row by row."""
    return distance_summary(cosine_distance(requested, achieved))


def own_identity_rate(
    requested: Annotated[RealArray, "N D"],
    achieved: Annotated[RealArray, "N D"],
    gallery: Annotated[RealArray, "M D"] | None = None,
    *,
    others: int = 119,
    centred: bool = False,
) -> float:
    """Share of heads nearest to their own requested latent among it and `others` other ones.

    `requested` and `achieved` are (N, D), row by row. The other ones come from the other requested
    latents and from `gallery` (M, D). Where there are more of them than `others`, the share is the
    exact expectation over all ways to choose as many of them; where fewer, all are used. `centred`
    removes each side's mean first: real latents (requested and gallery), and achieved ones.
    """
    wanted = np.asarray(requested, np.float64)
    if gallery is not None:
        wanted = np.concatenate([wanted, np.asarray(gallery, np.float64)])
    found = np.asarray(achieved, np.float64)
    if centred:
        wanted = _unit_rows(wanted - wanted.mean(axis=0))
        found = _unit_rows(found - found.mean(axis=0))
    distances = cosine_distance_matrix(found, wanted)
    own = np.diagonal(distances)[:, None]
    nearer = np.sum(distances <= own, axis=1) - 1
    return float(np.mean(_share_of_choices_without(nearer, len(wanted) - 1, others)))


def _unit_rows(vectors: FloatArray) -> FloatArray:
    """Like `normalise`, but a row at the mean itself stays zero: it is at distance 1 from all."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _share_of_choices_without(marked: IntArray, total: int, chosen: int) -> FloatArray:
    """Probability that `chosen` of `total` items, drawn at random, hold none of the `marked`."""
    drawn = np.arange(min(chosen, total))[None, :]
    left = np.maximum(total - marked[:, None] - drawn, 0)
    return np.prod(left / (total - drawn), axis=1)


def plausibility(z: Annotated[RealArray, "N G"], groups: Mapping[str, IntArray]) -> Plausibility:
    """Figures of standardised parameters `z` (N, G); `groups` names columns among the G."""
    z = np.asarray(z, np.float64)
    return Plausibility(
        _rms(z),
        {name: _rms(z[:, columns]) for name, columns in groups.items()},
        float(np.mean(np.abs(z) > 3.0)),
    )


def principal_plane(latents: Annotated[RealArray, "N D"]) -> Callable[[RealArray], FloatArray]:
    """The plane in which latents (N, D) spread most: rows (M, D) -> coordinates in it, (M, 2).

    The mean of the latents is its origin, the first axis that of most spread. D is at least 2.
    """
    rows = np.asarray(latents, np.float64)
    mean = rows.mean(axis=0)
    # With fewer than two rows the full set of axes is needed, though none has any spread.
    axes = np.linalg.svd(rows - mean, full_matrices=len(rows) < 2)[2][:2]
    return lambda others: (np.asarray(others, np.float64) - mean) @ axes.T


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))
