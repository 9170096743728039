# SPDX-License-Identifier: GPL-3.0-or-later
"""Another view of the head that is there takes no new head, and has the bytes it always has."""

from dataclasses import fields

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.wear.outfit import Outfit
from facegen_addon.labels.shot import Light, Shot, View
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.render.sample_renderer import Rendered, SampleRenderer, SampleSettings

PERSON = load_head_model("person")
SMALL = SampleSettings(samples=2, width=64, height=64, device="CPU")


@pytest.fixture
def shaped(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The parameters that heads are given from now on."""
    given: list[np.ndarray] = []
    set_parameters = HeadObject.set_parameters

    def noted(head: HeadObject, parameters: np.ndarray) -> np.ndarray:
        vertices = set_parameters(head, parameters)
        given.append(parameters)
        return vertices

    monkeypatch.setattr(HeadObject, "set_parameters", noted)
    return given


def _assert_same(one: Rendered, other: Rendered) -> None:
    np.testing.assert_array_equal(one.image, other.image)
    assert one.maps is not None and one.landmarks is not None
    for mine, theirs in ((one.maps, other.maps), (one.landmarks, other.landmarks)):
        for field in fields(mine):
            np.testing.assert_array_equal(getattr(mine, field.name), getattr(theirs, field.name))


def test_views_of_a_head_share_it(shaped: list[np.ndarray]) -> None:
    head, other = PERSON.sample_prior(np.random.default_rng(0), 2)
    hat = Outfit(headwear="beanie")
    shots = [
        Shot(head, seed=1),
        Shot(head.copy(), View(yaw=0.4), light=Light("interior"), seed=2),
        Shot(head, View(yaw=-0.4), seed=3),
        Shot(head, outfit=hat, seed=3),
        Shot(other, outfit=hat, seed=3),
    ]
    with SampleRenderer(PERSON, SMALL) as renderer:
        shaped.clear()
        rendered = [renderer.render(shot) for shot in shots]
        assert len(shaped) == 3
    for shot, seen in ((shots[1], rendered[1]), (shots[2], rendered[2]), (shots[4], rendered[4])):
        with SampleRenderer(PERSON, SMALL) as fresh:
            _assert_same(fresh.render(shot), seen)


def test_a_head_that_could_not_be_shown_is_not_taken_for_shown(shaped: list[np.ndarray]) -> None:
    head = PERSON.table.default()
    wrong = head.copy()
    wrong[0] = np.nan
    with SampleRenderer(PERSON, SMALL) as renderer:
        renderer.render(Shot(head))
        with pytest.raises(UserError):
            renderer.render(Shot(wrong))
        shaped.clear()
        renderer.render(Shot(head))
        assert len(shaped) == 1
