# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of heads, as JPEG by Blender itself, and what the influence is measured by."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import bpy
import numpy as np

from ...arrays import ByteArray, Float32Array, FloatArray
from ...choices import MEASURING_SIZE
from ...encoders.encoder import Encoder
from ...encoders.face_crop import resize_bilinear
from ...errors import UserError
from ...heads.head_model import HeadModel
from ...heads.wear.outfit import Outfit
from ...mapping.influence import InfluenceSettings, Probe
from ...render_settings import RenderSettings
from .forward import ForwardMapping
from .head_renderer import HeadRenderer
from .studio import pixels

PORTRAIT_SIZE = 96
"""Pixels of a side."""
_PORTRAIT_SHARE = 0.74
"""Of the render's width; the rest is background beside the head. Chosen by eye."""
_QUALITY = 80
"""Of the JPEG, per cent as Blender counts; chosen by eye."""
_SMALLEST_RENDER = 64  # pixels of a side, chosen by eye


def encode_jpeg(image: Annotated[ByteArray, "H W 3"]) -> bytes:
    """The JPEG file of an image (H, W, 3) uint8 RGB."""
    height, width, _ = image.shape
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = image[::-1] / np.float32(255.0)
    block = bpy.data.images.new("FaceGen Portrait", width, height)
    try:
        block.pixels.foreach_set(rgba.ravel())
        block.file_format = "JPEG"
        with tempfile.TemporaryDirectory(prefix="facegen-") as folder:
            path = Path(folder) / "portrait.jpg"
            block.save(filepath=str(path), quality=_QUALITY)
            return path.read_bytes()
    finally:
        bpy.data.images.remove(block)


def decode_jpeg(data: bytes) -> Annotated[ByteArray, "H W 3"]:
    """The image (H, W, 3) uint8 RGB in a JPEG file; UserError if it holds none."""
    with tempfile.TemporaryDirectory(prefix="facegen-") as folder:
        path = Path(folder) / "portrait.jpg"
        path.write_bytes(data)
        block = bpy.data.images.load(str(path))
        try:
            if not min(block.size) or not block.has_data:
                raise UserError("a portrait is no JPEG: measure the influence again")
            return pixels(block)
        finally:
            bpy.data.images.remove(block)


@contextmanager
def render_probe(
    model: HeadModel,
    settings: InfluenceSettings,
    threads: int = 0,
    encoder: Path | str | None = None,
) -> Iterator[Probe]:
    """F and portraits by Cycles and an encoder, on ``threads`` threads (0: one per core).

    ``encoder`` as in Encoder.load.
    """
    loaded = Encoder.load(encoder, threads=threads)
    with HeadRenderer(
        model, RenderSettings(samples=settings.samples, size=MEASURING_SIZE, face_only=True)
    ) as renderer:
        render = bpy.data.scenes[renderer.scene_name].render
        if threads:
            render.threads_mode, render.threads = "FIXED", threads
        forward = ForwardMapping(renderer, loaded)

        def embed(parameters: FloatArray, seed: int) -> Float32Array:
            renderer.reseed(seed, face_only=True)
            return forward.embed_heads(parameters)

        def portrait(parameters: FloatArray) -> bytes:
            renderer.reseed(settings.seed, face_only=False)
            return encode_jpeg(framed(renderer.render(parameters).image))

        yield Probe(embed, portrait)


def portraits(
    model: HeadModel,
    parameters: Annotated[FloatArray, "N P"],
    *,
    size: int = 160,
    samples: int = 24,
    device: str = "auto",
    outfit: Outfit | None = None,
) -> Generator[Annotated[ByteArray, "S S 3"], None, None]:
    """A portrait (size, size, 3) uint8 of each head of ``parameters`` (N, P), by Cycles.

    ``device`` as in RenderSettings; ``outfit``: what all of them wear. Closed before its end, it
    leaves nothing behind.
    """
    width = max(_SMALLEST_RENDER, round(size / _PORTRAIT_SHARE))
    settings = RenderSettings(samples=samples, size=width, device=device)
    with HeadRenderer(model, settings, outfit) as renderer:
        for row in parameters:
            yield framed(renderer.render(row).image, size)


def framed(
    image: Annotated[ByteArray, "S S 3"], side: int = PORTRAIT_SIZE
) -> Annotated[ByteArray, "side side 3"]:
    """The head's part of a render (S, S, 3) as a portrait (side, side, 3); always the same part,
    so that two portraits can be compared."""
    size = len(image)
    width = round(_PORTRAIT_SHARE * size)
    left = (size - width) // 2
    square = image[left : left + width, left : left + width]
    return resize_bilinear(square, side, side)
