# SPDX-License-Identifier: GPL-3.0-or-later
"""Export and import by the panel's operators."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from facegen_addon.blas_threads import one_thread
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.exchange.slider_import import export_sliders
from facegen_addon.scene.export import files
from facegen_addon.scene.export.files import HeadSource, export_head
from facegen_addon.scene.export.parts import ExportSettings, expected_triangles
from facegen_addon.scene.head.head_object import MODEL_KEY, HeadObject
from facegen_addon.scene.head.history import history_of
from facegen_addon.ui import exporting, jobs
from facegen_addon.ui.exporting import named


def _add(model_name: str = "open_flame", name: str = "Ada", seed: int = 1) -> HeadObject:
    """A head that is selected and active."""
    model = load_head_model(model_name)
    head = HeadObject.create(model, bpy.context.collection)
    head.set_parameters(model.sample_prior(np.random.default_rng(seed), 1)[0])
    head.mesh_object.name = name
    head.mesh_object.select_set(True)
    bpy.context.view_layer.objects.active = head.mesh_object
    return head


def _export(path: Path, **options: Any) -> set[str]:
    return bpy.ops.facegen.export_heads(filepath=str(path), **{"textures": 0} | options)


def test_operator_and_function_write_the_same(tmp_path: Path) -> None:
    head = _add()
    source = HeadSource.of(head)
    options = {"shape_keys": True, "armature": True, "hair": "none", "textures": 0}
    assert _export(tmp_path / "a.glb", format="glb", **options) == {"FINISHED"}
    with one_thread():  # as operators do
        export_head(tmp_path / "b" / "a.glb", source, ExportSettings(**options))
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b/a.glb").read_bytes()


@pytest.mark.parametrize("format_name", ["glb", "fbx", "obj", "json"])
def test_the_suffix_follows_the_format(tmp_path: Path, format_name: str) -> None:
    _add()
    assert _export(tmp_path / "ada.glb", format=format_name, hair="none") == {"FINISHED"}
    assert (tmp_path / f"ada.{format_name}").exists()
    assert format_name == "glb" or not (tmp_path / "ada.glb").exists()


def test_a_script_waits_for_the_files_and_the_dialog_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run to the end by EXEC_DEFAULT, beside Blender by INVOKE_DEFAULT."""
    _add()
    hows = []

    def write_heads(how: str, **options: object) -> None:
        hows.append(how)

    operators = SimpleNamespace(facegen=SimpleNamespace(write_heads=write_heads))
    monkeypatch.setattr(exporting, "bpy", SimpleNamespace(path=bpy.path, ops=operators))
    _export(tmp_path / "called.glb")
    _export(tmp_path / "asked.glb", asked=True)
    assert hows == ["EXEC_DEFAULT", "INVOKE_DEFAULT"]


def test_names_keep_their_own_dots() -> None:
    assert named("/x/Head.001", "glb") == "/x/Head.001.glb"
    assert named("/x/Head.001.fbx", "obj") == "/x/Head.001.obj"
    assert named("/x/Head.GLB", "glb") == "/x/Head.glb"


def test_several_heads_are_a_file_each(tmp_path: Path) -> None:
    for name in ("Ada", "Bea/1", "Bea:1"):
        _add(name=name)
    options = {"format": "obj", "hair": "none"}
    assert _export(tmp_path / "any.obj", **options) == {"FINISHED"}
    names = {file.name for file in tmp_path.glob("*.obj")}
    assert names == {"any_Ada.obj", "any_Bea_1.obj", "any_Bea_1_2.obj"}
    with pytest.raises(RuntimeError, match=r"any_Ada\.obj is there already"):
        _export(tmp_path / "any.obj", **options)
    assert _export(tmp_path / "any.obj", replace=True, **options) == {"FINISHED"}


def test_obj_leaves_out_what_it_cannot_hold_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _add()
    options = {"format": "obj", "hair": "none", "shape_keys": True, "armature": True}
    assert _export(tmp_path / "ada.obj", subdivision=1, **options) == {"FINISHED"}
    told: list[str] = []
    settings = ExportSettings(hair="none", textures=0)
    operator: Any = SimpleNamespace(
        filepath=str(tmp_path / "b.obj"), format="obj", replace=False, shape_keys=True,
        armature=False, settings=lambda: settings, report=lambda _, text: told.append(text),
    )  # fmt: skip
    operator._tell = lambda done: exporting.FACEGEN_OT_write_heads._tell(operator, done)
    list(exporting.FACEGEN_OT_write_heads.steps(operator, bpy.context))
    assert told[1:] == ["OBJ leaves out shape keys, bones, roughness and normals"]


def test_a_head_that_fails_among_several_says_that_none_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Ada", "Bea"):
        _add(name=name)
    write = files._write

    def failing(path: Path, head: HeadSource, settings: ExportSettings) -> Any:
        if head.name == "Bea":
            raise UserError("Bea.obj cannot be written: no")
        return write(path, head, settings)

    monkeypatch.setattr(files, "_write", failing)
    with pytest.raises(RuntimeError, match=r"Bea\.obj.*; none of the 2 files was written"):
        _export(tmp_path / "a.obj", format="obj", hair="none")
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_replaced_is_named_with_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Ada", "Bea"):
        _add(name=name)
    move = Path.replace

    def failing(file: Path, target: Path) -> Any:
        if file.name == "a_Bea.obj":
            raise PermissionError(13, "in use")
        return move(file, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(RuntimeError, match=r"a_Bea\.obj cannot be replaced \(in use\); 3 of 4"):
        _export(tmp_path / "a.obj", format="obj", hair="none")


@pytest.mark.parametrize("target", ["generic", "unreal", "unity", "godot"])
def test_a_target_begins_with_what_it_asks_for(
    tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a script says itself stays as it said."""
    asked: list[tuple[Path, ExportSettings]] = []

    def note(path: Path, head: HeadSource, settings: ExportSettings) -> Any:
        asked.append((path, settings))
        return files.ExportedHead(path, 1, 0, ())

    monkeypatch.setattr(exporting, "export_head", note)
    _add()
    bpy.ops.facegen.export_heads(filepath=str(tmp_path / "guard"), target=target)
    bpy.ops.facegen.export_heads(
        filepath=str(tmp_path / "guard"), target=target, format="obj", shape_keys=False, textures=0
    )
    (path, settings), (own_path, own) = asked
    suffix = {"unreal": "fbx", "unity": "fbx"}.get(target, "glb")
    assert path == tmp_path / f"guard.{suffix}" and own_path == tmp_path / "guard.obj"
    moves = target != "generic"
    assert (settings.target, settings.shape_keys, settings.armature) == (target, moves, moves)
    assert (own.shape_keys, own.armature, own.textures) == (False, False, 0)


def test_the_dialog_says_how_many_triangles_there_will_be(tmp_path: Path) -> None:
    head = _add()
    for lod in (0, 2):
        settings = ExportSettings(lod=lod, hair_triangles=4000, textures=0)
        skin, hair = expected_triangles(head.model, settings)
        written = export_head(tmp_path / f"{lod}.glb", HeadSource.of(head), settings)
        assert written.triangles - written.hair_triangles == skin
        assert 0 < written.hair_triangles <= hair


def test_the_neck_ends_as_the_dialog_says(tmp_path: Path) -> None:
    _add("person")
    sizes = []
    for neck in ("open", "same-edge", "closed"):
        path = tmp_path / f"{neck}.obj"
        assert _export(path, format="obj", hair="none", neck=neck) == {"FINISHED"}
        sizes.append(sum(line.startswith("f ") for line in path.read_text().splitlines()))
    assert sizes[0] == sizes[1] < sizes[2] < sizes[0] + 200


def test_other_necks_stay_open(tmp_path: Path) -> None:
    _add("open_flame")
    with pytest.raises(RuntimeError, match="not made of rings of quads: take model person"):
        _export(tmp_path / "a.glb", format="glb", hair="none", neck="closed")
    assert not list(tmp_path.iterdir())


def test_a_job_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    for name in ("Ada", "Bea"):
        _add(name=name)
    operator = SimpleNamespace(
        filepath=str(tmp_path / "a.obj"), format="obj", replace=False,
        settings=lambda: ExportSettings(hair="none", textures=0),
    )  # fmt: skip
    steps = exporting.FACEGEN_OT_write_heads.steps(operator, bpy.context)
    running = jobs.start(steps)
    assert running.step() and running.step()
    assert (running.label, running.done, running.total) == ("Exporting", 1, 2)
    jobs.stop()
    assert not list(tmp_path.iterdir())


def test_parameters_go_out_and_come_in(tmp_path: Path) -> None:
    rows = [_add(name=name, seed=seed).parameters for seed, name in enumerate("ab")]
    path = tmp_path / "two.json"
    assert _export(path, format="json") == {"FINISHED"}
    assert json.loads(path.read_text())["model"] == "open_flame"
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.context.scene.cursor.location = (1.0, 2.0, 3.0)
    assert bpy.ops.facegen.import_parameters(filepath=str(path)) == {"FINISHED"}
    heads = [HeadObject.of(o) for o in bpy.data.objects if MODEL_KEY in o]
    np.testing.assert_allclose(
        sorted(h.parameters.tolist() for h in heads), sorted(map(list, rows))
    )
    places = {tuple(head.mesh_object.location) for head in heads}
    assert (1.0, 2.0, 3.0) in places and len(places) == 2
    assert all(len(history_of(head.mesh_object).entries) == 1 for head in heads)


def test_heads_of_two_models_have_no_common_sliders(tmp_path: Path) -> None:
    heads = [_add("anny"), _add("open_flame")]
    with pytest.raises(UserError, match="different models, anny, open_flame; select those of one"):
        export_sliders(tmp_path / "a.json", heads)
    with pytest.raises(UserError, match="no head is selected"):
        export_sliders(tmp_path / "a.json", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "is not a slider file"),
        ('{"model": "flamingo", "heads": [{"age": 1}]}', "unknown head model 'flamingo'"),
        ('{"model": "anny", "heads": [{"charm": 1}]}', "unknown parameter 'charm'"),
        ('{"model": "anny", "heads": [{"age": 99}]}', "age"),
    ],
)
def test_a_bad_parameter_file_adds_nothing(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(RuntimeError, match=message):
        bpy.ops.facegen.import_parameters(filepath=str(tmp_path / "a.json"))
    with pytest.raises(RuntimeError, match="is missing"):
        bpy.ops.facegen.import_parameters(filepath=str(tmp_path / "b.json"))
    assert not len(bpy.data.objects)


def test_without_a_head_there_is_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="poll"):
        _export(tmp_path / "a.glb")
    with pytest.raises(RuntimeError, match="no head is selected"):
        bpy.ops.facegen.write_heads(filepath=str(tmp_path / "a.glb"))


def test_heads_that_cannot_be_exported(tmp_path: Path) -> None:
    head = _add()
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeError, match="file cannot be written to"):
        _export(tmp_path / "file" / "a.glb", hair="none")
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(RuntimeError, match="leave edit mode"):
        _export(tmp_path / "a.glb")
    bpy.ops.object.mode_set(mode="OBJECT")
    head.mesh_object.data.vertices.add(1)
    with pytest.raises(RuntimeError, match="its mesh has been edited"):
        _export(tmp_path / "a.glb")
    bpy.data.objects.remove(head.mesh_object)
    _add()
    bpy.context.object[MODEL_KEY] = "flame_0123456789ab"
    with pytest.raises(RuntimeError, match="0123456789ab"):
        _export(tmp_path / "a.glb")
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".glb"] == []


def test_the_panel_has_a_button_for_each_direction() -> None:
    shown: list[str] = []

    class Layout:
        """Notes the operators and labels that are drawn."""

        def operator(self, name: str, **_: Any) -> SimpleNamespace:
            shown.append(name)
            return SimpleNamespace()

        def label(self, text: str, **_: Any) -> None:
            shown.append(text)

        def progress(self, text: str, **_: Any) -> None:
            shown.append(text)

        def column(self, **_: Any) -> "Layout":
            return self

        row = column

    panel: Any = SimpleNamespace(layout=Layout())
    exporting.FACEGEN_PT_files.draw(panel, bpy.context)
    assert shown.count("facegen.export_heads") == 4
    imports = [f"facegen.import_{kind}" for kind in ("parameters", "flame", "arkit")]
    for name in (*imports, "facegen.export_flame"):
        assert name in shown and len(name) < 40
    assert "Select a head to export" in shown
    _add()
    shown.clear()
    exporting.FACEGEN_PT_files.draw(panel, bpy.context)
    assert "Select a head to export" not in shown
    idle = list(shown)
    for label, shows in (("Exporting", True), ("Portraits", False)):
        jobs.start(progress for progress in [jobs.Progress(label, 1, 2)]).step()
        shown.clear()
        exporting.FACEGEN_PT_files.draw(panel, bpy.context)
        jobs.stop()
        assert shown[: len(idle)] == idle, "a job moves no button"
        assert (len(shown) > len(idle)) is shows
