# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of many frames is one head with keyframes that plays them."""

import math
from pathlib import Path

import bpy
import numpy as np
import pytest

import facegen_addon
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.exchange.arkit.sliders import import_take
from facegen_addon.heads.exchange.arkit.take import NAMES
from facegen_addon.heads.exchange.flame_sliders import import_sliders
from facegen_addon.scene.exchange import imported_heads
from facegen_addon.scene.exchange.arkit_import import import_arkit
from facegen_addon.scene.exchange.flame_import import import_heads
from facegen_addon.scene.head import animation, locks
from facegen_addon.scene.head.animation import key_frames, slider_path
from facegen_addon.scene.head.head_object import MODEL_KEY, HeadObject
from tests.heads.exchange.arkit import takes


@pytest.fixture
def take(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Twelve frames at 60 a second, in which the head turns, too."""
    turns = np.round(rng.uniform(-0.3, 0.3, (12, 9)), 6)
    return takes.live_link(tmp_path / "take.csv", takes.weights(rng, 12), turns)


def _heads() -> list[bpy.types.Object]:
    return [o for o in bpy.data.objects if MODEL_KEY in o]


def _positions(head: HeadObject) -> np.ndarray:
    mesh = bpy.data.objects[head.mesh_object.name].data
    values = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", values)
    return values.reshape(-1, 3)


def _curves(head: HeadObject) -> dict[str, bpy.types.FCurve]:
    data = head.mesh_object.animation_data
    return {curve.data_path: curve for curve in animation._curves(data.id_data)}


def _scene(rate: int) -> bpy.types.Scene:
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = rate, 1.0
    return scene


@pytest.mark.parametrize("name", ["open_flame", "anny"])
def test_each_frame_of_the_scene_shows_the_file_s(take: Path, name: str) -> None:
    scene, model = _scene(60), load_head_model(name)
    imported = import_arkit(take, model, scene.collection, start=5)
    (head,) = imported.heads
    assert len(_heads()) == 1
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (5, 16, 5)
    rows = import_take(take, model).values
    for frame in (0, 7, 3, 11):
        scene.frame_set(5 + frame)
        np.testing.assert_allclose(_positions(head), model.forward(rows[frame])[0], atol=1e-6)
    scene.frame_set(9, subframe=0.5)
    middle = rows[4:6].mean(axis=0)
    np.testing.assert_allclose(_positions(head), model.forward(middle)[0], atol=1e-6)
    assert imported.lines == [
        "12 frames animate 55 sliders from frame 5 to 16; 60 frames a second, the scene has 60"
    ]


@pytest.mark.parametrize(("rate", "end"), [(30, 7), (24, 6), (120, 23)])
def test_frames_keep_their_moments_at_another_rate(take: Path, rate: int, end: int) -> None:
    scene, model = _scene(rate), load_head_model("anny")
    (head,) = import_arkit(take, model, scene.collection).heads
    assert (scene.frame_start, scene.frame_end) == (1, end)
    rows = import_take(take, model).values
    for frame in (1, 3, end - 1):
        scene.frame_set(frame)
        at = (frame - 1) * 60 / rate
        low = math.floor(at)
        row = rows[low] + (at - low) * (rows[min(low + 1, 11)] - rows[low])
        np.testing.assert_allclose(_positions(head), model.forward(row)[0], atol=1e-5)


def test_a_rate_that_is_not_said_is_the_scene_s_or_the_user_s(tmp_path: Path) -> None:
    path = takes.write_json(tmp_path / "a.json", [{"jawOpen": v} for v in (0.1, 0.5, 0.3, 0.2)])
    scene, model = _scene(24), load_head_model("anny")
    imported = import_arkit(path, model, scene.collection)
    assert scene.frame_end == 4 and "does not say how many a second" in imported.lines[0]
    import_arkit(path, model, scene.collection, fps=12.0)
    assert scene.frame_end == 7


def test_only_what_moves_has_keyframes_and_only_where_it_does(tmp_path: Path) -> None:
    jaw = [0.0] * 50 + [1.0] + [0.5] * 50
    frames = [{"jawOpen": v, "cheekPuff": 0.25} for v in jaw]
    path = takes.write_json(tmp_path / "a.json", {"fps": 24, "frames": frames})
    scene = _scene(24)
    (head,) = import_arkit(path, load_head_model("anny"), scene.collection).heads
    (curve,) = _curves(head).values()
    assert curve.data_path == slider_path("anny", "jawOpen")
    keys = [tuple(point.co) for point in curve.keyframe_points]
    assert keys == [(1, 0), (50, 0), (51, 1), (52, 0.5), (101, 0.5)]
    assert {point.interpolation for point in curve.keyframe_points} == {"LINEAR"}
    column = head.model.table.index("cheekPuff")
    scene.frame_set(51)
    assert head.parameters[column] == 0.25
    for frame, value in ((30, 0.0), (51, 1.0), (80, 0.5)):
        scene.frame_set(frame)
        assert head.parameters[head.model.table.index("jawOpen")] == value


def test_heads_of_a_flame_file_are_frames_where_the_user_says_so(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    path = tmp_path / "frames.npz"
    np.savez(
        path,
        betas=rng.uniform(-2, 2, (6, 10)),
        expression=rng.uniform(0, 1, (6, 10)),
        jaw_pose=np.pad(rng.uniform(0, 0.4, (6, 1)), ((0, 0), (0, 2))),
    )
    scene, model = _scene(24), load_head_model("open_flame")
    assert len(import_heads(path, model, scene.collection).heads) == 6
    (head,) = import_heads(path, model, scene.collection, fps=24.0, start=0).heads
    assert (scene.frame_start, scene.frame_end) == (0, 5)
    rows = import_sliders(path, model).values
    for frame in (5, 0, 2):
        scene.frame_set(frame)
        np.testing.assert_allclose(_positions(head), model.forward(rows[frame])[0], atol=1e-6)


@pytest.mark.parametrize("folder", [False, True])
def test_a_sequence_of_vhap_is_one_head_unasked(
    tmp_path: Path, rng: np.random.Generator, folder: bool
) -> None:
    frames = [
        {
            "expr": rng.uniform(0, 1, (1, 52)),
            "neck_pose": rng.uniform(-0.3, 0.3, (1, 3)),
            "jaw_pose": np.array([[0.1 * frame, 0.0, 0.0]]),
            "eyes_pose": rng.uniform(-0.1, 0.1, (1, 6)),
            "rotation": rng.uniform(-0.3, 0.3, (1, 3)),
            "translation": rng.uniform(-0.1, 0.1, (1, 3)),
        }
        for frame in range(4)
    ]
    shape = rng.uniform(-1, 1, 66)
    path = tmp_path / "flame_param"
    if folder:
        path.mkdir()
        for number, frame in enumerate(frames):
            np.savez(path / f"{number:05d}.npz", shape=shape, **frame)
    else:
        path = path.with_suffix(".npz")
        stacked = {key: np.concatenate([f[key] for f in frames]) for key in frames[0]}
        np.savez(path, shape=shape, **stacked)
    scene, model = _scene(24), load_head_model("open_flame")
    imported = import_heads(path, model, scene.collection)
    (head,) = imported.heads
    assert (scene.frame_start, scene.frame_end) == (1, 4)
    assert any(line.startswith("transl: ") for line in imported.sliders.clamped)
    rows = import_sliders(path, model).values
    assert not np.array_equal(rows[0], rows[3])
    assert not any("shape" in path for path in _curves(head))
    for frame in (3, 0, 2):
        scene.frame_set(1 + frame)
        np.testing.assert_allclose(_positions(head), model.forward(rows[frame])[0], atol=1e-6)


def test_a_head_that_is_there_keeps_its_face_and_locks(
    take: Path, rng: np.random.Generator
) -> None:
    scene, model = _scene(60), load_head_model("anny")
    head = HeadObject.create(model, scene.collection, subdivision=0)
    before = model.sample_prior(rng, 1)[0]
    before[model.table.index("jawOpen")] = 0.125
    head.set_parameters(before)
    locks.set_locked(head.mesh_object, ["jawOpen", "weight"], True)
    values = getattr(head.mesh_object, animation.sliders_name("anny"))
    values.driver_add("mouthClose").driver.expression = "0.75"
    imported = import_arkit(take, head, scene.collection)
    assert len(_heads()) == 1
    assert imported.lines[1:] == [
        "locked sliders stay as they are: jawOpen",
        "driven sliders stay as they are: mouthClose",
    ]
    rows = import_take(take, model).values
    moved = [c for group in ("expression", "pose") for c in model.table.columns(group)]
    expected = np.tile(before, (len(rows), 1))
    expected[:, moved] = rows[:, moved]
    expected[:, model.table.index("jawOpen")] = 0.125
    expected[:, model.table.index("mouthClose")] = 0.75
    for frame in (3, 9):
        scene.frame_set(1 + frame)
        np.testing.assert_allclose(_positions(head), model.forward(expected[frame])[0], atol=1e-6)


def test_a_second_take_replaces_the_first_and_leaves_other_keyframes(
    take: Path, tmp_path: Path
) -> None:
    scene = _scene(60)
    (head,) = import_arkit(take, load_head_model("anny"), scene.collection).heads
    head.mesh_object.keyframe_insert("location", frame=1)
    action = head.mesh_object.animation_data.action
    later = [{name: value for name in NAMES} for value in (0.0, 0.5, 1.0)]
    path = takes.write_json(tmp_path / "b.json", {"fps": 60, "frames": later})
    import_arkit(path, head, scene.collection, start=101)
    curves = _curves(head)
    assert head.mesh_object.animation_data.action == action
    assert "location" in curves
    jaw = curves[slider_path("anny", "jawOpen")]
    assert [point.co[0] for point in jaw.keyframe_points] == [101, 102, 103]
    assert (scene.frame_start, scene.frame_end) == (101, 103)


def test_a_copy_gets_an_action_of_its_own(take: Path, tmp_path: Path) -> None:
    scene = _scene(60)
    (head,) = import_arkit(take, load_head_model("anny"), scene.collection).heads
    copied = head.mesh_object.copy()
    scene.collection.objects.link(copied)
    copy = HeadObject.of(copied)
    path = takes.write_json(tmp_path / "b.json", [{"jawOpen": 0.0}, {"jawOpen": 1.0}])
    keys = len(_curves(head)[slider_path("anny", "jawOpen")].keyframe_points)
    import_arkit(path, copy, scene.collection)
    assert len(_curves(copy)[slider_path("anny", "jawOpen")].keyframe_points) == 2
    assert len(_curves(head)[slider_path("anny", "jawOpen")].keyframe_points) == keys


def test_one_face_leaves_the_timeline_alone(tmp_path: Path) -> None:
    scene = _scene(24)
    scene.frame_start, scene.frame_end = 3, 90
    path = takes.write_json(tmp_path / "a.json", {"jawOpen": 0.5})
    imported = import_arkit(path, load_head_model("anny"), scene.collection)
    assert (scene.frame_start, scene.frame_end) == (3, 90)
    assert imported.heads[0].mesh_object.animation_data is None and not imported.lines
    assert imported.heads[0].parameters[imported.heads[0].model.table.index("jawOpen")] == 0.5


def test_more_than_blender_can_take_adds_nothing(
    take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, model = _scene(60), load_head_model("anny")
    with pytest.raises(UserError, match="go up to 1048575, Blender's last is 1048574"):
        import_arkit(take, model, scene.collection, start=1_048_564)
    monkeypatch.setattr(animation, "MAXIMUM_KEYS", 100)
    with pytest.raises(UserError, match=r"12 frames make 6\d\d keyframes, more than 100"):
        import_arkit(take, model, scene.collection)
    assert not _heads()


def test_an_hour_is_laid_out_at_once() -> None:
    """216,000 frames of a slider: as arrays, which Blender takes in one go."""
    scene, model = _scene(60), load_head_model("anny")
    head = HeadObject.create(model, scene.collection, subdivision=0)
    count = 216_000
    rows = np.tile(model.table.default(), (count, 1))
    rows[:, model.table.index("jawOpen")] = np.arange(count) % 2
    frames = key_frames(np.arange(count) / 60.0, count, 60.0, 1)
    animation.animate(head, animation.plan_keys(model.table, rows, frames), scene)
    (curve,) = _curves(head).values()
    assert len(curve.keyframe_points) == count and scene.frame_end == count
    assert [curve.evaluate(frame) for frame in (100, 199_999, 216_000)] == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(("rate", "fps"), [(59.94, 60), (60.0, 60), (23.976, 24), (12.5, 13)])
def test_a_scene_gets_any_rate(rate: float, fps: int) -> None:
    scene = bpy.context.scene
    animation.set_frame_rate(scene, rate)
    assert scene.render.fps == fps and animation.frame_rate(scene) == pytest.approx(rate)


def test_frames_near_whole_ones_lie_on_them() -> None:
    times = np.array([0.0, 1.0001, 2.3, 2.9999]) / 30
    np.testing.assert_allclose(key_frames(times, 4, 30.0, 1), [1, 2, 3.3, 4])


def test_a_file_written_without_the_add_on_plays_with_it(take: Path, tmp_path: Path) -> None:
    """As `import-arkit --blend` writes it, where sliders are not registered."""
    model = load_head_model("anny")
    facegen_addon.unregister()
    try:
        scene = _scene(60)
        imported_heads.add_heads(
            import_take(take, model), "", model, scene.collection,
            bpy.context.scene.cursor.location, scene, 1,
        )  # fmt: skip
        path = tmp_path / "talking.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    finally:
        facegen_addon.register()
    bpy.ops.wm.open_mainfile(filepath=str(path))
    head = HeadObject.of(_heads()[0])
    rows = import_take(take, model).values
    for frame in (0, 4, 11):
        bpy.context.scene.frame_set(1 + frame)
        np.testing.assert_allclose(_positions(head), model.forward(rows[frame])[0], atol=1e-6)
