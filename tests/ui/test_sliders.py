# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders as real RNA properties, in a real bpy."""

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.plain_words import words_of
from facegen_addon.scene.head.head_object import PARAMETERS_KEY, HeadObject
from tests.ui.slider_heads import MODELS, add_head, attributes, drawn, positions, sliders


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_is_a_slider_with_its_range(model: str) -> None:
    values = sliders(add_head(model))
    for parameter in load_head_model(model).table.parameters:
        rna = values.bl_rna.properties[parameter.name]
        assert rna.name == words_of(parameter).label
        assert rna.hard_min == pytest.approx(parameter.minimum)
        assert rna.hard_max == pytest.approx(parameter.maximum)
        assert getattr(values, parameter.name) == pytest.approx(parameter.mean)


def test_a_slider_moves_the_mesh_as_its_parameter_does() -> None:
    head = add_head()
    model = load_head_model("anny")
    sliders(head).weight = 0.9
    parameters = np.array(head[PARAMETERS_KEY])
    assert parameters[model.table.index("weight")] == pytest.approx(0.9)
    np.testing.assert_array_equal(positions(head), model.forward(parameters)[0])


@pytest.mark.parametrize("model_name", MODELS)
def test_moving_sliders_one_by_one_ends_where_setting_all_at_once_does(
    model_name: str, rng: np.random.Generator
) -> None:
    """One slider of each group, there and back, against a head made anew."""
    head = add_head(model_name)
    model, values = load_head_model(model_name), sliders(head)
    table = model.table
    columns = [rng.choice(table.columns(group)) for group in table.groups] * 2
    for column in columns:
        low, high = table.minimum[column], table.maximum[column]
        setattr(values, table.names[column], rng.uniform(low, high))
    moved, parameters = positions(head), np.array(head[PARAMETERS_KEY])
    everything = attributes(head)
    HeadObject.of(head).set_parameters(parameters)
    np.testing.assert_array_equal(moved, positions(head))
    assert attributes(head) == everything


def test_sliders_show_what_code_sets(rng: np.random.Generator) -> None:
    head = add_head()
    model = load_head_model("anny")
    parameters = model.sample_prior(rng, 1)[0]
    HeadObject.of(head).set_parameters(parameters)
    shown = [getattr(sliders(head), name) for name in model.table.names]
    np.testing.assert_allclose(shown, parameters, rtol=1e-6, atol=1e-7)
    assert head[PARAMETERS_KEY].to_list() == parameters.tolist()


def test_ends_of_ranges_survive_single_precision() -> None:
    """0.8 is larger in single precision than in double, beyond a range that ends there."""
    head = add_head()
    sliders(head).jaw_x = 0.8
    column = load_head_model("anny").table.index("jaw_x")
    assert head[PARAMETERS_KEY][column] == 0.8


def test_undo_and_then_a_slider() -> None:
    """Undo replaces Blender's objects and takes the parameters back; sliders go on from there."""
    head = add_head()
    model = load_head_model("anny")
    head_id, name = head["facegen_id"], head.name
    bpy.ops.ed.undo_push(message="head")
    sliders(head).weight = 0.9
    bpy.ops.ed.undo_push(message="weight")
    bpy.ops.ed.undo()
    head = bpy.data.objects[name]
    assert head["facegen_id"] == head_id
    assert sliders(head).weight == pytest.approx(0.5)
    sliders(head).age = 0.9
    parameters = model.table.default()
    parameters[model.table.index("age")] = np.float32(0.9)
    np.testing.assert_array_equal(positions(head), model.forward(parameters)[0])


def test_a_copy_of_a_head_is_a_head_of_its_own() -> None:
    head = add_head()
    copy, hair = head.copy(), head.children[0].copy()
    copy.data, hair.data, hair.parent = head.data.copy(), hair.data.copy(), copy
    for added in (copy, hair):
        bpy.context.collection.objects.link(added)
    bpy.context.view_layer.update()
    before = positions(head)
    sliders(copy).weight = 1.0
    np.testing.assert_array_equal(positions(head), before)
    assert np.abs(positions(copy) - before).max() > 1e-4
    assert copy["facegen_id"] != head["facegen_id"]


def test_a_head_without_hair_still_moves() -> None:
    head = add_head()
    bpy.data.objects.remove(head.children[0])
    before = positions(head)
    sliders(head).weight = 1.0
    assert np.abs(positions(head) - before).max() > 1e-4


def test_reset_of_a_group_and_of_all() -> None:
    head = add_head()
    values = sliders(head)
    values.age, values.jawOpen = 0.9, 0.7
    assert bpy.ops.facegen.reset_sliders(group="expression") == {"FINISHED"}
    assert (values.age, values.jawOpen) == pytest.approx((0.9, 0.0))
    assert bpy.ops.facegen.reset_sliders() == {"FINISHED"}
    table = load_head_model("anny").table
    assert head[PARAMETERS_KEY].to_list() == table.default().tolist()


def test_reset_needs_a_head() -> None:
    assert not bpy.ops.facegen.reset_sliders.poll()


@pytest.mark.parametrize("subdivided", [False, True])
def test_sliders_leave_an_edited_mesh_alone(subdivided: bool) -> None:
    """In edit mode, and for good where vertices were added there; the panel says why."""
    head = add_head()
    name = head.name
    bpy.ops.object.mode_set(mode="EDIT")
    if subdivided:
        bpy.ops.mesh.select_all(action="SELECT")
        bpy.ops.mesh.subdivide()
        bpy.ops.object.mode_set(mode="OBJECT")
    before = head[PARAMETERS_KEY].to_list()
    sliders(head).weight = 0.9
    assert head[PARAMETERS_KEY].to_list() == before
    reason = "no longer fits" if subdivided else "leave edit mode"
    with pytest.raises(RuntimeError, match=reason):
        bpy.ops.facegen.reset_sliders()
    text = " ".join(text for kind, text in drawn() if kind == "label")
    assert reason in text.lower()
    if not subdivided:
        bpy.ops.object.mode_set(mode="OBJECT")
        sliders(bpy.data.objects[name]).weight = 0.8
        assert bpy.data.objects[name][PARAMETERS_KEY].to_list() != before
