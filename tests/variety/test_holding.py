# SPDX-License-Identifier: GPL-3.0-or-later
"""At which distance pairs stay apart."""

import numpy as np
import pytest

from facegen_addon.latent.sphere import cosine_distance_matrix, normalise
from facegen_addon.variety.apart import Demand
from facegen_addon.variety.holding import holding

DEMAND = Demand("facenet", 0.9, 0.51)


def test_every_pair_counts_alike_and_by_what_both_were_seen_in(rng: np.random.Generator) -> None:
    heads = normalise(rng.standard_normal((40, 4, 64)))
    seen = [[head[:2], head[2:]] if number % 2 else [head[:2]] for number, head in enumerate(heads)]
    found = holding(DEMAND, seen)
    assert found is not None and (found.encoder, found.demanded) == ("facenet", 0.9)
    distances, weights = [], []
    for i in range(40):
        for j in range(i):
            common = slice(None) if i % 2 and j % 2 else slice(2)
            looks = cosine_distance_matrix(heads[i, common], heads[j, common]).ravel()
            distances.append(looks)
            weights.append(np.full(len(looks), 1 / len(looks)))
    every, weight = np.concatenate(distances), np.concatenate(weights)
    assert found.nearest == every.min()
    assert found.below == pytest.approx(weight[every < 0.9].sum() / weight.sum())
    assert weight[every < found.kept].sum() <= 0.001 * weight.sum()
    assert weight[every < found.kept + 2e-4].sum() > 0.001 * weight.sum()
    assert 4 < found.looks < 16


def test_heads_seen_once_have_their_distances() -> None:
    found = holding(DEMAND, [[np.eye(3)[[axis]]] for axis in range(3)])
    assert found is not None
    assert (found.kept, found.nearest, found.below, found.looks) == (1.0, 1.0, 0.0, 1.0)


def test_a_single_head_has_no_pair() -> None:
    assert holding(DEMAND, [[np.eye(3)]]) is None
