# SPDX-License-Identifier: GPL-3.0-or-later
"""The encoder: unit latents, one interface, errors that name what to do."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from facegen_addon import artifacts
from facegen_addon.encoders import encoder as encoder_module
from facegen_addon.encoders.encoder import (
    Encoder,
    check_encoder_fits,
    encoder_names,
    find_encoder,
    same_face_threshold,
)
from facegen_addon.encoders.face_crop import ALIGNED_POINTS, align_face, crop_face, face_box
from facegen_addon.errors import Need, Remedy, UserError
from facegen_addon.onnx_runtime import onnx_runtime


@pytest.fixture(scope="module")
def facenet() -> Encoder:
    """The default encoder; `make test` has built it."""
    return Encoder.load(threads=2)


@pytest.fixture
def images(rng: np.random.Generator) -> np.ndarray:
    """Three smooth random images (3, 160, 160, 3) uint8."""
    coarse = rng.integers(0, 256, (3, 10, 10, 3), dtype=np.uint8)
    return coarse.repeat(16, axis=1).repeat(16, axis=2)


def write_encoder(path: Path, factor: float = 1.0, size: int | str = 8, batch: int | str = "N"):
    """A tiny encoder: the mean of each colour channel of (N, 3, size, size), times `factor`."""
    scale = helper.make_tensor("factor", TensorProto.FLOAT, [1], [factor])
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["means", "factor"], ["latents"]),
    ]
    shape = [batch, 3, size, size]
    ports = [
        helper.make_tensor_value_info("images", TensorProto.FLOAT, shape),
        helper.make_tensor_value_info("latents", TensorProto.FLOAT, [batch, 3]),
    ]
    graph = helper.make_graph(nodes, "tiny", ports[:1], ports[1:], [scale])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def test_default_is_facenet_with_its_threshold(facenet: Encoder) -> None:
    assert (facenet.name, facenet.image_size, facenet.latent_size) == ("facenet", 160, 512)
    assert facenet.threshold == artifacts.read_index()["facenet"]["threshold"] == 0.51


def test_latents_are_unit_float32(facenet: Encoder, images: np.ndarray) -> None:
    latents = facenet.embed(images)
    assert latents.shape == (3, 512)
    assert latents.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(latents, axis=1), 1, atol=1e-6)
    assert facenet.embed(images[:0]).shape == (0, 512)


def test_an_image_has_the_same_latent_alone_and_in_any_chunk(
    facenet: Encoder, images: np.ndarray
) -> None:
    many = images[np.arange(encoder_module.CHUNK + 2) % 3]
    latents = facenet.embed(many)
    for row in (0, encoder_module.CHUNK, encoder_module.CHUNK + 1):
        np.testing.assert_allclose(latents[row], facenet.embed(many[row : row + 1])[0], atol=1e-5)


def test_pixels_are_scaled_as_facenet_wants(tmp_path: Path) -> None:
    """RGB, (x - 127.5) / 128, channels first: seen through an encoder that averages channels."""
    write_encoder(tmp_path / "tiny.onnx")
    image = np.zeros((1, 8, 8, 3), np.uint8) + np.array([255, 127, 0], np.uint8)
    expected = (np.array([255, 127, 0]) - 127.5) / 128
    latent = Encoder.load(tmp_path / "tiny.onnx").embed(image)[0]
    np.testing.assert_allclose(latent, expected / np.linalg.norm(expected), atol=1e-6)


def test_another_encoder_stands_in_by_its_path(tmp_path: Path) -> None:
    write_encoder(tmp_path / "tiny.onnx", size=8)
    other = Encoder.load(tmp_path / "tiny.onnx")
    assert (other.name, other.image_size, other.latent_size) == ("tiny", 8, 3)
    assert other.threshold == 0.51


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 160, 160, 3), np.float32),
        np.zeros((160, 160, 3), np.uint8),
        np.zeros((1, 3, 160, 160), np.uint8),
        np.zeros((1, 256, 256, 3), np.uint8),
        [[1, 2]],
        None,
    ],
    ids=["float", "no batch", "channels first", "not cropped", "list", "nothing"],
)
def test_wrong_images_are_a_user_error(facenet: Encoder, images: np.ndarray) -> None:
    with pytest.raises(UserError, match="images"):
        facenet.embed(images)


@pytest.mark.parametrize("factor", [0.0, float("nan")])
def test_zero_or_nan_latents_are_refused(tmp_path: Path, factor: float) -> None:
    write_encoder(tmp_path / "broken.onnx", factor)
    broken = Encoder.load(tmp_path / "broken.onnx")
    with pytest.raises(UserError, match="broken gave NaN or zero"):
        broken.embed(np.full((1, 8, 8, 3), 9, np.uint8))


def test_a_missing_default_is_to_be_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.json").write_bytes(
        (artifacts.models_directory() / "index.json").read_bytes()
    )
    monkeypatch.setenv("FACEGEN_MODELS", str(tmp_path))
    with pytest.raises(UserError, match=r"facenet\.onnx is missing$") as caught:
        Encoder.load()
    assert caught.value.need == Need(Remedy.BUILD_ENCODER, "facenet")


def test_truncated_default_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = artifacts.models_directory()
    (tmp_path / "built").mkdir()
    (tmp_path / "index.json").write_bytes((source / "index.json").read_bytes())
    with (source / "built" / "facenet.onnx").open("rb") as whole:
        (tmp_path / "built" / "facenet.onnx").write_bytes(whole.read(1_000_000))
    monkeypatch.setenv("FACEGEN_MODELS", str(tmp_path))
    with pytest.raises(UserError, match="truncated, 1000000 of"):
        Encoder.load()


def test_files_that_are_no_encoder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is missing"):
        Encoder.load(tmp_path / "none.onnx")
    write_encoder(tmp_path / "tiny.onnx")
    (tmp_path / "cut.onnx").write_bytes((tmp_path / "tiny.onnx").read_bytes()[:-40])
    with pytest.raises(UserError, match="not a usable ONNX model") as caught:
        Encoder.load(tmp_path / "cut.onnx")
    assert "\n" not in str(caught.value)
    write_encoder(tmp_path / "single.onnx", batch=1)
    with pytest.raises(UserError, match="is no face encoder"):
        Encoder.load(tmp_path / "single.onnx")


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="'gpu': choose cpu or cuda"):
        Encoder.load(device="gpu")
    monkeypatch.setattr(onnx_runtime(), "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(UserError, match="'cuda' is not available"):
        Encoder.load(device="cuda")
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnx_runtime(), "get_available_providers", lambda: both)
    with pytest.raises(UserError, match="CUDAExecutionProvider, but it does not start"):
        Encoder.load(device="cuda")  # as with a driver that is missing


class FullGPU:
    """A session on a GPU whose memory is full."""

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="input")]

    def run(self, *arguments: object) -> list[np.ndarray]:
        raise RuntimeError("Failed to allocate memory for requested buffer of size 9\nmore")


def test_a_gpu_that_fails_is_told_in_a_line(tmp_path: Path) -> None:
    write_encoder(tmp_path / "tiny.onnx")
    encoder = replace(Encoder.load(tmp_path / "tiny.onnx"), session=FullGPU())
    size = encoder.image_size
    with pytest.raises(UserError, match=r"failed on CUDA.* \(Failed to allocate .* size 9\)"):
        encoder.embed(np.zeros((1, size, size, 3), np.uint8))


# Encoders by name ---------------------------------------------------------------------------------

POINTS = ALIGNED_POINTS * 1.3 + 20


def register_tiny(folder: Path, monkeypatch: pytest.MonkeyPatch, **facts: object) -> None:
    """The project's index with an encoder "tiny" in it, its file beside; a MODELS folder of it."""
    write_encoder(folder / "tiny.onnx")
    data = (folder / "tiny.onnx").read_bytes()
    entry = {
        "file": "tiny.onnx", "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data),
        "recipe": "tiny.py", "threshold": 0.3, **facts,
    }  # fmt: skip
    index = artifacts.read_index()
    (folder / "index.json").write_text(json.dumps({**index, "tiny": entry}), "utf-8")
    monkeypatch.setenv("FACEGEN_MODELS", str(folder))


def test_sface_by_its_name(rng: np.random.Generator) -> None:
    sface = Encoder.load("sface", threads=2)
    assert (sface.name, sface.image_size, sface.latent_size) == ("sface", 112, 128)
    assert sface.threshold == pytest.approx(1 - 0.363)
    image = rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    crop = sface.cut(image, POINTS)
    np.testing.assert_array_equal(crop, align_face(image, POINTS))
    latents = sface.embed(np.stack([crop, 255 - crop]))
    np.testing.assert_allclose(np.linalg.norm(latents, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(sface.embed(crop[None])[0], latents[0], atol=1e-5)


def test_facenet_by_its_name_is_the_default(facenet: Encoder, rng: np.random.Generator) -> None:
    named = Encoder.load("facenet", threads=2)
    image = rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    expected = crop_face(image, face_box(POINTS))
    np.testing.assert_array_equal(named.cut(image, POINTS), expected)
    latents = [encoder.embed(expected[None]) for encoder in (facenet, named)]
    np.testing.assert_array_equal(*latents)


def test_names_are_listed_the_default_first() -> None:
    assert encoder_names()[0] == "facenet" and "sface" in encoder_names()


@pytest.mark.parametrize("by", ["name", "path"])
def test_facts_of_a_registered_encoder_are_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    register_tiny(tmp_path, monkeypatch, channels="BGR", offset=10.0, scale=2.0)
    tiny = Encoder.load("tiny" if by == "name" else tmp_path / "tiny.onnx")
    assert (tiny.name, tiny.threshold) == ("tiny", 0.3)
    image = np.zeros((1, 8, 8, 3), np.uint8) + np.array([255, 127, 0], np.uint8)
    expected = (np.array([0, 127, 255]) - 10) / 2
    np.testing.assert_allclose(tiny.embed(image)[0], expected / np.linalg.norm(expected), atol=1e-6)


@pytest.mark.parametrize(
    "facts",
    [{"alignment": "eyes"}, {"channels": "rgb"}, {"scale": 0}, {"offset": "a"}, {"scale": None}],
    ids=str,
)
def test_wrong_facts_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facts: dict[str, object]
) -> None:
    register_tiny(tmp_path, monkeypatch, **facts)
    (value,) = facts.values()
    with pytest.raises(UserError, match=f"'tiny'.*{value!r}"):
        Encoder.load("tiny")


@pytest.mark.parametrize("name", ["sfaze", "backward_anny", ""])
def test_unknown_names_list_the_known_ones(name: str) -> None:
    with pytest.raises(UserError, match=r"facenet, sface|cannot be read"):
        Encoder.load(name)


def test_a_missing_or_damaged_second_encoder_is_to_be_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = (artifacts.models_directory() / "index.json").read_bytes()
    (tmp_path / "index.json").write_bytes(index)
    monkeypatch.setenv("FACEGEN_MODELS", str(tmp_path))
    with pytest.raises(UserError, match=r"sface\.onnx is missing$") as missing:
        Encoder.load("sface")
    (tmp_path / "built").mkdir()
    (tmp_path / "built" / "sface.onnx").write_bytes(b"cut off")
    with pytest.raises(UserError, match=r"truncated, 7 of \d+ bytes$") as damaged:
        Encoder.load("sface")
    assert missing.value.need == damaged.value.need == Need(Remedy.BUILD_ENCODER, "sface")


def test_each_encoder_has_its_own_threshold(tmp_path: Path) -> None:
    assert same_face_threshold() == same_face_threshold("facenet") == 0.51
    assert same_face_threshold("sface") == Encoder.load("sface", threads=1).threshold == 0.637
    write_encoder(tmp_path / "tiny.onnx")
    assert same_face_threshold(tmp_path / "tiny.onnx") == 0.51


def test_a_registered_encoder_may_lie_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its facts are known by its hash, though nothing is built where the index says."""
    register_tiny(tmp_path, monkeypatch, channels="BGR")
    elsewhere = (tmp_path / "tiny.onnx").rename(tmp_path / "copy.onnx")
    assert Encoder.load(elsewhere).intake.channels == "BGR"
    assert find_encoder(elsewhere).key == "tiny"
    with pytest.raises(UserError, match=r"tiny\.onnx is missing"):
        Encoder.load("tiny")


def test_results_of_files_with_one_name_are_kept_apart(tmp_path: Path) -> None:
    keys = set()
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        path = tmp_path / str(number) / "tiny.onnx"
        write_encoder(path, factor=float(number))
        keys.add(find_encoder(path).key)
    assert len(keys) == 2 and all(key.startswith("tiny-") for key in keys)
    assert find_encoder("sface").key == "sface"


def test_an_encoder_that_does_not_fit_b_is_named_with_both_sizes(facenet: Encoder) -> None:
    check_encoder_fits(facenet, 512)
    with pytest.raises(UserError, match=r"gives latents of 128 .*, B takes 512") as caught:
        check_encoder_fits(Encoder.load("sface", threads=1), 512)
    assert caught.value.need == Need(Remedy.AVOID_LATENTS)
