# SPDX-License-Identifier: GPL-3.0-or-later
"""MTCNN out of its wheel: the file, and what the networks see."""

from pathlib import Path

import numpy as np
import pytest

from facegen_addon.artifacts import artifact
from facegen_addon.encoders import mtcnn_file
from facegen_addon.encoders.face_detector import FaceDetector, resized
from facegen_addon.errors import UserError
from facegen_addon.latent.real_faces import lfw_directory

needs_detector = pytest.mark.skipif(
    not mtcnn_file.is_there(), reason="the detector is not built: sh tools/set_up.sh runtime"
)


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / mtcnn_file.CARRIER.wheel
    wheel.write_bytes(b"PK\x03\x04 another")
    with pytest.raises(UserError, match=r"sha256.*facenet_pytorch-2\.6\.0"):
        mtcnn_file.build_from_wheel(wheel)


def test_another_file_is_not_taken_over(tmp_path: Path) -> None:
    other = tmp_path / "mtcnn.npz"
    other.write_bytes(b"another")
    with pytest.raises(UserError, match="sha256"):
        mtcnn_file.take_over(other)


@needs_detector
def test_a_built_file_is_taken_over(tmp_path: Path) -> None:
    copied = mtcnn_file.take_over(artifact("mtcnn").path)
    assert copied.read_bytes() == artifact("mtcnn").path.read_bytes()


def test_pictures_are_shrunk_by_means() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.float32).reshape(4, 6, 3)
    small = resized(image, 2, 3)
    np.testing.assert_allclose(small[0, 0], image[:2, :2].mean(axis=(0, 1)))
    np.testing.assert_allclose(small[1, 2], image[2:, 4:].mean(axis=(0, 1)))
    np.testing.assert_allclose(resized(image, 4, 6), image)


@needs_detector
def test_nothing_is_seen_where_there_is_no_face(rng: np.random.Generator) -> None:
    detector = FaceDetector.load()
    grey = np.full((90, 140, 3), 127, np.uint8)
    assert detector.detect(grey) == []
    assert detector.detect(rng.integers(0, 255, (8, 200, 3), dtype=np.uint8)) == []


@needs_detector
def test_faces_are_found_where_they_are() -> None:
    folder = lfw_directory() / "photos"
    if not folder.is_dir():
        pytest.skip("photos of research data are not there")
    image_module = pytest.importorskip("PIL.Image")
    detector = FaceDetector.load()
    for path in sorted(folder.glob("*.jpg"))[:3]:
        photo = np.asarray(image_module.open(path).convert("RGB"))
        face = detector.detect(photo)[0]
        left, right, nose, *mouth = face.points
        assert face.score > 0.9 and left[0] < right[0]
        assert max(left[1], right[1]) < nose[1] < min(point[1] for point in mouth)
        # A mirror image has the same face, mirrored.
        turned = detector.detect(photo[:, ::-1].copy())[0]
        mirrored = turned.points[[1, 0, 2, 4, 3]]
        both = face.points[:, 0] + mirrored[:, 0] - photo.shape[1]
        assert np.abs(both).mean() < 0.03 * photo.shape[1]
