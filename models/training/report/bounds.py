# SPDX-License-Identifier: GPL-3.0-or-later
"""The bound: how near heads come to a latent when every guess is rendered (CMA-ES)."""

from __future__ import annotations

from typing import Annotated

import numpy as np

# Covariance matrix adaptation with a diagonal matrix (Ros and Hansen 2008): as many directions as
# sliders are too many for a full one in so few renders.
from cmaes import SepCMA

from facegen_addon.arrays import RealArray
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.report import plots
from facegen_addon.report.section import Figure, Section, Table
from models.training import pairs
from models.training.report.study import Study

PEOPLE = (3, 2)
GENERATIONS, HEADS_A_GENERATION = (14, 2), (14, 4)
"""Full and quick."""
_STEP = 0.12
"""First standard deviation of the search, in those of the prior."""


def search(study: Study, latents: Annotated[RealArray, "N D"]) -> Annotated[RealArray, "T N"]:
    """Distances (generations + 1, N) of the nearest head so far for latents (N, 512), rendered.

    Each search starts at the refined head and keeps the trust region's bounds, so that what it
    finds is as believable.
    """
    start = pairs.quantised(study.backward.standardised(latents))
    count = study.pick(*HEADS_A_GENERATION)
    rendered = study.render("bound_start", start)
    best = [np.where(rendered.usable, cosine_distance(latents, rendered.latents), 2.0)]
    searches = [
        SepCMA(mean=row.astype(np.float64), sigma=_STEP, population_size=count, seed=number + 1)
        for number, row in enumerate(start)
    ]
    for generation in range(study.pick(*GENERATIONS)):
        asked = [[one.ask() for _ in range(count)] for one in searches]
        z = study.backward.region.project(np.concatenate([np.stack(rows) for rows in asked]))
        heads = study.render(f"bound_{generation}", z)
        distances = cosine_distance(np.repeat(latents, count, axis=0), heads.latents)
        distances = np.where(heads.usable, distances, 2.0).reshape(len(searches), count)
        for one, points, values in zip(searches, asked, distances, strict=True):
            one.tell([(point, float(value)) for point, value in zip(points, values, strict=True)])
        best.append(np.minimum(best[-1], distances.min(axis=1)))
    return np.stack(best)


def chapter(study: Study) -> Section:
    """A few people, searched for by renders alone."""
    people = study.held_out(study.pick(*PEOPLE))
    best = search(study, people)
    count = study.pick(*HEADS_A_GENERATION)
    renders = np.arange(len(best)) * count
    rows = tuple(
        (str(number), f"{line[0]:.3f}", f"{line[-1]:.3f}", f"{line[-1] / line[0]:.2f}")
        for number, line in enumerate(best.T)
    )
    mean = best.mean(axis=1)
    return Section(
        "bounds",
        "The bound: a search by renders",
        (
            f"CMA-ES from the refined head on, {renders[-1]} renders a person, within the same"
            " bounds of believability. What it gains is what B leaves; what remains is an upper"
            " bound of the head model's own limit, since a longer search may come nearer. A few"
            " people, and the nearest of many noisy renders: a direction, no interval.",
        ),
        (
            Table(
                "Nearest head found",
                ("held-out person", "refined", f"after {renders[-1]} renders", "share"),
                (*rows, ("mean", f"{mean[0]:.3f}", f"{mean[-1]:.3f}", f"{mean[-1] / mean[0]:.2f}")),
            ),
        ),
        (
            Figure(
                "Mean distance of the nearest head so far",
                plots.curve({"mean": (renders, mean)}, "renders a person", "cosine distance", {}),
            ),
        ),
        {"renders": renders.tolist(), "nearest": best.T.tolist()},
    )
