# SPDX-License-Identifier: GPL-3.0-or-later
"""`landmarks` end to end: what is no photo is one line, and a photo's face is told and drawn."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from batch import landmarks
from batch.landmarks import _read
from batch.left_out import LeftOut
from facegen_addon.encoders import mtcnn_file
from facegen_addon.encoders.face_detector import DetectedFace, FaceDetector
from facegen_addon.errors import UserError
from facegen_addon.latent.real_faces import lfw_directory
from facegen_addon.photo.landmark_network import LandmarkNetwork, between_the_eyes
from facegen_addon.png import decode_png, encode_png
from tests.picture_kinds import quarters

pytestmark = pytest.mark.skipif(
    not mtcnn_file.is_there(), reason="the detector is not built: sh tools/set_up.sh runtime"
)


def _run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("bpy")
    return subprocess.run(
        [sys.executable, "batch/run.py", "landmarks", *arguments],
        cwd=project, capture_output=True, text=True,
    )  # fmt: skip


def test_what_shows_no_face_is_one_line(project: Path, tmp_path: Path) -> None:
    empty, output = tmp_path / "empty.png", tmp_path / "out"
    empty.write_bytes(encode_png(quarters()))
    result = _run(project, str(empty), "--output", str(output))
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 2 and len(lines) == 1
    assert "empty.png shows no face" in lines[0] and not output.exists()


class _TwoFaces:
    """Stands in for the detector: two faces side by side, of which one lies at one place."""

    def detect(self, picture: np.ndarray) -> list[DetectedFace]:
        whole = np.array([[40.0, 50.0], [80.0, 50.0], [60.0, 70.0], [45.0, 90.0], [75.0, 90.0]])
        box = np.array([20.0, 20.0, 100.0, 110.0])
        return [DetectedFace(box, np.full((5, 2), 60.0), 0.9), DetectedFace(box, whole, 0.9)]


def test_a_face_that_cannot_be_read_is_left_out_and_not_its_photo(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("bpy")
    photo, network = tmp_path / "two.png", LandmarkNetwork.load(threads=1)
    photo.write_bytes(encode_png(np.full((128, 128, 3), 90, np.uint8)))
    detector = cast(FaceDetector, _TwoFaces())
    ((picture, record),) = _read(photo, True, network, detector)
    assert picture.shape == (640, 640, 3) and record["photo"] == "two.png"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("facegen: a face is left out: two.png: ")
    with pytest.raises(UserError, match=r"two\.png: .*; give a photo that shows all of it"):
        _read(photo, False, network, detector)


def test_many_photos_have_a_bar_that_says_how_long(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmarks, "QUIET", 0.0)
    monkeypatch.setattr(landmarks, "_read", lambda photo, *_: [(quarters(), {"photo": photo.name})])
    monkeypatch.setattr("facegen_addon.terminal.progress._SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr("facegen_addon.terminal.progress._SHARE_BETWEEN_LINES", 0.0)
    options = argparse.Namespace(photos=[Path("a"), Path("b")], all=False, no_photo=False)
    faces = landmarks._read_all(options, tmp_path, None, None, LeftOut(2))  # type: ignore[arg-type]
    assert [face["picture"] for face in faces] == ["face_0000.png", "face_0001.png"]
    assert (tmp_path / "face_0001.png").is_file()
    lines = capsys.readouterr().err.splitlines()
    assert "ETA" in lines[1] and " 50 %" in lines[1] and "100 %" in lines[-1]


def test_a_photo_is_read_and_drawn(project: Path, tmp_path: Path) -> None:
    photos = sorted((lfw_directory() / "photos").glob("*.jpg"))[:1]
    if not photos:
        pytest.skip("no photos: ../shared/data/lfw is missing")
    empty, output = tmp_path / "empty.png", tmp_path / "out"
    empty.write_bytes(encode_png(quarters()))
    result = _run(project, str(photos[0]), str(empty), "--output", str(output))
    assert result.returncode == 3 and "empty.png shows no face" in result.stderr
    (face,) = json.loads((output / "report.json").read_text())["faces"]
    assert len(face["landmarks"]) == len(face["landmark_spread"]) == 68
    assert len(face["dense"]) == len(face["dense_spread"]) == 512
    box, landmarks = np.array(face["face_box"]), np.array(face["landmarks"])
    assert ((landmarks.mean(0) > box[:2]) & (landmarks.mean(0) < box[2:])).all()
    assert 0.2 < between_the_eyes(landmarks) / (box[2] - box[0]) < 0.8
    assert abs(face["pose"]["yaw"]) < 90
    drawn = decode_png((output / face["picture"]).read_bytes())
    assert drawn.shape == (640, 640, 3) and "latent" not in str(face)
    again = _run(project, str(photos[0]), "--output", str(output))
    assert again.returncode == 2 and "--replace" in again.stderr
