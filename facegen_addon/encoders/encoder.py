# SPDX-License-Identifier: GPL-3.0-or-later
"""Images to latents: FaceNet, or another encoder by name or file, on ONNX Runtime."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from ..arrays import ByteArray, Float32Array, FloatArray, RealArray
from ..artifacts import CPU_PROVIDERS, artifact, open_onnx, providers_of, read_file, read_index
from ..errors import Need, Remedy, UserError
from .crop_jitter import AS_OURS, CropJitter
from .face_crop import align_face, aligned_box, crop_face, face_box

if TYPE_CHECKING:
    from ..onnx_runtime import InferenceSession

DEFAULT_ENCODER = "facenet"

# Enough images at once to keep the cores busy, few enough to need little memory.
CHUNK = 16

_ALIGNMENTS = ("box", "five_points")
_CHANNELS = ("RGB", "BGR")


def same_face_threshold(encoder: Path | str | None = None) -> float:
    """The cosine distance below which an encoder, by default FaceNet, reads latents as one face.

    UserError if there is no such encoder, see `find_encoder`.
    """
    return find_encoder(encoder).threshold


def encoder_names() -> list[str]:
    """Names of the registered encoders, the default first."""
    names = [name for name, facts in read_index().items() if "threshold" in facts]
    return sorted(names, key=lambda name: (name != DEFAULT_ENCODER, name))


@dataclass(frozen=True)
class Intake:
    """What an encoder wants of an image: facts of its entry in models/index.json.

    `alignment`: "box", upright and stretched to a square, or "five_points", turned and scaled;
    `channels`: "RGB" or "BGR"; a grey level x goes in as (x - offset) / scale. The defaults are
    FaceNet's.
    """

    alignment: str = "box"
    channels: str = "RGB"
    offset: float = 127.5
    scale: float = 128.0

    @classmethod
    def of(cls, name: str, facts: dict[str, Any]) -> Intake:
        """Read and check the facts of the encoder called `name`; UserError names a wrong one."""
        own = {key: facts[key] for key in cls.__dataclass_fields__ if key in facts}
        intake = cls(**own)
        numbers = all(isinstance(x, int | float) for x in (intake.offset, intake.scale))
        if (
            intake.alignment not in _ALIGNMENTS
            or intake.channels not in _CHANNELS
            or not (numbers and intake.scale > 0)
        ):
            raise UserError(
                f"models/index.json: encoder {name!r} has {own}: alignment must be one of"
                f" {', '.join(_ALIGNMENTS)}, channels one of {', '.join(_CHANNELS)}, offset and"
                " scale numbers, scale above 0"
            )
        return intake


@dataclass(frozen=True)
class EncoderSource:
    """Which encoder is meant, found by `find_encoder` without loading it.

    `facts` are those of its entry in models/index.json, or the default encoder's.
    """

    name: str
    path: Path
    sha256: str
    facts: dict[str, Any]
    registered: bool

    @property
    def threshold(self) -> float:
        """The cosine distance below which two of its latents read as one face."""
        return float(self.facts["threshold"])

    @property
    def key(self) -> str:
        """What results of this encoder are filed under: its name, unless another could share it."""
        return self.name if self.registered else f"{self.name}-{self.sha256[:12]}"

    def read(self) -> bytes:
        """The bytes; UserError if the file is missing, or not the one registered for its place."""
        if not self.registered or self.path != artifact(self.name).path:
            return read_file(self.path, _FILE_REMEDY)
        return artifact(self.name).read()


_FILE_REMEDY = "give the path of an encoder's .onnx file"


def find_encoder(encoder: Path | str | None = None) -> EncoderSource:
    """The default encoder, a registered one by its name, or the one in the `.onnx` file given.

    UserError if there is no such name and no such file.
    """
    if encoder is None:
        encoder = DEFAULT_ENCODER
    if isinstance(encoder, str) and encoder in encoder_names():
        entry = artifact(encoder)
        return EncoderSource(encoder, entry.path, entry.sha256, entry.facts, registered=True)
    path = Path(encoder)
    if isinstance(encoder, str) and path.suffix != ".onnx" and not path.exists():
        raise UserError(
            f"unknown encoder {encoder!r}: choose {', '.join(encoder_names())}, or {_FILE_REMEDY}"
        )
    digest = hashlib.sha256(read_file(path, _FILE_REMEDY)).hexdigest()
    for name in encoder_names():
        entry = artifact(name)
        if entry.sha256 == digest:
            return EncoderSource(name, path, digest, entry.facts, registered=True)
    facts = artifact(DEFAULT_ENCODER).facts
    return EncoderSource(path.stem, path, digest, facts, registered=False)


@dataclass(frozen=True)
class Encoder:
    """A face encoder; make one with `Encoder.load`.

    `threshold` is the cosine distance below which two latents read as the same face, from
    models/index.json; an encoder that is not registered there has the default encoder's, to be
    overridden by the distance that the user demands. `intake` says how a face is cut and scaled.
    """

    name: str
    threshold: float
    image_size: int
    latent_size: int
    session: InferenceSession
    intake: Intake = field(default_factory=Intake)

    @classmethod
    def load(
        cls, encoder: Path | str | None = None, *, threads: int = 0, device: str = "cpu"
    ) -> Encoder:
        """The default encoder, a registered one by its name, or the one in an `.onnx` file.

        Of registered ones the hash is checked. `threads` 0 means one per core; `device` is "cpu"
        or "cuda". UserError if there is no such name, the file is missing, damaged or no encoder,
        or the device is not available.
        """
        source = find_encoder(encoder)
        intake = Intake.of(source.name, source.facts)
        session = open_onnx(
            source.read(), source.path, threads=threads, providers=providers_of(device)
        )
        image_size, latent_size = _interface(session, source.path)
        return cls(source.name, source.threshold, image_size, latent_size, session, intake)

    def cut(
        self,
        image: Annotated[ByteArray, "H W 3"],
        points: Annotated[RealArray, "5 2"],
        jitter: CropJitter = AS_OURS,
    ) -> Annotated[ByteArray, "S S 3"]:
        """The face in `image` (H, W, 3) uint8 RGB as this encoder wants it, (S, S, 3) uint8.

        `points` (5, 2) pixels as in face_crop.face_box, whose errors these are; with a jitter, as
        another detector would have found it.
        """
        if self.intake.alignment == "five_points":
            return align_face(image, _moved(points, jitter), self.image_size)
        return crop_face(image, _box(points, jitter), self.image_size)

    def extent(
        self, points: Annotated[RealArray, "5 2"], jitter: CropJitter = AS_OURS
    ) -> Annotated[FloatArray, "4"]:
        """The part of an image that `cut` looks at, (4,) pixels x0, y0, x1, y1, not clipped."""
        if self.intake.alignment == "five_points":
            return aligned_box(_moved(points, jitter))
        return _box(points, jitter)

    def embed(self, images: Annotated[ByteArray, "N S S 3"]) -> Annotated[Float32Array, "N D"]:
        """Face crops (N, S, S, 3) uint8 RGB -> latents (N, latent_size) float32, unit norm.

        S is `image_size`, 160 for FaceNet; `cut` makes such crops. UserError on any other shape
        or type.
        """
        size = self.image_size
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
            raise UserError(f"images to embed must be uint8, not {getattr(images, 'dtype', None)}")
        if images.ndim != 4 or images.shape[1:] != (size, size, 3):
            raise UserError(
                f"images of shape {images.shape}: {self.name} takes (N, {size}, {size}, 3) crops,"
                " see Encoder.cut"
            )
        latents = np.empty((len(images), self.latent_size), dtype=np.float32)
        for start in range(0, len(images), CHUNK):
            latents[start : start + CHUNK] = self._embed_chunk(images[start : start + CHUNK])
        return latents

    def _embed_chunk(self, images: ByteArray) -> Float32Array:
        intake = self.intake
        ordered = images if intake.channels == "RGB" else images[..., ::-1]
        levels = ordered.transpose(0, 3, 1, 2).astype(np.float32)
        pixels = (levels - np.float32(intake.offset)) / np.float32(intake.scale)
        latents = self._run(pixels)
        norms = np.linalg.norm(latents, axis=1, keepdims=True)
        if not (np.isfinite(norms).all() and (norms > 0).all()):
            raise UserError(f"encoder {self.name} gave NaN or zero latents: choose another one")
        return latents / norms

    def _run(self, pixels: Annotated[Float32Array, "N 3 S S"]) -> Annotated[Float32Array, "N D"]:
        """The network's answers; UserError if a GPU that it runs on fails."""
        try:
            (latents,) = self.session.run(None, {self.session.get_inputs()[0].name: pixels})
        # ONNX Runtime has a dozen unrelated types for what may go wrong, all below Exception.
        except Exception as error:
            device = self.session.get_providers()[0]
            if device in CPU_PROVIDERS:
                raise
            raise UserError(
                f"the encoder failed on {device} ({str(error).splitlines()[0]}): free the GPU's"
                " memory, see to its driver, or choose the encoder device cpu"
            ) from None
        return np.asarray(latents)


def _moved(points: RealArray, jitter: CropJitter) -> RealArray:
    return points if jitter == AS_OURS else jitter.of_points(points, face_box(points))


def _box(points: RealArray, jitter: CropJitter) -> FloatArray:
    box = face_box(points)
    return box if jitter == AS_OURS else jitter.of_box(box)


def check_encoder_fits(encoder: Encoder, latent_size: int) -> None:
    """UserError unless the encoder's latents have the size of those that B was fitted to."""
    if encoder.latent_size != latent_size:
        raise UserError(
            f"encoder {encoder.name} gives latents of {encoder.latent_size} numbers, B takes"
            f" {latent_size}; use the encoder {DEFAULT_ENCODER}",
            Need(Remedy.AVOID_LATENTS),
        )


def _interface(session: InferenceSession, path: Path) -> tuple[int, int]:
    """Image and latent size of an encoder; UserError if the model does not look like one."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) == len(outputs) == 1 and inputs[0].type == "tensor(float)":
        shape, latent_shape = inputs[0].shape, outputs[0].shape
        batched = len(shape) == 4 and len(latent_shape) == 2 and not isinstance(shape[0], int)
        square = batched and shape[1] == 3 and shape[2] == shape[3]
        if square and isinstance(shape[2], int) and isinstance(latent_shape[1], int):
            return shape[2], latent_shape[1]
    raise UserError(
        f"{path} is no face encoder: its input must be (N, 3, S, S) float32 and its output (N, D);"
        f" {_FILE_REMEDY}"
    )
