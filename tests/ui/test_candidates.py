# SPDX-License-Identifier: GPL-3.0-or-later
"""Nine candidates: drawn, portrayed, arranged on a sheet, taken."""

import math
from collections.abc import Iterator
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import DEFAULT_MODEL, load_head_model
from facegen_addon.scene.head import history
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.head.latents import SEED_KEY
from facegen_addon.scene.head.locks import set_locked
from facegen_addon.scene.render.portrait import portraits
from facegen_addon.scene.workflows import candidates as scene_candidates
from facegen_addon.scene.workflows.candidates import COUNT, CandidatesRequest, make_candidates
from facegen_addon.ui import candidates, jobs
from facegen_addon.ui.candidate_sheet import (
    VIEWS_ENCODE,
    arrange,
    cell_at,
    free_space,
    index_of_key,
    rounded,
    texels,
)

MODEL = load_head_model(DEFAULT_MODEL)
PRIOR = {"kind": "sample", "distribution": "prior", "seed": 4}


def _painted(model, parameters, **_) -> Iterator[np.ndarray]:
    """Stands for Cycles: a grey for each head."""
    for number in range(len(parameters)):
        yield np.full((8, 8, 3), number, np.uint8)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "portraits", _painted)


@pytest.fixture
def head() -> HeadObject:
    bpy.ops.facegen.add_head()
    return HeadObject.of(bpy.context.view_layer.objects.active)


def test_making_leaves_the_head_and_the_scene_alone(head: HeadObject) -> None:
    before, objects = head.parameters, set(bpy.data.objects)
    assert bpy.ops.facegen.make_candidates(**PRIOR) == {"FINISHED"}
    assert set(bpy.data.objects) == objects
    np.testing.assert_array_equal(head.parameters, before)
    found = candidates.current()
    assert len(np.unique(found.parameters, axis=0)) == COUNT
    assert found.pictures.shape == (COUNT, 8, 8, 3)


@pytest.mark.parametrize("index", [0, 8])
def test_a_candidate_is_taken(head: HeadObject, index: int) -> None:
    bpy.ops.facegen.make_candidates(**PRIOR)
    assert bpy.ops.facegen.take_candidate(index=index) == {"FINISHED"}
    found = candidates.current()
    np.testing.assert_array_equal(head.parameters, found.drawn[index].parameters)
    seed = head.mesh_object[SEED_KEY]
    assert [entry.label for entry in history.history_of(head.mesh_object).entries] == [
        "Added",
        "Candidate, sample",
    ]
    # Its seed draws it again, alone.
    bpy.ops.facegen.add_head()
    again = HeadObject.of(bpy.context.view_layer.objects.active)
    assert bpy.ops.facegen.sample_head(distribution="prior", seed=seed) == {"FINISHED"}
    np.testing.assert_array_equal(again.parameters, head.parameters)


@pytest.mark.parametrize("kind", ["nearby", "nose"])
def test_other_kinds_stay_near_and_locks_are_kept(head: HeadObject, kind: str) -> None:
    name = MODEL.table.names[0]
    set_locked(head.mesh_object, [name], True)
    assert bpy.ops.facegen.make_candidates(kind=kind, angle=0.3, seed=1) == {"FINISHED"}
    drawn = candidates.current().parameters
    assert (drawn != head.parameters).any(axis=1).all()
    np.testing.assert_array_equal(drawn[:, 0], head.parameters[0])


def test_same_seed_same_candidates(head: HeadObject) -> None:
    drawn = []
    for seed in (4, 4, 5):
        bpy.ops.facegen.make_candidates(**PRIOR | {"seed": seed})
        drawn.append(candidates.current().parameters)
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()


def test_a_straight_angle_is_not_refused(head: HeadObject) -> None:
    assert bpy.ops.facegen.make_candidates(kind="nearby", angle=math.pi) == {"FINISHED"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "hat"}, "kind is 'hat'; give one of sample, nearby, brow"),
        ({"angle": -0.1}, "angle is -0.1"),
        ({"angle": math.nan}, "angle is nan"),
        ({"distribution": "gauss"}, "distribution is 'gauss'"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_values_are_named(change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        CandidatesRequest(**change)


@pytest.mark.parametrize("index", [-1, 9])
def test_there_are_nine(head: HeadObject, index: int) -> None:
    bpy.ops.facegen.make_candidates(**PRIOR)
    before = head.parameters
    with pytest.raises(RuntimeError, match=f"candidate {index}: give 0 to 8"):
        bpy.ops.facegen.take_candidate(index=index)
    np.testing.assert_array_equal(head.parameters, before)


def test_without_candidates_there_is_none_to_take(head: HeadObject) -> None:
    with pytest.raises(RuntimeError, match="there are no candidates: make some first"):
        bpy.ops.facegen.take_candidate(index=0)
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.facegen.show_candidates()


def test_a_deleted_head_is_named(head: HeadObject) -> None:
    bpy.ops.facegen.make_candidates(**PRIOR)
    bpy.data.objects.remove(head.mesh_object)
    with pytest.raises(RuntimeError, match="the head of these candidates is gone"):
        bpy.ops.facegen.take_candidate(index=0)


def test_a_sheet_for_a_head_of_another_file_is_not_offered(
    head: HeadObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "_view", lambda context: ())  # as in a window
    bpy.ops.facegen.make_candidates(**PRIOR)
    assert bpy.ops.facegen.show_candidates.poll()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert not bpy.ops.facegen.show_candidates.poll()


def test_candidates_of_another_head_are_refused(head: HeadObject) -> None:
    bpy.ops.facegen.make_candidates(**PRIOR)
    other = HeadObject.create(MODEL, bpy.context.collection)
    with pytest.raises(UserError, match=r"not for head 'Head\.001'"):
        scene_candidates.take_candidate(other, candidates.current(), 0)


def test_without_a_head_there_is_nothing_to_start_from() -> None:
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.facegen.make_candidates()


def test_stopped_half_way_the_candidates_before_stay(
    head: HeadObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    bpy.ops.facegen.make_candidates(**PRIOR)
    before = candidates.current()
    whole = jobs.Running.step

    def step(job: jobs.Running) -> bool:
        more = whole(job)
        if (job.label, job.done) == ("Portraits", 4):
            raise KeyboardInterrupt
        return more

    monkeypatch.setattr(jobs.Running, "step", step)
    with pytest.raises(RuntimeError, match="KeyboardInterrupt"):
        bpy.ops.facegen.make_candidates(**PRIOR | {"seed": 5})
    assert candidates.current() is before


def test_portraits_are_of_the_size_asked_and_leave_nothing(rng: np.random.Generator) -> None:
    def blocks() -> list[int]:
        return [len(getattr(bpy.data, kind)) for kind in ("objects", "scenes", "meshes", "worlds")]

    before = blocks()
    parameters = MODEL.sample_prior(rng, 3)
    images = portraits(MODEL, parameters, size=48, samples=1)
    first, second = next(images), next(images)
    images.close()
    assert first.shape == (48, 48, 3)
    assert first.dtype == np.uint8
    assert (first != second).any()
    assert blocks() == before


def test_candidates_report_their_progress(head: HeadObject) -> None:
    events = list(make_candidates(head, CandidatesRequest(**PRIOR), _painted))
    assert [(event.stage, event.done) for event in events] == [
        *(("draw", done) for done in range(10)),
        *(("render", done) for done in (*range(1, 10), 9)),
    ]
    assert [event.result is None for event in events] == [True] * 19 + [False]


spaces = st.tuples(
    st.integers(0, 300), st.integers(0, 300), st.integers(150, 3000), st.integers(150, 3000)
)


@given(space=spaces, scale=st.floats(0.5, 3.0))
def test_the_sheet_fits_its_space(space: tuple, scale: float) -> None:
    sheet = arrange(space, scale)
    x, y, width, height = sheet.panel
    left, bottom, across, up = space
    roomy = min(across, up) > 3 * 8 + (4 * 8 + 2 * 26) * scale
    if roomy:
        assert x >= left - 1e-6
        assert y >= bottom - 1e-6
        assert x + width <= left + across + 1e-6
        assert y + height <= bottom + up + 1e-6
    assert all(cell[2] == cell[3] <= 150 * scale + 1e-6 for cell in sheet.cells)
    for cell in sheet.cells:
        assert x < cell[0] < cell[0] + cell[2] < x + width
        assert y <= sheet.hints[1] < cell[1] < cell[1] + cell[3] < sheet.title[1]


@given(space=spaces, scale=st.floats(0.5, 3.0), across=st.floats(0, 1), up=st.floats(0, 1))
def test_a_pixel_hits_the_picture_that_it_is_in(
    space: tuple, scale: float, across: float, up: float
) -> None:
    sheet = arrange(space, scale)
    x = sheet.panel[0] + across * sheet.panel[2]
    y = sheet.panel[1] + up * sheet.panel[3]
    holding = [
        index
        for index, (left, bottom, width, height) in enumerate(sheet.cells)
        if left <= x < left + width and bottom <= y < bottom + height
    ]
    assert cell_at(sheet, x, y) == (holding[0] if holding else None)
    assert len(holding) <= 1


def test_digits_stand_for_pictures() -> None:
    keys = ("ONE", "NINE", "NUMPAD_1", "NUMPAD_9", "ZERO", "NUMPAD_0", "A", "LEFTMOUSE")
    assert [index_of_key(key) for key in keys] == [0, 8, 0, 8, None, None, None, None]
    known = bpy.types.Event.bl_rna.properties["type"].enum_items
    assert all(key in known for key in keys)


def test_pictures_are_counted_row_by_row_from_the_top_left() -> None:
    sheet = arrange((0, 0, 800, 800), 1.0)
    middles = [(x + w / 2, y + h / 2) for x, y, w, h in sheet.cells]
    assert [cell_at(sheet, x, y) for x, y in middles] == list(range(9))
    assert middles[0][0] < middles[2][0]
    assert middles[0][1] > middles[6][1]
    assert cell_at(sheet, 1, 1) is None
    assert sheet.cells[0][2] == 150


def _region(kind: str, x: int, y: int, width: int, height: int) -> SimpleNamespace:
    return SimpleNamespace(type=kind, x=x, y=y, width=width, height=height)


@pytest.mark.parametrize(
    ("others", "space"),
    [
        ([], (0, 0, 800, 600)),
        ([_region("UI", 700, 20, 200, 600)], (0, 0, 600, 600)),
        ([_region("TOOLS", 100, 20, 50, 600)], (50, 0, 750, 600)),
        ([_region("UI", 100, 20, 1, 1)], (0, 0, 800, 600)),  # hidden
        ([_region("HEADER", 100, 590, 800, 30)], (0, 0, 800, 570)),
        ([_region("HEADER", 100, 20, 800, 30)], (0, 30, 800, 570)),
        ([_region("UI", 900, 20, 200, 600)], (0, 0, 800, 600)),  # beside, where nothing overlaps
    ],
)
def test_sidebars_are_kept_free(others: list, space: tuple) -> None:
    assert free_space(_region("WINDOW", 100, 20, 800, 600), others) == space


def test_round_corners_stay_inside_and_turn_one_way() -> None:
    corners = rounded((10.0, 20.0, 100.0, 50.0), 8.0).astype(float)
    assert corners.min(0) == pytest.approx([10, 20])
    assert corners.max(0) == pytest.approx([110, 70])
    edges = np.diff(corners, axis=0, append=corners[:1])
    after = np.roll(edges, -1, axis=0)
    turns = edges[:, 0] * after[:, 1] - edges[:, 1] * after[:, 0]
    assert (turns > -1e-3).all()
    assert abs(rounded((0.0, 0.0, 4.0, 4.0), 99.0)).max() <= 4.0


def test_pictures_keep_their_colours_on_the_screen() -> None:
    """Blender 4 encodes what textures hold, linear values: 50 % grey is 21.6 %. 5 does not."""
    greys = np.array([[0, 0, 0], [10, 128, 255]], np.uint8)
    expected = [[0, 0, 0], [10 / 255 / 12.92, 0.21586, 1.0]]
    np.testing.assert_allclose(texels(greys, encoded=True), expected, atol=1e-4)
    np.testing.assert_allclose(texels(greys, encoded=False), greys / 255, atol=1e-6)
    assert (bpy.app.version[0] == 4) == VIEWS_ENCODE
