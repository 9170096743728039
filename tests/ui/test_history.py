# SPDX-License-Identifier: GPL-3.0-or-later
"""The History panel's operators, in a real bpy."""

import bpy
import numpy as np
import pytest

from facegen_addon.blas_threads import one_thread
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.head import history
from facegen_addon.scene.head.head_object import PARAMETERS_KEY, HeadObject
from facegen_addon.scene.head.history_text import Entry
from facegen_addon.scene.head.locks import set_locked
from facegen_addon.ui import properties
from facegen_addon.ui.history import shown_entries, title

OPERATORS = bpy.ops.facegen


@pytest.fixture
def head() -> HeadObject:
    """An Anny head with a history of three: added, and two samples."""
    OPERATORS.add_head(model="anny", subdivision=0)
    head = HeadObject.of(bpy.context.active_object)
    for seed in (1, 2):
        history.before_change(head)
        with one_thread():  # as operators do
            head.set_parameters(
                load_head_model("anny").sample_prior(np.random.default_rng(seed), 1)[0]
            )
        history.record(head, f"Sampled {seed}")
    return head


def sliders_show(head: HeadObject) -> bool:
    values = properties.sliders_of(head.mesh_object)
    shown = [getattr(values, name) for name in head.model.table.names]
    return np.array_equal(np.array(shown, np.float32), head.parameters.astype(np.float32))


def test_back_and_forward_move_mesh_and_sliders(head: HeadObject) -> None:
    latest = head.parameters
    assert OPERATORS.history_back() == {"FINISHED"}
    assert not np.array_equal(head.parameters, latest)
    assert sliders_show(head)
    assert OPERATORS.history_forward() == {"FINISHED"}
    assert np.array_equal(head.parameters, latest)
    assert sliders_show(head)


def test_buttons_are_greyed_at_the_ends(head: HeadObject) -> None:
    assert OPERATORS.history_back.poll() and not OPERATORS.history_forward.poll()
    OPERATORS.history_go(index=0)
    assert not OPERATORS.history_back.poll() and OPERATORS.history_forward.poll()
    properties.sliders_of(head.mesh_object).weight = 0.9  # back to what it was before
    assert OPERATORS.history_back.poll()
    bpy.context.view_layer.objects.active = None
    for name in ("back", "forward", "go", "star", "forget"):
        assert not getattr(OPERATORS, f"history_{name}").poll()


def test_steps_restore_locked_sliders_too(head: HeadObject) -> None:
    weight = head.model.table.index("weight")
    expected = history.history_of(head.mesh_object).entries[1].parameters[weight]
    set_locked(head.mesh_object, ["weight"], True)
    OPERATORS.history_back()
    assert head.parameters[weight] == expected


def test_a_star_keeps_its_step(head: HeadObject) -> None:
    OPERATORS.history_star(index=1)
    assert OPERATORS.history_forget() == {"FINISHED"}
    entries = history.history_of(head.mesh_object).entries
    assert [(e.label, e.starred) for e in entries] == [("Sampled 1", True), ("Sampled 2", False)]
    OPERATORS.history_star()
    OPERATORS.history_star(index=0)
    entries = history.history_of(head.mesh_object).entries
    assert [entry.starred for entry in entries] == [False, True]


def test_wrong_steps_are_one_line(head: HeadObject) -> None:
    for operator in (OPERATORS.history_go, OPERATORS.history_star):
        with pytest.raises(RuntimeError, match=r"3 entries in its history, there is no entry 4"):
            operator(index=3)
    head.mesh_object[PARAMETERS_KEY] = [0.5]
    with pytest.raises(RuntimeError, match="another version of its model"):
        OPERATORS.history_back()


def test_undo_of_a_step_and_another_step(head: HeadObject) -> None:
    head_id = head.head_id
    bpy.ops.ed.undo_push(message="two samples")
    OPERATORS.history_back()
    bpy.ops.ed.undo_push(message="back")
    bpy.ops.ed.undo()
    mesh_object = HeadObject.find(head_id).mesh_object
    bpy.context.view_layer.objects.active = mesh_object
    assert history.position(mesh_object) == 2
    OPERATORS.history_back()
    assert history.position(mesh_object) == 1


def test_fifty_steps_mixed_with_undo_and_redo(head: HeadObject, rng: np.random.Generator) -> None:
    head_id = head.head_id
    labels = [entry.label for entry in history.history_of(head.mesh_object).entries]
    bpy.ops.ed.undo_push(message="start")
    for choice in rng.integers(0, 4, 50):
        head = HeadObject.find(head_id)
        bpy.context.view_layer.objects.active = head.mesh_object
        operator = (
            OPERATORS.history_back, OPERATORS.history_forward, bpy.ops.ed.undo, bpy.ops.ed.redo
        )[choice]  # fmt: skip
        if operator.poll():
            operator()
            if choice < 2:
                bpy.ops.ed.undo_push(message="step")
        head = HeadObject.find(head_id)
        entries = history.history_of(head.mesh_object).entries
        assert [entry.label for entry in entries] == labels
        assert history.position(head.mesh_object) is not None
        with one_thread():  # as operators do
            vertices = head.model.forward(head.parameters)[0]
        shown = np.array([v.co for v in head.mesh_object.data.vertices], np.float32)
        np.testing.assert_array_equal(shown, vertices)


def entries(count: int, starred: tuple[int, ...] = ()) -> list[Entry]:
    return [Entry(f"Step {i}", np.zeros(1), starred=i in starred) for i in range(count)]


@pytest.mark.parametrize(
    ("here", "first", "before", "after"), [(0, 0, 0, 12), (10, 6, 6, 6), (19, 12, 12, 0)]
)
def test_a_long_history_shows_what_is_around(
    here: int, first: int, before: int, after: int
) -> None:
    shown, found_before, found_after = shown_entries(entries(20), here, starred_only=False)
    assert [index for index, _ in shown] == list(range(first, first + 8))
    assert (found_before, found_after) == (before, after)


def test_only_starred() -> None:
    shown, before, after = shown_entries(entries(20, (3, 17)), 10, starred_only=True)
    assert [index for index, _ in shown] == [3, 17]
    assert (before, after) == (0, 0)


def test_where_the_head_stands_in_words() -> None:
    assert title([], None) == "No steps yet"
    assert title(entries(7), 2) == "3 of 7: Step 2"
    assert title(entries(7), None) == "Edited"
