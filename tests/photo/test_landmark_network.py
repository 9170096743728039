# SPDX-License-Identifier: GPL-3.0-or-later
"""The landmark network: its square, what it says of turned pictures, and of photos."""

import numpy as np
import pytest
from PIL import Image

from facegen_addon.encoders import mtcnn_file
from facegen_addon.encoders.face_detector import FaceDetector
from facegen_addon.errors import RejectedSample
from facegen_addon.labels.camera import Camera, angles_of
from facegen_addon.labels.shot import View
from facegen_addon.latent.real_faces import lfw_directory
from facegen_addon.photo.face_square import FaceSquare, block_means
from facegen_addon.photo.landmark_network import (
    SIDE,
    LandmarkNetwork,
    between_the_eyes,
    five_of_landmarks,
    whole_rotation,
)

FIVE = np.array([[50.0, 50.0], [80.0, 52.0], [66.0, 70.0], [54.0, 84.0], [77.0, 85.0]])
"""A face of 130 x 130 pixels."""


@pytest.fixture(scope="module")
def network() -> LandmarkNetwork:
    return LandmarkNetwork.load(threads=1)


def _picture(side: int = 130) -> np.ndarray:
    """Smooth, so that resampling it changes little."""
    coarse = np.random.default_rng(3).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def test_square_and_picture_are_one_another_s_inverse() -> None:
    square = FaceSquare.around(FIVE)
    places = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    assert np.allclose(square.to_square(square.to_picture(places)), places)
    eyes, mouth = (square.to_square(pair.mean(0)) for pair in (FIVE[:2], FIVE[3:]))
    assert np.allclose([eyes[0], mouth[0]], 0) and eyes[1] < 0 < mouth[1]


def test_the_cut_shows_what_lies_there() -> None:
    rows, columns = np.mgrid[0:130, 0:130] + 0.5
    picture = np.stack([columns, rows, np.zeros((130, 130))], axis=-1).astype(np.uint8)
    square = FaceSquare.around(FIVE)
    cut = square.cut(picture, SIDE)
    for row, column in ((30, 30), (48, 20), (60, 70)):
        place = (np.array([column, row]) + 0.5) * 2 / SIDE - 1
        # Levels are cut off to whole numbers, the picture's from half pixels.
        assert np.abs(cut[row, column, :2] + 0.5 - square.to_picture(place)).max() < 1.1


def test_coinciding_points_are_rejected() -> None:
    with pytest.raises(RejectedSample, match="coincide"):
        FaceSquare.around(np.zeros((5, 2)))


def test_block_means_keep_the_mean() -> None:
    picture = _picture()
    small = block_means(picture, 3)
    assert small.shape == (43, 43, 3) and abs(small.mean() - picture[:129, :129].mean()) < 0.5


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (0.6, -0.3, 0.2), (-0.8, 0.4, -0.3)])
def test_angles_come_back(angles: tuple[float, float, float]) -> None:
    yaw, pitch, roll = angles
    camera = Camera.of(View(yaw=yaw, pitch=pitch, roll=roll), np.zeros(3), 100, 100)
    assert np.allclose(angles_of(camera.rotation), angles)
    columns = camera.rotation[:, :2].T.ravel()
    assert np.allclose(whole_rotation(columns * 1.7), camera.rotation)


def test_a_turned_picture_has_turned_landmarks(network: LandmarkNetwork) -> None:
    picture = _picture()
    first = network.read(picture, FIVE)
    # A quarter turn to the left: (x, y) comes to (y, 130 - x).
    turned = np.stack([FIVE[:, 1], 130 - FIVE[:, 0]], axis=1)
    second = network.read(np.ascontiguousarray(np.rot90(picture)), turned)
    expected = np.stack([first.points[:, 1], 130 - first.points[:, 0]], axis=1)
    assert np.abs(second.points - expected).max() < 0.5
    assert np.allclose(second.spread, first.spread, rtol=0.05)


def test_a_larger_picture_has_larger_landmarks(network: LandmarkNetwork) -> None:
    picture = _picture()
    large = picture.repeat(4, axis=0).repeat(4, axis=1)
    first, second = network.read(picture, FIVE), network.read(large, FIVE * 4)
    eyes = between_the_eyes(first.points)
    assert np.abs(second.points / 4 - first.points).mean() < 0.03 * eyes
    assert first.points.shape == (580, 2) and (first.spread > 0).all()
    assert np.all([s > 0 for s in first.parameter_spread.values()])
    assert set(first.parameters) >= {"jawOpen", "age", "skin_melanin"}


@pytest.mark.skipif(not mtcnn_file.is_there(), reason="the detector is not built")
def test_landmarks_of_photos_lie_where_the_detector_sees_the_face(
    network: LandmarkNetwork,
) -> None:
    files = sorted((lfw_directory() / "photos").glob("*.jpg"))[:6]
    if not files:
        pytest.skip("no photos: ../shared/data/lfw is missing")
    detector, shares = FaceDetector.load(), []
    for file in files:
        picture = np.asarray(Image.open(file).convert("RGB"))
        five = detector.detect(picture)[0].points
        reading = network.read(picture, five)
        away = np.linalg.norm(five_of_landmarks(reading.points) - five, axis=1)
        shares.append(away.mean() / between_the_eyes(reading.points))
        assert abs(reading.pose[2]) < 40
    assert np.median(shares) < 0.1
