# SPDX-License-Identifier: GPL-3.0-or-later
"""Who, Hair and Beard, Expression: what is chosen by pictures, swatches and in years."""

import bpy
import numpy as np
import pytest

from facegen_addon.heads.expressions import EXPRESSIONS
from facegen_addon.heads.gallery import gallery
from facegen_addon.scene.head import history, locks
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.ui import person_panel, presets, properties, shipped_pictures
from tests.ui.panels import RecordingLayout, draw_panels

OPERATORS = bpy.ops.facegen


@pytest.fixture
def head() -> HeadObject:
    OPERATORS.add_head(model="person", subdivision=0)
    return HeadObject.of(bpy.context.active_object)


def value(head: HeadObject, name: str) -> float:
    return float(head.parameters[head.model.table.index(name)])


def test_a_shipped_head_is_added_and_dressed() -> None:
    presets.refresh()
    shipped = gallery().heads[0]
    assert [item[0] for item in presets._items] == [one.name for one in gallery().heads]
    assert OPERATORS.apply_preset(name=shipped.name) == {"FINISHED"}
    head = HeadObject.of(bpy.context.active_object)
    np.testing.assert_array_equal(head.parameters, shipped.row(head.model))
    assert head.mesh_object.name == shipped.name and head.outfit == shipped.outfit
    other = gallery().heads[1]
    assert OPERATORS.apply_preset(name=other.name) == {"FINISHED"}
    np.testing.assert_array_equal(head.parameters, other.row(head.model))
    assert history.history_of(head.mesh_object).entries[-1].label == f"Preset {other.name}"
    with pytest.raises(RuntimeError, match="no preset"):
        OPERATORS.delete_preset(name=other.name)


def test_a_picture_is_chosen_and_known_again(head: HeadObject) -> None:
    styles = head.mesh_object.facegen_styles
    assert styles.hair == styles.beard == shipped_pictures.OWN and styles.expression == "neutral"
    styles.hair, styles.brows, styles.beard = "Bob", "thin", "goatee"
    styles.expression = "smile"
    assert (styles.hair, styles.brows, styles.beard) == ("Bob", "thin", "goatee")
    smile = EXPRESSIONS["smile"]["mouthSmileLeft"]
    assert styles.expression == "smile" and value(head, "mouthSmileLeft") == smile
    properties.sliders_of(head.mesh_object).hair_curl = 0.7
    assert styles.hair == shipped_pictures.OWN
    before = head.parameters
    styles.hair = shipped_pictures.OWN
    np.testing.assert_array_equal(head.parameters, before)


def test_what_is_locked_stays_whatever_picture_or_colour_is_chosen(head: HeadObject) -> None:
    names = ("hair_volume", "jawOpen", "skin_melanin")
    locks.set_locked(head.mesh_object, names, True)
    before = [value(head, name) for name in names]
    styles = head.mesh_object.facegen_styles
    styles.hair, styles.expression = "Afro", "shout"
    OPERATORS.take_colour(kind="skin", name="Deep")
    assert [value(head, name) for name in names] == before
    assert (styles.hair, styles.expression) == ("Afro", "shout"), "by what is free"


def test_colours_of_hair_take_brows_along_and_go_back_in_the_history(head: HeadObject) -> None:
    before = head.parameters
    assert OPERATORS.take_colour(kind="hair", name="Black") == {"FINISHED"}
    assert value(head, "hair_melanin") == value(head, "brow_melanin") == 0.98
    assert OPERATORS.history_back() == {"FINISHED"}
    np.testing.assert_array_equal(head.parameters, before)
    with pytest.raises(RuntimeError, match="choose from"):
        OPERATORS.take_colour(kind="hair", name="Plaid")


@pytest.mark.parametrize(
    ("melanin", "redness", "grey"),
    [(0.84, 0.1, 0.25), (0.98, 0.14, 0.09), (0.86, 0.1, 0.05), (0.52, 0.98, 0.42), (0.2, 0.15, 0)],
)
def test_the_pressed_swatch_of_hair_is_what_solid_mode_shows(
    head: HeadObject, melanin: float, redness: float, grey: float
) -> None:
    """By numbers dark hair with a fourth of grey is dark brown, and half as light as it looks."""
    values = {"hair_melanin": melanin, "hair_redness": redness, "hair_grey": grey}
    parameters = head.parameters
    for name, number in values.items():
        parameters[head.model.table.index(name)] = number
    head.move_to(parameters)
    pressed = person_panel.worn_colour(values, "hair")
    assert head.hair_object is not None
    shown = head.hair_object.data.materials[0]
    assert shown.name.endswith(f" {pressed}")
    own, as_shown = (
        np.array(colour[:3]) for colour in (head.hair_object.color, shown.diffuse_color)
    )
    assert np.abs(own - as_shown).max() < 0.1


def test_age_is_in_years_and_the_slider_behind_it_follows(head: HeadObject) -> None:
    said = head.mesh_object.facegen_person
    said.years = 62
    assert said.years == 62
    shown = properties.sliders_of(head.mesh_object).age
    assert shown == pytest.approx(value(head, "age")) == pytest.approx(0.6 + 44 / 155)


def test_the_ball_turns_both_eyes(head: HeadObject) -> None:
    styles = head.mesh_object.facegen_styles
    assert tuple(styles.gaze) == pytest.approx((0.0, 0.0, 1.0))
    styles.gaze = (0.375, 0.0, 0.927)
    assert styles.sideways == pytest.approx(0.5, abs=1e-5)
    assert value(head, "eyeLookOutLeft") == value(head, "eyeLookInRight") == pytest.approx(0.5)
    styles.upwards = -0.4
    assert value(head, "eyeLookDownLeft") == pytest.approx(0.4)
    assert styles.sideways == pytest.approx(0.5, abs=1e-5)
    assert np.linalg.norm(tuple(styles.gaze)) == pytest.approx(1.0)


def test_each_model_shows_what_it_has(head: HeadObject) -> None:
    def drawn() -> list[tuple[str, str]]:
        log: list[tuple[str, str]] = []
        draw_panels(RecordingLayout(log))
        return log

    person = drawn()
    galleries = [name for kind, name in person if kind == "gallery"]
    assert galleries[-4:] == ["hair", "brows", "beard", "expression"]
    assert ("prop", "years") in person and ("operator", "facegen.take_colour") in person
    OPERATORS.add_head(model="open_flame", subdivision=0)
    flame = drawn()
    assert [name for kind, name in flame if kind == "gallery"][-1] == "expression"
    assert ("gallery", "hair") not in flame and ("prop", "years") not in flame
    assert ("operator", "facegen.take_colour") not in flame
    assert ("prop", "age") in flame, "a characteristic"


def test_register_twice_leaves_no_icon() -> None:
    import facegen_addon

    shipped_pictures.prepare()
    assert "swatch hair Black" in shipped_pictures._swatches
    facegen_addon.unregister()
    assert shipped_pictures._swatches is None
    assert shipped_pictures.swatch_icon("hair", "Black") == 0
    assert not hasattr(bpy.types.Object, "facegen_styles")
    facegen_addon.register()


def test_what_no_picture_shows_has_an_outline() -> None:
    shipped_pictures.prepare()
    for kind in shipped_pictures.STYLE_NAMES:
        (name, _, _, icon, _), *_ = shipped_pictures.items(kind)
        assert name == shipped_pictures.OWN
        assert isinstance(icon, int), "Blender's own icons are a small dot in a black square"
    picture = shipped_pictures.own_picture()
    shown = np.array(shipped_pictures._swatches[shipped_pictures.OWN].image_pixels_float)
    np.testing.assert_allclose(shown.reshape(picture.shape), picture, atol=0.01)
    middle, corner = picture[len(picture) // 2, len(picture) // 2], picture[-1, 0]
    assert np.abs(middle - corner).max() > 0.1
