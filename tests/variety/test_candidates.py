# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections and gaps of Generate Variety, without rendering: requests and kept heads."""

from typing import Any

import numpy as np
import pytest

from facegen_addon.errors import RejectedSample, UserError
from facegen_addon.latent.sphere import cosine_distance, geodesic, normalise
from facegen_addon.variety.candidates import Candidate, Candidates
from facegen_addon.variety.held import Held
from facegen_addon.variety.request import VarietyRequest
from facegen_addon.variety.result import Rendered
from facegen_addon.variety.stopwatch import Stopwatch
from tests.mapping.test_backward import TABLE
from tests.variety.stand_ins import HEAD, guide, rendered


def latents(count: int) -> np.ndarray:
    return normalise(np.random.default_rng(4).standard_normal((count, 512))).astype(np.float32)


class Forward:
    """Sees heads whose latents are given in advance; None is a head without a face."""

    def __init__(self, seen: list[np.ndarray | None]) -> None:
        self._seen = seen

    def __call__(self, parameters: np.ndarray) -> Rendered:
        latent = self._seen.pop(0)
        if latent is None:
            raise RejectedSample("no face")
        return rendered(parameters, latent)


class Asked:
    """Stands in for B: notes what it is asked for, and answers with as many in every column."""

    def __init__(self) -> None:
        self.latents: list[np.ndarray] = []

    def standardised(self, asked: np.ndarray, grade: str) -> np.ndarray:
        assert grade == "direct"
        self.latents.append(asked[0])
        return np.full((1, len(TABLE.guided)), 0.1 * len(self.latents), np.float32)


def number_of(seen: Rendered) -> int:
    """The how manieth answer of B a render is of, 0 for the first head."""
    return round(10 * float(np.median(TABLE.standardise(seen.parameters))))


def correct(seen: list[Any], corrections: int) -> tuple[Rendered, Rendered, Asked]:
    """First render and kept one of a head that is asked for at the first of two latents."""
    asked = Asked()
    request = VarietyRequest(grade="direct", corrections=corrections)
    guide: Any = asked, None
    source = Candidates(request, HEAD, Stopwatch(), lambda model, who: guide)
    source._guide = guide  # that the head's request came of
    wanted, away = latents(2)
    along = [None if t is None else geodesic(wanted, away, t).astype(np.float32) for t in seen]
    assert along[0] is not None
    first = rendered(TABLE.default(), along[0])
    candidate = Candidate(TABLE.default(), wanted)
    return first, source.corrected(candidate, first, Forward(along[1:]), corrections), asked


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        ([0.5, 0.4, 0.3], 2),
        ([0.5, 0.4, 0.45], 1),
        ([0.5, 0.6, 0.7], 0),
        ([0.5, None, 0.3], 2),
        ([0.5, None, None], 0),
    ],
)
def test_the_nearest_render_is_kept(seen: list[float | None], kept: int) -> None:
    first, best, asked = correct(seen, 2)
    assert number_of(best) == kept
    assert len(asked.latents) == 2
    wanted = latents(2)[0]
    assert cosine_distance(wanted, best.latent) <= cosine_distance(wanted, first.latent)


def test_more_is_asked_for_where_the_head_fell_short_and_less_after_a_failure() -> None:
    wanted, away = latents(2)
    _, _, asked = correct([0.5, 0.6, 0.6], 2)
    from_away = cosine_distance(np.array([away] * 3), np.array([wanted, *asked.latents]))
    # The first step goes farthest from what was seen, the second half as far.
    assert from_away[0] < from_away[2] < from_away[1]


def test_without_corrections_nothing_more_is_rendered() -> None:
    first, best, asked = correct([0.5], 0)
    assert best is first and not asked.latents


def test_an_earlier_run_that_is_not_there_is_named() -> None:
    request = VarietyRequest(fill_gaps=("nowhere",))
    with pytest.raises(UserError, match=r"nowhere is missing"):
        Candidates(request, HEAD, Stopwatch())


@pytest.mark.parametrize("distribution", ["latent", "prior", "uniform"])
def test_what_is_held_stays_to_the_last_bit_and_the_rest_varies(distribution: str) -> None:
    table = HEAD.table
    locked = np.zeros(len(table), np.bool_)
    locked[[0, 2]] = True
    there = table.mean + 0.37 * table.std
    request = VarietyRequest(distribution=distribution, grade="direct", count=2, budget=12)
    source = Candidates(request, HEAD, Stopwatch(), lambda model, who: guide(), Held(there, locked))
    rows = []
    for _ in range(6):
        list(source.think())
        rows.append(source.take().parameters)
    heads = np.stack(rows)
    assert (heads[:, locked] == there[locked]).all()
    assert (np.ptp(heads[:, ~locked], axis=0) > 0).any()
