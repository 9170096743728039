# SPDX-License-Identifier: GPL-3.0-or-later
"""A small network of plain layers with SiLU between them, evaluated by NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import AnyArray, Float32Array, RealArray
from ..errors import Need, Remedy, UserError


@dataclass(frozen=True)
class Perceptron:
    """weights: one (inputs, outputs) a layer; biases: one (outputs,) a layer.

    Inputs are unit latents, whose components of about 0.04 are scaled to about 1 first.
    """

    weights: tuple[Float32Array, ...]
    biases: tuple[Float32Array, ...]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray], prefix: str) -> Perceptron:
        """Take `{prefix}weight_0`, `{prefix}bias_0`, ...; UserError where they do not chain."""
        depth = sum(name.startswith(f"{prefix}weight_") for name in arrays)
        try:
            weights, biases = (
                tuple(np.asarray(arrays[f"{prefix}{part}_{i}"], np.float32) for i in range(depth))
                for part in ("weight", "bias")
            )
        except KeyError as error:
            raise UserError(f"a network lacks {error}", Need(Remedy.RETRAIN)) from None
        outputs = [weight.shape[-1] for weight in weights]
        chained = all(
            weight.ndim == 2 and bias.shape == weight.shape[1:]
            for weight, bias in zip(weights, biases, strict=True)
        ) and all(
            weight.shape[0] == size for weight, size in zip(weights[1:], outputs, strict=False)
        )
        if not (weights and chained):
            fault = f"the layers of {prefix or 'a network'} do not chain"
            raise UserError(fault, Need(Remedy.RETRAIN))
        return cls(weights, biases)

    def arrays(self, prefix: str) -> dict[str, AnyArray]:
        """The weights as `from_arrays` takes them, in half precision for storage."""
        named = {f"{prefix}weight_{i}": weight for i, weight in enumerate(self.weights)}
        named |= {f"{prefix}bias_{i}": bias for i, bias in enumerate(self.biases)}
        return {name: array.astype(np.float16) for name, array in named.items()}

    def predict(self, latents: Annotated[RealArray, "N D"]) -> Annotated[Float32Array, "N K"]:
        """Latents (N, D) -> outputs (N, K)."""
        hidden = np.asarray(latents, np.float32) * np.float32(np.sqrt(latents.shape[1]))
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = hidden @ weight + bias
            hidden *= 0.5 * np.tanh(0.5 * hidden) + np.float32(0.5)
        result: Float32Array = hidden @ self.weights[-1] + self.biases[-1]
        return result
