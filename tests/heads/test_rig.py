# SPDX-License-Identifier: GPL-3.0-or-later
"""Joints and weights for other programs, and strands as ribbons."""

from dataclasses import replace

import numpy as np
import pytest

from facegen_addon.heads.catalogue import HEAD_MODELS, load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.ribbons import ribbons
from facegen_addon.heads.rig import at_rest, strongest


@pytest.fixture(params=list(HEAD_MODELS))
def model(request: pytest.FixtureRequest) -> HeadModel:
    return load_head_model(request.param)


def _posed(model: HeadModel, rng: np.random.Generator) -> np.ndarray:
    """A head with an expression and every joint turned."""
    table = model.table
    head = model.sample_prior(rng, 1)[0]
    for column, parameter in enumerate(table.parameters):
        if parameter.unit == "rad" or parameter.group == "expression":
            head[column] = 0.3 * rng.uniform(parameter.minimum, parameter.maximum)
    return head


def test_the_rig_poses_as_the_model_does(model: HeadModel, rng: np.random.Generator) -> None:
    head = _posed(model, rng)
    rest, posed = model.forward(np.stack([at_rest(model.table, head), head]))
    assert np.abs(posed - rest).max() > 0.005
    rig = model.rig(head)
    np.testing.assert_allclose(rig.posed(rest), posed, atol=1e-6)
    np.testing.assert_allclose(rig.unposed(posed), rest, atol=1e-6)
    few = replace(rig, weights=strongest(rig.weights))
    np.testing.assert_allclose(few.posed(rest), posed, atol=1e-4)


def test_joints_lie_where_their_names_say(model: HeadModel) -> None:
    rig = model.rig(model.table.default())
    place = dict(zip(rig.names, rig.joints, strict=True))
    assert rig.parents[0] == -1 and all(p < j for j, p in enumerate(rig.parents))
    np.testing.assert_allclose(place["root"], 0.0, atol=1e-7)
    assert place["eye_left"][0] > 0.02 > -0.02 > place["eye_right"][0]
    assert place["eye_left"][2] > place["jaw"][2] > place["neck"][2] - 1e-6
    assert not rig.turns.any()


def test_the_strongest_weights_sum_to_one() -> None:
    weights = np.array([[0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25], [0.0, 1.0, 0.0, 0.0]])
    expected = [[4 / 7, 3 / 7, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    np.testing.assert_allclose(strongest(weights, 2), expected)


def test_ribbons_are_as_wide_as_strands_and_face_away(model: HeadModel) -> None:
    head = model.table.default()
    grown = model.grow(model.hair_style(head), model.forward(head)[0])
    made = ribbons(grown)
    first = np.cumsum(grown.sizes) - grown.sizes
    shown = np.flatnonzero(grown.radius[first] > 0)
    np.testing.assert_array_equal(np.sort(made.strand), shown)
    assert len(made.faces) == 2 * (made.sizes - 1).sum() and len(made.uv) == len(made.faces)
    rows = np.concatenate([np.arange(first[s], first[s] + grown.sizes[s]) for s in made.strand])
    pairs = made.vertices.reshape(-1, 2, 3)
    np.testing.assert_allclose(pairs.mean(1), grown.points[rows], atol=1e-6)
    width = np.linalg.norm(pairs[:, 1] - pairs[:, 0], axis=1)
    np.testing.assert_allclose(width, 2 * grown.radius[rows], atol=1e-6)
    a, b, c = np.moveaxis(made.vertices[made.faces].astype(np.float64), 1, 0)
    outward = a - grown.points[first].mean(0)
    assert ((np.cross(b - a, c - a) * outward).sum(1) > 0).mean() > 0.95
    colours = made.of_vertices(model.strand_colours(model.appearance(head)))
    assert colours.shape == (len(made.vertices), 4) and (colours[:, 3] == 1).all()
