# SPDX-License-Identifier: GPL-3.0-or-later
"""Pointers of Git LFS and pages of the web in the place of files, wherever files are given."""

from collections.abc import Callable
from pathlib import Path

import pytest

from batch.dataset.recipe import Recipe
from facegen_addon.artifacts import read_npz
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.encoders.facenet_file import build_from_wheel, take_over
from facegen_addon.errors import UserError
from facegen_addon.heads.exchange.slider_file import read_slider_file
from facegen_addon.heads.flame.file import read_flame_file
from facegen_addon.heads.landmarks import read_landmark_embedding

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)
PAGE = b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body></body></html>\n"

READERS: dict[str, Callable[[Path], object]] = {
    "model.pkl": read_flame_file,
    "model.npz": read_flame_file,
    "arrays.npz": read_npz,
    "encoder.onnx": Encoder.load,
    "facenet.onnx": take_over,
    "facenet.whl": build_from_wheel,
    "landmark_embedding.npy": lambda file: read_landmark_embedding(file, 9),
    "sliders.json": read_slider_file,
    "sliders.npz": read_slider_file,
    "recipe.toml": lambda file: Recipe.read(str(file)),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("data", "said"),
    [(POINTER, "is a Git LFS pointer, .*`git lfs pull`"), (PAGE, "is a web page .*download it")],
)
def test_what_stands_in_for_a_file_is_called_what_it_is(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(UserError, match=f"{name} {said}") as caught:
        READERS[name](file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("folder", "name", "said"),
    [
        ("models", "generic_model.pkl", "is a Git LFS pointer"),
        ("models", "flame2023.pkl", "is a web page"),
    ],
)
def test_the_models_of_the_field_are_called_what_they_are(
    shared_cases: Path, folder: str, name: str, said: str
) -> None:
    with pytest.raises(UserError, match=f"{name} {said}"):
        read_flame_file(shared_cases / folder / name)
