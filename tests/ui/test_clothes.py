# SPDX-License-Identifier: GPL-3.0-or-later
"""The properties of the Clothes panel, in a real bpy: what they say is worn, through undo, too."""

import logging
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from facegen_addon.heads.wear.outfit import BARE
from facegen_addon.heads.wear.outfit_text import FIELDS
from facegen_addon.mapping.sampling import Sampled
from facegen_addon.scene.head import completion, worn
from facegen_addon.scene.head.head_object import MODEL_KEY, HeadObject
from facegen_addon.ui import clothes, properties, sampling
from tests.ui.panels import RecordingLayout


def only_head() -> HeadObject:
    (mesh_object,) = (o for o in bpy.data.objects if MODEL_KEY in o)
    return HeadObject.of(mesh_object)


def names(head: HeadObject) -> set[str]:
    return set(worn.parts_of(head.mesh_object, head.head_id))


@pytest.fixture
def head() -> HeadObject:
    bpy.ops.facegen.add_head(model="person", subdivision=0)
    return only_head()


def test_properties_show_and_set_what_is_worn(head: HeadObject) -> None:
    outfit = head.mesh_object.facegen_outfit
    assert (outfit.garment, outfit.pattern, outfit.glasses, outfit.headwear) == (
        "none", "plain", "none", "none",
    )  # fmt: skip
    outfit.garment, outfit.colour, outfit.pattern = "hoodie", (0.5, 0.25, 0.125), "checks"
    outfit.second_colour = (1.0, 0.0, 0.0)
    outfit.glasses, outfit.frame_colour = "cat_eye", (0.25, 0.0, 0.0)
    outfit.headwear, outfit.hat_colour = "beanie", (0.0, 0.25, 0.0)
    kept = only_head().outfit
    assert (kept.neckline, kept.colour, kept.pattern) == ("hoodie", (0.5, 0.25, 0.125), "checks")
    assert (kept.glasses, kept.headwear, kept.hat) == ("cat_eye", "beanie", (0.0, 0.25, 0.0))
    assert kept.second == (1.0, 0.0, 0.0) and kept.frame == (0.25, 0.0, 0.0)
    assert outfit.garment == "hoodie" and tuple(outfit.colour) == (0.5, 0.25, 0.125)
    assert names(only_head()) == set(worn.PARTS)


def test_out_of_range_and_unknown_is_refused(head: HeadObject) -> None:
    outfit = head.mesh_object.facegen_outfit
    with pytest.raises(TypeError, match="toga"):
        outfit.garment = "toga"
    outfit.colour = (0.5, 7.0, -1.0)
    assert tuple(outfit.colour) == (0.5, 1.0, 0.0)


def test_undo_takes_off_and_redo_puts_on_again(head: HeadObject) -> None:
    completion.set_waiting(False)
    bpy.ops.ed.undo_push(message="bare")
    head.mesh_object.facegen_outfit.garment = "shirt"
    bpy.ops.ed.undo_push(message="shirt")
    only_head().mesh_object.facegen_outfit.headwear = "hat"
    bpy.ops.ed.undo_push(message="hat")
    properties.sliders_of(only_head().mesh_object).weight = 0.9
    bpy.ops.ed.undo_push(message="moved")
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert only_head().mesh_object.facegen_outfit.headwear == "none"
    assert names(only_head()) == {"bust", "clothes"}
    bpy.ops.ed.undo()
    assert only_head().outfit == BARE and not names(only_head())
    for _ in range(3):
        bpy.ops.ed.redo()
    again = only_head()
    assert names(again) == {"bust", "clothes", "headwear"} and again.outfit.headwear == "hat"
    place = np.array(
        [v.co for v in worn.parts_of(again.mesh_object, again.head_id)["headwear"].data.vertices]
    )
    again.set_parameters(again.parameters)
    hat = worn.parts_of(again.mesh_object, again.head_id)["headwear"]
    np.testing.assert_allclose([v.co for v in hat.data.vertices], place, atol=1e-6)


def test_a_blend_wears_what_the_active_head_wears(
    head: HeadObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sampler:
        @classmethod
        def load(cls, model: object) -> "Sampler":
            return cls()

        def blend(self, first: np.ndarray, second: np.ndarray, *_: object) -> Sampled:
            return Sampled(0.3 * first + 0.7 * second)

    monkeypatch.setattr(sampling, "HeadSampler", Sampler)
    head.mesh_object.facegen_outfit.headwear = "hat"
    bpy.ops.facegen.add_head(model="person", subdivision=0)
    other = HeadObject.of(bpy.context.active_object)
    other.set_parameters(other.model.sample_prior(np.random.default_rng(0), 1)[0])
    other.mesh_object.facegen_outfit.glasses = "round"
    head.mesh_object.select_set(True)
    assert bpy.ops.facegen.blend_heads() == {"FINISHED"}
    blend = HeadObject.of(bpy.context.active_object)
    assert blend.outfit == other.outfit and names(blend) == {"glasses"}


def test_a_part_makes_its_head_the_active_one(head: HeadObject) -> None:
    head.mesh_object.facegen_outfit.glasses = "round"
    bpy.context.view_layer.objects.active = only_head().worn[0]
    assert bpy.ops.facegen.reset_sliders.poll()


def test_heads_of_other_models_and_other_objects_say_why(caplog: pytest.LogCaptureFixture) -> None:
    bpy.ops.facegen.add_head(model="anny", subdivision=0)
    anny = only_head().mesh_object
    empty = bpy.data.objects.new("Empty", None)
    with caplog.at_level(logging.ERROR):
        anny.facegen_outfit.garment = "crew"
        empty.facegen_outfit.garment = "crew"
    assert [record.getMessage() for record in caplog.records] == [
        "heads of model 'anny' wear nothing; choose model 'person'",
        "'Empty' is no head; choose one to dress",
    ]
    assert anny.facegen_outfit.garment == empty.facegen_outfit.garment == "none"
    assert not clothes._can_dress(anny)


def drawn() -> list[tuple[str, str]]:
    log: list[tuple[str, str]] = []
    clothes.FACEGEN_PT_clothes.draw(SimpleNamespace(layout=RecordingLayout(log)), bpy.context)
    return log


def test_the_panel_shows_what_there_is_to_choose(head: HeadObject) -> None:
    def shown() -> list[str]:
        return [name for kind, name in drawn() if kind == "prop"]

    assert shown() == ["garment", "glasses", "headwear"]
    outfit = head.mesh_object.facegen_outfit
    outfit.garment, outfit.headwear = "crew", "cap"
    assert shown() == ["garment", "colour", "pattern", "glasses", "headwear", "hat_colour"]
    outfit.pattern, outfit.glasses = "checks", "round"
    assert shown() == list(FIELDS)


def test_the_panel_says_why_there_is_nothing() -> None:
    assert drawn() == [("label", "Select a head to dress")]
    bpy.ops.facegen.add_head(model="anny", subdivision=0)
    assert drawn() == [("label", "Only heads of model person")]
