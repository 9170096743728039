# SPDX-License-Identifier: GPL-3.0-or-later
"""The face crop: Pillow's resize, facenet-pytorch's box, MTCNN's choice of box."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facegen_addon import artifacts
from facegen_addon.encoders import face_crop
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.errors import RejectedSample, UserError

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


# Alignment by five points -------------------------------------------------------------------------

TEMPLATE = face_crop.ALIGNED_POINTS + 0.5


def smooth_image(rng: np.random.Generator, size: int = 224) -> np.ndarray:
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return face_crop.resize_bilinear(coarse, size, size)


def turned(points: np.ndarray, scale: float, angle: float, shift: complex) -> np.ndarray:
    moved = points @ [1, 1j] * scale * np.exp(1j * angle) + shift
    return np.stack([moved.real, moved.imag], axis=-1)


def test_a_face_in_its_place_stays_as_it_is(rng: np.random.Generator) -> None:
    image = smooth_image(rng, 112)
    np.testing.assert_array_equal(face_crop.align_face(image, TEMPLATE), image)


def test_a_face_moved_by_whole_pixels_is_moved_back(rng: np.random.Generator) -> None:
    image = smooth_image(rng)
    aligned = face_crop.align_face(image, TEMPLATE + np.array([30, 50]))
    np.testing.assert_array_equal(aligned, image[50:162, 30:142])


@given(st.floats(0.8, 1.6), st.floats(-0.6, 0.6))
def test_landmarks_come_to_their_places(scale: float, angle: float) -> None:
    """A bright blob drawn at each landmark of a turned face lies at the template's place after."""
    points = turned(TEMPLATE - 56, scale, angle, 112 + 112j)
    rows, columns = np.mgrid[:224, :224] + 0.5
    for point, target in zip(points, face_crop.ALIGNED_POINTS, strict=True):
        square = (columns - point[0]) ** 2 + (rows - point[1]) ** 2
        blob = np.rint(255 * np.exp(-square / 18)).astype(np.uint8)
        weights = face_crop.align_face(blob[..., None].repeat(3, 2), points)[..., 0].astype(float)
        y, x = np.mgrid[:112, :112]
        found = [(x * weights).sum() / weights.sum(), (y * weights).sum() / weights.sum()]
        np.testing.assert_allclose(found, target, atol=0.15)


def test_a_much_finer_image_gives_the_same_face(rng: np.random.Generator) -> None:
    """A render of 1024 pixels holds noise that sampling every eighth pixel would take over."""
    noise = rng.normal(0, 40, (1024, 1024, 1))
    image = np.clip(128 + noise, 0, 255).astype(np.uint8).repeat(3, axis=2)
    aligned = face_crop.align_face(image, TEMPLATE * 8)
    assert aligned.astype(float).std() < 8


def test_only_the_aligned_box_is_looked_at(rng: np.random.Generator) -> None:
    image = smooth_image(rng)
    points = turned(TEMPLATE - 56, 0.9, 0.2, 110 + 120j)
    x0, y0, x1, y1 = face_crop.aligned_box(points)
    outside = np.ones((224, 224), bool)
    outside[int(np.floor(y0)) : int(np.ceil(y1)), int(np.floor(x0)) : int(np.ceil(x1))] = False
    assert 0.3 < outside.mean() < 0.8
    blacked = np.where(outside[..., None], 0, image).astype(np.uint8)
    np.testing.assert_array_equal(
        face_crop.align_face(blacked, points), face_crop.align_face(image, points)
    )


@pytest.mark.parametrize(
    "points",
    [np.full((5, 2), np.nan), np.full((5, 2), 3.0), TEMPLATE + 5000.0],
    ids=["nan", "one point", "outside"],
)
def test_faces_that_cannot_be_aligned_are_rejected(points: np.ndarray) -> None:
    with pytest.raises(RejectedSample):
        face_crop.align_face(np.zeros((50, 50, 3), np.uint8), points)


def test_only_rgb_images_are_aligned() -> None:
    with pytest.raises(UserError, match="uint8 RGB"):
        face_crop.align_face(np.zeros((50, 50), np.uint8), TEMPLATE)
    with pytest.raises(UserError, match=r"\(68, 2\)"):
        face_crop.align_face(np.zeros((50, 50, 3), np.uint8), np.zeros((68, 2)))


@pytest.mark.torch  # for OpenCV, of the same environment
def test_aligned_as_opencvs_own_recogniser_does(rng: np.random.Generator) -> None:
    """FaceRecognizerSF.alignCrop, to two grey levels of a smooth image; edges are black there."""
    import cv2

    recogniser = cv2.FaceRecognizerSF.create(str(artifacts.artifact_path("sface")), "")
    image = smooth_image(rng)
    points = turned(TEMPLATE - 56, 1.2, 0.15, 112 + 112j) + rng.normal(0, 2, (5, 2))
    face = np.concatenate([[0, 0, 224, 224], (points - 0.5).ravel(), [1]]).astype(np.float32)
    expected = recogniser.alignCrop(image, face[None])
    difference = np.abs(face_crop.align_face(image, points).astype(int) - expected.astype(int))
    assert difference.max() <= 2
