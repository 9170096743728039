# SPDX-License-Identifier: GPL-3.0-or-later
"""The face crop: Pillow's resize, facenet-pytorch's box, MTCNN's choice of box."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facegen_addon.errors import RejectedSample, UserError
from facegen_addon.mapping import face_crop
from facegen_addon.mapping.encoder import Encoder

# A frontal face as MTCNN sees it: eyes 26 apart, centred at (75, 80) in an image of 150.
FRONTAL = np.array([[62, 67], [88, 67], [75, 81], [64, 94], [86, 94]], dtype=np.float64)


@pytest.mark.parametrize(
    "size", [(160, 160), (161, 159), (320, 320), (80, 90), (9, 700), (401, 8)], ids=str
)
def test_resize_is_pillows(size: tuple[int, int], rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(image).resize((160, 160), Image.Resampling.BILINEAR))
    ours = face_crop.resize_bilinear(image, 160, 160)
    assert np.abs(ours.astype(int) - expected).max() <= 1


def test_resize_to_another_shape_keeps_axes_apart(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (31, 47, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(image).resize((20, 50), Image.Resampling.BILINEAR))
    ours = face_crop.resize_bilinear(image, 20, 50)
    assert ours.shape == (50, 20, 3)
    assert np.abs(ours.astype(int) - expected).max() <= 1


def test_box_grows_as_in_facenet_pytorch() -> None:
    """Its extract_face: margin 40 in an image of 160, each side in proportion to the box."""
    x0, y0, x1, y1 = box = np.array([40.0, 30.0, 100.0, 120.0])
    margin = [40 * (x1 - x0) / (160 - 40), 40 * (y1 - y0) / (160 - 40)]
    expected = [x0 - margin[0] / 2, y0 - margin[1] / 2, x1 + margin[0] / 2, y1 + margin[1] / 2]
    np.testing.assert_allclose(face_crop.enlarge_box(box), expected)


def test_frontal_box_is_mtcnns() -> None:
    """Around a frontal face: upright, centred on it, from the forehead to below the chin."""
    x0, y0, x1, y1 = face_crop.predict_box(FRONTAL)
    assert abs((x0 + x1) / 2 - 75) < 0.5
    assert y0 < 67 - 26 < 94 + 10 < y1
    assert 1.2 < (y1 - y0) / (x1 - x0) < 1.45


@given(
    scale=st.floats(0.05, 50), dx=st.floats(-1e3, 1e3), dy=st.floats(-1e3, 1e3), seed=st.integers(0)
)
def test_box_follows_shift_and_zoom(scale: float, dx: float, dy: float, seed: int) -> None:
    points = FRONTAL + np.random.default_rng(seed).normal(0, 3, (5, 2))
    expected = face_crop.face_box(points) * scale + [dx, dy, dx, dy]
    moved = face_crop.face_box(points * scale + [dx, dy])
    np.testing.assert_allclose(moved, expected, atol=1e-6 * (scale + abs(dx) + abs(dy) + 1) * 100)


@given(seed=st.integers(0))
def test_mirrored_face_has_the_mirrored_box(seed: int) -> None:
    points = FRONTAL + np.random.default_rng(seed).normal(0, 3, (5, 2))
    x0, y0, x1, y1 = face_crop.face_box(points)
    mirrored = (points * [-1, 1] + [150, 0])[[1, 0, 2, 4, 3]]
    np.testing.assert_allclose(
        face_crop.face_box(mirrored), [150 - x1, y0, 150 - x0, y1], atol=1e-3
    )


def test_many_faces_at_once() -> None:
    boxes = face_crop.face_box(np.stack([FRONTAL, FRONTAL * 2]))
    np.testing.assert_allclose(boxes[1], face_crop.face_box(FRONTAL) * 2)


def test_crop_is_cut_off_at_the_edges(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (60, 50, 3), dtype=np.uint8)
    expected = face_crop.resize_bilinear(image[:40, 20:50], 160, 160)
    np.testing.assert_array_equal(
        face_crop.crop_face(image, np.array([20.9, -5.0, 70.0, 40.9])), expected
    )


@pytest.mark.parametrize(
    ("image", "box"),
    [
        (np.zeros((50, 50), np.uint8), [0, 0, 50, 50]),
        (np.zeros((50, 50, 4), np.uint8), [0, 0, 50, 50]),
        (np.zeros((50, 50, 3), np.float32), [0, 0, 50, 50]),
        (None, [0, 0, 50, 50]),
        (np.zeros((50, 50, 3), np.uint8), [0, 0, 50]),
    ],
)
def test_wrong_image_or_box_is_a_user_error(image: np.ndarray, box: list[float]) -> None:
    with pytest.raises(UserError):
        face_crop.crop_face(image, np.array(box))


@pytest.mark.parametrize(
    "box", [[60, 0, 90, 50], [0, 0, 4, 50], [30, 30, 10, 10], [0, 0, np.nan, 9], [0, 0, np.inf, 9]]
)
def test_face_outside_the_image_is_rejected(box: list[float]) -> None:
    with pytest.raises(RejectedSample):
        face_crop.crop_face(np.zeros((50, 50, 3), np.uint8), np.array(box))


@pytest.mark.parametrize("points", [np.full((5, 2), np.nan), np.full((5, 2), 3.0)])
def test_unusable_landmarks_are_rejected(points: np.ndarray) -> None:
    with pytest.raises(RejectedSample):
        face_crop.face_box(points)


def test_landmarks_of_another_shape_are_a_user_error() -> None:
    with pytest.raises(UserError, match=r"\(68, 2\)"):
        face_crop.face_box(np.zeros((68, 2)))


def test_crop_and_encoder_reproduce_the_latents_of_photos(shared_data: Path) -> None:
    """With photos.csv's crops: the rows of latents_dev.npz, to their float16 rounding."""
    folder = shared_data / "lfw"
    with (folder / "photos.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))[::4]
    crops = []
    for row in rows:
        image = np.asarray(Image.open(folder / row["file"]).convert("RGB"))
        box = [float(row[f"crop_{corner}"]) for corner in ("x0", "y0", "x1", "y1")]
        crops.append(face_crop.crop_face(image, np.array(box)))
    with np.load(folder / "latents_dev.npz") as stored:
        expected = stored["latents"][[int(row["row_in_latents_dev"]) for row in rows]]
    expected = expected.astype(np.float64)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    distances = 1 - (Encoder.load(threads=2).embed(np.stack(crops)) * expected).sum(axis=1)
    assert distances.max() < 1e-4
