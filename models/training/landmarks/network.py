# SPDX-License-Identifier: GPL-3.0-or-later
"""The landmark network: a small residual network, and what it says with how sure it is."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from facegen_addon.photo.landmark_network import SIDE

WIDTHS = (16, 32, 64, 128)
"""Channels at a half, a quarter, an eighth and a sixteenth of the image's side."""
BLOCKS = (1, 2, 2)
"""Residual blocks of the last three."""
_SQUEEZED, _FEATURES, _OF_LATENT = 48, 256, 128
LATENT_SCALE = 8.0
"""Latents are of unit norm: their numbers are small."""
LOG_SPREADS = (-6.0, 2.0)
"""Least and largest logarithms of a spread: of halves of the square's side, or of deviations."""


class Answer(NamedTuple):
    """points (N, K, 2) in the square, -1 to 1; log_spread (N, K); rotation (N, 6): the first two
    columns; parameters, parameter_log_spread (N, P) in standard deviations of the learning set."""

    points: torch.Tensor
    log_spread: torch.Tensor
    rotation: torch.Tensor
    parameters: torch.Tensor
    parameter_log_spread: torch.Tensor


class Block(nn.Module):
    """Two convolutions beside a way round them, which is one of 1 x 1 where the shape changes."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = (
            convolution(before, after, 3, stride),
            convolution(after, after, 3),
        )
        self.past = convolution(before, after, 1, stride) if stride > 1 or before != after else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        past = x if self.past is None else self.past(x)
        return torch.relu(past + self.second(torch.relu(self.first(x))))


def convolution(before: int, after: int, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution and the normalisation of its batch."""
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, size // 2, bias=False), nn.BatchNorm2d(after)
    )


class LandmarkNet(nn.Module):
    """Images (N, 3, SIDE, SIDE), 0 to 1, and latents (N, 512), 0 where unknown -> an Answer."""

    def __init__(self, mean_points: torch.Tensor, parameters: int) -> None:
        """mean_points (K, 2): where it starts from; parameters: how many are read."""
        super().__init__()
        self.stem = convolution(3, WIDTHS[0], 3, 2)
        blocks = []
        for before, after, count in zip(WIDTHS, WIDTHS[1:], BLOCKS, strict=False):
            blocks += [Block(before, after, 2), *(Block(after, after, 1) for _ in range(count - 1))]
        self.blocks = nn.Sequential(*blocks)
        self.squeeze = convolution(WIDTHS[-1], _SQUEEZED, 1)
        cells = (SIDE // 2 ** len(WIDTHS)) ** 2
        self.features = nn.Linear(_SQUEEZED * cells, _FEATURES)
        points = len(mean_points)
        self.points = nn.Linear(_FEATURES, 2 * points)
        self.spread = nn.Linear(_FEATURES, points)
        self.rotation = nn.Linear(_FEATURES, 6)
        self.of_latent = nn.Linear(512, _OF_LATENT)
        self.both = nn.Linear(_FEATURES + _OF_LATENT, _FEATURES)
        self.parameters_head = nn.Linear(_FEATURES, parameters)
        self.parameters_spread = nn.Linear(_FEATURES, parameters)
        with torch.no_grad():
            for layer in (self.points, self.spread, self.rotation, self.parameters_head):
                layer.weight.mul_(0.1)
            self.points.bias.copy_(mean_points.flatten())
            self.spread.bias.fill_(-2.0)

    def forward(self, image: torch.Tensor, latent: torch.Tensor) -> Answer:
        x = self.blocks(torch.relu(self.stem(image * 2 - 1)))
        x = torch.relu(self.squeeze(x)).flatten(1)
        features = torch.relu(self.features(x))
        who = torch.relu(self.of_latent(latent * LATENT_SCALE))
        both = torch.relu(self.both(torch.cat([features, who], dim=1)))
        return Answer(
            self.points(features).unflatten(1, (-1, 2)),
            self.spread(features).clamp(*LOG_SPREADS),
            self.rotation(features),
            self.parameters_head(both),
            self.parameters_spread(both).clamp(*LOG_SPREADS),
        )
