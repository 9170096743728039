# SPDX-License-Identifier: GPL-3.0-or-later
"""Crops as other detectors would make them."""

import numpy as np
import pytest

from facegen_addon.encoders import crop_jitter
from facegen_addon.encoders.crop_jitter import AS_OURS, EXTREMES, JITTERS, CropJitter
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.encoders.face_crop import aligned_box, face_box

BOX = np.array([20.0, 10.0, 60.0, 90.0])
POINTS = np.array([[62, 67], [88, 67], [75, 81], [64, 94], [86, 94]], dtype=np.float64)


def test_a_box_moves_by_its_sides_and_grows_about_its_middle() -> None:
    np.testing.assert_allclose(CropJitter(across=0.1, down=-0.05).of_box(BOX), [24, 6, 64, 86])
    grown = CropJitter(scale=np.log(1.5)).of_box(BOX)
    np.testing.assert_allclose(grown, [10, -10, 70, 110])
    wider = CropJitter(stretch=np.log(4.0)).of_box(BOX)
    np.testing.assert_allclose(wider, [0, 30, 80, 70])


def test_ours_is_what_it_always_was() -> None:
    np.testing.assert_array_equal(AS_OURS.of_box(BOX), BOX)
    assert JITTERS[0] == AS_OURS and AS_OURS not in JITTERS[1:]


def test_landmarks_move_as_the_box_does() -> None:
    jitter = CropJitter(across=0.05, down=-0.02, scale=0.1)
    moved = jitter.of_points(POINTS, face_box(POINTS))
    np.testing.assert_allclose(face_box(moved), jitter.of_box(face_box(POINTS)), atol=1e-9)


def test_landmarks_turn_clockwise_as_seen() -> None:
    left, right = CropJitter(turn=0.1).of_points(POINTS, face_box(POINTS))[:2]
    assert left[1] < right[1]  # y runs down


def test_the_nine_vary_as_much_as_normal_ones() -> None:
    rows = np.array([list(vars(jitter).values()) for jitter in JITTERS])
    sizes = [crop_jitter.SHIFT] * 2 + [crop_jitter.SCALE, crop_jitter.STRETCH, crop_jitter.TURN]
    np.testing.assert_allclose(rows.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(rows[:, :3].std(0), sizes[:3])
    assert (rows.std(0) <= np.array(sizes) * 1.1).all() and (rows.std(0) > 0).all()


def test_random_ones_are_a_seeds_own_and_within_the_extremes() -> None:
    first, again = (crop_jitter.random_jitters(np.random.default_rng(3), 500) for _ in range(2))
    assert first == again
    reach = np.array([jitter.of_box(BOX) for jitter in EXTREMES])
    for jitter in first:
        x0, y0, x1, y1 = CropJitter(jitter.across, jitter.down, jitter.scale).of_box(BOX)
        assert (reach[:, :2].min(0) <= (x0, y0)).all() and (reach[:, 2:].max(0) >= (x1, y1)).all()


@pytest.mark.parametrize("name", ["facenet", "sface"])
def test_an_encoder_cuts_and_looks_where_the_jitter_says(
    name: str, rng: np.random.Generator
) -> None:
    encoder = Encoder.load(name, threads=1)
    image = rng.integers(0, 256, (150, 150, 3), dtype=np.uint8)
    jitter = CropJitter(across=0.04, down=0.03, scale=0.05, turn=0.02)
    np.testing.assert_array_equal(encoder.cut(image, POINTS, AS_OURS), encoder.cut(image, POINTS))
    assert (encoder.cut(image, POINTS, jitter) != encoder.cut(image, POINTS)).any()
    if name == "facenet":
        expected = jitter.of_box(face_box(POINTS))
    else:
        expected = aligned_box(jitter.of_points(POINTS, face_box(POINTS)))
    np.testing.assert_allclose(encoder.extent(POINTS, jitter), expected)
