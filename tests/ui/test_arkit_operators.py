# SPDX-License-Identifier: GPL-3.0-or-later
"""Animation from the panel: one operator, one step of undo, and what it says."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import DEFAULT_MODEL, load_head_model
from facegen_addon.heads.exchange.arkit.sliders import import_take
from facegen_addon.scene.head.head_object import MODEL_KEY, PARAMETERS_KEY
from facegen_addon.ui import properties
from tests.heads.exchange.arkit import takes

TABLE = load_head_model("anny").table


@pytest.fixture
def take(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Six frames at 60 a second."""
    return takes.live_link(tmp_path / "take.csv", takes.weights(rng, 6))


def _heads() -> list[bpy.types.Object]:
    return [o for o in bpy.data.objects if MODEL_KEY in o]


def _add() -> bpy.types.Object:
    bpy.ops.facegen.add_head(model="anny", subdivision=0)
    return bpy.context.view_layer.objects.active


def test_a_head_of_its_own_at_the_cursor(take: Path) -> None:
    scene = bpy.context.scene
    scene.render.fps, scene.cursor.location = 60, (1.0, 2.0, 3.0)
    assert bpy.ops.facegen.import_arkit(filepath=str(take), start=10) == {"FINISHED"}
    (head,) = _heads()
    assert head[MODEL_KEY] == DEFAULT_MODEL and bpy.context.view_layer.objects.active == head
    assert tuple(head.location) == (1.0, 2.0, 3.0)
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (10, 15, 10)
    rows = import_take(take, load_head_model(DEFAULT_MODEL)).values
    scene.frame_set(13)
    np.testing.assert_allclose(head[PARAMETERS_KEY].to_list(), rows[3], atol=1e-6)


def test_onto_the_active_head(take: Path) -> None:
    head = _add()
    bpy.context.scene.render.fps = 60
    properties.sliders_of(head).age = 0.75
    bpy.ops.facegen.toggle_lock(name="jawOpen")
    bpy.ops.facegen.import_arkit(filepath=str(take), onto_active=True)
    assert _heads() == [head]
    bpy.context.scene.frame_set(3)
    shown = properties.sliders_of(head)
    rows = import_take(take, load_head_model("anny")).values
    assert (shown.age, shown.jawOpen) == (0.75, 0.0)
    assert shown.mouthClose == pytest.approx(rows[2, TABLE.index("mouthClose")])


def test_without_an_active_head_one_is_added(take: Path) -> None:
    bpy.ops.facegen.import_arkit(filepath=str(take), onto_active=True, model="anny")
    assert [head[MODEL_KEY] for head in _heads()] == ["anny"]


def test_one_step_of_undo(take: Path) -> None:
    head = _add()
    name, before = head.name, head[PARAMETERS_KEY].to_list()
    scene = bpy.context.scene
    scene.frame_end = 77
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.facegen.import_arkit(filepath=str(take), onto_active=True)
    bpy.ops.ed.undo_push(message="import")
    bpy.ops.ed.undo()
    head = bpy.data.objects[name]
    assert head.animation_data is None and head[PARAMETERS_KEY].to_list() == before
    assert not bpy.data.actions and bpy.context.scene.frame_end == 77
    bpy.ops.ed.redo()
    bpy.context.scene.frame_set(2)
    assert bpy.data.objects[name][PARAMETERS_KEY].to_list() != before


def test_what_is_wrong_changes_nothing(take: Path, tmp_path: Path) -> None:
    head = _add()
    before = head[PARAMETERS_KEY].to_list()
    (tmp_path / "a.csv").write_text("AU01,AU02\n0,0\n")
    with pytest.raises(RuntimeError, match="AU01, AU02, none of which is one of ARKit"):
        bpy.ops.facegen.import_arkit(filepath=str(tmp_path / "a.csv"), onto_active=True)
    bpy.context.view_layer.objects.active = head
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(RuntimeError, match="leave edit mode"):
        bpy.ops.facegen.import_arkit(filepath=str(take), onto_active=True)
    bpy.ops.object.mode_set(mode="OBJECT")
    assert _heads() == [head] and head[PARAMETERS_KEY].to_list() == before
    assert head.animation_data is None


def test_the_operator_of_flame_names_the_other_one(take: Path) -> None:
    with pytest.raises(RuntimeError, match=r"ARKit's blend shapes.*Import ARKit Animation"):
        bpy.ops.facegen.import_flame(filepath=str(take))
    assert not _heads()


def test_rendered_frames_show_the_file_s(tmp_path: Path) -> None:
    """Two frames, with the mouth shut and wide open."""
    frames = [{"jawOpen": 0.0}, {"jawOpen": 1.0}]
    path = takes.write_json(tmp_path / "a.json", frames)
    bpy.ops.facegen.import_arkit(filepath=str(path), model="anny")
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.camera.location, scene.camera.rotation_euler = (0, -1, 0.05), (np.pi / 2, 0, 0)
    scene.collection.objects.link(scene.camera)
    scene.world = bpy.data.worlds.new("World")
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.render.filepath = str(tmp_path / "frame_")
    scene.render.image_settings.file_format = "PNG"
    bpy.ops.render.render(animation=True)
    first, second = (_pixels(file) for file in sorted(tmp_path.glob("frame_*.png")))
    # Noise has the same seed in both: what differs is the head.
    assert (np.abs(first - second).max(-1) > 0.05).sum() > 10


def _pixels(file: Path) -> np.ndarray:
    image = bpy.data.images.load(str(file))
    values = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(-1, 4)


def test_codes_of_flame_become_frames_where_the_user_says_so(tmp_path: Path) -> None:
    path = tmp_path / "codes.npz"
    np.savez(
        path, betas=np.eye(4)[:, :3], jaw_pose=np.linspace(0, 0.3, 12).reshape(4, 3) * [1, 0, 0]
    )
    bpy.ops.facegen.import_flame(filepath=str(path))
    assert len(_heads()) == 4
    bpy.ops.facegen.import_flame(filepath=str(path), fps=24.0, start=11)
    assert len(_heads()) == 5 and bpy.context.scene.frame_end == 14
