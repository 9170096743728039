# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate Variety by an F known exactly: what is demanded is met between achieved latents."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegen_addon.errors import NotReached
from facegen_addon.latent.selection import largest_distance
from facegen_addon.latent.sphere import cosine_distance, cosine_distance_matrix, normalise
from facegen_addon.variety import gaps
from facegen_addon.variety.candidates import Candidates
from facegen_addon.variety.loop import make_variety
from facegen_addon.variety.request import VarietyRequest
from facegen_addon.variety.result import Forward, VarietyResult
from facegen_addon.variety.stopwatch import Stopwatch
from tests.toy_head import ToyHead, toy_probe
from tests.variety.stand_ins import HEAD, Seeing, guide, made, missing, result_of

ONE = {"apart_in": "one-render"}
PRIOR = {"distribution": "prior", "count": 5, "distance": 0.3, **ONE}
GUIDED = {"grade": "direct", "count": 3, "distance": 0.1, **ONE}


def nearest_pair(latents: np.ndarray) -> float:
    distances = cosine_distance_matrix(latents)
    return float(distances[np.triu_indices(len(latents), 1)].min())


def bytes_of(result: VarietyResult) -> list[bytes]:
    return [
        array.tobytes()
        for head in result.heads
        for array in (head.parameters, head.achieved, head.image)
    ]


@pytest.mark.parametrize("distribution", ["prior", "uniform", "latent"])
def test_every_pair_is_apart_as_achieved(distribution: str) -> None:
    request = VarietyRequest(**GUIDED | {"distribution": distribution})
    forward = Seeing(missing)
    result = result_of(request, forward)
    achieved = missing(np.stack([head.parameters for head in result.heads]))
    np.testing.assert_allclose([head.achieved for head in result.heads], achieved, atol=1e-6)
    assert len(result.heads) == 3
    assert nearest_pair(achieved) >= 0.1
    assert result.smallest_distance == pytest.approx(nearest_pair(achieved), abs=1e-6)
    assert len(result.rendered) == len(forward.heads) <= request.renders
    asked = [head.requested for head in result.heads]
    assert all((latent is not None) == (distribution == "latent") for latent in asked)


def test_images_and_numbers_are_those_of_the_heads() -> None:
    forward = Seeing()
    for head in result_of(VarietyRequest(**PRIOR, seed=3), forward).heads:
        assert forward.heads[head.index] is head.parameters
        assert (head.image == head.index + 1).all()
        assert head.seed == 3 and head.uncorrected is None


def test_a_toy_head_by_its_own_renderer_and_encoder() -> None:
    probe = toy_probe()
    forward = Seeing(lambda parameters: probe.embed(parameters, 0))
    request = VarietyRequest(distribution="uniform", count=4, distance=0.01, **ONE)
    result = result_of(request, forward, ToyHead())
    assert nearest_pair(np.stack([head.achieved for head in result.heads])) >= 0.01


def test_heads_without_a_face_are_passed_over() -> None:
    forward = Seeing(blind=lambda parameters: bool(parameters[0] > 0))
    result = result_of(VarietyRequest(**PRIOR), forward)
    assert len(result.heads) == 5 and all(head.parameters[0] <= 0 for head in result.heads)
    seen = [head for head in forward.heads if head[0] <= 0]
    assert len(result.rendered) == len(seen) < len(forward.heads)
    assert nearest_pair(np.stack([head.achieved for head in result.heads])) >= 0.3


def test_heads_without_a_face_cost_renders() -> None:
    forward = Seeing(blind=lambda parameters: True)
    with pytest.raises(NotReached, match=r"0 of 5 heads at distance 0\.3"):
        made(VarietyRequest(**PRIOR, budget=7), forward)
    assert len(forward.heads) == 7


def test_an_unmet_demand_says_what_was_reached_for_all_that_the_budget_allows() -> None:
    forward = Seeing()
    request = VarietyRequest(**PRIOR | {"distance": 1.9}, budget=9)
    with pytest.raises(NotReached) as unmet:
        made(request, forward)
    assert len(forward.heads) == 9
    latents = np.stack([Seeing()(head).latent for head in forward.heads])
    reached = largest_distance(cosine_distance_matrix(latents), 5).distance
    assert str(unmet.value) == (
        f"1 of 5 heads at distance 1.9 after 9 renders; 5 heads reach {reached:.3f};"
        " ask for fewer, a smaller distance or a larger budget"
    )


@pytest.mark.parametrize("change", [PRIOR, GUIDED, GUIDED | {"corrections": 2}])
def test_a_seed_makes_the_same_bytes_and_another_seed_others(change: dict[str, Any]) -> None:
    first, again, other = (
        bytes_of(result_of(VarietyRequest(**change, seed=seed), Seeing(missing)))
        for seed in (4, 4, 5)
    )
    assert first == again != other


def test_a_larger_demand_goes_on_from_the_same_candidates() -> None:
    few, many = Seeing(), Seeing()
    result_of(VarietyRequest(**PRIOR), few)
    result_of(VarietyRequest(**PRIOR | {"count": 9}), many)
    assert len(few.heads) < len(many.heads)
    np.testing.assert_array_equal(few.heads, many.heads[: len(few.heads)])


@pytest.mark.parametrize("grade", ["direct", "refined"])
def test_corrections_keep_the_nearest(grade: str) -> None:
    request = VarietyRequest(**GUIDED | {"grade": grade}, corrections=3)
    forward = Seeing(missing)
    result = result_of(request, forward)
    assert len(forward.heads) <= request.renders
    assert nearest_pair(np.stack([head.achieved for head in result.heads])) >= 0.1
    gained = []
    for head in result.heads:
        assert head.requested is not None and head.uncorrected is not None
        before = cosine_distance(head.requested, head.uncorrected.achieved)
        gained.append(float(before - cosine_distance(head.requested, head.achieved)))
        np.testing.assert_allclose(missing(head.parameters[None])[0], head.achieved, atol=1e-6)
    assert min(gained) >= 0 and max(gained) > 0.001


@pytest.mark.parametrize(("budget", "renders"), [(1, 1), (3, 3), (20, 9)])
def test_corrections_end_with_the_budget(budget: int, renders: int) -> None:
    forward = Seeing(missing)
    request = VarietyRequest(**GUIDED | {"count": 1}, corrections=8, budget=budget)
    (head,) = result_of(request, forward).heads
    assert len(forward.heads) == renders
    assert head.uncorrected is not None
    if budget == 1:
        np.testing.assert_array_equal(head.uncorrected.parameters, head.parameters)


def test_heads_have_to_be_apart_once_they_are_corrected() -> None:
    """First renders are far from one another and from all requests; corrected heads all alike."""
    alike = normalise(guide()[1].sample(np.random.default_rng(0), 30).mean(axis=0))
    rng = np.random.default_rng(1)

    def latents(parameters: np.ndarray) -> np.ndarray:
        first = len(forward.heads) % 2
        return normalise(rng.standard_normal((1, 512)) if first else alike[None]).astype(np.float32)

    forward = Seeing(latents)
    with pytest.raises(NotReached, match=r"1 of 2 heads .* 2 heads reach -?0\.000"):
        made(VarietyRequest(**GUIDED | {"count": 2}, corrections=1, budget=8), forward)
    assert len(forward.heads) == 8


@pytest.mark.parametrize("gap", range(3))
def test_gaps_of_earlier_runs_are_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gap: int
) -> None:
    """Faces lie in three groups; earlier runs have heads in two."""
    monkeypatch.setattr(gaps, "_ANCHORS", 120)
    nature: Any = guide()[1]
    runs = []
    for group in {0, 1, 2} - {gap}:
        runs.append(str(tmp_path / f"run:{group}.npz"))
        np.savez(runs[-1], achieved=nature.around(group, 5), model=HEAD.name)
    request = VarietyRequest(**GUIDED | {"count": 1}, fill_gaps=tuple(runs))
    (head,) = result_of(request, Seeing(missing)).heads
    middles = np.stack([nature.around(group, 1)[0] for group in range(3)])
    assert int(np.argmin(cosine_distance(middles, head.requested))) == gap


def test_f_is_open_only_while_heads_are_rendered() -> None:
    """After the first thinking, and no longer when the result is told or the run is stopped."""
    happened: list[str] = []

    @contextmanager
    def opened() -> Iterator[Forward]:
        happened.append("open")
        try:
            yield Seeing()
        finally:
            happened.append("closed")

    request, watch = VarietyRequest(**PRIOR), Stopwatch()
    for event in make_variety(request, Candidates(request, HEAD, watch), opened, watch):
        happened.append("result" if event.result else event.stage)
    assert happened[0] == "sample" and happened.count("open") == 1
    assert happened[-2:] == ["closed", "result"]
    assert watch.seconds.keys() == {"sample"}

    del happened[:]
    stopped = make_variety(request, Candidates(request, HEAD, watch), opened, watch)
    while next(stopped).stage != "render":
        pass
    stopped.close()
    assert happened == ["open", "closed"]


def test_progress_never_counts_more_than_is_wanted() -> None:
    events = made(VarietyRequest(**PRIOR), Seeing())
    counted = [event.done for event in events if event.stage == "render"]
    assert counted == sorted(counted) and counted[-1] == 5
    assert [event.result is not None for event in events] == [False] * (len(events) - 1) + [True]
