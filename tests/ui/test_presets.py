# SPDX-License-Identifier: GPL-3.0-or-later
"""The Presets panel's operators, in a real bpy."""

import json
from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.gallery import gallery
from facegen_addon.heads.hair.parameters import HAIR_NAMES
from facegen_addon.scene.head import history, locks
from facegen_addon.scene.head.head_object import MODEL_KEY, HeadObject
from facegen_addon.scene.workflows import presets
from facegen_addon.ui import presets as panel
from facegen_addon.ui import properties, thumbnails

OPERATORS = bpy.ops.facegen


@pytest.fixture(autouse=True)
def quick_portraits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Portraits that cost nothing."""
    portrait = np.full((32, 32, 3), 120, np.uint8)
    monkeypatch.setattr(presets, "portraits", lambda *_, **__: iter([portrait]))


@pytest.fixture
def head(rng: np.random.Generator) -> HeadObject:
    OPERATORS.add_head(model="anny", subdivision=0)
    head = HeadObject.of(bpy.context.active_object)
    head.set_parameters(load_head_model("anny").sample_prior(rng, 1)[0])
    return head


def test_saved_listed_applied_deleted(head: HeadObject) -> None:
    expected = head.parameters
    assert OPERATORS.save_preset(name="Anna") == {"FINISHED"}
    assert bpy.context.window_manager.facegen_presets.preset == "Anna"
    item = panel._items[0]  # before those that are shipped
    assert item[0] == "Anna" and isinstance(item[3], int)
    head.set_parameters(head.model.table.default())
    assert OPERATORS.apply_preset(name="Anna") == {"FINISHED"}
    assert np.array_equal(head.parameters, expected)
    assert properties.sliders_of(head.mesh_object).weight == pytest.approx(
        expected[head.model.table.index("weight")]
    )
    assert OPERATORS.history_back() == {"FINISHED"}
    assert np.array_equal(head.parameters, head.model.table.default())
    assert OPERATORS.delete_preset(name="Anna") == {"FINISHED"}
    assert "Anna" not in [item[0] for item in panel._items]


def test_a_preset_remembers_who_was_asked_for(head: HeadObject) -> None:
    who = bpy.context.scene.facegen_who
    who.sex, who.youngest, who.oldest, who.skin = "woman", 60, 75, "dark"
    OPERATORS.save_preset(name="Anna")
    path = presets.preset_file("Anna")
    content = json.loads(path.read_text())
    assert content["who"]["age"] == "60:75" and content["who"]["population"] == "balanced"
    who.sex, who.youngest, who.skin, who.population = "man", 20, "fair", "as-found"
    assert OPERATORS.apply_preset(name="Anna") == {"FINISHED"}
    assert (who.sex, who.youngest, who.oldest, who.skin) == ("woman", 60, 75, "dark")
    assert who.population == "balanced"
    who.sex = "man"
    for unsaid in (None, {"sex": 3}, "women"):  # by another version, or by hand
        path.write_text(json.dumps(content | {"who": unsaid}))
        assert OPERATORS.apply_preset(name="Anna") == {"FINISHED"}
        assert who.sex == "man"
    path.write_text(json.dumps(content | {"who": {**content["who"], "population": "lost.toml"}}))
    assert OPERATORS.apply_preset(name="Anna") == {"FINISHED"}
    assert who.sex == "man", "the head comes all the same"


def test_a_preset_of_another_model_is_added_as_a_new_head(head: HeadObject) -> None:
    expected = head.parameters
    OPERATORS.save_preset(name="Anna")
    OPERATORS.add_head(model="open_flame", subdivision=0)
    with pytest.raises(RuntimeError, match="model 'anny', the active head of 'open_flame'"):
        OPERATORS.apply_preset(name="Anna")
    path = str(presets.preset_file("Anna"))
    bpy.context.scene.cursor.location = (1.0, 0.0, 0.0)
    assert OPERATORS.load_preset(filepath=path, as_new=True) == {"FINISHED"}
    added = HeadObject.of(bpy.context.active_object)
    assert np.array_equal(added.parameters, expected)
    assert added.mesh_object.name == "Anna" and added.mesh_object.location.x == 1.0
    labels = [entry.label for entry in history.history_of(added.mesh_object).entries]
    assert labels == ["Preset Anna"]
    assert sum(MODEL_KEY in o for o in bpy.data.objects) == 3


def test_without_an_active_head_one_is_added(head: HeadObject) -> None:
    OPERATORS.save_preset(name="Anna")
    bpy.context.view_layer.objects.active = None
    assert not OPERATORS.save_preset.poll()
    assert OPERATORS.apply_preset(name="Anna") == {"FINISHED"}
    assert bpy.context.active_object.name == "Anna"


def test_what_cannot_be_done_is_one_line(head: HeadObject, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="name is empty"):
        OPERATORS.save_preset(name="")
    OPERATORS.save_preset(name="Anna")
    with pytest.raises(RuntimeError, match="choose Overwrite"):
        OPERATORS.save_preset(name="Anna")
    assert OPERATORS.save_preset(name="Anna", overwrite=True) == {"FINISHED"}
    for operator in (OPERATORS.apply_preset, OPERATORS.delete_preset):
        with pytest.raises(RuntimeError, match="Berta"):
            operator(name="Berta")
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"model": "horse", "heads": [{"a": 1}]}))
    count = len(bpy.data.objects)
    with pytest.raises(RuntimeError, match="horse"):
        OPERATORS.load_preset(filepath=str(bad), as_new=True)
    assert len(bpy.data.objects) == count


def test_deleting_leaves_another_preset_chosen(head: HeadObject) -> None:
    for name in "abc":
        bpy.ops.facegen.save_preset(name=name)
    settings = bpy.context.window_manager.facegen_presets
    settings.preset = "b"
    bpy.ops.facegen.delete_preset(name="a")
    assert settings.preset == "b"
    bpy.ops.facegen.delete_preset(name="b")
    assert settings.preset == "c"


def test_a_damaged_preset_is_not_listed(head: HeadObject) -> None:
    OPERATORS.save_preset(name="Anna")
    (presets.presets_folder() / "Broken.json").write_text("{")
    panel.refresh()
    names = [item[0] for item in panel._items]
    assert names == ["Anna", *(head.name for head in gallery().heads)]


def test_the_handler_settles_what_is_appended(head: HeadObject) -> None:
    if not hasattr(bpy.app.handlers, "blend_import_post"):
        pytest.skip("this Blender tells nobody of imports")
    OPERATORS.save_preset(name="Anna")
    blend = presets.preset_file("Anna").with_suffix(".blend")
    bpy.ops.wm.append(directory=f"{blend}/Object/", filename="Anna")
    added = next(o for o in bpy.context.selected_objects if MODEL_KEY in o)
    assert added.asset_data is None and len(added.children) == 1
    properties.sliders_of(added).weight = 0.9
    assert HeadObject.of(added).parameters[head.model.table.index("weight")] == pytest.approx(0.9)
    assert not np.array_equal(HeadObject.of(added).parameters, head.parameters)


def test_register_twice_leaves_no_handler() -> None:
    import facegen_addon

    facegen_addon.unregister()
    assert not hasattr(bpy.types.WindowManager, "facegen_presets")
    assert panel._after_import not in getattr(bpy.app.handlers, "blend_import_post", [])
    assert thumbnails.icon("preset Anna") is None
    facegen_addon.register()


def test_hair_has_names_that_one_click_applies(head: HeadObject) -> None:
    assert not OPERATORS.hair_style.poll()  # Anny's hair has none
    OPERATORS.add_head(model="person", subdivision=0)
    person = HeadObject.of(bpy.context.active_object)
    before, table = person.parameters, person.model.table
    locks.set_locked(person.mesh_object, ["hair_volume"], True)
    assert OPERATORS.hair_style(style="Braid") == {"FINISHED"}
    moved = {
        name for name, a, b in zip(table.names, before, person.parameters, strict=True) if a != b
    }
    assert {"hair_tied", "hair_braid"} < moved <= HAIR_NAMES - {"hair_volume", "hair_melanin"}
    assert OPERATORS.history_back() == {"FINISHED"}
    assert np.array_equal(person.parameters, before)


@pytest.mark.parametrize(
    ("operator", "style", "moved"),
    [("brow_style", "high arch", "brow_arch"), ("beard_style", "goatee", "beard_goatee")],
)
def test_brows_and_beards_have_names(operator: str, style: str, moved: str) -> None:
    OPERATORS.add_head(model="person", subdivision=0)
    person = HeadObject.of(bpy.context.active_object)
    before, column = person.parameters, person.model.table.index(moved)
    assert getattr(OPERATORS, operator)(style=style) == {"FINISHED"}
    assert person.parameters[column] > before[column]
    kinds = {"brow_style": "brows", "beard_style": "beard"}
    styles = person.model.named_styles[kinds[operator]]
    assert person.parameters[column] == styles[style][moved]
