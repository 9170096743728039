# SPDX-License-Identifier: GPL-3.0-or-later
"""A head model of five vertices and four parameters, with a renderer and an encoder to match."""

from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from facegen_addon.errors import RejectedSample
from facegen_addon.heads.parameters import Parameter, ParameterTable
from facegen_addon.heads.rig import JointSliders
from facegen_addon.mapping.influence import Probe

TABLE = ParameterTable(
    [
        Parameter("strong", "Strong", "shape", -3.0, 3.0, 0.0, 1.0, "", True),
        Parameter("weak", "Weak", "shape", -1.0, 1.0, 0.0, 0.2, "", True),
        Parameter("idle", "Idle", "shape", 0.0, 1.0, 0.5, 0.1, "", True),
        Parameter("turn", "Turn", "pose", -0.8, 0.8, 0.0, 0.0, "rad", False),
    ]
)
MILLIMETRES = np.array([2.0, 0.5, 0.0, 10.0])
"""By which each parameter moves the skin along x, per unit."""
LATENT_SCALE = np.array([0.2, 0.05, 0.0, 0.1])
NOISE = 0.02
"""Standard deviation of each of the last 64 numbers of a latent before it is normalised."""


class ToyHead:
    """Vertices 0 to 3 are skin and move along x; vertex 4 is an eye and moves ten times as far."""

    name = "toy"
    table = TABLE
    joint_sliders: ClassVar[dict[str, JointSliders]] = {}
    surface = SimpleNamespace(
        faces=np.array([[0, 1, 2], [1, 2, 3]], np.int32),
        part=np.array([0, 0, 0, 0, 1], np.int8),
        part_names=("skin", "eye_left"),
    )

    def __init__(self, millimetres: np.ndarray = MILLIMETRES) -> None:
        self.millimetres = millimetres

    def forward(self, parameters: np.ndarray) -> np.ndarray:
        """(N, P) or (P,) -> (N, 5, 3) metres."""
        offset = np.atleast_2d(parameters) @ self.millimetres / 1000.0
        vertices = np.zeros((len(offset), 5, 3), np.float32)
        vertices[:, :4, 0] = offset[:, None] * [1.0, 1.0, 1.0, 2.0]
        vertices[:, 4, 0] = 10.0 * offset
        return vertices

    def sample_prior(self, rng: np.random.Generator, n: int) -> np.ndarray:
        values = TABLE.mean + TABLE.std * rng.standard_normal((n, len(TABLE)))
        return np.clip(values, TABLE.minimum, TABLE.maximum)


def toy_probe(noise: float = 0.0) -> Probe:
    """Latents turn with the parameters; the renderer's noise depends on its seed alone."""

    def embed(parameters: np.ndarray, seed: int) -> np.ndarray:
        if (np.abs(parameters[:, 3]) > 0.39).any() and (parameters[:, 0] > 0.5).any():
            raise RejectedSample("turned away")
        latents = np.zeros((len(parameters), 512))
        latents[:, 0] = 1.0
        latents[:, 1:5] = parameters * LATENT_SCALE
        latents[:, -64:] = noise * np.random.default_rng(seed).standard_normal(64)
        return (latents / np.linalg.norm(latents, axis=1, keepdims=True)).astype(np.float32)

    def portrait(parameters: np.ndarray) -> bytes:
        return b"JPEG of " + np.asarray(parameters).tobytes()

    return Probe(embed, portrait)
