# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asked for, in a real bpy: the panel's settings and what operators make of them."""

from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

from facegen_addon.errors import UserError
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.people import SKINS
from facegen_addon.latent.who import Who
from facegen_addon.scene.head import latents
from facegen_addon.ui import who as who_panel
from tests.ui.panels import RecordingLayout
from tests.ui.test_sampling import FINISHED, add_head, press


@pytest.fixture
def settings() -> bpy.types.PropertyGroup:
    return bpy.context.scene.facegen_who


def test_the_operator_draws_whom_it_is_asked_for() -> None:
    head = add_head("anny")
    for seed in range(4):
        asked = {"sex": "woman", "age": "60:75", "skin": "medium"}
        assert press("sample_head", distribution="latent", seed=seed, **asked) == FINISHED
        requested = latents.read(head).requested
        ((female, age, lightness),) = AttributeProbes.load().read(requested[None])
        assert female >= 0.5
        assert 60 <= age < 75
        assert SKINS["medium"][0] <= lightness < SKINS["medium"][1]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"sex": "woman", "distribution": "prior"}, "no latents to ask for people by"),
        ({"age": "4:12"}, "between which real faces were seen"),
        ({"population": "nobody"}, "unknown population 'nobody'"),
    ],
)
def test_what_cannot_be_asked_for_is_said(values: dict[str, str], says: str) -> None:
    add_head("anny")
    with pytest.raises(RuntimeError, match=says):
        press("sample_head", seed=1, **{"distribution": "latent", **values})


def test_the_panel_asks_for_whoever_it_shows(settings: bpy.types.PropertyGroup) -> None:
    assert Who(**who_panel.asked(settings)) == Who()
    settings.sex, settings.youngest, settings.oldest, settings.skin = "man", 30, 40, "dark"
    settings.population = "as-found"
    assert Who(**who_panel.asked(settings)) == Who("man", "30:40", "dark", "as-found")


@pytest.mark.parametrize("age", ["18:25", "60:80", "", "79:80"])
def test_the_panel_shows_whom_a_preset_asks_for(
    settings: bpy.types.PropertyGroup, age: str
) -> None:
    settings.youngest, settings.oldest = 30, 40
    values = vars(Who("woman", age, "fair", "as-found"))
    who_panel.show(settings, values)
    assert who_panel.asked(settings) == values
    with pytest.raises(UserError, match="unknown population"):
        who_panel.show(settings, {**values, "sex": "man", "population": "nobody"})
    assert who_panel.asked(settings) == values


def test_files_from_before_there_was_a_default_draw_as_found(
    settings: bpy.types.PropertyGroup, tmp_path: Path
) -> None:
    path = str(tmp_path / "scene.blend")
    add_head("open_flame")
    assert settings.population == "balanced"
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert bpy.context.scene.facegen_who.population == "balanced"
    bpy.app.handlers.save_pre.remove(who_panel._before_save)
    try:
        bpy.context.scene.facegen_who.property_unset("population")
        bpy.ops.wm.save_as_mainfile(filepath=path)  # as earlier versions did
    finally:
        bpy.app.handlers.save_pre.append(who_panel._before_save)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert bpy.context.scene.facegen_who.population == "as-found"
    bpy.ops.wm.read_homefile(use_empty=True)
    assert bpy.context.scene.facegen_who.population == "balanced"


@pytest.mark.parametrize(("youngest", "oldest"), [(79, 80), (50, 51), (18, 19)])
def test_ages_keep_their_order(
    settings: bpy.types.PropertyGroup, youngest: int, oldest: int
) -> None:
    settings.oldest = 19
    assert settings.youngest < settings.oldest
    settings.youngest = youngest
    assert (settings.youngest, settings.oldest) == (youngest, max(oldest, settings.oldest))
    assert settings.youngest < settings.oldest
    Who(**who_panel.asked(settings)).drawn_from()


def test_buttons_take_over_whom_the_panel_shows(settings: bpy.types.PropertyGroup) -> None:
    settings.sex = "woman"
    for distribution, sex in (("latent", "woman"), ("prior", "any")):
        button = SimpleNamespace()
        who_panel.ask(button, bpy.context, distribution)
        assert (button.sex, button.age, button.skin) == (sex, "", "")


@pytest.mark.parametrize("model", ["anny", "a model without B"])
def test_the_panel_says_what_it_needs(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(who_panel, "is_trained", lambda name: name == "anny")
    bpy.context.window_manager.facegen.model = model
    log: list[tuple[str, str]] = []
    panel = SimpleNamespace(layout=RecordingLayout(log))
    who_panel.FACEGEN_PT_who.draw(panel, bpy.context)
    shown = [name for kind, name in log if kind == "prop"]
    assert shown == ["sex", "youngest", "oldest", "skin", "population", "probe"]
    rna = bpy.context.scene.facegen_who.bl_rna.properties
    assert (rna["youngest"].name, rna["skin"].enum_items[0].name) == ("Age from", "Any Skin")
    for name in ("youngest", "oldest", "skin"):
        assert "latent" not in rna[name].description, "a row of buttons says what it is of"
    assert (("label", "Not with this head model") in log) == (model != "anny")
