# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera of a view: what it sees where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegen_addon.labels.camera import Camera, head_rotation
from facegen_addon.labels.shot import PORTRAIT_DISTANCE, PORTRAIT_FRAME, View

ANGLES = st.floats(-np.pi, np.pi)
SIZES = st.integers(16, 2048)
MIDDLE = np.array([0.01, -0.12, 0.08])
POINTS = st.lists(
    st.tuples(st.floats(-0.15, 0.15), st.floats(-0.15, 0.15), st.floats(-0.15, 0.15)),
    min_size=1,
    max_size=5,
).map(np.array)


@st.composite
def views(draw: st.DrawFn) -> View:
    """Any view that a recipe could ask for."""
    return View(
        *(draw(ANGLES) for _ in range(3)),
        distance=draw(st.floats(0.4, 10.0)),
        focal_length=draw(st.floats(10.0, 500.0)),
        shift_x=draw(st.floats(-0.5, 0.5)),
        shift_y=draw(st.floats(-0.5, 0.5)),
    )


def seen_in(view: View, offset: tuple[float, float, float]) -> np.ndarray:
    """The pixel (2,) at which a square camera sees a point beside the middle of the face."""
    return Camera.of(view, MIDDLE, 100, 100).project(MIDDLE + offset)


@given(yaw=ANGLES, pitch=ANGLES, roll=ANGLES)
def test_the_rotation_is_one(yaw: float, pitch: float, roll: float) -> None:
    rotation = head_rotation(View(yaw, pitch, roll))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


@given(view=views(), width=SIZES, height=SIZES)
def test_the_extrinsics_turn_and_do_not_mirror(view: View, width: int, height: int) -> None:
    camera = Camera.of(view, MIDDLE, width, height)
    np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(camera.rotation) == pytest.approx(1.0)


@given(view=views(), width=SIZES, height=SIZES)
def test_the_middle_is_seen_where_the_view_says(view: View, width: int, height: int) -> None:
    """Shifts are in widths and heights of the image, from its middle to the right and down."""
    camera = Camera.of(view, MIDDLE, width, height)
    expected = [(0.5 + view.shift_x) * width, (0.5 + view.shift_y) * height]
    np.testing.assert_allclose(camera.project(MIDDLE), expected, atol=1e-7 * max(width, height))
    assert camera.seen(MIDDLE)[2] == pytest.approx(view.distance)


@given(view=views(), points=POINTS)
def test_the_position_is_the_point_that_all_rays_come_from(view: View, points: np.ndarray) -> None:
    """The pixel's ray, from where the camera stands, meets the point at its depth."""
    camera = Camera.of(view, MIDDLE, 200, 100)
    np.testing.assert_allclose(camera.seen(camera.position), 0.0, atol=1e-9)
    points = MIDDLE + points
    pixels, depth = camera.project(points), camera.seen(points)[:, 2]
    rays = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(camera.intrinsics).T
    again = camera.position + (rays * depth[:, None]) @ camera.rotation
    np.testing.assert_allclose(again, points, atol=1e-8)


@given(view=views(), points=POINTS)
def test_points_of_any_shape_are_projected_alike(view: View, points: np.ndarray) -> None:
    camera = Camera.of(view, MIDDLE, 64, 64)
    together = camera.project(np.stack([points, points])[:, None])
    assert together.shape == (2, 1, len(points), 2)
    for k, point in enumerate(points):
        np.testing.assert_allclose(together[1, 0, k], camera.project(point), rtol=1e-9)


def test_the_frontal_portrait_frames_what_it_says() -> None:
    camera = Camera.of(View(), MIDDLE, 160, 160)
    half = PORTRAIT_FRAME / 2
    for offset, pixel in (((half, 0, 0), (160, 80)), ((0, 0, half), (80, 0))):
        np.testing.assert_allclose(camera.project(MIDDLE + offset), pixel, atol=1e-9)
    np.testing.assert_allclose(camera.position, MIDDLE - [0, PORTRAIT_DISTANCE, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("view", "sees_right", "sees_down"),
    [
        (View(), 0, 0),
        (View(yaw=0.3), 1, 0),  # to its left, which is the viewer's right
        (View(yaw=-0.3), -1, 0),
        (View(pitch=0.3), 0, -1),
        (View(pitch=-0.3), 0, 1),
    ],
)
def test_a_turned_head_points_its_nose_there(view: View, sees_right: int, sees_down: int) -> None:
    """The nose's tip lies in front of the middle of the face: along -Y."""
    right, down = seen_in(view, (0.0, -0.03, 0.0)) - 50.0
    assert np.sign(np.round([right, down], 6)).tolist() == [sees_right, sees_down]


def test_roll_is_clockwise_as_seen() -> None:
    right, down = seen_in(View(roll=0.3), (0.0, 0.0, 0.1)) - 50.0  # the forehead
    assert right > 1.0 and down < -1.0
    up_right = seen_in(View(roll=np.pi / 2), (0.0, 0.0, 0.1)) - 50.0
    np.testing.assert_allclose(up_right, [100 * 0.1 / PORTRAIT_FRAME, 0.0], atol=1e-9)


def test_turns_follow_one_another_about_the_heads_own_axes() -> None:
    """Roll about the face's own axis leaves where the nose points; pitch after yaw does not
    tilt a head that looks to the side."""
    turned = View(yaw=0.5, pitch=0.3)
    rolled = View(yaw=0.5, pitch=0.3, roll=0.7)
    nose = (0.0, -0.03, 0.0)
    np.testing.assert_allclose(seen_in(turned, nose), seen_in(rolled, nose), atol=1e-9)
    side = View(yaw=np.pi / 2, pitch=0.3)
    right, down = seen_in(side, nose) - 50.0
    assert right > 0 and down < 0  # it still looks up
    ear = seen_in(side, (0.05, 0.0, 0.0)) - 50.0
    np.testing.assert_allclose(ear, 0.0, atol=1e-9)  # the left ear lies straight behind


def test_moving_away_makes_things_smaller() -> None:
    near, far = (
        seen_in(View(distance=d), (0.05, 0.0, 0.0))[0] - 50.0
        for d in (PORTRAIT_DISTANCE, 2 * PORTRAIT_DISTANCE)
    )
    assert near == pytest.approx(2 * far)


def test_pixels_are_square() -> None:
    camera = Camera.of(View(), MIDDLE, 300, 100)
    assert camera.intrinsics[0, 0] == camera.intrinsics[1, 1]
