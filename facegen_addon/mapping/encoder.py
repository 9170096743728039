# SPDX-License-Identifier: GPL-3.0-or-later
"""Images to latents: FaceNet, or an encoder of the same interface, on ONNX Runtime."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..artifacts import CPU_PROVIDERS, artifact, open_onnx, read_file, read_index
from ..errors import UserError

if TYPE_CHECKING:
    import onnxruntime

DEFAULT_ENCODER = "facenet"

# Enough images at once to keep the cores busy, few enough to need little memory.
CHUNK = 16


def same_face_threshold() -> float:
    """The cosine distance below which the default encoder reads two latents as one face."""
    return float(artifact(DEFAULT_ENCODER).facts["threshold"])


@dataclass(frozen=True)
class Encoder:
    """A face encoder; make one with `Encoder.load`.

    `threshold` is the cosine distance below which two latents read as the same face, from
    models/index.json; an encoder that is not registered there has the default encoder's, to be
    overridden by the distance that the user demands.
    """

    name: str
    threshold: float
    image_size: int
    latent_size: int
    session: onnxruntime.InferenceSession

    @classmethod
    def load(
        cls, path: Path | str | None = None, *, threads: int = 0, device: str = "cpu"
    ) -> Encoder:
        """The default encoder, its hash checked, or the one in the `.onnx` file at `path`.

        `threads` 0 means one per core; `device` is "cpu" or "cuda". UserError if the file is
        missing, damaged or no encoder, or the device is not available.
        """
        registered = artifact(DEFAULT_ENCODER)
        if path is None:
            path, data = registered.path, registered.read()
            name, facts = DEFAULT_ENCODER, registered.facts
        else:
            path = Path(path)
            data = read_file(path, "give the path of an encoder's .onnx file")
            name, facts = _identify(path, data, registered.facts)
        session = open_onnx(data, path, threads=threads, providers=_providers(device))
        image_size, latent_size = _interface(session, path)
        return cls(name, float(facts["threshold"]), image_size, latent_size, session)

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Face crops (N, S, S, 3) uint8 RGB -> latents (N, latent_size) float32, unit norm.

        S is `image_size`, 160 for FaceNet. UserError on any other shape or type.
        """
        size = self.image_size
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
            raise UserError(f"images to embed must be uint8, not {getattr(images, 'dtype', None)}")
        if images.ndim != 4 or images.shape[1:] != (size, size, 3):
            raise UserError(
                f"images of shape {images.shape}: {self.name} takes (N, {size}, {size}, 3) crops,"
                " see mapping.face_crop.crop_face"
            )
        latents = np.empty((len(images), self.latent_size), dtype=np.float32)
        for start in range(0, len(images), CHUNK):
            latents[start : start + CHUNK] = self._embed_chunk(images[start : start + CHUNK])
        return latents

    def _embed_chunk(self, images: np.ndarray) -> np.ndarray:
        pixels = (images.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 128
        (latents,) = self.session.run(None, {self.session.get_inputs()[0].name: pixels})
        norms = np.linalg.norm(latents, axis=1, keepdims=True)
        if not (np.isfinite(norms).all() and (norms > 0).all()):
            raise UserError(f"encoder {self.name} gave NaN or zero latents: build its file again")
        return latents / norms


def _identify(path: Path, data: bytes, default_facts: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and facts of an encoder's file: its own if registered, else the default's facts."""
    digest = hashlib.sha256(data).hexdigest()
    for name, facts in read_index().items():
        if facts.get("sha256") == digest and "threshold" in facts:
            return name, facts
    return path.stem, default_facts


def _providers(device: str) -> tuple[str, ...]:
    if device == "cpu":
        return CPU_PROVIDERS
    if device != "cuda":
        raise UserError(f"unknown encoder device {device!r}: choose cpu or cuda")
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise UserError(
            "encoder device 'cuda' is not available: install onnxruntime-gpu, or choose cpu"
        )
    return ("CUDAExecutionProvider", *CPU_PROVIDERS)


def _interface(session: onnxruntime.InferenceSession, path: Path) -> tuple[int, int]:
    """Image and latent size of an encoder; UserError if the model does not look like one."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) == len(outputs) == 1 and inputs[0].type == "tensor(float)":
        shape, latent_shape = inputs[0].shape, outputs[0].shape
        batched = len(shape) == 4 and len(latent_shape) == 2 and not isinstance(shape[0], int)
        square = batched and shape[1] == 3 and shape[2] == shape[3]
        if square and isinstance(shape[2], int) and isinstance(latent_shape[1], int):
            return shape[2], latent_shape[1]
    raise UserError(
        f"{path} is no face encoder: its input must be (N, 3, S, S) float32 and its output (N, D),"
        " as models/recipes/export_facenet.py writes them"
    )
