# SPDX-License-Identifier: GPL-3.0-or-later
"""A slider of hair's colour moves no strand and grows none anew."""

from collections.abc import Iterator

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.person.head import PersonLook
from facegen_addon.scene.head import materials
from facegen_addon.scene.head.head_object import HeadObject

PERSON = load_head_model("person")
COLOURS = (
    *("hair_melanin", "hair_redness", "hair_grey"),
    *("brow_melanin", "brow_grey", "beard_grey", "beard_redness"),
)


def _bearded() -> np.ndarray:
    head = PERSON.table.default()
    for name in ("beard_density", "moustache_density", "brow_density"):
        head[PERSON.table.index(name)] = 0.9
    head[PERSON.table.index("gender")] = 1.0
    return head


def _recoloured(head: np.ndarray) -> Iterator[np.ndarray]:
    for name in COLOURS:
        column = PERSON.table.index(name)
        for value in (PERSON.table.minimum[column], PERSON.table.maximum[column]):
            row = head.copy()
            row[column] = value
            yield row


def test_strands_do_not_grow_of_colours() -> None:
    head = _bearded()
    vertices = PERSON.forward(head)[0]
    usual, style = PERSON.grow(head, vertices), PERSON.hair_style(head)
    for row in _recoloured(head):
        strands = PERSON.grow(row, vertices)
        np.testing.assert_array_equal(strands.points, usual.points)
        np.testing.assert_array_equal(strands.radius, usual.radius)
        assert PERSON.hair_style(row) == style


def test_a_slider_of_colour_grows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = _bearded()
    head = HeadObject.create(PERSON, bpy.context.collection)
    head.move_to(parameters)

    def refuse(*_: object) -> None:
        raise AssertionError("strands have grown anew")

    monkeypatch.setattr(PersonLook, "grow", refuse)
    for row in _recoloured(parameters):
        head.move_to(row)
        head.complete()
    monkeypatch.undo()
    assert head.hair_object is not None
    colour = head.hair_object.data.attributes[materials.COLOUR].data
    shown = np.empty(4 * len(colour), np.float32)
    colour.foreach_get("color", shown)
    expected = PERSON.strand_colours(row, PERSON.appearance(row))
    np.testing.assert_array_equal(shown.reshape(-1, 4), expected)
    with pytest.raises(AssertionError, match="grown anew"):
        monkeypatch.setattr(PersonLook, "grow", refuse)
        row[PERSON.table.index("beard_length")] = 1.0
        head.move_to(row)
