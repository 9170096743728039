# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways from a latent to a head: each B with each correction, feedback and half steps, rendered."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from facegen_addon.arrays import AnyArray, RealArray
from facegen_addon.latent.metrics import pairwise_distances
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.mapping.approach import Answer, Approach, answer_from_heads
from facegen_addon.mapping.correction import Correct, as_written, compensated, corrections_of
from facegen_addon.mapping.perceptron import Perceptron
from models.training import pairs
from models.training.report.study import Rendered, Study
from models.training.talk_mapping import TALK_NETWORK, TalkMapping, load_bases

LABELS = {
    "talk_kernel_ridge": "talk's B: kernel ridge",
    "talk_network": "talk's B: network",
    "direct": "direct",
    "refined": "refined",
    "none": "none",
    "as_written": "as written, B(s - rho)",
    "mean_rotation": "mean rotation",
    "procrustes": "Procrustes rotation",
    "plane": "into the renders' plane",
    "learned": "learned network",
}
_LONG = (4, 8)


@dataclass(frozen=True)
class Trip:
    """One row of the table, head by head: (N, 512) each, z (N, G), and what it cost.

    thinking: milliseconds a head of C and B, all their answers on the way there together;
    renders: a head, before the one that is kept.
    """

    base: str
    correction: str
    requested: Annotated[RealArray, "N D"]
    asked: Annotated[RealArray, "N D"]
    z: Annotated[RealArray, "N G"]
    rendered: Rendered
    renders: int
    thinking: float

    @property
    def distances(self) -> Annotated[RealArray, "N"]:
        """Cosine distance (N,) from requested to achieved."""
        return cosine_distance(self.requested, self.rendered.latents)

    @property
    def seen(self) -> Annotated[RealArray, "N D"]:
        """Latents (N, D) that feedback goes by: where no face was seen, the requested ones.

        What is not a face says nothing about where to go.
        """
        return np.where(self.rendered.usable[:, None], self.rendered.latents, self.requested)


class Trips:
    """Makes and keeps the trips of one B."""

    def __init__(
        self, study: Study, base: str, backward: TalkMapping, people: Annotated[RealArray, "N D"]
    ) -> None:
        self.study, self.base, self._backward, self.people = study, base, backward, people

    def trip(
        self,
        name: str,
        ask: Callable[[], Annotated[RealArray, "N D"]],
        renders: int,
        count: int | None = None,
        before: float = 0.0,
    ) -> Trip:
        """Ask B for `ask()` and render; `name` says what for, `before` what thinking led here."""
        start = time.perf_counter()
        asked = ask()
        z = pairs.quantised(self._backward(asked))
        thinking = 1000 * (time.perf_counter() - start) / len(z)
        rendered = self._rendered(name, z)
        people = self.people[:count]
        return Trip(self.base, name, people, asked, z, rendered, renders, before + thinking)

    def free(self, corrections: dict[str, Correct]) -> Iterator[Trip]:
        """Corrections that need no render: none, the rotations, the learned networks."""
        yield self.trip("none", lambda: self.people, 0)
        for name, correct in corrections.items():
            yield self.trip(name, lambda correct=correct: correct(self.people), 0)  # type: ignore[misc]

    def as_written(self, first: Trip) -> Trip:
        """The talk's formula."""
        return self.trip(
            "as_written",
            lambda: as_written(self.people, first.seen),
            1,
            before=first.thinking,
        )

    def fed_back(self, first: Trip, renders: int, count: int) -> Iterator[Trip]:
        """The compensating steps that follow `first`, for the first `count` people."""
        last = _head(first, count)
        few = ", few people" if count < len(self.people) else ""
        for number in range(first.renders + 1, renders + 1):
            here = last
            last = self.trip(
                f"compensated, {_renders(number)}{few}",
                lambda here=here: compensated(here.requested, here.seen, here.asked),  # type: ignore[misc]
                number,
                count,
                here.thinking,
            )
            yield last

    def approached(self, first: Trip, correct: Correct, renders: int) -> Iterator[Trip]:
        """Half steps from the nearest head so far, after the correction that `first` had."""
        label = "" if first.correction == "none" else f"{LABELS[first.correction]}, "
        way = Approach(
            self._answer(correct), first.requested, first.z, first.rendered.latents,
            first.rendered.usable,
        )  # fmt: skip
        thinking = first.thinking
        few = ", few people" if len(first.requested) < len(self.people) else ""
        for number in range(1, renders + 1):
            name = f"{label}half steps, nearest of {number + 1}{few}"
            start = time.perf_counter()
            z = pairs.quantised(way.proposed())
            thinking += 1000 * (time.perf_counter() - start) / len(z)
            rendered = self._rendered(name, z)
            way.rendered(z, rendered.latents, rendered.usable)
            nearest = Rendered(way.achieved.copy(), np.isfinite(way.distances))
            yield Trip(
                self.base, name, first.requested, way.requested, way.z.copy(), nearest, number,
                thinking,
            )  # fmt: skip

    def _answer(self, correct: Correct) -> Answer:
        """The project's B starts from the head as it is; the talk's has only one answer."""
        if self.base == "refined":
            return answer_from_heads(self.study.backward)
        return lambda asked, z: self._backward(correct(asked)).astype(np.float32)

    def _rendered(self, name: str, z: RealArray) -> Rendered:
        return self.study.render(re.sub(r"\W+", "_", f"{self.base}_{name}"), z)


def _renders(number: int) -> str:
    return f"{number} render{'s' if number > 1 else ''}"


def _head(trip: Trip, count: int) -> Trip:
    """The first `count` people of a trip."""
    rendered = Rendered(trip.rendered.latents[:count], trip.rendered.usable[:count])
    return Trip(
        trip.base, trip.correction, trip.requested[:count], trip.asked[:count], trip.z[:count],
        rendered, trip.renders, trip.thinking,
    )  # fmt: skip


def nearest_of(trips: list[Trip], way: str) -> Trip:
    """The nearest of several renders of each person to what was asked for; `way` they came."""
    distances = np.stack([np.where(trip.rendered.usable, trip.distances, np.inf) for trip in trips])
    best, rows = distances.argmin(axis=0), np.arange(distances.shape[1])

    def chosen(arrays: list[AnyArray]) -> AnyArray:
        result: AnyArray = np.stack(arrays)[best, rows]
        return result

    last = trips[-1]
    rendered = Rendered(
        chosen([trip.rendered.latents for trip in trips]),
        chosen([trip.rendered.usable for trip in trips]),
    )
    return Trip(
        last.base, f"{way}, nearest of {len(trips)}", last.requested,
        chosen([trip.asked for trip in trips]), chosen([trip.z for trip in trips]),
        rendered, len(trips) - 1, last.thinking,
    )  # fmt: skip


def all_trips(
    study: Study, people: Annotated[RealArray, "N D"], few: int, arrays: dict[str, AnyArray]
) -> list[Trip]:
    """All rows of the table, B by B; `arrays` as `corrections_of` reads them."""
    network = Perceptron.from_arrays(arrays, TALK_NETWORK)
    random_pairs = pairs.load_random_pairs(study.model.name, study.table)
    found: list[Trip] = []
    for base, backward in load_bases(study.backward, random_pairs, network).items():
        trips = Trips(study, base, backward, people)
        found += _of_one(trips, corrections_of(arrays, base), few)
    return found


def _of_one(trips: Trips, corrections: dict[str, Correct], few: int) -> list[Trip]:
    free = list(trips.free(corrections))
    first, best = free[0], best_free(free)
    fed = list(trips.fed_back(first, 2, len(trips.people)))
    long = list(trips.fed_back(_head(fed[-1], few), max(_LONG), few))
    found = [*free, trips.as_written(first), *fed]
    found += [trip for trip in long if trip.renders in _LONG]
    found += [nearest_of([first, *fed[:k]], "compensated") for k in (1, 2)]
    correct = corrections.get(best.correction, lambda s: s)
    found += trips.approached(best, correct, 2)
    if trips.base == "refined":  # the default, for which a farm can ask for more
        steps = trips.approached(_head(best, few), correct, max(_LONG))
        found += [trip for trip in steps if trip.renders in _LONG]
    return found


def best_free(free: list[Trip]) -> Trip:
    """The nearest of the render-free trips for every other person: `judged` asks the rest.

    A correction that makes heads more alike than none does, the first, is not eligible.
    """

    def spread(trip: Trip) -> float:
        return pairwise_distances(trip.rendered.latents[trip.rendered.usable]).median

    least = 0.99 * spread(free[0])
    # A head without a face counts as far away: its latent is zero, at distance 1.
    return min(
        (trip for trip in free if trip is free[0] or spread(trip) >= least),
        key=lambda trip: float(trip.distances[::2].mean()),
    )
