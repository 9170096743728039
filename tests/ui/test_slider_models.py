# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders and their models: files that are opened, models that are missing, register twice."""

import logging
from pathlib import Path

import bpy
import numpy as np
import pytest

import facegen_addon
from facegen_addon.errors import UserError
from facegen_addon.scene.head import head_object
from facegen_addon.scene.head.head_object import MODEL_KEY, PARAMETERS_KEY
from facegen_addon.ui import properties
from tests.ui.slider_heads import MODELS, add_head, positions, sliders


def test_a_saved_file_opens_with_its_sliders(tmp_path: Path) -> None:
    head = add_head()
    sliders(head).weight = 0.8
    name, before = head.name, positions(head)
    path = str(tmp_path / "heads.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    facegen_addon.unregister()  # as in a new Blender: no sliders are registered yet
    bpy.ops.wm.read_factory_settings(use_empty=True)
    facegen_addon.register()
    assert properties.model_sliders("anny") is None
    bpy.ops.wm.open_mainfile(filepath=path)
    head = bpy.data.objects[name]
    np.testing.assert_array_equal(positions(head), before)
    assert sliders(head).weight == pytest.approx(0.8)
    sliders(head).weight = 0.2
    assert not np.array_equal(positions(head), before)


def test_a_missing_model_is_said_and_its_data_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    head = add_head()
    sliders(head).weight = 0.8
    name, parameters = head.name, head[PARAMETERS_KEY].to_list()
    path = str(tmp_path / "heads.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    facegen_addon.unregister()
    facegen_addon.register()

    def gone(name: str) -> None:
        raise UserError("flame_abc is not in the cache: open its FLAME file again")

    with monkeypatch.context() as without:
        without.setattr(head_object, "load_head_model", gone)
        with caplog.at_level(logging.ERROR):
            bpy.ops.wm.open_mainfile(filepath=path)
        assert "open its FLAME file again" in caplog.text
        assert "open its FLAME file again" in properties.missing_model("anny")
        with pytest.raises(RuntimeError, match="open its FLAME file again"):
            bpy.ops.facegen.load_sliders()
        bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=path)
    assert bpy.data.objects[name][PARAMETERS_KEY].to_list() == parameters
    assert sliders(bpy.data.objects[name]).weight == pytest.approx(0.8)
    assert properties.missing_model("anny") == ""


def test_a_head_of_another_version_of_its_model_is_said(caplog: pytest.LogCaptureFixture) -> None:
    head = add_head()
    head[PARAMETERS_KEY] = [0.0, 1.0]
    properties.adopt_heads()
    assert "made with another version" in properties.missing_model("anny")
    assert head[PARAMETERS_KEY].to_list() == [0.0, 1.0]


def test_models_are_suggested() -> None:
    """All of them while nothing new is typed, so that a click shows what there is."""
    context = bpy.context
    assert properties.suggest_models(None, context, "anny")[0] == "anny"
    assert set(properties.suggest_models(None, context, "anny")) == set(MODELS)
    assert properties.suggest_models(None, context, "flam") == ["open_flame"]
    assert properties.suggest_models(None, context, "/my/file.pkl") == []


def test_add_head_says_what_is_no_model() -> None:
    with pytest.raises(RuntimeError, match="unknown head model 'nobody'"):
        bpy.ops.facegen.add_head(model="nobody")


def test_the_flame_file_chosen_is_the_next_model(tmp_path: Path) -> None:
    assert bpy.ops.facegen.choose_flame_file(filepath=str(tmp_path / "my.pkl")) == {"FINISHED"}
    assert bpy.context.window_manager.facegen.model == str(tmp_path / "my.pkl")


@pytest.mark.slow
def test_a_users_flame_file_has_sliders(tmp_path: Path, shared_data: Path) -> None:
    file = shared_data / "flame" / "flame2023open_60id_f32.npz"
    head = add_head(str(file))
    assert head[MODEL_KEY].startswith("flame_")
    before = positions(head)
    sliders(head).shape_001 = 2.0
    assert np.abs(positions(head) - before).max() > 1e-3


def test_register_twice_undoes_everything() -> None:
    add_head()
    name = properties.sliders_name("anny")
    assert hasattr(bpy.types.Object, name)
    handlers = our_handlers()
    assert {"render_init", "save_pre", "undo_post", "frame_change_post"} <= handlers.keys()
    for _ in range(2):
        facegen_addon.unregister()
        assert not hasattr(bpy.types.Object, name)
        assert not hasattr(bpy.types.WindowManager, "facegen")
        assert not hasattr(bpy.types, "FACEGEN_PT_head")
        assert not our_handlers()
        assert not head_object._listeners
        assert not bpy.app.timers.is_registered(properties.adopt_heads)
        facegen_addon.register()
    assert our_handlers() == handlers


def our_handlers() -> dict[str, int]:
    """How many of Blender's handlers of each kind are the add-on's."""
    kinds = {name: getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)}
    ours = {
        name: sum(getattr(h, "__module__", "").startswith("facegen_addon") for h in kind)
        for name, kind in kinds.items()
        if isinstance(kind, list)
    }
    return {name: count for name, count in ours.items() if count}
