# SPDX-License-Identifier: GPL-3.0-or-later
"""How the landmark network learns: its loss, and the passes over the rendered images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.photo.landmark_network import LANDMARKS
from facegen_addon.random_streams import random_stream
from models.training.landmarks.augmentation import Batch, Standard, augmented, plain_batch
from models.training.landmarks.learning_set import MODEL, LearningSet, partners, spread_of
from models.training.landmarks.network import Answer, LandmarkNet

_NEAR, _ROTATION, _PARAMETERS = 8.0, 3.0, 0.3
"""Weights beside the likelihood of the points: of their distance alone, which goes on pulling where
the network has given up being sure; of the rotation; of the parameters' likelihood."""
_LONGEST_STEP = 5.0
"""Norm of the gradient, at most."""


@dataclass(frozen=True)
class Course:
    """passes: how often each image is seen; batch: images a step; rate: the highest; seed."""

    passes: int = 60
    batch: int = 32
    rate: float = 3e-3
    seed: int = 0


def standard_of(data: LearningSet) -> Standard:
    """How parameters are scaled, by what is learnt from."""
    names = load_head_model(MODEL).table.names
    return Standard.of(*spread_of(data.parameters.astype(np.float64)), partners(names))


def learn(
    data: LearningSet,
    standard: Standard,
    course: Course,
    step: Callable[[int, int, float], None] = lambda done, total, loss: None,
) -> LandmarkNet:
    """A network from scratch, taught by all of `data`; `step` hears of each step and its loss."""
    torch.manual_seed(course.seed)
    start = plain_batch(data, standard).points.mean(dim=0)
    network = LandmarkNet(start, len(standard.columns)).to(memory_format=torch.channels_last)
    steps = max(1, len(data) // course.batch)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, course.rate, total_steps=steps * course.passes, pct_start=0.15
    )
    batches = _batches(data, standard, course, steps)
    for done, batch in enumerate(ahead(batches), start=1):
        images = batch.images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            answer = network(images, batch.latents)
        loss = loss_of(Answer(*(part.float() for part in answer)), batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_STEP)
        optimizer.step()
        schedule.step()
        step(done, course.passes * steps, float(loss.detach()))
    return network.eval()


def _batches(data: LearningSet, standard: Standard, course: Course, steps: int) -> Iterator[Batch]:
    rng = random_stream(course.seed, "landmarks")
    for _ in range(course.passes):
        order = rng.permutation(len(data))
        for k in range(steps):
            rows = order[k * course.batch : (k + 1) * course.batch]
            yield augmented(data[rows], standard, rng)


def ahead(items: Iterator[Batch]) -> Iterator[Batch]:
    """The same, each made by a thread while the one before is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def loss_of(answer: Answer, batch: Batch) -> torch.Tensor:
    """The negative logarithm of the likelihood of points and parameters, each normal around what
    the network says (Wood et al. 2022), and what pulls besides; 68 landmarks weigh as much as all
    dense ones."""
    away = answer.points - batch.points
    square = away.square().sum(-1)
    likelihood = 0.5 * square * torch.exp(-2 * answer.log_spread) + 2 * answer.log_spread
    distance = _NEAR * torch.sqrt(square + 1e-6)
    of_points = sum(
        (likelihood + distance)[:, part].mean()
        for part in (slice(LANDMARKS), slice(LANDMARKS, None))
    )
    rotation = functional.mse_loss(answer.rotation, batch.rotations)
    off = (answer.parameters - batch.parameters).square()
    of_parameters = 0.5 * off * torch.exp(-2 * answer.parameter_log_spread)
    of_parameters = (of_parameters + answer.parameter_log_spread) * batch.known
    total: torch.Tensor = of_points + _ROTATION * rotation + _PARAMETERS * of_parameters.mean()
    return total
