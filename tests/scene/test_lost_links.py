# SPDX-License-Identifier: GPL-3.0-or-later
"""Links of a head that Blender's undo has lost: each is lost here as undo loses it, by a handler
that runs between Blender's reading of a step and the add-on's look at it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import DEFAULT_FLAME, load_head_model
from facegen_addon.heads.wear.outfit_text import read_outfit
from facegen_addon.scene.head import lost_links
from facegen_addon.scene.head.head_object import (
    HAIR_KEY,
    ID_KEY,
    MODEL_KEY,
    HeadObject,
    hair_of,
)
from facegen_addon.scene.head.worn import parts_of

Loss = Callable[[bpy.types.Object, bpy.types.Object], object]


@pytest.fixture(autouse=True)
def watched() -> Iterator[None]:
    """Undo is watched."""
    lost_links.register()
    yield
    lost_links.unregister()


def add() -> HeadObject:
    return HeadObject.create(load_head_model(DEFAULT_FLAME), bpy.context.scene.collection)


def skin_and_hair() -> tuple[bpy.types.Object, bpy.types.Object]:
    (skin,) = (o for o in bpy.data.objects if MODEL_KEY in o)
    (hair,) = (o for o in bpy.data.objects if HAIR_KEY in o)
    return skin, hair


@contextmanager
def losing(loss: Loss) -> Iterator[None]:
    """While undo and redo lose something of the only head."""

    def lose(*_: object) -> None:
        loss(*skin_and_hair())

    for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.insert(0, lose)
    try:
        yield
    finally:
        for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
            handlers.remove(lose)


def parent(skin: bpy.types.Object, hair: bpy.types.Object) -> None:
    hair.parent = None


def collection(skin: bpy.types.Object, hair: bpy.types.Object) -> None:
    for part in (skin, hair):
        for user in part.users_collection:
            user.objects.unlink(part)


def materials(skin: bpy.types.Object, hair: bpy.types.Object) -> None:
    for part in (skin, hair):
        for slot in range(len(part.data.materials)):
            part.data.materials[slot] = None


def empty(lost: bpy.types.Object) -> None:
    """Turn an object into what Blender makes of one whose data is nowhere to be found."""
    left = bpy.data.objects.new("Left", None)
    for key, value in lost.items():
        left[key] = value
    left.parent = lost.parent
    name, uid = lost.name, lost.session_uid
    known = lost_links._known.get(uid)
    lost.user_remap(left)
    bpy.data.objects.remove(lost)
    left.name = name
    if known is not None:
        lost_links._known[left.session_uid] = known


def skin_data(skin: bpy.types.Object, hair: bpy.types.Object) -> None:
    empty(skin)


def hair_data(skin: bpy.types.Object, hair: bpy.types.Object) -> None:
    empty(hair)


def skin_data_for_good(skin: bpy.types.Object, hair: bpy.types.Object) -> None:
    mesh = skin.data
    empty(skin)
    bpy.data.meshes.remove(mesh)


def hair_data_for_good(skin: bpy.types.Object, hair: bpy.types.Object) -> None:
    curves = hair.data
    empty(hair)
    bpy.data.hair_curves.remove(curves)


def both_data(skin: bpy.types.Object, hair: bpy.types.Object) -> None:
    empty(skin)
    empty(skin_and_hair()[1])


def check_points(head: HeadObject) -> None:
    """Skin and hair are what the parameters make of them."""
    before = [points(part.data) for part in (head.mesh_object, head.hair_object)]
    head.set_parameters(head.parameters)
    for part, was in zip((head.mesh_object, head.hair_object), before, strict=True):
        np.testing.assert_array_equal(points(part.data), was)


def points(data: bpy.types.ID) -> np.ndarray:
    attribute = data.attributes["position"].data
    values = np.empty(3 * len(attribute), np.float32)
    attribute.foreach_get("vector", values)
    return values


def state() -> tuple[object, ...]:
    """All of the only head that undo may lose, and what else there is."""
    skin, hair = skin_and_hair()
    assert hair_of(skin) == hair
    check_points(HeadObject(skin, hair))
    return (
        [(o.name, o.type, o.data.name, [m.name for m in o.data.materials]) for o in (skin, hair)],
        [[c.name for c in o.users_collection] for o in (skin, hair)],
        [tuple(sorted(o.keys())) for o in (skin, hair)],
        tuple(len(kind) for kind in (bpy.data.objects, bpy.data.meshes, bpy.data.hair_curves)),
    )


@pytest.mark.parametrize("loss", [parent, collection, materials])
def test_links_that_undo_or_redo_lose_are_mended_in_place(loss: Loss) -> None:
    add()
    bpy.ops.ed.undo_push(message="head")
    states = [state()]
    for step in range(2):
        skin_and_hair()[0]["step"] = step
        bpy.ops.ed.undo_push(message="step")
        states.append(state())
    with losing(loss):
        for move, now in (("undo", 1), ("undo", 0), ("redo", 1), ("redo", 2)):
            getattr(bpy.ops.ed, move)()
            assert state() == states[now]


@pytest.mark.parametrize(
    "loss", [skin_data, hair_data, both_data, skin_data_for_good, hair_data_for_good]
)
def test_a_part_that_has_lost_its_data_is_made_anew_as_a_step_of_its_own(loss: Loss) -> None:
    add()
    bpy.ops.ed.undo_push(message="head")
    before = state()
    for step in range(2):
        skin_and_hair()[0]["step"] = step
        bpy.ops.ed.undo_push(message="step")
    with losing(loss):
        bpy.ops.ed.undo()
    mended = state()
    assert mended[:2] == before[:2] and skin_and_hair()[0]["step"] == 0
    for _ in range(2):  # what was mended, and the step
        bpy.ops.ed.undo()
    assert state() == before
    for _ in range(2):
        bpy.ops.ed.redo()
    assert state() == mended
    assert not bpy.ops.ed.redo.poll()  # the other step was forgotten


def test_what_an_artist_has_undone_by_hand_stays_so() -> None:
    add()
    bpy.ops.ed.undo_push(message="head")
    _, hair = skin_and_hair()
    hair.parent = None
    bpy.context.scene.collection.objects.unlink(hair)
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="apart")
    bpy.ops.ed.undo()
    assert state()
    bpy.ops.ed.redo()
    _, hair = skin_and_hair()
    assert hair.parent is None and not hair.users_collection


def test_the_head_that_was_deleted_gets_its_hair_back_though_undo_loses_it() -> None:
    """Hair that is left alone is not hair taken off by hand."""
    add()
    bpy.ops.ed.undo_push(message="head")
    before = state()
    bpy.data.objects.remove(skin_and_hair()[0])
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="delete")
    with losing(parent):
        bpy.ops.ed.undo()
    assert state() == before


@pytest.mark.parametrize("for_good", [False, True])
def test_what_is_worn_is_mended_too(for_good: bool) -> None:
    """Glasses that have lost their head, and a hat that has lost its data."""
    head = HeadObject.create(load_head_model("person"), bpy.context.scene.collection)
    head.wear(read_outfit("glasses=round, headwear=hat"))
    bpy.ops.ed.undo_push(message="head")

    def worn() -> dict[str, bpy.types.Object]:
        (skin,) = (o for o in bpy.data.objects if MODEL_KEY in o)
        return parts_of(skin, skin[ID_KEY])

    before = {name: points(part.data) for name, part in worn().items()}
    skin_and_hair()[0]["step"] = 1
    bpy.ops.ed.undo_push(message="step")

    def loss(skin: bpy.types.Object, hair: bpy.types.Object) -> None:
        parts = worn()
        parts["glasses"].parent = None
        mesh = parts["headwear"].data
        empty(parts["headwear"])
        if for_good:
            bpy.data.meshes.remove(mesh)

    with losing(loss):
        bpy.ops.ed.undo()
    assert set(worn()) == {"glasses", "headwear"} and len(bpy.data.objects) == 4
    for name, part in worn().items():
        np.testing.assert_allclose(points(part.data), before[name], atol=1e-6)
        assert all(part.data.materials)
