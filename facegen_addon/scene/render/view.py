# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads F for commands and training scripts. Imports bpy only to render."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from ...arrays import Float32Array, FloatArray
from ...choices import MEASURING_SIZE
from ...encoders.encoder import DEFAULT_ENCODER, Encoder
from ...heads.head_model import HeadModel

Forward = Callable[[Annotated[FloatArray, "N P"]], Annotated[Float32Array, "N D"]]
"""Parameters (N, P) -> latents (N, D), unit norm; D is 512 for FaceNet."""


@dataclass(frozen=True)
class View:
    """The encoders and the render by which F sees a head; by default those of the training pairs.

    Latents of several `encoders` (names or files) lie side by side; `light` as in RenderSettings,
    `seed` of the renderer's noise.
    """

    encoders: tuple[str, ...] = (DEFAULT_ENCODER,)
    light: str = "studio"
    seed: int = 0


def load_forward(model: HeadModel, samples: int, threads: int, view: View) -> Forward:
    """F by Blender and the view's encoders, on `threads` threads."""
    # Imported here: only processes that render need bpy.
    import bpy

    from ...render_settings import RenderSettings
    from .forward import ForwardMapping
    from .head_renderer import HeadRenderer

    encoders = [Encoder.load(name, threads=threads) for name in view.encoders]
    settings = RenderSettings(
        samples=samples, size=MEASURING_SIZE, seed=view.seed, light=view.light, face_only=True
    )
    renderer = HeadRenderer(model, settings)
    for scene in bpy.data.scenes:
        scene.render.threads_mode, scene.render.threads = "FIXED", threads
    return ForwardMapping(renderer, *encoders).embed_heads
