# SPDX-License-Identifier: GPL-3.0-or-later
"""MTCNN's weights (Zhang et al. 2016), out of the PyPI wheel `facenet-pytorch`.

Nothing else of it is used. They come from research data, so they are in no zip of FaceGen: each
user builds the file, an .npz of the arrays that LAYERS names.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from ..artifacts import artifact, read_file, user_models
from ..atomic_file import replacing
from ..errors import UserError
from .carrier import Carrier, check_hash

DETECTOR = "mtcnn"
"""In models/index.json."""

_FOLDER = "facenet_pytorch/data"
CARRIER = Carrier(
    requirement="facenet-pytorch==2.6.0",
    wheel="facenet_pytorch-2.6.0-py3-none-any.whl",
    wheel_sha256="ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca",
    wheel_bytes=1_881_930,
    member=f"{_FOLDER}/onet.pt",
    member_sha256="165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
)
"""The wheel; its hash says that all of its members are the expected ones."""
WHEEL_START = CARRIER.wheel.partition("-")[0]
"""What the names of such wheels begin with, of whatever version."""


@dataclass(frozen=True)
class Layer:
    """A convolution (kernel columns, kernel rows, inputs, outputs), or a dense layer (inputs,
    outputs); and where in its network's file weights, biases and, if any, slopes below zero begin.
    """

    net: str
    name: str
    shape: tuple[int, ...]
    weight: int
    bias: int
    slope: int | None = None

    def places(self) -> Iterator[tuple[str, int, tuple[int, ...]]]:
        """Each array's name, first byte and shape."""
        yield f"{self.net}_{self.name}_weight", self.weight, self.shape
        yield f"{self.net}_{self.name}_bias", self.bias, self.shape[-1:]
        if self.slope is not None:
            yield f"{self.net}_{self.name}_slope", self.slope, self.shape[-1:]


# Kernels lie there as (columns, rows, inputs, outputs): the networks look at images on their side.
LAYERS = (
    Layer("pnet", "conv1", (3, 3, 3, 10), 27418, 27298, 27250),
    Layer("pnet", "conv2", (3, 3, 10, 16), 1946, 27346, 28506),
    Layer("pnet", "conv3", (3, 3, 16, 32), 8810, 8522, 8658),
    Layer("pnet", "score", (1, 1, 32, 2), 7714, 8794),
    Layer("pnet", "box", (1, 1, 32, 4), 8002, 7978),
    Layer("rnet", "conv1", (3, 3, 3, 28), 4691, 2315, 403019),
    Layer("rnet", "conv2", (3, 3, 28, 48), 354107, 4491, 7987),
    Layer("rnet", "conv3", (2, 2, 48, 64), 8187, 7723, 353323),
    Layer("rnet", "dense", (576, 128), 58379, 353587, 402499),
    Layer("rnet", "score", (128, 2), 57347, 403139),
    Layer("rnet", "box", (128, 4), 2435, 353299),
    Layer("onet", "conv1", (3, 3, 3, 32), 302149, 305613, 379485),
    Layer("onet", "conv2", (3, 3, 32, 64), 305749, 8125, 152085),
    Layer("onet", "conv3", (3, 3, 64, 64), 152349, 20741, 300853),
    Layer("onet", "conv4", (2, 2, 64, 128), 21005, 299813, 300333),
    Layer("onet", "dense", (1152, 256), 379621, 301117, 2973),
    Layer("onet", "score", (256, 2), 18685, 8109),
    Layer("onet", "box", (256, 4), 4005, 2949),
    Layer("onet", "points", (256, 10), 8389, 18637),
)


def build_mtcnn(wheel: Path) -> bytes:
    """The file's bytes from the carrier wheel, the same on every machine.

    UserError if the wheel is missing or another file.
    """
    CARRIER.read(wheel)
    with zipfile.ZipFile(wheel) as archive:
        nets = {net: archive.read(f"{_FOLDER}/{net}.pt") for net in ("pnet", "rnet", "onet")}
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for layer in LAYERS:
            for name, start, shape in layer.places():
                weights = np.frombuffer(nets[layer.net], "<f4", prod(shape), start).reshape(shape)
                stream = io.BytesIO()
                np.lib.format.write_array(stream, weights, version=(1, 0))
                entry = zipfile.ZipInfo(f"{name}.npy")
                entry.create_system = 3  # or it would be another file where Windows writes it
                archive.writestr(entry, stream.getvalue())
    return whole.getvalue()


def build_from_wheel(wheel: Path) -> Path:
    """Build the detector's file into the user's folder; where it lies now.

    UserError if the wheel is missing or another one.
    """
    return _keep(build_mtcnn(wheel), f"MTCNN built from {wheel}")


def take_over(file: Path) -> Path:
    """Copy a built file from another place into the user's folder; where it lies now.

    UserError if the file is missing or not MTCNN's.
    """
    return _keep(read_file(file, f"choose a file built by FaceGen, or {CARRIER.wheel}"), str(file))


def _keep(data: bytes, source: str) -> Path:
    registered = artifact(DETECTOR)
    check_hash(data, registered.sha256, source, f"choose another file, or {CARRIER.wheel}")
    path = user_models() / registered.facts["file"]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)
    return path


def is_there() -> bool:
    """Whether the detector's file has been built; quick, it is not read."""
    try:
        return artifact(DETECTOR).path.is_file()
    except UserError:
        return False
