# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections and gaps of Generate Variety, without rendering: requests and kept heads."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

from facegen_addon.errors import RejectedSample, UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.sphere import cosine_distance, geodesic, normalise
from facegen_addon.scene.workflows import variety
from facegen_addon.scene.workflows.variety import VarietyRequest

MODEL = VarietyRequest.model
TABLE = load_head_model(MODEL).table


def latents(count: int) -> np.ndarray:
    return normalise(np.random.default_rng(4).standard_normal((count, 512))).astype(np.float32)


class Camera:
    """Sees heads whose latents are given in advance; None is a head without a face."""

    def __init__(self, seen: list[np.ndarray | None], left: int = 99) -> None:
        self._seen, self.left = seen, left

    def shoot(self, parameters: np.ndarray) -> variety._Shot:
        self.left -= 1
        latent = self._seen.pop(0)
        if latent is None:
            raise RejectedSample("no face")
        return variety._Shot(parameters, None, latent)  # type: ignore[arg-type]


class Asked:
    """Stands in for B: notes what it is asked for, and answers with as many in every column."""

    def __init__(self) -> None:
        self.latents: list[np.ndarray] = []

    def standardised(self, asked: np.ndarray, grade: str) -> np.ndarray:
        assert grade == "direct"
        self.latents.append(asked[0])
        return np.full((1, len(TABLE.guided)), 0.1 * len(self.latents), np.float32)


def number_of(shot: variety._Shot) -> int:
    """The how manieth answer of B a shot is of, 0 for the first head."""
    return round(10 * float(np.median(TABLE.standardise(shot.parameters))))


def correct(seen: list[Any], corrections: int, left: int = 99) -> tuple[Any, Any, Asked]:
    """The first shot and the one that is kept, of a head asked for at the first of two latents."""
    request = VarietyRequest(grade="direct", corrections=corrections)
    source = variety._Candidates(request, load_head_model(MODEL), variety._Stopwatch())
    asked = Asked()
    source._mapping = asked, None  # type: ignore[assignment]
    wanted, away = latents(2)
    along = [None if t is None else geodesic(wanted, away, t).astype(np.float32) for t in seen]
    first = variety._Shot(TABLE.default(), SimpleNamespace(), along[0])  # type: ignore[arg-type]
    candidate = variety._Candidate(TABLE.default(), wanted)
    camera = Camera(along[1:], left)
    return first, source.corrected(candidate, first, camera), asked  # type: ignore[arg-type]


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


def test_corrections_end_with_the_budget() -> None:
    assert len(correct([0.5, 0.4, 0.3], 8, left=2)[2].latents) == 2
    first, best, _ = correct([0.5], 8, left=0)
    assert best is first


def test_without_corrections_nothing_more_is_rendered() -> None:
    first, best, asked = correct([0.5], 0)
    assert best is first and not asked.latents


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"corrections": 9}, "corrections 9"),
        ({"corrections": -1}, "corrections -1"),
        ({"corrections": 1, "distribution": "prior"}, "choose latent"),
        ({"fill_gaps": ("run",), "distribution": "uniform"}, "choose latent"),
        ({"encoder": "sfaze"}, "'sfaze': choose facenet, sface"),
        ({"encoder": "nowhere.onnx", "distance": 0.3}, r"nowhere\.onnx is missing"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        VarietyRequest(**change)


def test_corrections_have_renders_of_their_own() -> None:
    assert VarietyRequest(count=3).renders == 30
    assert VarietyRequest(count=3, corrections=2).renders == 90
    assert VarietyRequest(count=3, corrections=2, budget=40).renders == 40


def test_the_default_distance_is_the_encoders() -> None:
    assert VarietyRequest().distance == 0.51
    assert VarietyRequest(encoder="sface").distance == 0.637
    assert VarietyRequest(encoder="sface", distance=0.2).distance == 0.2


def test_an_encoder_of_another_size_is_refused_before_anything_is_rendered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rendered(*_: object) -> None:
        raise AssertionError("a renderer was made")

    monkeypatch.setattr(variety, "HeadRenderer", rendered)
    for more in ({}, {"corrections": 2}, {"fill_gaps": ("nowhere",)}):
        request = VarietyRequest(encoder="sface", **more)  # type: ignore[arg-type]
        with pytest.raises(UserError, match=r"sface .* 128 .* B takes 512"):
            list(variety.run_variety(request))


def test_an_earlier_run_that_is_not_there_is_named() -> None:
    request = VarietyRequest(fill_gaps=("nowhere",))
    with pytest.raises(UserError, match=r"nowhere is missing"):
        variety._Candidates(request, load_head_model(MODEL), variety._Stopwatch())
