# SPDX-License-Identifier: GPL-3.0-or-later
"""Strands that have not followed a slider yet, and stray hair that is still to be removed, while
something else happens to the head."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import bpy
import numpy as np
import pytest

from facegen_addon.scene.head import completion
from facegen_addon.scene.head.head_object import HAIR_KEY, MODEL_KEY, hair_of
from facegen_addon.scene.head.stray_hair import remove_stray_hair, stray_hair
from tests.ui.test_robustness import activate, add_head, duplicate, heads, set_slider, snapshot


@pytest.fixture(autouse=True)
def waiting() -> Iterator[None]:
    """Strands follow in a later moment, as in a window."""
    completion.set_waiting(True)
    yield
    completion.set_waiting(False)


def pending() -> bpy.types.Object:
    """A head whose strands have not followed yet."""
    head = add_head()
    set_slider(head, "age", 0.3)
    bpy.ops.ed.undo_push(message="head")
    set_slider(head, "age", 0.9)
    return head


def delete(*, hair: bool) -> None:
    activate(heads()[0], hair=hair)
    bpy.ops.object.delete()


@pytest.mark.parametrize(
    ("event", "count"),
    [
        (duplicate, 2),
        (lambda: duplicate(linked=True), 2),
        (lambda: delete(hair=True), 0),
        (lambda: bpy.ops.wm.read_homefile(use_empty=True), 0),
        (lambda: bpy.ops.scene.new(type="FULL_COPY"), 1),
        (lambda: bpy.ops.scene.new(type="LINK_COPY"), 1),
    ],
)
def test_strands_follow_whatever_has_happened_meanwhile(
    event: Callable[[], object], count: int
) -> None:
    pending()
    event()
    completion.complete_all()
    for head in (o for o in bpy.data.objects if MODEL_KEY in o):
        assert hair_of(head) is not None
    assert len(heads()) == count
    if len(bpy.data.scenes) < 2:
        snapshot()
    set_slider(heads()[-1] if count else add_head(), "age", 0.5)
    completion.complete_all()


def test_what_is_opened_while_strands_are_behind_is_whole(tmp_path: Path) -> None:
    pending()
    path = str(tmp_path / "heads.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)  # completes them
    saved = snapshot()
    set_slider(heads()[0], "age", 0.1)
    bpy.ops.wm.open_mainfile(filepath=path)
    completion.complete_all()
    assert snapshot() == saved


@pytest.mark.parametrize("removed_before_undo", [True, False])
@pytest.mark.parametrize("apart", [True, False])
def test_a_deleted_head_comes_back_with_its_hair(removed_before_undo: bool, apart: bool) -> None:
    """Its hair is removed a moment later, which no undo step knows, or was to be removed."""
    head = pending()
    if apart:  # hair in a collection of its own: undo need not read that anew
        hair, own = hair_of(head), bpy.data.collections.new("Own")
        bpy.context.scene.collection.children.link(own)
        bpy.context.scene.collection.objects.unlink(hair)
        own.objects.link(hair)
    completion.complete_all()
    before = snapshot()
    shown = [c.name for c in hair_of(head).users_collection]
    bpy.ops.ed.undo_push(message="slider")
    delete(hair=False)
    bpy.ops.ed.undo_push(message="delete")
    for _ in range(3):
        assert [HAIR_KEY in o for o in stray_hair()] == [True]
        if removed_before_undo:
            remove_stray_hair()
        bpy.ops.ed.undo()
        remove_stray_hair()
        assert snapshot() == before
        assert [c.name for c in hair_of(heads()[0]).users_collection] == shown
        bpy.ops.ed.redo()
    remove_stray_hair()
    assert not bpy.data.objects


def test_a_render_in_a_thread_waits_and_writes_no_head() -> None:
    head = pending()
    before = strands(head)
    (handler,) = (h for h in bpy.app.handlers.render_init if h.__module__ == completion.__name__)
    render = Thread(target=handler, args=(bpy.context.scene,), daemon=True)
    render.start()
    render.join(0.5)
    assert render.is_alive()  # it waits for the main thread
    assert strands(head) == before
    completion.complete_all()
    render.join(5.0)
    assert not render.is_alive()
    assert strands(head) != before


def strands(head: bpy.types.Object) -> bytes:
    hair = hair_of(head)
    assert hair is not None
    points = hair.data.attributes["position"].data
    values = np.empty(3 * len(points), np.float32)
    points.foreach_get("vector", values)
    return values.tobytes()
