# SPDX-License-Identifier: GPL-3.0-or-later
"""What the overlay of the roundtrip shift shows, without a window."""

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.sphere import normalise
from facegen_addon.scene.head import latents
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.head.latents import Latents
from facegen_addon.ui import shift_drawing, shift_map, shift_overlay
from facegen_addon.ui.shift_map import FULL, Plane, arrow_heads, colour, discs
from facegen_addon.ui.shift_overlay import Box, OverlayData, map_box

E = np.eye(512, dtype=np.float32)


def turned(degrees: float, start: int = 0, towards: int = 1) -> np.ndarray:
    radians = np.radians(degrees)
    return (np.cos(radians) * E[start] + np.sin(radians) * E[towards]).astype(np.float32)


def add_head(known: Latents | None = None, x: float = 0.0) -> bpy.types.Object:
    head = HeadObject.create(load_head_model("anny"), bpy.context.collection, subdivision=0)
    head.mesh_object.location.x = x
    if known is not None:
        latents.store(head.mesh_object, known)
    return head.mesh_object


def heads() -> list[bpy.types.Object]:
    bpy.context.view_layer.update()
    return shift_overlay.heads_of(bpy.context.scene.objects)


def extracted() -> OverlayData:
    return shift_overlay.extract(shift_overlay.subjects(heads()))


def arrays(data: OverlayData) -> list[np.ndarray]:
    parts = [*vars(data.rings).values()]
    parts += [] if data.map is None else vars(data.map).values()
    return [np.asarray(part) for part in parts if part is not None and not isinstance(part, tuple)]


def test_rings_show_known_angles_where_the_heads_stand() -> None:
    add_head(Latents(E[0], turned(23)), x=1.0)
    add_head(Latents(E[5], turned(75, 5, 6)), x=2.0)
    rings = extracted().rings
    assert rings.labels == ("23°", "75°")
    np.testing.assert_allclose(np.degrees(rings.angles), [23, 75], atol=1e-3)
    np.testing.assert_allclose(rings.centres[:, 0], [1.0, 2.0], atol=0.01)
    height = heads()[0].dimensions.z
    assert (rings.radii > 0.5 * height).all() and (rings.radii < 0.75 * height).all()
    np.testing.assert_allclose(rings.colours[1], colour(FULL))


def test_a_ring_grows_with_its_head() -> None:
    head = add_head(Latents(E[0], turned(23)))
    before = extracted().rings.radii[0]
    head.scale = (2.0, 2.0, 2.0)
    assert extracted().rings.radii[0] == pytest.approx(2 * before, rel=1e-5)


def test_heads_of_which_nothing_is_known_have_no_ring() -> None:
    add_head()
    add_head(Latents(requested=E[0]))
    moved = add_head(Latents(E[0], turned(20)))
    data = HeadObject.of(moved)
    parameters = data.parameters
    parameters[0] += 0.01
    data.set_parameters(parameters)
    assert extracted().rings.labels == ()
    assert extracted().map is None


def test_a_head_that_nothing_was_asked_of_is_a_dot_on_the_map() -> None:
    add_head(Latents(achieved=E[0]))
    add_head(Latents(achieved=E[1]))
    data = extracted()
    assert data.rings.labels == ()
    assert data.map is not None
    assert data.map.lone.shape == (2, 2) and data.map.shifts.shape == (0, 2, 2)
    assert np.linalg.norm(data.map.lone[0] - data.map.lone[1]) > 0.5
    assert data.map.common == data.map.mean_angle == 0.0


def test_the_mean_shift_points_right_and_is_as_long_as_it_is() -> None:
    """All turn by 30 degrees in one direction; then half of them in the opposite one."""
    known = [Latents(E[i], turned(30, i, 9)) for i in range(4)]
    shifts = shift_map.shift_map(known)
    along = shifts.shifts[:, 1] - shifts.shifts[:, 0]
    assert (along[:, 0] > 0).all()
    np.testing.assert_allclose(shifts.mean[0, 1] - shifts.mean[0, 0], along.mean(0), atol=1e-5)
    assert abs(along.mean(0)[1]) < 1e-5
    assert np.degrees(shifts.mean_angle) == pytest.approx(30, abs=1e-3)
    assert 25 < np.degrees(shifts.common) <= 30
    opposed = [
        Latents(k.requested, 2 * np.cos(np.pi / 6) * k.requested - k.achieved) for k in known
    ]
    shifts = shift_map.shift_map([*known, *opposed])
    assert np.degrees(shifts.mean_angle) == pytest.approx(30, abs=1e-2)
    assert np.degrees(shifts.common) < 10


def test_one_shift_is_all_that_it_has_in_common() -> None:
    shifts = shift_map.shift_map([Latents(E[0], turned(40), turned(50))])
    assert np.degrees([shifts.common, shifts.mean_angle]) == pytest.approx([40, 40], abs=1e-3)
    assert np.degrees(shifts.mean_angle_before) == pytest.approx(50, abs=1e-3)
    assert len(shifts.mean) == 0
    assert shifts.before.shape == (1, 2, 2)
    np.testing.assert_array_equal(shifts.before[0, 0], shifts.shifts[0, 0])


def test_the_mean_before_counts_heads_that_needed_no_correction() -> None:
    known = [Latents(E[0], turned(10), turned(50)), Latents(E[2], turned(30, 2, 3))]
    shifts = shift_map.shift_map(known)
    assert np.degrees(shifts.mean_angle_before) == pytest.approx(40, abs=1e-3)
    assert np.degrees(shifts.mean_angle) == pytest.approx(20, abs=1e-3)


@pytest.mark.parametrize(
    "known",
    [
        [Latents(E[0], E[0])],
        [Latents(E[0], E[0], E[0])] * 3,
        [Latents(E[0], -E[0])],
        [Latents(E[0], E[1]), Latents(E[1], E[0])],
        [Latents(achieved=E[3])],
    ],
)
def test_latents_without_a_plane_of_their_own_are_finite_and_inside(known: list[Latents]) -> None:
    shifts = shift_map.shift_map(known)
    for array in vars(shifts).values():
        assert array is None or np.isfinite(array).all()
    for name in ("shifts", "before", "lone", "backdrop", "mean"):
        assert (np.abs(getattr(shifts, name)) <= 1).all()


def test_the_plane_is_that_of_the_largest_spread_whatever_the_order(
    rng: np.random.Generator,
) -> None:
    spread = np.zeros(512)
    spread[[3, 7]] = 5.0, 2.0
    points = (rng.standard_normal((20, 512)) * (spread + 0.01)).astype(np.float32)
    nothing, others = np.zeros(512, np.float32), np.zeros((0, 512), np.float32)
    plane = Plane.through(points, nothing, others)
    assert plane.axes[0, 3] > 0.99 and plane.axes[1, 7] > 0.99
    again = Plane.through(points[::-1].copy(), nothing, others)
    np.testing.assert_allclose(plane.axes, again.axes, atol=1e-5)
    across = Plane.through(points, E[3], others)
    np.testing.assert_allclose(across.axes @ across.axes.T, np.eye(2), atol=1e-6)
    assert across.axes[0, 3] == 1 and across.axes[1, 7] > 0.99


def test_the_backdrop_is_the_same_each_time() -> None:
    faces = NaturalFaces.load().sample(np.random.default_rng(1), 8)
    known = [Latents(s, f) for s, f in zip(faces[:4], faces[4:], strict=True)]
    first = shift_map.shift_map(known).backdrop
    shift_map._natural.cache_clear()
    again = shift_map.shift_map(known).backdrop
    assert len(first) > 50
    np.testing.assert_array_equal(first, again)


def test_arrays_of_a_scene_are_finite(rng: np.random.Generator) -> None:
    rows = normalise(rng.standard_normal((6, 512))).astype(np.float32)
    add_head(Latents(rows[0], rows[1], rows[2]))
    add_head(Latents(rows[3], rows[3]))
    add_head(Latents(achieved=rows[4]))
    assert all(np.isfinite(array).all() for array in arrays(extracted()))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert all(np.isfinite(array).all() for array in arrays(extracted()))


def test_colours_are_ordered_in_lightness_and_end_at_full() -> None:
    colours = colour(np.linspace(0, FULL, 50))
    lightness = colours[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()
    np.testing.assert_array_equal(colour(3.0), colour(FULL))
    np.testing.assert_allclose(colour(0.0), [0x3E / 255, 0x49 / 255, 0x89 / 255, 1], atol=1e-6)


def test_the_signature_changes_only_when_something_changed() -> None:
    head = add_head(Latents(E[0], turned(23)))
    add_head(Latents(E[1], turned(30, 1, 2)), x=1.0)
    first = shift_overlay.signature(heads())
    assert shift_overlay.signature(heads()) == first
    head.location.x = 0.5
    moved = shift_overlay.signature(heads())
    assert moved.latents == first.latents and moved.places != first.places
    latents.store_achieved(head, turned(24))
    measured = shift_overlay.signature(heads())
    assert measured.latents != moved.latents and measured.places == moved.places
    parameters = HeadObject.of(head).parameters
    parameters[0] += 0.01
    HeadObject.of(head).set_parameters(parameters)
    assert shift_overlay.signature(heads()).latents != measured.latents
    assert shift_overlay.signature(heads()[1:]) != first


def test_undone_heads_vanish() -> None:
    add_head(Latents(E[0], turned(23)))
    gone = add_head(Latents(E[1], turned(30, 1, 2)))
    first = shift_overlay.signature(heads())
    assert extracted().rings.labels == ("23°", "30°")
    bpy.data.objects.remove(gone)
    assert shift_overlay.signature(heads()) != first
    assert extracted().rings.labels == ("23°",)


def test_moving_heads_keeps_the_map() -> None:
    head = add_head(Latents(E[0], turned(23)))
    data = extracted()
    head.location.x = 2.0
    bpy.context.view_layer.update()
    later = shift_overlay.moved(data, shift_overlay.subjects(heads()))
    assert later.map is data.map
    assert later.rings.centres[0, 0] == pytest.approx(2.0, abs=0.01)


def test_arrow_heads_lie_at_the_ends_and_are_no_longer_than_half() -> None:
    arrows = np.array([[[0, 0], [1, 0]], [[0, 0], [0, 0.1]], [[0.5, 0.5], [0.5, 0.5]]], np.float32)
    tips = arrow_heads(arrows, 0.2)
    np.testing.assert_array_equal(tips[:, 0], arrows[:, 1])
    assert tips[0, 1:, 0] == pytest.approx([0.8, 0.8])
    assert tips[1, 1:, 1] == pytest.approx([0.05, 0.05])
    assert np.isfinite(tips).all()


def test_discs_are_round_and_where_they_belong() -> None:
    triangles = discs(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), 0.5, corners=8)
    assert triangles.shape == (16, 3, 2)
    rims = triangles[:8, 1:] - [1.0, 2.0]
    np.testing.assert_allclose(np.linalg.norm(rims, axis=-1), 0.5, rtol=1e-5)


REGION = Box(0, 30, 1000, 700)


def test_the_map_lies_in_the_corner_that_sidebars_leave_free() -> None:
    free = map_box(REGION, [], 1.0)
    assert free is not None
    sidebar = Box(740, 30, 260, 700)
    beside = map_box(REGION, [sidebar, Box(0, 30, 60, 700), Box(0, 704, 1000, 26)], 1.0)
    assert beside is not None
    assert beside.x == free.x - 260 and beside.y == free.y
    above = map_box(REGION, [Box(0, 30, 1000, 100)], 1.0)
    assert above is not None and above.y == free.y + 100
    assert map_box(REGION, [Box(999, 30, 1, 700)], 1.0) == free


def test_the_map_covers_as_little_of_heads_as_it_can() -> None:
    right = map_box(REGION, [], 1.0)
    assert right is not None
    assert map_box(REGION, [], 1.0, [(500.0, 350.0, 80.0)]) == right
    left = map_box(REGION, [Box(0, 30, 60, 700)], 1.0, [(900.0, 150.0, 80.0)])
    assert left is not None and (left.x, left.y) == (60 + 12, right.y)
    both = [(900.0, 150.0, 80.0), (100.0, 150.0, 80.0)]
    above = map_box(REGION, [], 1.0, both)
    assert above is not None and above.x == right.x and above.y > 300
    assert above.y + above.height < 700 - 60  # below what Blender writes there


def test_the_map_hides_where_there_is_no_room() -> None:
    assert map_box(Box(0, 0, 399, 700), [], 1.0) is None
    assert map_box(Box(0, 0, 401, 700), [], 1.0) is not None
    assert map_box(Box(0, 0, 600, 700), [Box(340, 0, 260, 700)], 1.0) is None
    assert map_box(Box(0, 0, 1000, 200), [], 1.0) is None
    assert map_box(Box(0, 0, 700, 700), [], 2.0) is None
    large = map_box(Box(0, 0, 900, 700), [], 2.0)
    assert large is not None and large.width == 2 * map_box(REGION, [], 1.0).width


def test_nothing_is_drawn_in_the_background() -> None:
    assert bpy.app.background
    assert shift_drawing._handlers == []
