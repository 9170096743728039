# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders of age, sex, nose and so on, in a real bpy: parameters are the truth."""

from itertools import groupby
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.areas import AREAS
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.characteristics import WHOLE
from facegen_addon.scene.head import completion
from facegen_addon.scene.head.head_object import PARAMETERS_KEY, HeadObject
from facegen_addon.scene.head.locks import pinned, set_locked
from facegen_addon.ui import characteristics, properties

MODEL = load_head_model("open_flame")
assert MODEL.characteristics is not None
KNOWN = MODEL.characteristics


@pytest.fixture
def head() -> bpy.types.Object:
    return add_head("open_flame")


def add_head(model: str) -> bpy.types.Object:
    assert bpy.ops.facegen.add_head(model=model, subdivision=0) == {"FINISHED"}
    return bpy.context.view_layer.objects.active


def values(head: bpy.types.Object) -> bpy.types.PropertyGroup:
    found = characteristics.values_of(head)
    assert found is not None
    return found


def parameters(head: bpy.types.Object) -> np.ndarray:
    return np.array(head[PARAMETERS_KEY])


def positions(head: bpy.types.Object) -> np.ndarray:
    found = np.empty(3 * len(head.data.vertices), np.float32)
    head.data.attributes["position"].data.foreach_get("vector", found)
    return found.reshape(-1, 3)


def test_every_characteristic_is_a_slider_that_shows_the_head(head: bpy.types.Object) -> None:
    HeadObject.of(head).move_to(MODEL.sample_prior(np.random.default_rng(1), 1)[0])
    for row, value in zip(KNOWN.rows, KNOWN.read(parameters(head)), strict=True):
        rna = values(head).bl_rna.properties[row.name]
        assert (rna.name, rna.is_animatable) == (row.label, False)
        assert (rna.soft_min, rna.soft_max) == pytest.approx((row.low, row.high))
        expected = min(max(value, 0.0), 1.0) if row.share_of else value
        assert getattr(values(head), row.name) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_a_share_is_never_less_than_none_nor_more_than_all(head: bpy.types.Object) -> None:
    shares = [row.name for row in KNOWN.rows if row.share_of]
    read = []
    for parameters in MODEL.sample_prior(np.random.default_rng(0), 8):
        HeadObject.of(head).move_to(parameters)
        read += [KNOWN.value(parameters, name) for name in shares]
        assert all(0.0 <= getattr(values(head), name) <= 1.0 for name in shares)
    assert min(read) < 0.0, "what is read off shapes goes beyond, or this tests nothing"


def test_a_slider_moves_components_mesh_and_their_sliders(head: bpy.types.Object) -> None:
    values(head).age = 70.0
    after = parameters(head)
    assert KNOWN.value(after, "age") == pytest.approx(70.0, abs=1e-3)
    np.testing.assert_array_equal(after, KNOWN.changed(MODEL.table.default(), {"age": 70.0}))
    np.testing.assert_array_equal(positions(head), MODEL.forward(after)[0])
    shown = properties.sliders_of(head)
    assert shown.shape_001 == pytest.approx(after[MODEL.table.index("shape_001")])
    assert values(head).age == pytest.approx(70.0, abs=1e-3)


def test_dragging_ends_where_one_move_does(head: bpy.types.Object) -> None:
    """As in a window, where strands follow later."""
    completion.set_waiting(True)
    try:
        for age in np.linspace(40, 65, 11):
            values(head).age = age
        completion.complete_all()
    finally:
        completion.set_waiting(False)
    once = KNOWN.changed(MODEL.table.default(), {"age": 65.0})
    np.testing.assert_allclose(parameters(head), once, atol=1e-5)


def test_others_stay_where_it_is_asked(head: bpy.types.Object) -> None:
    sex = values(head).sex
    values(head).weight = 0.8
    assert values(head).sex == pytest.approx(sex, abs=1e-4)
    bpy.ops.facegen.reset_sliders()
    bpy.context.window_manager.facegen.others_stay = False
    values(head).weight = 0.8
    assert abs(values(head).sex - sex) > 1e-3


def test_what_is_pinned_stays(head: bpy.types.Object) -> None:
    assert bpy.ops.facegen.toggle_pin(name="nose_length") == {"FINISHED"}
    length = values(head).nose_length
    values(head).sex = 0.0
    assert values(head).nose_length == pytest.approx(length, abs=1e-3)
    assert bpy.ops.facegen.toggle_pin(name="nose_length") == {"FINISHED"}
    assert not pinned(head)
    values(head).sex = 1.0
    assert abs(values(head).nose_length - length) > 0.5


def test_a_pinned_one_can_be_moved(head: bpy.types.Object) -> None:
    bpy.ops.facegen.toggle_pin(name="age")
    values(head).age = 25.0
    assert values(head).age == pytest.approx(25.0, abs=1e-3)


def test_locked_sliders_stay(head: bpy.types.Object) -> None:
    somebody = (MODEL.table.mean + MODEL.sample_prior(np.random.default_rng(1), 1)[0]) / 2
    HeadObject.of(head).move_to(somebody)
    names = [MODEL.table.names[column] for column in MODEL.table.columns("shape")[:8]]
    set_locked(head, names, True)
    before, columns = parameters(head), [MODEL.table.index(name) for name in names]
    values(head).age = 60.0
    np.testing.assert_array_equal(parameters(head)[columns], before[columns])
    assert values(head).age == pytest.approx(60.0, abs=1e-3)


def test_undo_brings_the_head_back(head: bpy.types.Object) -> None:
    name, before = head.name, parameters(head)
    bpy.ops.ed.undo_push(message="head")
    values(head).age = 75.0
    older = parameters(head)
    bpy.ops.ed.undo_push(message="Age")
    bpy.ops.ed.undo()
    head = bpy.data.objects[name]
    np.testing.assert_array_equal(parameters(head), before)
    np.testing.assert_array_equal(positions(head), MODEL.forward(before)[0])
    assert values(head).age == pytest.approx(KNOWN.value(before, "age"), abs=1e-3)
    bpy.ops.ed.redo()
    np.testing.assert_array_equal(parameters(bpy.data.objects[name]), older)


def test_a_reset_takes_back_what_a_characteristic_did(head: bpy.types.Object) -> None:
    values(head).sex = 1.0
    assert bpy.ops.facegen.reset_sliders(group="shape") == {"FINISHED"}
    np.testing.assert_array_equal(parameters(head), MODEL.table.default())


def test_an_edited_head_stays(head: bpy.types.Object) -> None:
    head.shape_key_add(name="Basis")
    before = parameters(head)
    values(head).age = 75.0
    np.testing.assert_array_equal(parameters(head), before)


def test_objects_that_are_no_such_head_show_the_mean_and_stay() -> None:
    add_head("open_flame")
    anny = add_head("anny")
    assert characteristics.values_of(anny) is None
    others = getattr(anny, characteristics.group_name("open_flame"))
    before = parameters(anny)
    others.age = 70.0
    np.testing.assert_array_equal(parameters(anny), before)
    assert others.age == pytest.approx(KNOWN.value(MODEL.table.default(), "age"), abs=1e-3)


def test_what_cannot_be_pinned(head: bpy.types.Object) -> None:
    with pytest.raises(RuntimeError, match="unknown characteristic 'charm'"):
        bpy.ops.facegen.toggle_pin(name="charm")
    add_head("anny")
    with pytest.raises(RuntimeError, match="head model 'anny' has sliders of such things itself"):
        bpy.ops.facegen.toggle_pin(name="age")


def test_a_head_whose_characteristics_are_damaged_has_its_other_sliders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def damaged(*_: object) -> None:
        raise UserError("models/characteristics.npz is damaged")

    monkeypatch.setattr(characteristics, "property_group", damaged)
    head = add_head("open_flame")
    assert properties.sliders_of(head) is not None
    assert characteristics.values_of(head) is None


def test_the_panel_shows_all_of_them_who_it_is_first(head: bpy.types.Object) -> None:
    drawn: list[str] = []
    said: list[str] = []

    class Layout:
        def panel(self, name: str, **_: object) -> tuple["Layout", "Layout"]:
            drawn.append(name)
            return self, self

        def prop(self, data: object, name: str, text: str = "", **_: object) -> None:
            drawn.append(name)
            said.append(text)

        def row(self, **_: object) -> "Layout":
            return self

        column = row

        def label(self, text: str, **_: object) -> None:
            said.append(text)

        def operator(self, *_: object, **__: object) -> SimpleNamespace:
            return SimpleNamespace()

    settings = bpy.context.window_manager.facegen
    characteristics.draw_people(Layout(), head, KNOWN, settings)  # type: ignore[arg-type]
    second = len(drawn)
    assert {"Man", "Woman", "Slim", "Heavy", "European"} <= set(said), "as of other models"
    assert not {"Sex", "Caucasian"} & set(said)
    characteristics.draw_measures(Layout(), head, KNOWN, settings)  # type: ignore[arg-type]
    rows = [name for name in drawn if name in KNOWN.names]
    assert sorted(rows) == sorted(KNOWN.names)
    assert rows[:2] == ["sex", "age"]
    groups = [KNOWN.rows[KNOWN.index(name)].group for name in drawn[second:] if name in rows]
    assert [group for group, _ in groupby(groups)] == [WHOLE, *AREAS]


def test_tooltips_say_unit_range_and_how_surely() -> None:
    rows = {row.name: characteristics.describe(row) for row in KNOWN.rows}
    assert rows["age"].startswith("Age, as people have it from 18 to 80 (years)")
    assert "can be read off a head" in rows["weight"]
    assert "Measured on the face" in rows["nose_width"]
