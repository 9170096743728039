# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of candidates: stars and padlocks on their pictures, filters, nine more, by keyboard."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.mapping.sampling import Sampled
from facegen_addon.scene.head import history
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.workflows.candidates import COUNT, Candidates, CandidatesRequest
from facegen_addon.ui import candidates
from facegen_addon.ui.candidate_pages import Pages
from facegen_addon.ui.candidate_sheet import TITLE, arrange
from facegen_addon.ui.sheet_marks import MARKS, mark_at, mark_box, outlines

PRIOR = {"kind": "sample", "distribution": "prior"}


def page(number: int, head_id: str = "head") -> Candidates:
    """Nine made-up candidates: their parameter is number * 10 + index."""
    drawn = tuple(Sampled(np.array([10.0 * number + i]), None) for i in range(COUNT))
    pictures = np.zeros((COUNT, 4, 4, 3), np.uint8)
    request = CandidatesRequest(seed=number)
    return Candidates(head_id, "anny", request, drawn, tuple(request.seeds), pictures)


def values(pages: Pages) -> list[float]:
    """The parameters of those that are shown."""
    return [float(tile.made.drawn[tile.index].parameters[0]) for tile in pages.shown]


def two_pages() -> Pages:
    """Women on the first page but its first head, men on the second."""
    pages = Pages()
    pages.add(page(1), np.array([0.0] + 8 * [1.0]))
    pages.add(page(2), np.zeros(9))
    return pages


def test_pages_are_turned_as_far_as_there_are_any() -> None:
    pages = two_pages()
    assert values(pages) == [20.0 + i for i in range(9)]
    pages.turn(1)
    assert pages.number == 1
    pages.turn(-5)
    assert values(pages) == [10.0 + i for i in range(9)] and pages.count == 2


def test_stars_and_sexes_filter_all_pages() -> None:
    pages = two_pages()
    pages.toggle(pages.shown[3], "star")
    pages.turn(-1)
    pages.toggle(pages.shown[5], "star")
    pages.next_filter()
    assert pages.filter == "starred" and values(pages) == [15.0, 23.0]
    pages.toggle(pages.shown[0], "star")
    assert values(pages) == [23.0]
    pages.next_filter()
    assert pages.filter == "women" and values(pages) == [11.0 + i for i in range(8)]
    pages.next_filter()
    assert pages.filter == "men" and pages.count == 2 and len(values(pages)) == 9
    pages.turn(1)
    assert values(pages) == [28.0]
    pages.next_filter()
    assert pages.filter == "all" and pages.number == 1


def test_where_nobody_says_the_sex_it_is_no_filter() -> None:
    pages = Pages()
    pages.add(page(1))
    pages.next_filter()
    assert pages.filter == "starred" and values(pages) == []
    assert candidates.title(pages) == "Starred: none yet  ·  F shows others  ·  Esc to close"
    pages.next_filter()
    assert pages.filter == "all" and candidates.title(pages) == TITLE


def test_what_is_locked_is_kept_for_the_next_page() -> None:
    pages = two_pages()
    pages.toggle(pages.shown[0], "lock")
    pages.toggle(pages.shown[8], "lock")
    kept = pages.kept()
    assert {i: float(k.drawn.parameters[0]) for i, k in kept.items()} == {0: 20.0, 8: 28.0}
    assert kept[8].seed == pages.made[1].seeds[8]
    pages.turn(-1)
    assert pages.kept() == {}


def test_another_heads_pages_are_forgotten() -> None:
    pages = two_pages()
    pages.toggle(pages.shown[0], "star")
    pages.add(page(3, "other"))
    assert pages.count == 1 and pages.starred_count == 0
    with pytest.raises(UserError, match="make some first"):
        Pages().latest  # noqa: B018


def test_marks_lie_in_the_corners_of_their_pictures() -> None:
    for space, scale in (((0, 0, 800, 800), 1.0), ((0, 0, 160, 160), 2.0)):
        sheet = arrange(space, scale)
        for index, cell in enumerate(sheet.cells):
            boxes = [mark_box(cell, mark, scale) for mark in MARKS]
            for mark, (x, y, width, height) in zip(MARKS, boxes, strict=True):
                assert cell[0] <= x and x + width <= cell[0] + cell[2]
                assert cell[1] <= y and y + height <= cell[1] + cell[3]
                middle = x + width / 2, y + height / 2
                assert mark_at(sheet.cells, scale, *middle) == (index, mark)
                points = np.concatenate(outlines((x, y, width, height), mark))
                assert (points >= [x, y]).all() and (points <= [x + width, y + height]).all()
            assert boxes[1][0] + boxes[1][2] < boxes[0][0], "they leave room between"
            bottom = cell[0] + cell[2] / 2, cell[1] + 1
            assert mark_at(sheet.cells, scale, *bottom) is None


def key(kind: str, **held: bool) -> Any:
    return SimpleNamespace(type=kind, **{"shift": False, "ctrl": False, **held})


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Pages:
    """Two pages, as the sheet has them."""
    pages = two_pages()
    monkeypatch.setattr(candidates, "_pages", pages)
    return pages


def test_the_keyboard_turns_filters_stars_and_locks(shown: Pages) -> None:
    known = bpy.types.Event.bl_rna.properties["type"].enum_items
    for kind in ("LEFT_ARROW", "PAGE_UP", "RIGHT_ARROW", "PAGE_DOWN", "F", "S", "L", "N"):
        assert kind in known
    assert candidates._press(key("LEFT_ARROW"), None, None) and shown.number == 0
    assert candidates._press(key("PAGE_DOWN"), None, None) and shown.number == 1
    assert candidates._press(key("THREE", shift=True), None, None)
    assert candidates._press(key("NUMPAD_4", ctrl=True), None, None)
    assert candidates._press(key("S"), 6, None) and candidates._press(key("L"), 2, None)
    tiles = shown.shown
    assert [i for i, tile in enumerate(tiles) if shown.is_starred(tile)] == [2, 6]
    assert [i for i, tile in enumerate(tiles) if shown.is_locked(tile)] == [2, 3]
    assert candidates._press(key("F"), None, None) and shown.filter == "starred"
    assert candidates._press(key("NINE", shift=True), None, None), "there is no ninth: nothing"
    assert shown.starred_count == 2


def test_other_keys_are_not_taken(shown: Pages) -> None:
    for event in (key("THREE"), key("A"), key("LEFTMOUSE"), key("S")):
        assert not candidates._press(event, None, None)


def test_a_click_on_a_mark_marks_and_does_not_take(shown: Pages) -> None:
    assert candidates._press(key("LEFTMOUSE"), 4, (4, "lock"))
    assert shown.is_locked(shown.shown[4]) and not shown.is_starred(shown.shown[4])


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> HeadObject:
    """A head; portraits are grey, each render another one."""
    greys = iter(range(256))

    def painted(model: object, parameters: np.ndarray, **_: object) -> Iterator[np.ndarray]:
        for _row in parameters:
            yield np.full((8, 8, 3), next(greys), np.uint8)

    monkeypatch.setattr(candidates, "portraits", painted)
    bpy.ops.facegen.add_head(model="anny")
    return HeadObject.of(bpy.context.view_layer.objects.active)


def test_nine_more_keep_what_is_locked_and_render_the_rest(head: HeadObject) -> None:
    bpy.ops.facegen.make_candidates(**PRIOR, seed=4)
    first, pages = candidates.current(), candidates._pages
    pages.toggle(pages.shown[2], "lock")
    assert bpy.ops.facegen.make_candidates(more=True, **PRIOR, seed=5) == {"FINISHED"}
    more = candidates.current()
    same = (more.parameters == first.parameters).all(axis=1)
    assert same.tolist() == [index == 2 for index in range(9)]
    assert more.seeds[2] == first.seeds[2]
    assert more.pictures[:, 0, 0, 0].tolist() == [9, 10, 2, 11, 12, 13, 14, 15, 16]
    assert pages.count == 2 and pages.is_locked(pages.shown[2])
    assert candidates._asked["kind"] == "sample" and "seed" not in candidates._asked
    # A kept one is taken with the seed that it was drawn with.
    assert bpy.ops.facegen.take_candidate(index=2) == {"FINISHED"}
    np.testing.assert_array_equal(head.parameters, first.parameters[2])


def test_all_locked_leaves_nothing_to_render(head: HeadObject) -> None:
    bpy.ops.facegen.make_candidates(**PRIOR, seed=4)
    first, pages = candidates.current(), candidates._pages
    for tile in pages.shown:
        pages.toggle(tile, "lock")
    bpy.ops.facegen.make_candidates(more=True, **PRIOR, seed=5)
    np.testing.assert_array_equal(candidates.current().parameters, first.parameters)


def test_sexes_are_those_of_the_heads(head: HeadObject) -> None:
    bpy.ops.facegen.add_head(model="person")
    bpy.ops.facegen.make_candidates(**PRIOR, seed=4)
    model, pages = load_head_model("person"), candidates._pages
    female = model.attributes(candidates.current().parameters)[:, 0]
    pages.next_filter()
    pages.next_filter()
    assert len(pages.shown) == (female >= 0.5).sum()


def test_a_star_goes_into_the_history_of_the_head(head: HeadObject) -> None:
    bpy.ops.facegen.make_candidates(**PRIOR, seed=4)
    pages = candidates._pages
    pages.toggle(pages.shown[1], "star")
    for index in (1, 0):
        assert bpy.ops.facegen.take_candidate(index=index) == {"FINISHED"}
    entries = history.history_of(head.mesh_object).entries
    assert [entry.starred for entry in entries] == [False, True, False]


def test_more_for_a_head_that_is_gone_is_refused(head: HeadObject) -> None:
    bpy.ops.facegen.make_candidates(**PRIOR, seed=4)
    bpy.data.objects.remove(head.mesh_object)
    bpy.ops.facegen.add_head(model="anny")
    with pytest.raises(RuntimeError, match="the head of these candidates is gone"):
        bpy.ops.facegen.make_candidates(more=True, **PRIOR, seed=5)
