# SPDX-License-Identifier: GPL-3.0-or-later
"""A finished run, seen by another detector."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegen_addon.encoders.encoder import Encoder
from facegen_addon.errors import UserError
from models.training.report_other_hands import COLUMNS, Run, found_by, main, row, seen_in

BOX = np.array([20.0, 20.0, 70.0, 80.0])


def _finished(folder: Path, encoder: str = "facenet") -> Path:
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(3):
        pixels = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"images/{number:06d}.png")
    np.savez(folder / "heads.npz", achieved=np.eye(3, 512, dtype=np.float32))
    with tarfile.open(folder / "heads-000000.tar", "w") as archive:
        for number in range(3):
            label = json.dumps({"face_box": [10.0, 10.0, 80.0, 90.0]}).encode()
            member = tarfile.TarInfo(f"{number:06d}.json")
            member.size = len(label)
            archive.addfile(member, io.BytesIO(label))
    request = {"encoder": encoder, "distance": 0.51, "apart_in": "other-crops"}
    report = {"request": request, "variety": {"renders_spent": 7}}
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def test_pairs_are_compared_as_the_other_detector_crops_them(tmp_path: Path) -> None:
    run = Run.read(_finished(tmp_path / "run"))
    boxes = found_by(run, lambda image: BOX)
    latents = seen_in(run, boxes, Encoder.load(threads=1))
    assert latents.shape == (3, 512)
    theirs = np.eye(3, 512)
    theirs[1] = [0.6, 0.8, *np.zeros(510)]
    cells = dict(zip(COLUMNS, row(run, theirs, 0.51), strict=True))
    assert cells["run"] == "run" and cells["renders"] == "7" and cells["heads"] == "3"
    assert (cells["nearest, ours"], cells["nearest, theirs"]) == ("1.000", "0.400")
    assert cells["pairs below"] == "1 of 3 (33.33%)" and cells["left"] == "2"


def test_the_command_prints_a_row_a_run(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    runs = [str(_finished(tmp_path / name)) for name in ("a", "b")]
    assert main([*runs, "--demand", "0.3"], lambda image: BOX) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[4:] == [
        "",
        *(
            f"{name}: their boxes off ours, {{'across': [0.0, 0.0], 'down': [0.0, 0.0],"
            " 'width': [-0.049, 0.0], 'height': [0.0, 0.0]}"
            for name in "ab"
        ),
    ]
    assert lines[2].startswith("| a | other-crops | 7 | 3 | 0.3 |")


def test_what_is_no_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([str(tmp_path)], lambda image: BOX) == 2
    assert "holds no finished run: name the folder" in capsys.readouterr().err
    assert main([str(_finished(tmp_path / "s", "sface"))], lambda image: BOX) == 2
    assert "was chosen by sface" in capsys.readouterr().err
    with pytest.raises(UserError, match="no face is found in image 0"):
        found_by(Run.read(_finished(tmp_path / "x")), lambda image: None)
