# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit the surrogate ensemble and the direct network with torch; `train_backward.py` calls this."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from facegen_addon.arrays import BoolArray, RealArray
from facegen_addon.mapping.inversion import InversionSettings, TrustRegion, inversion_cost
from facegen_addon.mapping.surrogate import SurrogateEnsemble
from facegen_addon.random_streams import random_stream
from models.training.gaussian_process import GaussianProcess, heads_between
from models.training.pairs import Pairs
from models.training.relevance import relevance

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class SurrogateOptions:
    """Shape and training of the ensemble.

    taught: heads that a Gaussian process labels, for each pair; pairs count twice beside them.
    """

    members: int = 3
    width: int = 768
    epochs: int = 20
    taught: int = 2
    batch: int = 256
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    input_noise: float = 0.05
    held_out_share: float = 0.05
    seed: int = 0


class StackedNetworks(nn.Module):
    """M networks trained at once, in the layout of `SurrogateEnsemble`.

    They see z times `scales` (G,), and their ensemble z itself.
    """

    scales: Tensor

    def __init__(self, weights: list[Tensor], biases: list[Tensor], scales: Tensor) -> None:
        super().__init__()
        self.weights = nn.ParameterList(weights)
        self.biases = nn.ParameterList(biases)
        self.register_buffer("scales", scales)

    @classmethod
    def untrained(
        cls,
        scales: Annotated[RealArray, "G"],
        mean_latent: Annotated[RealArray, "D"],
        options: SurrogateOptions,
    ) -> StackedNetworks:
        """Random weights; the last bias starts at the mean latent, which all heads share."""
        generator = torch.Generator().manual_seed(options.seed)
        sizes = [len(scales), options.width, options.width, len(mean_latent)]
        members = options.members
        weights = [
            torch.randn(members, a, b, generator=generator) / math.sqrt(a)
            for a, b in pairwise(sizes)
        ]
        biases = [torch.zeros(members, 1, size) for size in sizes[1:]]
        biases[-1] += 2 * math.sqrt(len(mean_latent)) * torch.from_numpy(mean_latent)
        return cls(weights, biases, torch.from_numpy(np.asarray(scales, np.float32)))

    @classmethod
    def of(cls, ensemble: SurrogateEnsemble, scales: Annotated[RealArray, "G"]) -> StackedNetworks:
        """Go on from a trained ensemble."""
        first = ensemble.weights[0] / np.asarray(scales, np.float32)[:, None]
        weights = [torch.from_numpy(a.copy()) for a in (first, *ensemble.weights[1:])]
        biases = [torch.from_numpy(a.copy()) for a in ensemble.biases]
        return cls(weights, biases, torch.from_numpy(np.asarray(scales, np.float32)))

    def forward(self, z: Tensor) -> Tensor:
        """z (M, B, G) -> unit latents (M, B, 512)."""
        weights, biases = list(self.weights), list(self.biases)
        hidden = nn.functional.silu(torch.baddbmm(biases[0], z * self.scales, weights[0]))
        for weight, bias in zip(weights[1:-1], biases[1:-1], strict=True):
            hidden = hidden + nn.functional.silu(torch.baddbmm(bias, hidden, weight))
        return nn.functional.normalize(torch.baddbmm(biases[-1], hidden, weights[-1]), dim=-1)

    def ensemble(self) -> SurrogateEnsemble:
        """The present weights, rounded as they are stored."""
        first = self.weights[0] * self.scales[:, None]
        weights = [first, *list(self.weights)[1:]]
        named = {f"weight_{i}": w.detach().numpy() for i, w in enumerate(weights)}
        named |= {f"bias_{i}": b.detach().numpy() for i, b in enumerate(self.biases)}
        return SurrogateEnsemble.from_arrays(
            {name: array.astype(np.float16) for name, array in named.items()}
        )


def held_out_rows(pairs: Pairs, options: SurrogateOptions) -> Annotated[BoolArray, "N"]:
    """(N,) bool: every 20th pair, of every batch of renders alike."""
    return np.arange(len(pairs)) % round(1 / options.held_out_share) == 0


def median_distance(ensemble: SurrogateEnsemble, pairs: Pairs) -> float:
    """Median cosine distance of the ensemble's predictions to rendered latents."""
    return float(np.median(1 - np.sum(ensemble.predict(pairs.z)[0] * pairs.latents, axis=1)))


def fit_surrogates(
    pairs: Pairs,
    options: SurrogateOptions,
    start: SurrogateEnsemble | None = None,
    report: Report | None = None,
) -> tuple[SurrogateEnsemble, float]:
    """Fit to pairs and return the ensemble of the best epoch and its held-out median distance.

    `start` continues from weights of the same shape; otherwise they start at random.
    """
    held = held_out_rows(pairs, options)
    train, test = (Pairs(pairs.z[rows], pairs.latents[rows]) for rows in (~held, held))
    scales = relevance(train)
    lessons = taught_by_process(train, scales, options)
    networks = (
        StackedNetworks.untrained(scales, train.latents.mean(axis=0), options)
        if start is None
        else StackedNetworks.of(start, scales)
    )
    best: tuple[float, SurrogateEnsemble] | None = None
    for epoch in _epochs(networks, lessons, options):
        ensemble = networks.ensemble()
        score = median_distance(ensemble, test)
        if best is None or score < best[0]:
            best = score, ensemble
        if report:
            report(epoch + 1, options.epochs)
    assert best is not None
    return best[1], best[0]


def taught_by_process(
    train: Pairs, scales: Annotated[RealArray, "G"], options: SurrogateOptions
) -> Pairs:
    """Pairs twice, and heads between them as a Gaussian process sees them.

    Networks that learn from both miss held-out heads of `person` by 0.053, those from pairs alone
    by 0.059, and the process by 0.056: as much as a third more renders would bring.
    """
    if not options.taught:
        return train
    rng = random_stream(options.seed)
    between = heads_between(train.z, options.taught * len(train), rng)
    process = GaussianProcess.fit(train, scales)
    return train + train + Pairs(between, process.predict(between))


def _epochs(networks: StackedNetworks, train: Pairs, options: SurrogateOptions) -> Iterator[int]:
    generator = torch.Generator().manual_seed(options.seed + 1)
    z, latents = torch.from_numpy(train.z), torch.from_numpy(train.latents)
    batches = math.ceil(len(train) / options.batch)
    optimiser = torch.optim.AdamW(
        networks.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.learning_rate, total_steps=batches * options.epochs, pct_start=0.15
    )
    for epoch in range(options.epochs):
        # Every member sees its own order, so that members differ by more than their start.
        keys = torch.rand(len(networks.weights[0]), len(train), generator=generator)
        for rows in torch.argsort(keys, dim=1).split(options.batch, dim=1):
            noise = torch.randn(*rows.shape, z.shape[1], generator=generator)
            predicted = networks(z[rows] + options.input_noise * noise)
            loss = (1 - (predicted * latents[rows]).sum(dim=-1)).mean(dim=1).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        yield epoch


@dataclass(frozen=True)
class DirectOptions:
    """Shape and training of the direct network."""

    width: int = 1280
    dropout: float = 0.1
    epochs: int = 60
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    found_weight: float = 0.1
    outside_weight: float = 0.02
    seed: int = 0


def fit_direct(
    latents: Annotated[RealArray, "N D"],
    found: Annotated[RealArray, "N G"],
    ensemble: SurrogateEnsemble,
    region: TrustRegion,
    settings: InversionSettings,
    options: DirectOptions,
    report: Report | None = None,
) -> nn.Sequential:
    """Distil inversions into one pass.

    Args:
        latents: (N, D) requested; found: (N, G) z that inversion found for them.

    The loss is the squared distance to the found z, the inversion's own cost of what the network
    proposes, and the squared distance to the trust region.
    """
    torch.manual_seed(options.seed)
    network = _direct_network(found.shape[1], options)
    inputs, around = torch.from_numpy(latents), region.around(latents)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    steps = options.epochs * math.ceil(len(latents) / options.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.learning_rate, total_steps=steps, pct_start=0.1
    )
    for epoch in range(options.epochs):
        for rows in torch.randperm(len(latents)).split(options.batch):
            z = network(inputs[rows])
            values, requested = z.detach().numpy(), latents[rows]
            here = around.rows(rows.numpy())
            inside = here.project(values)
            # The ensemble's gradient is NumPy's, so the cost stands in one place only. It is taken
            # where the head will be, since what the network says is projected before use.
            gradient = inversion_cost(ensemble, inside, requested, here, settings)[1]
            gradient += 2 * options.found_weight / found.shape[1] * (values - found[rows])
            gradient += 2 * options.outside_weight * (values - inside)
            optimiser.zero_grad()
            z.backward(torch.from_numpy(gradient / len(rows)))
            optimiser.step()
            schedule.step()
        if report:
            report(epoch + 1, options.epochs)
    return network.eval()


def _direct_network(outputs: int, options: DirectOptions) -> nn.Sequential:
    width = options.width
    return nn.Sequential(
        # Unit latents have components of about 0.04; the layer expects about 1.
        _Scale(math.sqrt(512)),
        nn.Linear(512, width), nn.SiLU(), nn.Dropout(options.dropout),
        nn.Linear(width, width), nn.SiLU(), nn.Dropout(options.dropout),
        nn.Linear(width, outputs),
    )  # fmt: skip


class _Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x
