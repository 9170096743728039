# SPDX-License-Identifier: GPL-3.0-or-later
"""An ensemble of small networks that stand in for the forward mapping F while it is inverted.

Each member maps standardised guided parameters to a unit latent and was fitted to rendered heads.
Members agree where renders taught them and disagree elsewhere, so their disagreement marks the
region in which they can be trusted. Gradients are written out by hand: run time has no autograd.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import AnyArray, Float32Array, RealArray
from ..artifacts import load_npz
from ..errors import Need, Remedy, UserError


@dataclass(frozen=True)
class Tape:
    """What `backward` needs from a forward pass: inputs and slopes of each layer, output norms."""

    slopes: tuple[Float32Array, ...]
    members: Float32Array
    norms: Float32Array


@dataclass(frozen=True)
class SurrogateEnsemble:
    """M networks G -> W -> ... -> 512 with SiLU and identity shortcuts, stacked along axis 0.

    Attributes:
        weights: one (M, inputs, outputs) float32 array a layer.
        biases: one (M, 1, outputs) float32 array a layer.
    """

    weights: tuple[Float32Array, ...]
    biases: tuple[Float32Array, ...]

    @classmethod
    def load(cls, name: str) -> SurrogateEnsemble:
        """The registered ensemble of the head model `name`; UserError if missing or damaged."""
        return cls.from_arrays(load_npz(f"surrogate_{name}"))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray]) -> SurrogateEnsemble:
        """Take `weight_0`, `bias_0`, `weight_1`, ...; UserError where shapes do not chain."""
        depth = sum(name.startswith("weight_") for name in arrays)
        try:
            weights = tuple(np.asarray(arrays[f"weight_{i}"], np.float32) for i in range(depth))
            biases = tuple(np.asarray(arrays[f"bias_{i}"], np.float32) for i in range(depth))
            _check_chain(weights, biases)
        except (KeyError, ValueError) as error:
            fault = f"not a surrogate ensemble ({error})"
            raise UserError(fault, Need(Remedy.RETRAIN)) from None
        return cls(weights, biases)

    def arrays(self) -> dict[str, AnyArray]:
        """The weights as `from_arrays` takes them, in half precision for storage."""
        named = {f"weight_{i}": weight for i, weight in enumerate(self.weights)}
        named |= {f"bias_{i}": bias for i, bias in enumerate(self.biases)}
        return {name: array.astype(np.float16) for name, array in named.items()}

    @property
    def inputs(self) -> int:
        """G, the number of guided parameters."""
        return int(self.weights[0].shape[1])

    def predict(
        self, z: Annotated[RealArray, "N G"]
    ) -> tuple[Annotated[Float32Array, "N D"], Annotated[Float32Array, "M N D"]]:
        """Predict latents of heads.

        Args:
            z: (N, G) standardised guided parameters.

        Returns:
            the members' normalised mean (N, 512) and the members (M, N, 512), all of unit norm.
        """
        members = self.forward(z).members
        mean = members.mean(axis=0)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True), members

    def forward(self, z: Annotated[RealArray, "N G"]) -> Tape:
        """Evaluate all members at z (N, G) and keep what `backward` needs."""
        hidden, slope = _silu(np.asarray(z, np.float32) @ self.weights[0] + self.biases[0])
        slopes = [slope]
        for weight, bias in zip(self.weights[1:-1], self.biases[1:-1], strict=True):
            step, slope = _silu(hidden @ weight + bias)
            hidden += step
            slopes.append(slope)
        raw = hidden @ self.weights[-1] + self.biases[-1]
        norms = np.sqrt(np.einsum("mnk,mnk->mn", raw, raw))[..., None]
        raw /= norms
        return Tape(tuple(slopes), raw, norms)

    def backward(
        self, tape: Tape, gradient: Annotated[RealArray, "M N D"]
    ) -> Annotated[Float32Array, "N G"]:
        """Pull a gradient with respect to the unit latents (M, N, 512) back to z: (N, G)."""
        radial = np.einsum("mnk,mnk->mn", gradient, tape.members)[..., None]
        flow = ((gradient - radial * tape.members) / tape.norms) @ self.weights[-1].swapaxes(1, 2)
        for weight, slope in zip(self.weights[-2:0:-1], tape.slopes[:0:-1], strict=True):
            flow += (flow * slope) @ weight.swapaxes(1, 2)
        flow *= tape.slopes[0]
        result: Float32Array = (flow @ self.weights[0].swapaxes(1, 2)).sum(axis=0)
        return result


def _silu(x: Float32Array) -> tuple[Float32Array, Float32Array]:
    """x * sigmoid(x) and its derivative; tanh keeps large negative x from overflowing."""
    gate = 0.5 * np.tanh(0.5 * x) + np.float32(0.5)
    value = x * gate
    return value, gate + value * (1 - gate)


def _check_chain(weights: tuple[Float32Array, ...], biases: tuple[Float32Array, ...]) -> None:
    if len(weights) < 2:
        raise ValueError("fewer than two layers")
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if weight.ndim != 3 or bias.shape != (weight.shape[0], 1, weight.shape[2]):
            raise ValueError(f"layer {i} has weights {weight.shape} and biases {bias.shape}")
        if i and weight.shape[:2] != (weights[0].shape[0], weights[i - 1].shape[2]):
            raise ValueError(f"layer {i} of shape {weight.shape} does not follow layer {i - 1}")
        if 0 < i < len(weights) - 1 and weight.shape[1] != weight.shape[2]:
            raise ValueError(f"hidden layer {i} of shape {weight.shape} has no identity shortcut")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ValueError(f"layer {i} holds NaN or infinite weights")
