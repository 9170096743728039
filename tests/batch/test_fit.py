# SPDX-License-Identifier: GPL-3.0-or-later
"""`fit` end to end: a rendered head is the photo, and comes back; what is no photo is one line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.artifacts import artifact
from facegen_addon.encoders import mtcnn_file
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.exchange.slider_file import read_slider_file
from facegen_addon.png import decode_png, encode_png
from tests.picture_kinds import quarters

_RENDER = """
import os, sys
import numpy as np
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.png import encode_png
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.render.head_renderer import HeadRenderer
model = load_head_model("person")
row = model.sample_prior(np.random.default_rng(7), 1)[0]
row[model.table.moving] = model.table.mean[model.table.moving]
with HeadRenderer(model, RenderSettings(samples=8, size=224)) as renderer:
    open(sys.argv[1], "wb").write(encode_png(renderer.render(row).image))
np.save(sys.argv[2], row)
sys.stdout.flush()
os._exit(0)
"""


def _run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "batch/run.py", "fit", *arguments],
        cwd=project, capture_output=True, text=True,
    )  # fmt: skip


def _is_line(result: subprocess.CompletedProcess[str], *words: str) -> bool:
    lines = result.stderr.strip().splitlines()
    return len(lines) == 1 and all(word in lines[0] for word in words)


def test_what_is_no_photo_is_one_line(project: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    output = tmp_path / "out"
    result = _run(project, str(bad), "--output", str(output))
    assert result.returncode == 2 and _is_line(result, "bad.jpg", "no picture")
    assert not output.exists()


def test_options_that_exclude_one_another(project: Path, tmp_path: Path) -> None:
    result = _run(project, "one.jpg", "--all", "--same-person", "--output", str(tmp_path / "out"))
    assert result.returncode == 2 and _is_line(result, "--all", "--same-person")


needs_networks = pytest.mark.skipif(
    not (mtcnn_file.is_there() and artifact("facenet").path.is_file()),
    reason="detector or encoder are not built: sh tools/set_up.sh runtime",
)


@needs_networks
@pytest.mark.slow
def test_a_rendered_head_comes_back(project: Path, tmp_path: Path) -> None:
    pytest.importorskip("bpy")
    photo, truth = tmp_path / "photo.png", tmp_path / "truth.npy"
    subprocess.run([sys.executable, "-c", _RENDER, str(photo), str(truth)], cwd=project, check=True)
    empty = tmp_path / "empty.png"
    empty.write_bytes(encode_png(quarters()))
    output = tmp_path / "out"
    result = _run(project, str(photo), str(empty), "--output", str(output))
    # One photo shows nobody: the other is fitted all the same.
    assert result.returncode == 3 and "empty.png shows no face" in result.stderr
    (record,) = json.loads((output / "report.json").read_text())["heads"]
    assert record["distance"] < 0.35 and record["photos"] == ["photo.png"]
    assert abs(record["camera"]["yaw"]) < 0.2 and "latent" not in str(record)
    assert not (output / "latents.npz").exists()
    assert decode_png((output / "head_0000.png").read_bytes()).shape[1] > 3 * 256
    model = load_head_model("person")
    (found,) = read_slider_file(output).rows(model.table)  # within all ranges
    assert np.isfinite(found).all() and truth.is_file()
    again = _run(project, str(photo), "--output", str(output))
    assert again.returncode == 2 and "--replace" in again.stderr
