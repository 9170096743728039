# SPDX-License-Identifier: GPL-3.0-or-later
"""`landmarks` end to end: what is no photo is one line, and a photo's face is told and drawn."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.encoders import mtcnn_file
from facegen_addon.latent.real_faces import lfw_directory
from facegen_addon.photo.landmark_network import between_the_eyes
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
