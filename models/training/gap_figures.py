# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a linear classifier tells photos from renders of the same people, and what closes that.

Nobody is in the part that a classifier learns from and in the part that it is judged on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from facegen_addon.arrays import FloatArray, IntArray, RealArray
from facegen_addon.latent.sphere import normalise
from facegen_addon.random_streams import random_stream
from models.training.baselines import RidgeRegression
from models.training.distributions_figures import Figure, figure
from models.training.pairs import Pairs

FOLDS = 10
_PENALTY = 1.0
"""Of the mean eigenvalue: with fewer people than numbers, little could be told with less."""


@dataclass(frozen=True)
class Told:
    """Scores of a photo and a render of each of N people, (N, 2): photos have the higher ones."""

    scores: Annotated[FloatArray, "N 2"]

    @property
    def figures(self) -> dict[str, Figure]:
        """accuracy; auc: chance that a photo has a higher score than a render; separation: distance
        of the means in standard deviations."""
        return {
            "accuracy": figure(self.scores, _accuracy),
            "auc": figure(self.scores, _auc),
            "separation": figure(self.scores, _separation),
        }


def folds_of(people: int) -> Annotated[IntArray, "N"]:
    """To which of FOLDS parts each person belongs (N,)."""
    return random_stream("folds").permutation(np.arange(people) % FOLDS)


def told_apart(
    photos: Annotated[RealArray, "N D"],
    renders: Annotated[RealArray, "N D"],
    moved: bool = False,
) -> Told:
    """What a classifier, fitted to other people, says of latents of the same N people.

    moved: renders are moved first so that, of the people it is fitted to, their mean is the
    photos'.
    """
    folds, scores = folds_of(len(photos)), np.zeros((len(photos), 2))
    for part in range(FOLDS):
        fit, test = folds != part, folds == part
        seen = renders
        if moved:
            seen = normalise(renders + (photos[fit] - renders[fit]).mean(axis=0))
        classifier = _classifier(photos[fit], seen[fit])
        for side, latents in enumerate((photos, seen)):
            scores[test, side] = classifier.predict(latents[test])[:, 0]
    return Told(scores)


def along_the_gap(
    photos: Annotated[RealArray, "N D"],
    plain: Annotated[RealArray, "N D"],
    other: Annotated[RealArray, "N D"],
) -> Annotated[FloatArray, "N 3"]:
    """Where photos, plain renders and other ones of the same people lie (N, 3), along the direction
    in which the means of the other people's photos and plain renders differ."""
    folds, found = folds_of(len(photos)), np.zeros((len(photos), 3))
    for part in range(FOLDS):
        fit, test = folds != part, folds == part
        direction = (photos[fit] - plain[fit]).mean(axis=0, dtype=np.float64)
        for column, latents in enumerate((photos, plain, other)):
            found[test, column] = latents[test] @ direction
    return found


def share_closed(places: Annotated[RealArray, "N 3"]) -> Figure:
    """How much of the way from plain renders to photos other ones have gone, of places (N, 3) as
    `along_the_gap` has them; 1 is all of it, below 0 is away from photos."""

    def closed(rows: RealArray) -> float:
        photo, plain, other = rows.mean(axis=0)
        return float((other - plain) / (photo - plain))

    return figure(places, closed)


def _classifier(photos: RealArray, renders: RealArray) -> RidgeRegression:
    labels = np.repeat([1.0, -1.0], [len(photos), len(renders)])[:, None]
    return RidgeRegression.fit(Pairs(labels, np.concatenate([photos, renders])), _PENALTY)


def _accuracy(scores: RealArray) -> float:
    return float(((scores[:, 0] > 0).mean() + (scores[:, 1] < 0).mean()) / 2)


def _auc(scores: RealArray) -> float:
    """Ties count half."""
    photos, renders = scores[:, 0, None], scores[None, :, 1]
    return float((photos > renders).mean() + 0.5 * (photos == renders).mean())


def _separation(scores: RealArray) -> float:
    spread = np.sqrt(scores.var(axis=0, ddof=1).mean())
    return float((scores[:, 0].mean() - scores[:, 1].mean()) / max(spread, 1e-12))
