# SPDX-License-Identifier: GPL-3.0-or-later
"""The bake's mathematics on heads whose answer is known."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is in the training environment only")

from facegen_addon.heads.flame.dressing import to_flame
from models.training.bake_open_flame import joint_regressor, principal_components

pytestmark = pytest.mark.torch

HEADS, VERTICES, TRUE = 400, 60, 5


@pytest.fixture
def heads(rng: np.random.Generator) -> np.ndarray:
    """Five ways to vary, the weakest at a fifth of the strongest, and a little noise."""
    shapes = rng.normal(size=(TRUE, VERTICES, 3)) * np.linspace(1.0, 0.2, TRUE)[:, None, None]
    scores = rng.normal(size=(HEADS, TRUE))
    noise = 0.005 * rng.normal(size=(HEADS, VERTICES, 3))
    mean = rng.normal(size=(VERTICES, 3))
    return mean + np.tensordot(scores, shapes, 1) + noise


def everything() -> dict[str, np.ndarray]:
    return {"head": np.ones(VERTICES, bool)}


def test_components_are_as_many_as_the_heads_have(heads: np.ndarray) -> None:
    _, components, _ = principal_components(heads, np.ones(VERTICES), everything())
    assert len(components) in (TRUE - 1, TRUE)


def test_scores_are_of_unit_variance_and_rebuild_the_heads(heads: np.ndarray) -> None:
    mean, components, scores = principal_components(heads, np.ones(VERTICES), everything())
    assert np.allclose(scores.std(0), 1.0, atol=0.01)
    rest = heads - mean - np.tensordot(scores, components, 1)
    assert (rest**2).sum() <= 0.01 * ((heads - mean) ** 2).sum()


def test_an_area_asks_for_its_own_components(heads: np.ndarray, rng: np.random.Generator) -> None:
    """Vertices that move little, but in a way of their own, count when they are an area."""
    nose = np.arange(VERTICES) < 4
    heads[:, nose] = 0.02 * rng.normal(size=(HEADS, 1, 1)) * rng.normal(size=(1, 4, 3))
    alone = principal_components(heads, np.ones(VERTICES), everything())[1]
    both = principal_components(heads, np.ones(VERTICES), everything() | {"nose": nose})[1]
    assert len(both) > len(alone)


def test_signs_are_the_heads_own(heads: np.ndarray) -> None:
    """However the solver turns an eigenvector, the same heads give the same components."""
    first = principal_components(heads, np.ones(VERTICES), everything())[1]
    order = np.random.default_rng(0).permutation(HEADS)
    again = principal_components(heads[order], np.ones(VERTICES), everything())[1]
    assert np.allclose(first, again, atol=1e-6)


def test_joints_are_shares_of_vertices(rng: np.random.Generator) -> None:
    vertices = rng.normal(size=(80, VERTICES, 3))
    true = np.zeros(VERTICES)
    true[[3, 17, 40]] = 0.5, 0.3, 0.2
    found = joint_regressor(vertices, true @ vertices, np.arange(50))
    assert np.allclose(found, true, atol=1e-3)
    assert np.isclose(found.sum(), 1.0) and found.min() >= 0 and not found[50:].any()


def test_flames_axes() -> None:
    """Z up and face along -Y become Y up and face along +Z."""
    assert np.array_equal(to_flame(np.array([[1.0, -2.0, 3.0]])), [[1.0, 3.0, 2.0]])
