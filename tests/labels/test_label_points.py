# SPDX-License-Identifier: GPL-3.0-or-later
"""The labelled points: landmarks and a dense cloud on the rendered surface."""

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.labels.camera import Camera
from facegen_addon.labels.label_points import DENSE_POINTS, LabelPoints
from facegen_addon.labels.shot import View
from facegen_addon.labels.subdivision import Subdivision
from facegen_addon.labels.visibility import hidden_points


@pytest.fixture(scope="module", params=["open_flame", "anny"])
def model(request: pytest.FixtureRequest) -> HeadModel:
    return load_head_model(request.param)


@pytest.fixture(scope="module")
def vertices(model: HeadModel) -> np.ndarray:
    return model.forward(model.table.default())[0]


@pytest.fixture(scope="module")
def dense(model: HeadModel, vertices: np.ndarray) -> np.ndarray:
    """The dense points (512, 3) of the mean head."""
    return LabelPoints.of(model).read(vertices)[68:]


def spacing(points: np.ndarray) -> np.ndarray:
    """From each point to the nearest of the others (N,)."""
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(distance, np.inf)
    return distance.min(1)


def test_landmarks_come_first_on_the_subdivided_surface(
    model: HeadModel, vertices: np.ndarray
) -> None:
    """Near those of the control mesh, but not on them: curved places shrink."""
    points = LabelPoints.of(model)
    found = points.read(vertices)
    assert len(points) == 68 + DENSE_POINTS == len(found) and found.dtype == np.float64
    moved = np.linalg.norm(found[:68] - model.landmarks(vertices), axis=1)
    assert 2e-4 < moved.max() < 1.5e-3
    embedding = model.landmark_embedding
    np.testing.assert_array_equal(points.surface_points.triangle[:68], embedding.triangle)


def test_points_lie_on_the_surface_of_any_head(model: HeadModel, rng: np.random.Generator) -> None:
    """Between the corners of one of the three quads of their triangle."""
    points = LabelPoints.of(model)
    head = model.forward(model.sample_prior(rng, 1))[0]
    mesh = Subdivision.of(model.surface.faces, len(head))
    quad = 3 * points.surface_points.triangle + points.surface_points.bary.argmax(1)
    corners = mesh.apply(head)[mesh.quads[quad]]
    found = points.read(head)
    low, high = corners.min(1) - 1e-9, corners.max(1) + 1e-9
    assert ((found >= low) & (found <= high)).all()


def test_many_heads_are_read_at_once(model: HeadModel, rng: np.random.Generator) -> None:
    heads = model.forward(model.sample_prior(rng, 2))
    points = LabelPoints.of(model)
    together = points.read(heads)
    assert together.shape == (2, len(points), 3)
    np.testing.assert_array_equal(together[1], points.read(heads[1]))


def test_the_cloud_is_even(dense: np.ndarray) -> None:
    """No two are near each other, and each has a neighbour about as far as all others have."""
    nearest = spacing(dense)
    assert nearest.min() > 0.003
    assert nearest.max() < 2.5 * nearest.min()
    assert len(np.unique(dense, axis=0)) == DENSE_POINTS


def test_every_beginning_of_the_cloud_is_the_smaller_cloud(
    model: HeadModel, vertices: np.ndarray, dense: np.ndarray
) -> None:
    few = LabelPoints.of(model, 40).read(vertices)[68:]
    np.testing.assert_array_equal(few, dense[:40])
    assert spacing(few).min() > 2.5 * spacing(dense).min()
    np.testing.assert_allclose(few[0], LabelPoints.of(model, 0).read(vertices)[30], atol=0.002)


def test_the_cloud_covers_face_ears_forehead_and_upper_neck(
    model: HeadModel, vertices: np.ndarray, dense: np.ndarray
) -> None:
    landmarks = LabelPoints.of(model, 0).read(vertices)
    to_cloud = np.linalg.norm(landmarks[:, None] - dense, axis=2).min(1)
    assert to_cloud.max() < 0.01
    ears = vertices[model.surface.masks["ears"] > 0.9]
    near_ears = np.linalg.norm(dense[:, None] - ears, axis=2).min(1) < 0.003
    assert near_ears.sum() > 10
    assert (dense[near_ears, 0] > 0).any() and (dense[near_ears, 0] < 0).any()
    brow, chin = landmarks[17:27, 2].max(), landmarks[8, 2]
    assert (dense[:, 2] > brow + 0.03).sum() > 10 and (dense[:, 2] < chin - 0.01).sum() > 10
    assert dense[:, 2].min() > chin - 0.045


def test_the_cloud_leaves_out_what_no_camera_before_the_face_sees(
    model: HeadModel, vertices: np.ndarray, dense: np.ndarray
) -> None:
    """The skull's back, hairy skin, eyeballs, and the insides of mouth, nostrils and sockets."""
    surface = model.surface
    triangle = LabelPoints.of(model).surface_points.triangle[68:]
    corners = surface.faces[triangle]
    assert set(np.array(surface.part_names)[surface.part[corners].ravel()]) == {"skin"}
    assert surface.masks["mouth"][corners].min(1).max() < 0.5
    assert surface.masks["scalp"][corners].min(1).max() < 0.5
    mesh = Subdivision.of(surface.faces, len(vertices))
    triangles = np.concatenate([mesh.quads[:, [0, 1, 2]], mesh.quads[:, [0, 2, 3]]])
    hidden = np.ones(len(dense), bool)
    for yaw in np.radians([-50, -25, 0, 25, 50]):
        camera = Camera.of(View(yaw=yaw), dense.mean(0), 64, 64)
        hidden &= hidden_points(camera.seen(dense), camera.seen(mesh.apply(vertices)), triangles)
    assert not hidden.any()


def test_the_cloud_is_the_same_each_time(model: HeadModel) -> None:
    first = LabelPoints.of(model)
    assert LabelPoints.of(model) is first
    LabelPoints.of.cache_clear()
    again = LabelPoints.of(model)
    assert again is not first
    for name in ("triangle", "bary"):
        np.testing.assert_array_equal(
            getattr(first.surface_points, name), getattr(again.surface_points, name)
        )


@pytest.mark.parametrize("count", [-1, 10**6])
def test_counts_that_a_face_has_no_room_for_are_refused(model: HeadModel, count: int) -> None:
    with pytest.raises(UserError, match=rf"{count} dense points: give a number from 0 to \d+"):
        LabelPoints.of(model, count)
