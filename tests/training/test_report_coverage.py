# SPDX-License-Identifier: GPL-3.0-or-later
"""The chapters on coverage and on correlations, on a synthetic forward mapping."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from facegen_addon.errors import RejectedSample, UserError
from facegen_addon.heads.correlations import PairCorrelation
from facegen_addon.latent.sphere import normalise
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.inversion import InversionSettings, TrustRegion
from facegen_addon.scene.render.view import View
from facegen_addon.variety import gaps
from models.training import render_pool
from models.training.report import correlations, coverage
from models.training.report.study import Study
from tests.mapping.test_backward import LinearNetwork, small_ensemble
from tests.pool_here import PoolHere
from tests.training.conftest import SyntheticNature
from tests.training.synthetic import SyntheticForward, SyntheticHead

Forward = Callable[[np.ndarray], np.ndarray]


@pytest.fixture
def backward(head: SyntheticHead) -> BackwardMapping:
    ensemble = small_ensemble(len(head.table.guided))
    settings = InversionSettings.of(head.table, steps=8)
    region = TrustRegion.of(head.table, settings, np.eye(ensemble.inputs))
    return BackwardMapping.assemble(
        head.table, ensemble, region, settings, LinearNetwork(ensemble)  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture
def make_study(
    models: Path,
    head: SyntheticHead,
    nature: SyntheticNature,
    backward: BackwardMapping,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Forward], Study]:
    """A quick study whose people are the synthetic nature's."""
    monkeypatch.setattr(gaps, "_ANCHORS", 100)
    monkeypatch.setattr(coverage, "same_face_threshold", lambda: 0.51)
    monkeypatch.setattr(coverage, "CAPACITY_DISTANCES", (0.2, 0.5))
    # Intervals of single pairs are most of the time; a few show as much as dozens.
    monkeypatch.setattr(correlations, "_STRONGEST", 2)
    monkeypatch.setattr(correlations, "_LISTED", 2)

    def make(forward: Forward) -> Study:
        options = argparse.Namespace(model=head.name, workers=1, threads=1, samples=1, quick=True)
        study = Study(options, forward)
        people = nature.sample(np.random.default_rng(6), 200)
        study.__dict__ |= {
            "backward": backward,
            "natural": nature,
            "held_out": lambda count: people[:count],
        }
        return study

    return make


def test_coverage_speaks_of_renders(
    make_study: Callable[[Forward], Study], forward: SyntheticForward
) -> None:
    section = coverage.chapter(make_study(forward))
    json.dumps(section.data, allow_nan=False)
    for curve in section.data["curves"].values():
        assert curve["heads"] == list(range(1, 13))
        assert curve["mean"] == sorted(curve["mean"], reverse=True)
    drawn, steered = (section.data["curves"][name] for name in (coverage.DRAWN, coverage.STEERED))
    assert drawn["mean"][:6] == steered["mean"][:6]
    low, high = section.data["advantage_of_steering"]["interval"]
    assert low <= section.data["advantage_of_steering"]["mean"] <= high
    assert (
        sum(need["size"] for need in section.data["clusters"])
        == (section.data["unreached"]["people"])
    )
    # These surrogates know nothing of the forward mapping: opinion and render must differ.
    for need in section.data["clusters"]:
        assert len(need["rendered"]) == len(need["promised"]) == len(coverage.BOUNDS)
        assert abs(need["rendered"][0] - need["promised"][0]) > 0.05
    assert section.data["capacity"]["real"][0] <= 12
    text = section.markdown()
    assert "Cluster 1" in text and "standard deviations" in text
    assert len(section.figures) == 2 and all("<svg" in f.html for f in section.figures)


def test_heads_rendered_with_other_samples_are_others(
    make_study: Callable[[Forward], Study], forward: SyntheticForward
) -> None:
    """Chunks of renders do not say how they were made."""
    calls = []

    def counted(parameters: np.ndarray) -> np.ndarray:
        calls.append(1)
        return forward(parameters)

    study, z = make_study(counted), np.zeros((2, 24), np.float32)
    for samples, renders in ((8, 2), (32, 4), (8, 4)):
        study.options.samples = samples
        study.render("some", z)
        assert len(calls) == renders


def test_a_chunk_without_a_face_joins_wider_latents(
    make_study: Callable[[Forward], Study],
) -> None:
    """Two encoders give longer latents than one; where no face was seen, nothing says so."""

    def blind_at_first(parameters: np.ndarray) -> np.ndarray:
        if parameters[0, 0] < 0:
            raise RejectedSample("no face")
        return np.ones((1, 640), np.float32)

    z = np.zeros((25, 24), np.float32)
    z[:10, 0], z[10:, 0] = -1, 1
    rendered = make_study(blind_at_first).render("two_encoders", z)
    assert rendered.latents.shape == (25, 640)
    assert rendered.usable.tolist() == [False] * 10 + [True] * 15


def test_an_encoder_that_is_missing_is_named(
    make_study: Callable[[Forward], Study],
    forward: SyntheticForward,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the process that finds it out: see tests/terminal/test_pool.py for how it is told."""
    study = make_study(forward)
    study._pool._forward = None
    monkeypatch.setattr(render_pool, "Pool", PoolHere(render_pool.rendering))
    with pytest.raises(UserError, match=r"nowhere\.onnx is missing"):
        study.render("some", np.zeros((1, 24), np.float32), View(encoders=("nowhere.onnx",)))


def test_the_processes_stay_from_one_set_to_the_next_unless_seen_otherwise(
    make_study: Callable[[Forward], Study],
    forward: SyntheticForward,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    views = []

    def start(command: object, size: int, set_up: render_pool.SetUp) -> PoolHere:
        views.append(set_up.view)
        return PoolHere(render_pool.rendering)(["worker"], size, set_up)

    study, z = make_study(forward), np.zeros((2, 24), np.float32)
    study._pool._forward = None
    monkeypatch.setattr(render_pool, "Pool", start)
    monkeypatch.setattr(render_pool, "load_forward", lambda *asked: forward)
    for name, view in (("one", View()), ("two", View()), ("three", View(seed=1))):
        assert study.render(name, z, view).usable.all()
    assert views == [View(), View(seed=1)]


def test_no_more_than_24_quick_renders_and_none_twice(
    make_study: Callable[[Forward], Study], forward: SyntheticForward
) -> None:
    rendered = []

    def counted(parameters: np.ndarray) -> np.ndarray:
        rendered.append(len(parameters))
        return forward(parameters)

    first = coverage.chapter(make_study(counted))
    assert sum(rendered) <= 24
    rendered.clear()
    assert coverage.chapter(make_study(counted)).data == first.data
    assert not rendered


def test_heads_without_a_face_are_left_out(
    make_study: Callable[[Forward], Study], forward: SyntheticForward
) -> None:
    seen = iter(range(1000))

    def often_blind(parameters: np.ndarray) -> np.ndarray:
        if next(seen) % 4 == 0:
            raise RejectedSample("no face")
        return forward(parameters)

    section = coverage.chapter(make_study(often_blind))
    json.dumps(section.data, allow_nan=False)
    assert len(section.data["curves"][coverage.DRAWN]["heads"]) < 12
    assert "not to be seen" in section.markdown()


@pytest.mark.parametrize(
    ("spread", "expected"), [((0.6, 0.9), 0.2), ((0.1, 0.3), 0.05), ((0.3, 0.54), None)]
)
def test_as_many_are_unreached_as_can_be_told(
    monkeypatch: pytest.MonkeyPatch, spread: tuple[float, float], expected: float | None
) -> None:
    monkeypatch.setattr(coverage, "same_face_threshold", lambda: 0.51)
    nearest = np.linspace(*spread, 1000)
    limit = coverage.unreached_limit(nearest)
    if expected is None:
        assert limit == 0.51
    else:
        assert np.mean(nearest > limit) == pytest.approx(expected, abs=0.002)


def test_wider_bounds_hold_the_narrower_ones(backward: BackwardMapping) -> None:
    z = np.random.default_rng(0).normal(0, 1.2, (20, 24))
    sizes = [
        np.linalg.norm(coverage.widened(backward, factor).region.project(z), axis=1)
        for factor in coverage.BOUNDS.values()
    ]
    assert (np.diff(sizes, axis=0) >= -1e-6).all()
    assert coverage.widened(backward, 1.0).settings == backward.settings
    # Without bounds the sliders' own ends are left.
    free = coverage.widened(backward, np.inf).region.project(99 * np.ones((1, 24)))
    np.testing.assert_allclose(free[0], backward.region.high)


def test_sliders_that_go_farthest_beyond_are_named() -> None:
    found = coverage.beyond(np.array([0.5, -1, 0]), np.array([0.4, -3, 1]), ["a", "b", "c"])
    assert found[:2] == (("b", -1.0, -3.0), ("c", 0.0, 1.0))


def test_correlations_find_what_nature_couples(
    make_study: Callable[[Forward], Study],
    forward: SyntheticForward,
    head: SyntheticHead,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """B as the inverse of a nature that couples two sliders, which drawing them apart loses."""
    study = make_study(forward)
    table = head.table

    def coupled(latents: np.ndarray) -> np.ndarray:
        # As good as random, and the same for the same latents.
        z = 3 * latents[:, :24] * np.sqrt(512)
        z[:, 5] = z[:, 2]
        return z

    monkeypatch.setitem(study.__dict__, "backward", SimpleNamespace(standardised=coupled))
    rng = np.random.default_rng(1)
    people = normalise(rng.standard_normal((120, 512)))
    monkeypatch.setitem(study.__dict__, "held_out", lambda count: people[:count])
    natural = SimpleNamespace(sample=lambda rng, n: normalise(rng.standard_normal((n, 512))))
    monkeypatch.setitem(study.__dict__, "natural", natural)
    monkeypatch.setattr(
        correlations, "load_correction", lambda name, model, grade: lambda latents: -latents
    )
    section = correlations.chapter(study)
    json.dumps(section.data, allow_nan=False)
    first = section.data["strongest_natural"][0]
    assert first["sliders"] == [table.parameters[2].label, table.parameters[5].label]
    assert first["correlation"] == pytest.approx(1)
    sets = section.data["sets"]
    assert list(sets) == ["uniform", "prior", "latent", *(
        f"latent, {name}" for name in correlations.CORRECTIONS
    )]  # fmt: skip
    assert sets["latent"]["difference"] < sets["uniform"]["difference"]
    assert sets["latent"]["likeness"] > sets["uniform"]["likeness"]
    lost = section.data["largest_differences"]["uniform"][0]
    assert lost["real"]["sliders"] == first["sliders"]
    assert "| lost |" in section.markdown()
    assert section.figures[0].html.count("<img") == 1 + len(sets)


def test_corrections_that_were_not_fitted_are_left_out(
    make_study: Callable[[Forward], Study],
    forward: SyntheticForward,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str, model: str, grade: str) -> None:
        raise UserError("nothing was fitted")

    monkeypatch.setattr(correlations, "load_correction", missing)
    section = correlations.chapter(make_study(forward))
    assert list(section.data["sets"]) == ["uniform", "prior", "latent"]


@pytest.mark.parametrize(
    ("real", "found", "verdict"),
    [
        ((0.05, -0.1, 0.2), (0.5, 0.4, 0.6), "spurious"),
        ((0.5, 0.4, 0.6), (0.05, -0.1, 0.2), "lost"),
        ((0.5, 0.4, 0.6), (-0.3, -0.4, -0.2), "reversed"),
        ((0.5, 0.4, 0.6), (0.3, 0.2, 0.4), "weaker"),
        ((-0.5, -0.6, -0.4), (-0.8, -0.9, -0.7), "exaggerated"),
    ],
)
def test_verdicts(real: tuple, found: tuple, verdict: str) -> None:
    pair = (PairCorrelation(0, 1, *numbers) for numbers in (real, found))
    assert correlations.verdict_of(*pair) == verdict


def test_heat_map_is_white_without_correlations() -> None:
    empty, full = (correlations.heat_map(m, "<b>") for m in (np.eye(3), np.ones((3, 3))))
    assert empty != full and "&lt;b&gt;" in empty


def test_lost_and_spurious_pairs_are_counted() -> None:
    real, drawn = np.eye(4), np.eye(4)
    real[0, 1] = real[2, 3] = drawn[0, 1] = drawn[1, 2] = -0.5
    assert correlations.lost_and_spurious(drawn, real) == (1, 1)
    assert correlations.lost_and_spurious(real, real) == (0, 0)


@pytest.mark.parametrize(("difference", "left"), [(0.5, 0.3), (0.4, 0.0), (0.1, 0.0)])
def test_noise_is_taken_off_in_squares(difference: float, left: float) -> None:
    assert correlations.beyond_noise(difference, 0.4) == pytest.approx(left, abs=1e-7)
