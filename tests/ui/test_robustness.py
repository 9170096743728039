# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads through undo, files, copies, scenes and edit mode: mesh, sliders and parameters agree."""

import logging
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import bpy
import numpy as np
import pytest

import facegen_addon
from facegen_addon.heads import catalogue
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.head import completion, lost_links, materials
from facegen_addon.scene.head.head_object import (
    ID_KEY,
    MODEL_KEY,
    PARAMETERS_KEY,
    HeadObject,
    hair_of,
)
from facegen_addon.scene.head.locks import LOCKED_KEY
from facegen_addon.ui import head_panel, preferences, properties


def add_head(model: str = "anny") -> bpy.types.Object:
    assert bpy.ops.facegen.add_head(model=model, subdivision=0) == {"FINISHED"}
    return bpy.context.view_layer.objects.active


def activate(mesh_object: bpy.types.Object, *, hair: bool = False) -> None:
    """Select this head alone, with its hair if wanted, and make it active."""
    for other in bpy.context.view_layer.objects:
        other.select_set(other == mesh_object or (hair and other.parent == mesh_object))
    bpy.context.view_layer.objects.active = mesh_object


def heads() -> list[bpy.types.Object]:
    return [o for o in bpy.context.scene.objects if MODEL_KEY in o]


def points(data: bpy.types.ID) -> np.ndarray:
    attribute = data.attributes["position"].data
    values = np.empty(3 * len(attribute), np.float32)
    attribute.foreach_get("vector", values)
    return values.reshape(-1, 3)


def set_slider(mesh_object: bpy.types.Object, name: str, value: float) -> None:
    setattr(properties.sliders_of(mesh_object), name, value)


def check_agreement(mesh_object: bpy.types.Object) -> None:
    """Mesh, strands and sliders are those of the head's parameters."""
    model = load_head_model(mesh_object[MODEL_KEY])
    parameters = np.array(mesh_object[PARAMETERS_KEY])
    vertices = model.forward(parameters)[0]
    np.testing.assert_array_equal(points(mesh_object.data), vertices)
    values = properties.sliders_of(mesh_object)
    shown = [getattr(values, name) for name in model.table.names]
    np.testing.assert_array_equal(np.array(shown, np.float32), parameters.astype(np.float32))
    hair = hair_of(mesh_object)
    assert hair is not None
    strands = model.grow(model.hair_style(parameters), vertices)
    np.testing.assert_array_equal(points(hair.data), strands.points)


def snapshot() -> dict[str, tuple[object, ...]]:
    """What a step of undo has to bring back of each head, once all agrees."""
    for mesh_object in heads():
        check_agreement(mesh_object)
    return shown()


def shown() -> dict[str, tuple[object, ...]]:
    """What is known of each head at once, before strands have followed."""
    return {
        o.name: (o[ID_KEY], o[MODEL_KEY], o[PARAMETERS_KEY].to_list(), o.get(LOCKED_KEY))
        for o in heads()
    }


@pytest.fixture(params=["at once", "in the next moment"])
def waiting(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Heads are completed as without a window, and as in one: after undo has taken its copy."""
    completion.set_waiting(request.param == "in the next moment")
    yield completion.waits()
    completion.set_waiting(False)


def delete_first() -> None:
    activate(heads()[0], hair=True)
    bpy.ops.object.delete()


def duplicate(linked: bool = False) -> None:
    activate(heads()[0], hair=True)
    bpy.ops.object.duplicate(linked=linked)


def reset() -> None:
    activate(heads()[0])
    bpy.ops.facegen.reset_sliders()


def lock() -> None:
    activate(heads()[0])
    bpy.ops.facegen.toggle_lock(name="jawOpen")


STEPS: tuple[Callable[[], object], ...] = (
    lambda: add_head("anny"),
    lambda: set_slider(heads()[0], "age", 0.9),
    lambda: set_slider(heads()[0], "jawOpen", 0.5),
    lock,
    reset,
    lambda: set_slider(heads()[0], "weight", 0.9),
    duplicate,
    lambda: set_slider(heads()[1], "hair_length", 0.9),
    lambda: set_slider(heads()[0], "skin_melanin", 0.9),
    lambda: add_head("open_flame"),
    lambda: set_slider(heads()[2], "shape_001", 2.0),
    lambda: set_slider(heads()[1], "jaw_x", 0.3),
    delete_first,
    lambda: set_slider(heads()[0], "age", 0.5),
)


def take(step: Callable[[], object], waiting: bool) -> dict[str, tuple[object, ...]]:
    """Do a step and have it undoable; then the next moment comes, where there is one."""
    step()
    bpy.ops.ed.undo_push(message="step")
    if waiting:
        completion.complete_all()
    return snapshot()


class Undo:
    """Undoes and does again, and knows what is to come back: ``states`` of which ``now`` is on.

    Blender's own undo may lose an object's data, by the chance of which memory is free: then what
    is made anew is a step of its own, after which nothing can be done again.
    """

    def __init__(self, states: list[dict[str, tuple[object, ...]]]) -> None:
        self.states, self.now = states, len(states) - 1
        self.done = {"undo": 0, "redo": 0}

    def move(self, rng: np.random.Generator) -> None:
        """Undo, or do again, one step and compare."""
        at_end = self.now == len(self.states) - 1
        back = at_end or (self.now > 0 and rng.random() < 0.6)
        mended = lost_links.mended_steps()
        (bpy.ops.ed.undo if back else bpy.ops.ed.redo)()
        self.done["undo" if back else "redo"] += 1
        self.now += -1 if back else 1
        assert snapshot() == self.states[self.now]
        assert len(bpy.data.objects) == 2 * len(heads()), "skin and hair of each, and no more"
        if lost_links.mended_steps() != mended:
            self.branch(self.states[self.now])

    def branch(self, state: dict[str, tuple[object, ...]]) -> None:
        """Something was done: what could be done again is forgotten."""
        self.states, self.now = [*self.states[: self.now + 1], state], self.now + 1


def test_fifty_times_undo_and_redo_through_mixed_operations(
    waiting: bool, rng: np.random.Generator
) -> None:
    bpy.ops.ed.undo_push(message="empty")
    undo = Undo([snapshot(), *(take(step, waiting) for step in STEPS)])
    for turn in range(100):
        undo.move(rng)
        if turn % 12 == 5 and heads():
            branch = take(partial(set_slider, heads()[0], "hair_volume", turn / 100), waiting)
            assert branch != undo.states[undo.now]
            undo.branch(branch)
    assert min(undo.done.values()) >= 30


@pytest.mark.parametrize("seed", range(3))
def test_strands_may_follow_at_any_moment_or_not_before_undo(seed: int) -> None:
    """Before the step is kept, after it, after later ones: undo and redo bring back all of it."""
    rng = np.random.default_rng(seed)
    completion.set_waiting(True)
    try:
        bpy.ops.ed.undo_push(message="empty")
        undo = Undo([snapshot(), *(take_at_a_moment(step, rng) for step in STEPS)])
        for turn in range(30):
            undo.move(rng)
            if turn % 5 == 4 and heads():
                move = partial(set_slider, heads()[0], "hair_volume", rng.random())
                undo.branch(take_at_a_moment(move, rng))
    finally:
        completion.set_waiting(False)


def take_at_a_moment(
    step: Callable[[], object], rng: np.random.Generator
) -> dict[str, tuple[object, ...]]:
    """As ``take``, but heads are completed whenever it happens, or not yet."""
    for do in (step, partial(bpy.ops.ed.undo_push, message="step"), lambda: None):
        do()
        if rng.random() < 0.3:
            completion.complete_all()
    return shown()


def test_saved_and_reopened(tmp_path: Path) -> None:
    for step in STEPS:
        step()
    before = snapshot()
    path = str(tmp_path / "heads.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    facegen_addon.unregister()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    facegen_addon.register()
    bpy.ops.wm.open_mainfile(filepath=path)
    assert snapshot() == before
    set_slider(heads()[0], "age", 0.7)
    assert snapshot() != before


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("moved", [0, 1])
def test_a_duplicate_parts_from_its_original(linked: bool, moved: int) -> None:
    """Also where both share a mesh, whichever of the two moves first."""
    set_slider(add_head(), "weight", 0.8)
    duplicate(linked)
    pair = heads()
    assert (pair[0].data == pair[1].data) == linked
    still = pair[1 - moved]
    before, parameters = points(still.data), still[PARAMETERS_KEY].to_list()
    set_slider(pair[moved], "age", 0.9)
    np.testing.assert_array_equal(points(still.data), before)
    assert still[PARAMETERS_KEY].to_list() == parameters
    set_slider(still, "jawOpen", 0.4)
    snapshot()
    assert pair[0][ID_KEY] != pair[1][ID_KEY]


def test_a_deleted_head_is_gone_and_others_move() -> None:
    gone, kept = add_head(), add_head()
    set_slider(gone, "age", 0.9)
    head_id = gone[ID_KEY]
    activate(gone, hair=True)
    bpy.ops.object.delete()
    with pytest.raises(KeyError, match=head_id):
        HeadObject.find(head_id)
    set_slider(kept, "age", 0.8)
    assert len(snapshot()) == 1


@pytest.mark.parametrize("kind", ["EMPTY", "LINK_COPY", "FULL_COPY"])
def test_two_scenes(kind: str) -> None:
    set_slider(add_head(), "weight", 0.8)
    first = bpy.context.scene
    bpy.ops.scene.new(type=kind)
    second = bpy.context.scene
    assert second != first
    if kind == "EMPTY":
        add_head("anny")
    set_slider(heads()[0], "age", 0.9)
    here = snapshot()
    bpy.context.window.scene = first
    there = snapshot()
    assert (here == there) == (kind == "LINK_COPY")
    set_slider(heads()[0], "jawOpen", 0.5)
    snapshot()
    bpy.context.window.scene = second
    assert (snapshot() == here) == (kind != "LINK_COPY")


def test_edit_mode_entered_and_left(waiting: bool) -> None:
    head = add_head()
    for value in (0.6, 0.7):
        set_slider(head, "age", value)
    activate(head)
    bpy.ops.object.mode_set(mode="EDIT")
    completion.complete_all()
    set_slider(head, "age", 0.9)  # is left alone, the panel says why
    bpy.ops.object.mode_set(mode="OBJECT")
    column = load_head_model("anny").table.index("age")
    assert head[PARAMETERS_KEY][column] == pytest.approx(0.7)
    set_slider(head, "age", 0.8)
    set_slider(head, "age", 0.75)
    completion.complete_all()
    snapshot()


def _remove_colour(head: bpy.types.Object) -> None:
    head.data.attributes.remove(head.data.attributes[materials.COLOUR])


def _convert(head: bpy.types.Object) -> None:
    activate(head)
    bpy.ops.object.convert(target="CURVE")


def _remove_hair_radius(head: bpy.types.Object) -> None:
    hair = hair_of(head).data
    hair.attributes.remove(hair.attributes["radius"])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda head: head.shape_key_add(name="Basis"), "its shape keys hold its skin in place"),
        (_remove_colour, "its mesh has been edited"),
        (_convert, "its mesh has been edited"),
        (lambda head: hair_of(head).data.add_curves([4]), "its hair has been edited"),
        (_remove_hair_radius, "its hair has been edited"),
    ],
)
def test_what_an_artist_has_edited_is_said_and_left(
    edit: Callable[[bpy.types.Object], None], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    head = add_head()
    edit(head)
    before = list(head[PARAMETERS_KEY])
    assert properties.obstacle(head, load_head_model("anny")).startswith(message)
    set_slider(head, "age", 0.9)
    with pytest.raises(RuntimeError, match=f"Error: head 'Head': {message}"):
        bpy.ops.facegen.reset_sliders()
    assert list(head[PARAMETERS_KEY]) == before and not caplog.records


def test_a_linked_head_is_left_as_it_is(tmp_path: Path) -> None:
    add_head()
    path = str(tmp_path / "linked.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (found, wanted):
        wanted.objects = found.objects
    for linked in wanted.objects:
        bpy.context.collection.objects.link(linked)
    activate(next(o for o in wanted.objects if MODEL_KEY in o))
    with pytest.raises(RuntimeError, match="Error: head 'Head' is linked from another file"):
        bpy.ops.facegen.toggle_lock()
    assert LOCKED_KEY not in bpy.context.view_layer.objects.active


def test_no_head_is_added_to_a_collection_of_another_file(tmp_path: Path) -> None:
    bpy.context.scene.collection.children.link(bpy.data.collections.new("Set"))
    path = str(tmp_path / "linked.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.collections = ["Set"]
    bpy.context.scene.collection.children.link(wanted.collections[0])
    layer = bpy.context.view_layer
    layer.active_layer_collection = layer.layer_collection.children["Set"]
    with pytest.raises(RuntimeError, match="Error: collection 'Set' is linked from another file"):
        bpy.ops.facegen.add_head()
    assert not bpy.data.objects


@pytest.mark.slow
def test_a_model_file_is_missing_and_comes_back(
    tmp_path: Path,
    shared_data: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalogue.forget_models()  # so that the file is read here, whatever ran before
    file = shared_data / "flame" / "flame2023open_60id_f32.npz"
    head = add_head(str(file))
    set_slider(head, "shape_001", 2.0)
    before, name = snapshot(), head.name
    path = str(tmp_path / "heads.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    facegen_addon.unregister()
    facegen_addon.register()
    cache, aside = tmp_path / "data" / "flame", tmp_path / "aside"
    shutil.move(cache, aside)
    catalogue.forget_models()
    with caplog.at_level(logging.ERROR):
        bpy.ops.wm.open_mainfile(filepath=path)
    assert "choose the FLAME file again" in caplog.text
    assert not [record for record in caplog.records if record.exc_info]
    head = bpy.data.objects[name]
    activate(head)
    with pytest.raises(RuntimeError, match="choose the FLAME file again"):
        bpy.ops.facegen.load_sliders()
    assert head_panel.missing_model(head[MODEL_KEY])
    completion.complete_all()
    bpy.ops.wm.save_mainfile()
    shutil.move(aside, cache)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert snapshot() == before
    # A file that the preferences list is found without its cache.
    shutil.move(cache, aside)
    catalogue.forget_models()
    bpy.ops.wm.open_mainfile(filepath=path)
    activate(bpy.data.objects[name])
    monkeypatch.setattr(preferences, "flame_files", lambda: (file,))
    assert bpy.ops.facegen.load_sliders() == {"FINISHED"}
    assert snapshot() == before
    set_slider(bpy.data.objects[name], "shape_001", 1.0)
    snapshot()
