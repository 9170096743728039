# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows a slider at once, and what a moment later."""

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

import facegen_addon
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.head import completion
from facegen_addon.scene.head.head_object import PARAMETERS_KEY, HeadObject
from tests.ui.slider_heads import MODELS, add_head, attributes, positions, render_small, sliders


@pytest.fixture
def waiting() -> Iterator[None]:
    """Heads are completed in a later moment, as in a window."""
    completion.set_waiting(True)
    yield
    completion.set_waiting(False)


@pytest.mark.parametrize("model_name", MODELS)
def test_skin_follows_at_once_and_all_of_the_head_in_the_next_moment(
    model_name: str, rng: np.random.Generator, waiting: None
) -> None:
    head = add_head(model_name)
    model, values = load_head_model(model_name), sliders(head)
    table = model.table
    values.skin_melanin = 0.3  # the first move gets ready, and is complete
    hair = attributes(head)[f"{head.children[0].data.name} position"]
    for column in [rng.choice(table.columns(group)) for group in table.groups * 2]:
        low, high = table.minimum[column], table.maximum[column]
        setattr(values, table.names[column], rng.uniform(low, high))
        parameters = np.array(head[PARAMETERS_KEY])
        evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
        at_once = positions(evaluated)
        np.testing.assert_allclose(at_once, model.forward(parameters)[0], atol=1e-6)
    assert attributes(head)[f"{head.children[0].data.name} position"] == hair
    assert bpy.app.timers.is_registered(completion.complete_all)
    completion.complete_all()
    everything = attributes(head)
    HeadObject.of(head).set_parameters(parameters)
    assert attributes(head) == everything


@pytest.mark.parametrize("reader", ["save", "render", "undo", "unregister"])
def test_nobody_reads_a_head_that_is_not_complete(
    reader: str, tmp_path: Path, waiting: None
) -> None:
    head = add_head()
    sliders(head).jawOpen = 0.2
    completion.complete_all()
    sliders(head).jawOpen = 0.9
    name, parameters = head.name, np.array(head[PARAMETERS_KEY])
    before = attributes(head)
    if reader == "save":
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "head.blend"))
    elif reader == "render":
        render_small()
    elif reader == "undo":  # back to a moment between skin and strands
        bpy.ops.ed.undo_push(message="between")
        sliders(head).weight = 0.9
        completion.complete_all()
        bpy.ops.ed.undo_push(message="later")
        bpy.ops.ed.undo()
    else:
        facegen_addon.unregister()
        facegen_addon.register()
    head = bpy.data.objects[name]
    np.testing.assert_array_equal(np.array(head[PARAMETERS_KEY]), parameters)
    read = attributes(head)
    assert read != before
    HeadObject.of(head).set_parameters(parameters)
    assert attributes(head) == read


def test_only_what_changed_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    head = add_head()
    values = sliders(head)
    values.age = 0.8
    calls: list[str] = []
    for name in ("_write_shape", "_write_strands", "_write_hair_colours"):
        monkeypatch.setattr(HeadObject, name, lambda self, *rest, name=name: calls.append(name))
    values.skin_melanin = 0.7
    assert calls == ["_write_hair_colours"]
    calls.clear()
    values.hair_length = 0.9
    assert calls == ["_write_strands"]
    calls.clear()
    values.hair_density = 0.9  # it darkens the scalp, too
    assert calls == ["_write_hair_colours", "_write_strands"]
    calls.clear()
    values.jawOpen = 0.5
    assert calls == ["_write_shape", "_write_strands"]
