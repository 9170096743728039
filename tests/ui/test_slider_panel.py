# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel around the sliders: words, pictures, search, sections."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.heads import catalogue
from facegen_addon.heads.areas import AREAS
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.characteristics import WHOLE
from facegen_addon.heads.sections import EXPRESSION, FACE, HAIR, WHO, Section, sections
from facegen_addon.mapping.influence import Influence, InfluenceSettings, SliderInfluence
from facegen_addon.scene.head.head_object import PARAMETERS_KEY
from facegen_addon.ui import properties, slider_rows, thumbnails
from facegen_addon.ui.face_panel import figure_lines
from tests.ui.slider_heads import MODELS, add_head, drawn, sliders

COLOUR = "Colour or hair: the shape stays"


def test_tooltips_carry_the_influence(measured: None) -> None:
    rna = sliders(add_head()).bl_rna.properties
    assert rna["age"].description == (
        "Age: young to old.\nAge, from 0.4 to 1.\n"
        "Influence: 0.031 cosine distance and 0.8 mm per standard deviation"
    )
    assert rna["jawOpen"].description.endswith(
        "Influence: 0.001 (noise: 0.003) cosine distance and 0.8 mm per quarter of the range"
    )
    assert rna["neck_x"].description == "Neck rotation x, from -46 to 46 degrees"


def test_the_touched_slider_has_pictures(measured: None) -> None:
    head = add_head()
    sliders(head).age = 0.6
    assert bpy.context.window_manager.facegen.slider == "age"
    assert thumbnails.icons("anny", "age") is not None
    assert thumbnails.icons("anny", "jawOpen") is None
    assert bpy.ops.facegen.show_slider(name="jawOpen") == {"FINISHED"}
    # Without a window icons have no numbers, but their pictures are loaded.
    icons = {key: icon for key, icon in thumbnails._collection.items() if key.startswith("slider")}
    assert [tuple(icon.image_size) for icon in icons.values()] == [(96, 96)] * 4


def test_damaged_figures_leave_sliders_without_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data" / "influence").mkdir(parents=True)
    (tmp_path / "data" / "influence" / "anny.npz").write_bytes(b"no archive")
    head = add_head()
    assert "Influence" not in sliders(head).bl_rna.properties["neck_x"].description
    assert "anny.npz" in caplog.text


def test_search_finds_by_every_word() -> None:
    table = load_head_model("anny").table
    everything = np.ones(len(table), np.bool_)

    def names(search: str, viewed: np.ndarray = everything) -> tuple[list[str], int]:
        rows, others = slider_rows.found(table, search, viewed)
        return [parameter.name for parameter in rows], others

    assert names("jaw OPEN") == (["jawOpen"], 0)
    assert names("jaw OPEN", ~everything) == ([], 1)
    assert len(names("nose")[0]) >= len(table.columns("nose"))
    assert names("nothing of the kind") == ([], 0)


def test_long_sections_show_their_first_sliders_and_asymmetries_last() -> None:
    table = load_head_model("person").table
    viewed = np.ones(len(table), np.bool_)
    ears, mouth = Section(FACE, "Ears"), Section(FACE, "Mouth")
    shown, more = slider_rows.section_rows(table, ears, viewed, show_all=False)
    assert (len(shown), more) == (11, 11)
    everything, more = slider_rows.section_rows(table, ears, viewed, show_all=True)
    assert (len(everything), more) == (22, 0) and everything[:11] == shown
    shown, more = slider_rows.section_rows(table, mouth, viewed, show_all=False)
    assert (len(shown), more) == (slider_rows.FIRST, 22 - slider_rows.FIRST)
    viewed[table.columns("mouth")[1:]] = False
    shown, more = slider_rows.section_rows(table, mouth, viewed, show_all=False)
    assert ([p.name for p in shown], more) == ([table.names[table.columns("mouth")[0]]], 0)


def drawn_wholly() -> list[tuple[str, str]]:
    """All sections with all that is in them."""
    settings = bpy.context.window_manager.facegen
    settings.show_all = True
    try:
        return drawn()
    finally:
        settings.show_all = False


def test_the_panel_without_a_head_offers_to_add_one() -> None:
    assert ("operator", "facegen.add_head") in drawn()
    assert [name for kind, name in drawn() if kind == "panel"] == ["FACEGEN_people"]


@pytest.mark.parametrize("model", MODELS)
def test_the_panel_draws_groups_search_and_pictures(model: str, measured: None) -> None:
    head = add_head(model)
    table = load_head_model(model).table
    panels_drawn = [text for kind, text in drawn() if kind == "panel"]
    influence_drawn = ["FACEGEN_influence"] if model == "anny" else []
    of_flame = model in ("open_flame", "open_person")
    measures = [f"FACEGEN_measures_{area}" for area in (WHOLE, *AREAS)] if of_flame else []
    who, face, hair, expression = (
        [f"FACEGEN_{model}_{section.key}" for section in sections(table, panel)]
        for panel in (WHO, FACE, HAIR, EXPRESSION)
    )
    of_face = [*influence_drawn, *measures, *face, "FACEGEN_short_lists"]
    assert panels_drawn == ["FACEGEN_people", *who, *of_face, *hair, *expression]
    assert all(
        parameter.name in {name for _, name in drawn_wholly()} for parameter in table.parameters
    )
    settings = bpy.context.window_manager.facegen
    settings.search = "melanin"
    assert {text for kind, text in drawn() if kind == "prop"} >= {"skin_melanin", "hair_melanin"}
    settings.search = "nose width"
    assert (("prop", "nose_width") in drawn()) == of_flame
    settings.search = ""
    if model == "anny":
        # The most influential at first, so that nothing below moves when a slider is touched.
        before = drawn()
        assert ("label", "Influence: Age") in before
        assert ("label", "By as much as people differ:") in before
        assert ("label", "Distance 0.031") in before
        assert ("label", "Skin moves 0.8 mm") in before
        assert len([kind for kind, _ in before if kind == "icon"]) == 2
        sliders(head).jawOpen = 0.2
        after = drawn()
        assert ("label", "Influence: Jaw Open") in after
        assert [kind for kind, _ in after] == [kind for kind, _ in before]
        # Only measured sliders have a button that shows what they do.
        assert len([name for _, name in before if name == "facegen.show_slider"]) == 2


@pytest.mark.parametrize(
    ("millimetres", "distance", "is_std", "lines"),
    [
        (0.8, 0.1, True, ("By as much as people differ:", "Distance 0.100", "Skin moves 0.8 mm")),
        (0.0, 0.1, False, ("A quarter of the range:", "Distance 0.100", COLOUR)),
        (0.04, 0.001, True, ("By as much as people differ:", "Distance too small to tell", COLOUR)),
        (0.0, -1.0, True, ("By as much as people differ:", "Distance not to be measured", COLOUR)),
    ],
)
def test_figures_are_said_in_words(
    millimetres: float, distance: float, is_std: bool, lines: tuple[str, ...]
) -> None:
    """A colour moves no skin, which is not said as 0.0 mm."""
    distances = np.array([distance], np.float32)
    figure = SliderInfluence(
        "age", 0.1, is_std, distances, millimetres, millimetres, 0.0, 1.0, b"", b""
    )
    noise = np.array([0.003], np.float32)
    figures = Influence("anny", InfluenceSettings(), "", "", noise, (figure,))
    assert figure_lines(figures, figure) == lines


def test_only_what_was_moved_can_be_reset() -> None:
    head = add_head()
    table = load_head_model("anny").table
    sliders(head).age = 0.9
    parameters, none = head[PARAMETERS_KEY].to_list(), np.zeros(len(table), np.bool_)
    everything = np.arange(len(table))
    assert slider_rows.moved(table, parameters, none, everything)
    assert slider_rows.moved(table, parameters, none, table.columns("phenotype"))
    assert not slider_rows.moved(table, parameters, none, table.columns("expression"))
    assert not slider_rows.moved(table, parameters, ~none, everything)
    bpy.ops.facegen.reset_sliders()
    assert not slider_rows.moved(table, head[PARAMETERS_KEY].to_list(), none, everything)


def test_the_panel_says_when_sliders_are_missing() -> None:
    add_head()
    properties._sliders.pop("anny")
    delattr(bpy.types.Object, properties.sliders_name("anny"))
    assert ("operator", "facegen.load_sliders") in drawn()
    assert bpy.ops.facegen.load_sliders() == {"FINISHED"}
    assert ("operator", "facegen.load_sliders") not in drawn()


def test_the_catalogue_default_is_the_panels() -> None:
    assert bpy.context.window_manager.facegen.model == catalogue.DEFAULT_MODEL
