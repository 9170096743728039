# SPDX-License-Identifier: GPL-3.0-or-later
"""New Face: somebody who could exist, seen at once; and heads framed in every 3D view."""

import math
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Matrix, Quaternion, Vector

from facegen_addon.encoders import encoder
from facegen_addon.errors import UserError
from facegen_addon.scene.head import history
from facegen_addon.scene.head.head_object import MODEL_KEY, PARAMETERS_KEY, HeadObject
from facegen_addon.scene.head.latents import read
from facegen_addon.ui import warm_up
from facegen_addon.ui.framing import frame, free_of, show_colours


def _heads() -> list[bpy.types.Object]:
    return sorted((o for o in bpy.data.objects if MODEL_KEY in o), key=lambda o: o.location.x)


def _views() -> list[bpy.types.SpaceView3D]:
    screen = bpy.context.window_manager.windows[0].screen
    return [area.spaces.active for area in screen.areas if area.type == "VIEW_3D"]


def test_in_a_new_file_it_adds_somebody_beside_the_cube_without_facenet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise UserError("facenet.onnx is missing")

    monkeypatch.setattr(encoder.Encoder, "load", missing)
    bpy.ops.wm.read_factory_settings()
    for seed in (1, 2):
        assert bpy.ops.facegen.new_face(seed=seed) == {"FINISHED"}
    first, second = _heads()
    assert bpy.context.active_object == second and bpy.context.selected_objects == [second]
    assert first.location.x > 1.1 and second.location.x > first.location.x + 0.3
    assert first[MODEL_KEY] == bpy.context.window_manager.facegen.model
    for head in (first, second):
        assert read(head).requested is not None
        (entry,) = history.history_of(head).entries
        assert entry.label == "New Face"
    assert np.abs(np.array(first[PARAMETERS_KEY]) - np.array(second[PARAMETERS_KEY])).max() > 0.5
    for space in _views():
        assert space.shading.type == "MATERIAL"
        middle = second.matrix_world @ (sum(map(Vector, second.bound_box), Vector()) / 8)
        assert (space.region_3d.view_location - middle).length < 0.2
        assert space.region_3d.view_distance < 2.0


def test_the_same_seed_is_the_same_face_and_another_another() -> None:
    for seed in (5, 5, 6):
        bpy.ops.facegen.new_face(seed=seed)
    one, same, other = (np.array(head[PARAMETERS_KEY]) for head in _heads())
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1


def test_a_model_without_latents_draws_of_its_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    from facegen_addon.ui import new_face

    monkeypatch.setattr(new_face, "is_trained", lambda name: False)
    assert bpy.ops.facegen.new_face(seed=3, model="anny") == {"FINISHED"}
    (head,) = _heads()
    assert read(head).requested is None
    found = HeadObject.of(head)
    assert (found.parameters != found.model.table.default()).any()
    with pytest.raises(RuntimeError, match="no latents to ask for people by"):
        bpy.ops.facegen.new_face(seed=3, model="anny", sex="woman")
    assert len(_heads()) == 1


def test_somebody_is_asked_for_by_the_panels_words() -> None:
    assert bpy.ops.facegen.new_face(seed=3, sex="woman", age="60:75") == {"FINISHED"}
    with pytest.raises(RuntimeError, match=r"Error: .*age"):
        bpy.ops.facegen.new_face(seed=3, age="90:80")


@pytest.mark.parametrize("free", [(-640, -370, 300, 370), (-600, -300, 640, 390)])
@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
def test_framed_points_lie_within_what_is_free(
    free: tuple[float, float, float, float], kind: str
) -> None:
    """As Blender itself projects them."""
    corners = [Vector((x, y, z)) for x in (1.0, 2.4) for y in (-0.2, 0.1) for z in (-0.7, 0.3)]
    view = _View(kind, Quaternion((0.8205, 0.4247, 0.1472, 0.3518)))  # a new file's
    frame(view, corners, free, 1280.0, 50.0)
    region = SimpleNamespace(width=1280, height=780)
    seen = [
        location_3d_to_region_2d(region, view.seen(region, 50.0), corner) - Vector((640, 390))
        for corner in corners
    ]
    left, bottom, right, top = free
    assert all(left < place.x < right and bottom < place.y < top for place in seen)
    spans = [
        (max(p[axis] for p in seen) - min(p[axis] for p in seen)) / (free[axis + 2] - free[axis])
        for axis in (0, 1)
    ]
    assert max(spans) > 0.5  # nor are they far away


@pytest.mark.parametrize(
    ("kind", "rotation", "turns"),
    [
        ("PERSP", Quaternion((0.8205, 0.4247, 0.1472, 0.3518)), True),  # from the right, above
        ("PERSP", Quaternion((1.0, 0.0, 0.0), math.radians(80.0)), False),  # from ahead
        ("ORTHO", Quaternion((0.5, 0.5, 0.5, 0.5)), False),  # Blender's view from the right
        ("CAMERA", Quaternion((1.0, 0.0, 0.0), math.radians(80.0)), False),
    ],
)
def test_faces_are_looked_at_from_ahead_unless_the_view_has_an_axis(
    kind: str, rotation: Quaternion, turns: bool
) -> None:
    view = _View(kind, rotation)
    frame(view, [Vector(), Vector((0.2, 0.2, 0.3))], (-400, -300, 400, 300), 800.0, 50.0)
    assert (view.view_rotation.rotation_difference(rotation).angle > 1e-3) == turns
    assert view.view_perspective == ("PERSP" if kind == "CAMERA" else kind)
    if turns:
        assert (view.view_rotation @ Vector((0.0, 0.0, 1.0))).y < -0.9


def test_sidebars_headers_and_toolbars_are_not_free() -> None:
    def region(x: int, y: int, width: int, height: int) -> SimpleNamespace:
        return SimpleNamespace(x=x, y=y, width=width, height=height)

    window = region(100, 50, 1000, 600)
    assert free_of(window, []) == (-500, -300, 500, 300)
    over = [region(800, 50, 300, 560), region(100, 50, 60, 560), region(100, 610, 1000, 40)]
    assert free_of(window, over) == (-440, -300, 200, 260)
    beside = [region(1100, 50, 300, 600), region(1099, 50, 1, 600), region(100, 650, 1000, 30)]
    assert free_of(window, beside) == (-500, -300, 500, 300)


@pytest.mark.parametrize(
    ("before", "colour", "after"),
    [
        ("SOLID", "MATERIAL", "MATERIAL"),
        ("WIREFRAME", "MATERIAL", "MATERIAL"),
        ("SOLID", "VERTEX", "SOLID"),
        ("RENDERED", "MATERIAL", "RENDERED"),
    ],
)
def test_a_shading_without_colours_gives_way(before: str, colour: str, after: str) -> None:
    shading = _shading(before, colour)
    show_colours(shading)
    assert shading.type == after


@pytest.mark.parametrize(
    ("light", "before", "after"),
    [
        ("STUDIO", "Default", "paint.sl"),
        ("STUDIO", "rim.sl", "rim.sl"),
        ("MATCAP", "Default", "Default"),
    ],
)
def test_skin_in_solid_mode_is_as_light_as_its_swatch(light: str, before: str, after: str) -> None:
    """Blender's first studio light takes a fifth of it; a light that somebody chose stays."""
    shading = _shading("SOLID", "VERTEX", light, before)
    show_colours(shading)
    assert shading.studio_light == after
    assert after in {light.name for light in bpy.context.preferences.studio_lights} | {"Default"}


def test_fair_stubble_in_solid_mode_is_not_drawn_as_black_outlines() -> None:
    """Blender outlines objects in black: strands are a pixel wide, and nothing else of them."""
    assert "show_object_outline" in bpy.types.View3DShading.bl_rna.properties
    shading = _shading("SOLID", "VERTEX")
    show_colours(shading)
    assert not shading.show_object_outline


def _shading(
    kind: str, colour: str, light: str = "STUDIO", studio_light: str = "Default"
) -> SimpleNamespace:
    return SimpleNamespace(
        type=kind,
        color_type=colour,
        light=light,
        studio_light=studio_light,
        show_object_outline=True,
    )


class _View:
    """A RegionView3D that needs no window."""

    def __init__(self, kind: str, rotation: Quaternion) -> None:
        self.view_perspective, self.view_rotation = kind, rotation.normalized()
        self.view_location, self.view_distance = Vector(), 10.0
        self.lock_rotation = False

    def seen(self, region: SimpleNamespace, lens: float) -> SimpleNamespace:
        """Blender's matrices of it (BKE_camera_params_from_view3d, compute_viewplane)."""
        place = Matrix.Translation(self.view_location) @ self.view_rotation.to_matrix().to_4x4()
        matrix = (place @ Matrix.Translation((0.0, 0.0, self.view_distance))).inverted()
        longer, half = max(region.width, region.height), 36.0 / lens
        x, y = half * region.width / longer, half * region.height / longer
        near, far = 0.01, 1000.0
        if self.view_perspective == "PERSP":
            window = Matrix(
                (
                    (1 / x, 0, 0, 0),
                    (0, 1 / y, 0, 0),
                    (0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)),
                    (0, 0, -1, 0),
                )
            )
        else:
            x, y = x * self.view_distance, y * self.view_distance
            window = Matrix(((1 / x, 0, 0, 0), (0, 1 / y, 0, 0), (0, 0, -2 / far, 0), (0, 0, 0, 1)))
        return SimpleNamespace(perspective_matrix=window @ matrix)


def test_warming_up_reads_what_a_head_needs_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warm_up.begin("open_flame")
    assert not warm_up._begun, "in the background nobody waits for a button"
    bpy.ops.facegen.new_face(seed=5, model="open_flame")
    warm_up.prepare("open_flame")
    warm_up.prepare("nobody")  # whoever asks for it is told
    bpy.ops.facegen.new_face(seed=5, model="open_flame")
    first, second = (np.array(head[PARAMETERS_KEY]) for head in _heads())
    np.testing.assert_array_equal(first, second)
