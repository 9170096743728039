# SPDX-License-Identifier: GPL-3.0-or-later
"""Gap filling on a synthetic head model."""

from typing import Any

import numpy as np
import pytest

from facegen_addon.latent.coverage import group_coverage, neighbourhood_middles
from facegen_addon.latent.metrics import nearest_neighbour_distances
from facegen_addon.latent.sphere import cosine_distance_matrix, normalise
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.variety import gaps
from facegen_addon.variety.gaps import propose_gap_fillers
from tests.anybody import Anybody
from tests.mapping.test_backward import (
    REGION,
    SETTINGS,
    TABLE,
    LinearNetwork,
    reachable_latents,
    small_ensemble,
)

MISS = normalise(np.random.default_rng(98).standard_normal(512))


@pytest.fixture(autouse=True)
def few_anchors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three groups need no thousand samples."""
    monkeypatch.setattr(gaps, "_ANCHORS", 120)


class Nature(Anybody):
    """Real faces in three groups, of which heads may have reached one or two."""

    def __init__(self, backward: BackwardMapping) -> None:
        self._centres = reachable_latents(backward, 3, seed=7)

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        centres = self._centres[rng.integers(3, size=n)]
        noise = 0.01 * rng.standard_normal((n, 512))
        return normalise(centres + noise).astype(np.float32)

    def around(self, group: int, n: int) -> np.ndarray:
        noise = 0.01 * np.random.default_rng(group).standard_normal((n, 512))
        return normalise(self._centres[group] + noise).astype(np.float32)


@pytest.fixture(scope="module")
def backward() -> BackwardMapping:
    ensemble = small_ensemble()
    return BackwardMapping.assemble(TABLE, ensemble, REGION, SETTINGS, LinearNetwork(ensemble))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def nature(backward: BackwardMapping) -> Any:
    return Nature(backward)


@pytest.mark.parametrize("grade", ["refined", "direct"])
def test_heads_go_where_none_is(backward: BackwardMapping, nature: Any, grade: Any) -> None:
    """Two of three groups are covered: the first new head is for the third."""
    there = np.concatenate([nature.around(0, 5), nature.around(2, 5)])
    proposal = propose_gap_fillers(
        backward, nature, np.random.default_rng(1), 3, there, grade=grade
    )
    nearest = cosine_distance_matrix(proposal.requested[:1], np.stack(
        [nature.around(group, 1)[0] for group in range(3)]
    ))  # fmt: skip
    assert np.argmin(nearest) == 1
    assert proposal.requested.shape == (3, 512)
    np.testing.assert_allclose(
        proposal.predicted, backward.predicted(TABLE.standardise(proposal.parameters)), atol=1e-5
    )


def test_filling_gaps_covers_better_than_drawing_on(backward: BackwardMapping, nature: Any) -> None:
    """By the surrogates' own measure, on people that the search has not seen."""
    rng = np.random.default_rng(3)
    people = nature.sample(rng, 200)
    there = backward.predicted(backward.standardised(nature.around(0, 4)))
    drawn = backward.predicted(backward.standardised(nature.sample(rng, 4)))
    steered = propose_gap_fillers(backward, nature, rng, 4, there).predicted
    covered = [
        nearest_neighbour_distances(people, np.concatenate([there, more])).mean()
        for more in (drawn, steered)
    ]
    assert covered[1] < covered[0]


class Groups(Nature):
    """The same three groups, which are to be covered alike, by how many there are of each."""

    def __init__(self, backward: BackwardMapping, shares: tuple[float, ...]) -> None:
        super().__init__(backward)
        self._shares = shares

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        centres = self._centres[rng.choice(3, n, p=self._shares)]
        return normalise(centres + 0.02 * rng.standard_normal((n, 512))).astype(np.float32)

    def groups_of(self, latents: np.ndarray) -> np.ndarray:
        return np.argmin(cosine_distance_matrix(latents, self._centres), axis=1)


def test_the_worst_covered_group_gains_most(backward: BackwardMapping) -> None:
    """Though it is of few: by number alone, another would be served first."""
    nature: Any = Groups(backward, (0.475, 0.475, 0.05))
    rng = np.random.default_rng(4)
    people = nature.sample(rng, 600)
    groups = nature.groups_of(people)
    half = nature.around(1, 1)  # near group 1, though not near enough
    there = np.concatenate([nature.around(0, 6), normalise(half + 0.6 * nature.around(0, 1))])
    before = group_coverage(people, groups, there)
    assert np.argmax(before) == 2
    alike: Any = Nature(backward)
    alike.sample = nature.sample
    gains = {}
    for name, faces in (("steered", nature), ("by number", alike)):
        proposal = propose_gap_fillers(backward, faces, np.random.default_rng(1), 1, there)
        achieved = normalise(proposal.predicted + 0.1 * MISS)  # what F would make of them
        after = group_coverage(people, groups, np.concatenate([there, achieved]))
        gains[name] = before - after
    assert np.argmax(gains["steered"]) == 2
    assert np.argmax(gains["by number"]) == 1


def test_nobody_else_is_asked_for(backward: BackwardMapping) -> None:
    """Middles between groups may be of none that is asked for."""
    nature: Any = Groups(backward, (0.5, 0.0, 0.5))
    lies_in = nature.groups_of
    nature.groups_of = lambda latents: np.where(lies_in(latents) == 1, -1, lies_in(latents))
    proposal = propose_gap_fillers(
        backward, nature, np.random.default_rng(1), 4, np.zeros((0, 512), np.float32)
    )
    assert (nature.groups_of(proposal.requested) >= 0).all()


def test_certain_people_are_not_pushed_about(backward: BackwardMapping) -> None:
    nature: Any = Nature(backward)
    nobody = np.zeros((0, 512), np.float32)

    def asked(distance: float | None) -> np.ndarray:
        rng = np.random.default_rng(2)
        return propose_gap_fillers(backward, nature, rng, 3, nobody, distance).requested

    distances = cosine_distance_matrix(backward.predicted(backward.standardised(asked(None))))
    more = 1.2 * distances[np.triu_indices(3, 1)].min()
    pushed = asked(more)
    nature.pushed = False
    assert not np.allclose(asked(more), pushed)
    anchors = nature.sample(np.random.default_rng(2), gaps._ANCHORS)
    for latent in asked(more):
        middles = [neighbourhood_middles(anchors, size) for size in (1, *gaps._NEIGHBOURHOODS)]
        assert cosine_distance_matrix(latent[None], np.concatenate(middles)).min() < 1e-6


def test_same_seed_same_heads_and_none_need_be_there(
    backward: BackwardMapping, nature: Any
) -> None:
    nobody = np.zeros((0, 512), np.float32)
    first, second = (
        propose_gap_fillers(backward, nature, np.random.default_rng(5), 4, nobody) for _ in "ab"
    )
    assert first.parameters.tobytes() == second.parameters.tobytes()
    assert first.parameters.shape == (4, len(TABLE))


def test_with_a_distance_the_first_heads_are_pushed_apart(
    backward: BackwardMapping, nature: Any
) -> None:
    nobody = np.zeros((0, 512), np.float32)
    told: list[tuple[int, int]] = []

    def closest(distance: float | None) -> float:
        proposal = propose_gap_fillers(
            backward, nature, np.random.default_rng(2), 3, nobody, distance,
            progress=lambda done, total: told.append((done, total)),
        )  # fmt: skip
        distances = cosine_distance_matrix(proposal.predicted)
        return float(distances[np.triu_indices(3, 1)].min())

    free = closest(None)
    assert closest(1.2 * free) > 1.1 * free
    assert all(done <= total for done, total in told) and told
