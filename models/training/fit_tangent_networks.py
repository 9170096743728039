# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit small networks on latents with torch; `fit_corrections.py` calls this."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from facegen_addon.arrays import Float32Array
from facegen_addon.artifacts import artifact, read_npz
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.inversion import inversion_cost
from facegen_addon.mapping.perceptron import Perceptron
from models.training.baselines import KernelRidge
from models.training.pairs import Pairs
from models.training.talk_mapping import TALK_NETWORK

Report = Callable[[int, int], None]

WIDTH, DROPOUT, BATCH = 256, 0.1, 128
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 0.02
_STEP_WEIGHT = 0.02
"""Price of a tangent step's squared length, in units of cosine distance: move only what pays."""


class SmallNetwork(nn.Module):
    """The torch side of `Perceptron`, with dropout while it is trained."""

    def __init__(self, inputs: int, outputs: int, width: int = WIDTH) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(inputs, width), nn.Linear(width, outputs)])
        self.scale = math.sqrt(inputs)

    def forward(self, latents: Tensor) -> Tensor:
        """Latents (N, inputs) -> (N, outputs)."""
        hidden = nn.functional.silu(self.layers[0](latents * self.scale))
        result: Tensor = self.layers[1](nn.functional.dropout(hidden, DROPOUT, self.training))
        return result

    def perceptron(self) -> Perceptron:
        """The present weights."""
        layers = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        return Perceptron(
            tuple(layer.weight.detach().numpy().T.copy() for layer in layers),
            tuple(layer.bias.detach().numpy().copy() for layer in layers),
        )


def fit_regression(
    latents: Annotated[Float32Array, "N D"],
    target: Annotated[Float32Array, "N K"],
    seed: int,
    report: Report,
    epochs: int = 120,
) -> Perceptron:
    """Least squares from latents (N, 512) to target (N, K); the best epoch on every tenth row."""
    torch.manual_seed(seed)
    held = torch.arange(len(latents)) % 10 == 0
    x, y = torch.from_numpy(latents), torch.from_numpy(target)
    network = SmallNetwork(x.shape[1], y.shape[1])
    with torch.no_grad():
        network.layers[1].bias.copy_(y.mean(dim=0))
        network.layers[1].weight.mul_(float(y.std()))
    rows, best = torch.nonzero(~held)[:, 0], (math.inf, network.perceptron())

    def loss(part: Tensor) -> Tensor:
        return nn.functional.mse_loss(network(x[part]), y[part]) / y.var()

    for _ in _epochs(network, rows, epochs, lambda part: loss(part).backward(), report):
        with torch.no_grad():
            error = float(nn.functional.mse_loss(network(x[held]), y[held]))
        if error < best[0]:
            best = error, network.perceptron()
    return best[1]


def of_base(base: str, model_name: str, random_pairs: Pairs, talk_path: Path) -> nn.Module | None:
    """One B as a torch module, latents -> z before any projection; None where it has no gradient.

    talk_path: the talk's network, before it is packed.

    The refined grade descends on the surrogates itself: nothing is left to be learned from them.
    """
    if base == "talk_kernel_ridge":
        return _KernelRidgeModule(KernelRidge.fit(random_pairs))
    if base == "talk_network":
        return _PerceptronModule(Perceptron.from_arrays(read_npz(talk_path), TALK_NETWORK))
    if base == "direct":
        return _direct_module(model_name)
    return None


def fit_through(
    base: nn.Module,
    latents: Annotated[Float32Array, "N D"],
    backward: BackwardMapping,
    seed: int,
    report: Report,
    epochs: int = 25,
) -> Perceptron:
    """A tangent network C so that surrogates see B(C(s)) near s, inside the trust region's prices.

    Args:
        base: B; latents: (N, 512) to train on.
    """
    torch.manual_seed(seed)
    ensemble, region, settings = backward.ensemble, backward.region, backward.settings
    base = base.eval().requires_grad_(False)
    x, network = torch.from_numpy(latents), SmallNetwork(latents.shape[1], latents.shape[1])
    with torch.no_grad():
        network.layers[1].weight.mul_(1e-2)
        network.layers[1].bias.zero_()
    low, high = (torch.from_numpy(bound) for bound in (region.low, region.high))

    def descend(rows: Tensor) -> None:
        s = x[rows]
        step = network(s)
        step = step - (step * s).sum(dim=1, keepdim=True) * s
        length = step.norm(dim=1, keepdim=True).clamp_min(1e-9)
        asked = torch.cos(length) * s + torch.sin(length) / length * step
        z = torch.minimum(torch.maximum(base(asked), low), high)
        # The ensemble's gradient is NumPy's, so the cost stands in one place only.
        here = region.around(s.numpy())
        gradient = inversion_cost(ensemble, z.detach().numpy(), s.numpy(), here, settings)[1]
        loss = (z * torch.from_numpy(gradient)).sum() + _STEP_WEIGHT * (length**2).sum()
        (loss / len(rows)).backward()

    for _ in _epochs(network, torch.arange(len(x)), epochs, descend, report):
        pass
    return network.perceptron()


def _epochs(
    network: SmallNetwork,
    rows: Tensor,
    epochs: int,
    descend: Callable[[Tensor], None],
    report: Report,
) -> Iterator[int]:
    """Train, one epoch at each step of the iteration; between them the network is in eval mode."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = epochs * math.ceil(len(rows) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.1
    )
    for epoch in range(epochs):
        network.train()
        for part in rows[torch.randperm(len(rows))].split(BATCH):
            optimiser.zero_grad()
            descend(part)
            optimiser.step()
            schedule.step()
        network.eval()
        report(epoch + 1, epochs)
        yield epoch


class _KernelRidgeModule(nn.Module):
    def __init__(self, ridge: KernelRidge) -> None:
        super().__init__()
        self.latents = torch.from_numpy(ridge.latents)
        self.weights = torch.from_numpy(ridge.weights)
        self.offset = torch.from_numpy(ridge.offset.astype(np.float32))
        self.gamma = ridge.gamma

    def forward(self, latents: Tensor) -> Tensor:
        kernel = torch.exp(-self.gamma * (2 - 2 * latents @ self.latents.T))
        return kernel @ self.weights + self.offset


class _PerceptronModule(nn.Module):
    def __init__(self, perceptron: Perceptron) -> None:
        super().__init__()
        self.weights = [torch.from_numpy(weight) for weight in perceptron.weights]
        self.biases = [torch.from_numpy(bias) for bias in perceptron.biases]

    def forward(self, latents: Tensor) -> Tensor:
        hidden = latents * math.sqrt(latents.shape[1])
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = nn.functional.silu(hidden @ weight + bias)
        return hidden @ self.weights[-1] + self.biases[-1]


def _direct_module(name: str) -> nn.Module:
    """The registered direct network, read back from its ONNX file."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(artifact(f"backward_{name}").read()).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    depth = len(stored) // 2
    # Its first layer has the scale of Perceptron's inputs folded in.
    weights = [stored[f"weight_{i}"].T.astype(np.float32) for i in range(depth)]
    weights[0] = weights[0] / np.float32(math.sqrt(len(weights[0])))
    biases = [stored[f"bias_{i}"].astype(np.float32) for i in range(depth)]
    return _PerceptronModule(Perceptron(tuple(weights), tuple(biases)))
