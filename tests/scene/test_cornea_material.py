# SPDX-License-Identifier: GPL-3.0-or-later
from pathlib import Path

import bpy
import numpy as np

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.head.cornea_material import cornea_material
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.head.nodes import nodes_of

PERSON = load_head_model("person")
SIZE = 48  # pixels of a side, which show 48 mm


def picture(path: Path, melanin: float, turned: float) -> np.ndarray:
    """Linear RGB (S, S, 3) of the left eye, its pupil in the middle, seen from ``turned`` radians
    to the side under even light."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    parameters = PERSON.table.default()
    parameters[PERSON.table.index("iris_melanin")] = melanin
    parameters[PERSON.table.index("iris_green")] = 0.0
    head = HeadObject.create(PERSON, scene.collection, 0)
    pupil = PERSON.five_points(head.set_parameters(parameters)[None])[0, 1]
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.type, camera.data.ortho_scale, camera.data.clip_start = "ORTHO", 0.048, 0.001
    ahead = np.array([np.sin(turned), -np.cos(turned), 0.0])
    camera.location, camera.rotation_euler = pupil + 0.3 * ahead, (np.pi / 2, 0.0, turned)
    scene.collection.objects.link(camera)
    scene.camera, scene.world = camera, bpy.data.worlds.new("World")
    nodes_of(scene.world).nodes["Background"].inputs["Strength"].default_value = 20.0
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 8, False
    scene.view_settings.view_transform = "Raw"
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    pixels = np.empty(4 * SIZE * SIZE, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(SIZE, SIZE, 4)[..., :3]


def ring(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """The mean colour of what lies so many millimetres below and beside the middle."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5 - SIZE / 2
    far = np.hypot(x, y)
    return np.median(image[(far > low) & (far < high) & (np.abs(y) < 2.0)], axis=0)


def test_pupil_iris_and_white_are_told_apart(tmp_path: Path) -> None:
    image = picture(tmp_path / "blue.exr", melanin=0.05, turned=0.0)
    pupil, iris, white = ring(image, 0.0, 1.3), ring(image, 2.5, 4.0), ring(image, 7.0, 9.0)
    assert pupil.max() < 0.35 * iris.max()
    assert iris.argmax() == 2
    assert iris.max() < 0.8 * white.max()
    assert white.max() < 1.5 * white.min()  # pinkish
    dark = picture(tmp_path / "dark.exr", melanin=1.0, turned=0.0)
    assert ring(dark, 2.5, 4.0).max() < 0.4 * iris.max()


def test_from_the_side_the_pupil_lies_behind_the_cornea(tmp_path: Path) -> None:
    """Its place before the cornea's middle changes with the view, as that of paint would not."""

    def darkest(turned: float) -> float:
        image = picture(tmp_path / "side.exr", melanin=0.05, turned=turned)
        row = image[SIZE // 2 - 2 : SIZE // 2 + 2, SIZE // 2 - 4 : SIZE // 2 + 4].mean((0, 2))
        return float(row.argsort()[:2].mean())

    assert darkest(0.6) - darkest(-0.6) > 1.0  # millimetres


def test_the_eye_bends_no_light_in_the_renderer() -> None:
    """Refraction would have to be found by chance: it is noise."""
    kinds = {node.type for node in cornea_material().node_tree.nodes}
    assert not kinds & {"BSDF_REFRACTION", "BSDF_GLASS", "BSDF_TRANSPARENT"}
