# SPDX-License-Identifier: GPL-3.0-or-later
"""Where heads stand: beside what is there."""

import itertools

import bpy
import pytest
from mathutils import Matrix, Vector

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.head.placement import (
    HEAD_ROOM,
    Box,
    free_origin,
    grid_places,
    place_between,
    room_of,
    stand,
    taken_room,
)
from facegen_addon.scene.workflows.new_head import add_head
from facegen_addon.scene.workflows.presets import wear_style

ORIGIN = Vector((1.0, 2.0, 3.0))
FOUR = [HEAD_ROOM] * 4


def test_a_grid_begins_at_a_free_origin() -> None:
    assert free_origin(FOUR, ORIGIN, []) == ORIGIN
    assert free_origin(FOUR, ORIGIN, [HEAD_ROOM.at(Vector((9.0, 2.0, 3.0)))]) == ORIGIN


@pytest.mark.parametrize("number", range(4))
def test_a_grid_stands_in_no_head(number: int) -> None:
    shift = Vector((0.05, 0.0, 0.05))
    places = (grid_places(FOUR, ORIGIN)[number] + shift, Vector((2.0, 2.0, 3.0)))
    taken = [HEAD_ROOM.at(place) for place in places]
    moved = [HEAD_ROOM.at(place) for place in grid_places(FOUR, free_origin(FOUR, ORIGIN, taken))]
    assert not any(box.overlaps(other) for box in moved for other in taken)
    assert min(box.low.x for box in moved) > 1.0


def test_heads_added_one_after_another_stand_in_a_row() -> None:
    taken: list[Box] = []
    for number in range(5):
        place = free_origin(FOUR[:1], ORIGIN, taken)
        assert place.x == pytest.approx(1.0 + 0.35 * number, abs=1e-3)
        assert (place.y, place.z) == (2.0, 3.0)
        taken.append(HEAD_ROOM.at(place))


def test_what_stands_behind_or_above_is_not_in_the_way() -> None:
    for step in (Vector((0.0, 1.0, 0.0)), Vector((0.0, 0.0, 0.5))):
        assert free_origin(FOUR[:1], ORIGIN, [HEAD_ROOM.at(ORIGIN + step)]) == ORIGIN


def test_a_blend_stands_between_heads_or_beside_them_never_before_one() -> None:
    near, far = Vector((0.35, 0.0, 0.0)), Vector((2.0, 0.0, 0.0))
    boxes = {place.x: [HEAD_ROOM.at(Vector()), HEAD_ROOM.at(place)] for place in (near, far)}
    assert place_between(Vector(), far, boxes[far.x]) == Vector((1.0, 0.0, 0.0))
    beside = place_between(Vector(), near, boxes[near.x])
    assert beside.y == 0.0 and beside.x > near.x + 0.3


def test_heads_stand_beside_the_default_cube_and_one_another_but_on_a_floor() -> None:
    bpy.ops.wm.read_factory_settings()  # cube, light, camera
    bpy.ops.mesh.primitive_plane_add(size=50.0)
    model = load_head_model("open_flame")
    heads = [add_head(model, bpy.context).mesh_object for _ in range(3)]
    heads[1].matrix_world = Matrix.Translation((9.0, 0.0, 0.0))
    heads.append(add_head(model, bpy.context).mesh_object)
    assert [head.location.x for head in heads] == pytest.approx([1.175, 9.0, 1.875, 1.525])
    bpy.context.view_layer.update()
    boxes = [
        Box.around(item.matrix_world @ Vector(corner) for corner in item.bound_box)
        for item in (bpy.data.objects["Cube"], *heads)
    ]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_hidden_objects_and_lights_take_no_room() -> None:
    bpy.ops.wm.read_factory_settings()
    cube = bpy.data.objects["Cube"]
    assert len(taken_room(bpy.context.view_layer)) == 1
    cube.hide_set(True)
    assert taken_room(bpy.context.view_layer) == []


def test_a_head_takes_its_room_wherever_it_was_moved_and_scaled() -> None:
    head = add_head(load_head_model("open_flame"), bpy.context).mesh_object
    head.matrix_world = Matrix.Translation((5.0, 0.0, 0.0)) @ Matrix.Scale(2.0, 4)
    (box,) = taken_room(bpy.context.view_layer)
    assert tuple(box.high - box.low) == pytest.approx((0.7, 0.7, 0.7))
    assert (box.low.x + box.high.x) / 2 == pytest.approx(5.0)


def test_the_row_below_long_hair_stands_lower() -> None:
    hanging = Box(HEAD_ROOM.low - Vector((0.0, 0.0, 0.3)), HEAD_ROOM.high)
    rooms = [*FOUR, hanging]
    rooms[1] = hanging
    below = ORIGIN.z - HEAD_ROOM.high.z + hanging.low.z
    assert [place.z for place in grid_places(rooms, ORIGIN)] == pytest.approx(
        [ORIGIN.z] * 3 + [below] * 2
    )


def test_no_hair_hangs_over_another_head() -> None:
    model = load_head_model("person")
    heads = []
    for style in ("Long Straight", "Afro", "Bob"):
        head = add_head(model, bpy.context)
        wear_style(head, "hair", style)
        heads.append(head.mesh_object)
    assert room_of(heads[0]).low.z < HEAD_ROOM.low.z - 0.05
    stand(heads, ORIGIN, [])
    bpy.context.view_layer.update()
    boxes = [
        Box.around(
            part.matrix_world @ Vector(corner)
            for part in (head, *head.children)
            for corner in part.bound_box
        )
        for head in heads
    ]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
