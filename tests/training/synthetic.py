# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for rendering and FaceNet in closed form, so that training is tested in seconds.

Only tests use it: no committed artifact may come from it.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from facegen_addon.heads.parameters import Parameter, ParameterTable

GROUPS = ("skull", "forehead", "ears", "iris", "nose", "mouth", "eyes", "skin")


def synthetic_table(guided: int = 24) -> ParameterTable:
    """`guided` guided parameters of range +-3 deviations in eight groups, and a pose parameter."""
    parameters = [
        Parameter(f"p{i}", f"P {i}", GROUPS[i % len(GROUPS)], -1.0, 1.0, 0.0, 1 / 3, "", True)
        for i in range(guided)
    ]
    pose = Parameter("yaw", "Yaw", "pose", -0.5, 0.5, 0.0, 0.0, "rad", False)
    return ParameterTable([*parameters, pose])


@dataclass(frozen=True)
class SyntheticHead:
    """What training needs of a head model."""

    table: ParameterTable
    name: str = "synthetic"
    sources: ClassVar[dict[str, str]] = {}

    def sample_prior(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return self.table.from_standardised(rng.normal(size=(n, len(self.table.guided))))

    def forward(self, parameters: np.ndarray) -> np.ndarray:
        """Vertices (N, V, 3): a guided parameter each is a coordinate, in decimetres."""
        guided = parameters[:, self.table.guided]
        return 0.1 * guided.reshape(len(parameters), -1, 3)

    def attributes(self, parameters: np.ndarray) -> np.ndarray | None:
        return None


class SyntheticForward:
    """A fixed random two-layer network onto the sphere, its outputs around one mean direction."""

    def __init__(self, table: ParameterTable, width: int = 200, offset: float = 0.8) -> None:
        rng = np.random.default_rng(1234)
        inputs = len(table.guided)
        self._table = table
        self._first = rng.normal(0, 0.7 * inputs**-0.5, (inputs, width))
        self._bias = rng.normal(0, 0.5, width)
        self._second = rng.normal(0, width**-0.5, (width, 512))
        self._mean = offset * rng.normal(0, 1 / 2, 512)

    def __call__(self, parameters: np.ndarray) -> np.ndarray:
        """Parameters (N, P) -> latents (N, 512) float32 of unit norm."""
        hidden = np.tanh(self._table.standardise(parameters) @ self._first + self._bias)
        raw = hidden @ self._second + self._mean
        return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
