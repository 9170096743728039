# SPDX-License-Identifier: GPL-3.0-or-later
"""The chapter on sliders, with surrogates that are right, and with ones that are not."""

import argparse
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from facegen_addon.errors import RejectedSample
from facegen_addon.mapping.ranking import Ranking, finished, ranking_steps
from facegen_addon.report.section import Section
from models.training.report import slider_checks, sliders
from models.training.report.study import Study
from tests.training.synthetic import SyntheticForward, SyntheticHead

Chapter = Callable[[Callable[[np.ndarray], np.ndarray]], Section]


@pytest.fixture
def ranked(
    models: Path, head: SyntheticHead, forward: SyntheticForward, monkeypatch: pytest.MonkeyPatch
) -> Ranking:
    """Surrogates that know the synthetic forward mapping exactly, and their ranking."""
    truth = SimpleNamespace(
        inputs=len(head.table.guided),
        predict=lambda z: (forward(head.table.from_standardised(z)), None),
    )
    found = finished(ranking_steps(head, truth, "sha", heads=60))  # type: ignore[arg-type]
    monkeypatch.setattr(slider_checks, "load_ranking", lambda model: found)
    monkeypatch.setattr(slider_checks.SurrogateEnsemble, "load", lambda name: truth)
    monkeypatch.setattr(slider_checks, "_ENDS", (10, 5))
    monkeypatch.setattr(slider_checks, "_REDRAWN", (16, 8))
    monkeypatch.setattr(slider_checks, "_HEADS", (60, 24))
    return found


def make(forward: Callable[[np.ndarray], np.ndarray]) -> Section:
    options = argparse.Namespace(model="synthetic", quick=True, workers=1, threads=1, samples=1)
    return sliders.chapter(Study(options, forward))


def test_renders_confirm_surrogates_that_are_right(
    ranked: Ranking, forward: SyntheticForward
) -> None:
    section = make(forward)
    check, (short, wide) = section.data["rendered_sliders"], section.data["rendered_lists"]
    for slider in check["sliders"]:
        assert slider["rendered"] == pytest.approx(slider["predicted"], rel=1e-2, abs=1e-5)
    assert [s["rank"] for s in check["sliders"]] == [1, 2, 3, 4, 5, 20, 21, 22, 23, 24]
    assert check["agreement"] > 0.9
    assert check["noise"] == 0
    for checked in (short, wide):
        share, (everything, listed) = checked["rendered"].values()
        assert share == pytest.approx(checked["predicted"]["share"], rel=1e-3)
        low, high = checked["interval"]
        assert low < share < high
        assert 0.5 < share < 1.1
        promised = checked["predicted"]["dimensions"]
        assert (everything, listed) == pytest.approx(promised, rel=1e-2)
    assert short["count"] == ranked.count(0.95) < 24
    assert 1 <= wide["count"] <= 24


def test_renders_contradict_surrogates_that_are_wrong(
    ranked: Ranking, forward: SyntheticForward, head: SyntheticHead
) -> None:
    """Here renders see only the slider that the surrogates rank last."""
    last = head.table.index(ranked.names[-1])

    def other(parameters: np.ndarray) -> np.ndarray:
        seen = np.zeros_like(parameters)
        seen[:, last] = parameters[:, last]
        return forward(seen)

    found = make(other).data["rendered_sliders"]["sliders"]
    assert found[-1]["rendered"] > 0.3
    assert max(slider["rendered"] for slider in found[:-1]) == 0


def test_heads_without_a_face_are_left_out(ranked: Ranking, forward: SyntheticForward) -> None:
    def shy(parameters: np.ndarray) -> np.ndarray:
        if parameters[0, 0] > 0.3:
            raise RejectedSample("turned away")
        return forward(parameters)

    data = make(shy).data
    assert all(np.isfinite(s["rendered"]) for s in data["rendered_sliders"]["sliders"])
    assert all(np.isfinite(check["rendered"]["share"]) for check in data["rendered_lists"])


def test_the_tables_say_whose_opinion_a_figure_is(
    ranked: Ranking, forward: SyntheticForward
) -> None:
    section = make(forward)
    lists, top, check, groups = section.tables
    assert [row[0] for row in lists.rows] == [
        "explains 90 %", "explains 95 %", "explains 99 %", "spreads heads as widely",
    ]  # fmt: skip
    checked = {f"{check['count']} of 24" for check in section.data["rendered_lists"]}
    assert all((row[5] != "–") == (row[1] in checked) for row in lists.rows)
    assert lists.rows[1][5] != "–" != lists.rows[3][5]
    assert len(top.rows) == sliders.TOP
    assert top.rows[0][0] == f"1. {ranked.names[0].replace('p', 'P ')}"
    assert {row[-1] for row in top.rows} == {"not measured"}
    assert len(check.rows) == 10
    assert [row[0].lower() for row in groups.rows] == list(ranked.groups)
    for table in section.tables:
        # Figures are of surrogates or of renders; other columns name or count.
        for title in table.columns:
            assert "(surrogates)" in title or "(renders)" in title or title in (
                "slider", "sliders", "group", "list",
            )  # fmt: skip
    assert "explained" in section.figures[0].html
    text = section.markdown()
    assert text.startswith("## Which sliders make the variety") and "| explains 90 % |" in text


def test_nothing_is_rendered_twice(ranked: Ranking, forward: SyntheticForward) -> None:
    first = make(forward).data

    def refuse(parameters: np.ndarray) -> np.ndarray:
        raise AssertionError("rendered again")

    assert make(refuse).data == first


def test_few_sliders_are_judged_once_each() -> None:
    assert slider_checks._ends(5, 3).tolist() == [0, 1, 2, 3, 4]
    assert slider_checks._ends(7, 3).tolist() == [0, 1, 2, 4, 5, 6]
    assert slider_checks._ends(1, 3).tolist() == [0]
    assert slider_checks._ends(2, 10).tolist() == [0, 1]


def test_rank_correlation_is_of_ranks() -> None:
    values = np.array([0.1, 5.0, 2.0, 3.0])
    assert slider_checks.rank_correlation(values, np.exp(values)) == pytest.approx(1)
    assert slider_checks.rank_correlation(values, -values) == pytest.approx(-1)
    assert slider_checks.rank_correlation([1.0, 2.0, 3.0], [1.0, 3.0, 2.0]) == pytest.approx(0.5)


def test_effective_dimensions_count_the_directions_that_latents_spread_over(
    rng: np.random.Generator,
) -> None:
    ball = rng.normal(size=(800, 5)) @ np.eye(5, 20)
    assert slider_checks.effective_dimensions(ball) == pytest.approx(5, abs=0.2)
    assert slider_checks.effective_dimensions(ball * ([1] + 19 * [1e-3])) == pytest.approx(
        1, abs=0.01
    )
