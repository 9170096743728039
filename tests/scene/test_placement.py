# SPDX-License-Identifier: GPL-3.0-or-later
"""Where heads stand."""

import pytest
from mathutils import Vector

from facegen_addon.scene.head.placement import free_origin, grid_places, place_between


def test_a_grid_begins_at_a_free_origin() -> None:
    origin = Vector((1.0, 2.0, 3.0))
    assert free_origin(4, origin, []) == origin
    assert free_origin(4, origin, [Vector((9.0, 2.0, 3.0))]) == origin


@pytest.mark.parametrize("number", range(4))
def test_a_grid_stands_in_no_head(number: int) -> None:
    origin = Vector((1.0, 2.0, 3.0))
    taken = [grid_places(4, origin)[number] + Vector((0.05, 0.0, 0.05)), Vector((2.0, 0.0, 0.0))]
    moved = grid_places(4, free_origin(4, origin, taken))
    assert min((place - other).length for place in moved for other in taken) > 0.3
    assert min(place.x for place in moved) > 2.0


def test_a_blend_stands_in_front_where_heads_are_close() -> None:
    near, far = Vector((0.3, 0.0, 0.0)), Vector((2.0, 0.0, 0.0))
    assert place_between(Vector(), far) == Vector((1.0, 0.0, 0.0))
    assert place_between(Vector(), near).y < -0.2
