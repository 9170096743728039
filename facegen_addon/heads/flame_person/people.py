# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has which components of a FLAME-type file: they know nothing of sex, age and ancestry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import FloatArray

READ = ("gender", "age", "african", "asian", "caucasian")
"""What is read off components, as Anny has it: gender 0 (male) to 1, age 0.6 at 18 to 1 at 80."""

_SURE = 0.02
"""Variance that people are known to, where a file's components only roughly say who they are."""


def people_features(
    people: Mapping[str, Annotated[FloatArray, "N"]],
) -> Annotated[FloatArray, "N 8"]:
    """What components follow from (N, 8), of people by the names of READ, (N,) each."""
    gender, age = people["gender"], people["age"]
    african, asian = people["african"], people["asian"]
    one = np.ones_like(gender)
    products = (gender * age, gender * african, gender * asian)
    return np.stack([one, gender, age, african, asian, *products], axis=1)


@dataclass(frozen=True)
class ComponentsOfPeople:
    """Components given people: a linear Gaussian model, and the linear reading of people.

    mean (8, K): of `people_features`; spread (K, K): lower factor of the covariance around it;
    reading (5, K + 1): READ from components, the constant last.
    """

    mean: Annotated[FloatArray, "8 K"]
    spread: Annotated[FloatArray, "K K"]
    reading: Annotated[FloatArray, "5 _"]

    @classmethod
    def read_by(cls, reading: Annotated[FloatArray, "5 _"]) -> ComponentsOfPeople:
        """The model of a file of which only a reading (5, K + 1) is known: its components are
        N(0, 1), given what they say."""
        by, constant = reading[:, :-1], reading[:, -1]
        gain = np.linalg.solve(by @ by.T + _SURE * np.eye(len(by)), by).T  # (K, 5)
        shares = np.zeros((8, 5))
        shares[1, 0] = shares[2, 1] = shares[3, 2] = shares[4, 3] = 1.0
        shares[0, 4], shares[3, 4], shares[4, 4] = 1.0, -1.0, -1.0
        shares[0] -= constant
        covariance = np.eye(by.shape[1]) - gain @ by
        return cls(shares @ gain.T, np.linalg.cholesky(covariance), reading)

    def draw(
        self, rng: np.random.Generator, people: Mapping[str, Annotated[FloatArray, "N"]]
    ) -> Annotated[FloatArray, "N K"]:
        """Components (N, K) of people, by the names of READ, (N,) each."""
        features = people_features(people)
        own = rng.standard_normal((len(features), len(self.spread)))
        return features @ self.mean + own @ self.spread.T

    def read(
        self, components: Annotated[FloatArray, "N K"]
    ) -> dict[str, Annotated[FloatArray, "N"]]:
        """Name -> (N,) of READ, from components (N, K)."""
        values = components @ self.reading[:, :-1].T + self.reading[:, -1]
        return dict(zip(READ, values.T, strict=True))
