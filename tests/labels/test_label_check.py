# SPDX-License-Identifier: GPL-3.0-or-later
"""True labels pass the check; each way of being wrong is found and named."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from facegen_addon.labels.camera import Camera
from facegen_addon.labels.label_check import DEPTH_TOLERANCE, check_labels
from facegen_addon.labels.maps import CLASSES, LabelMaps, LandmarkLabels
from facegen_addon.labels.shot import PORTRAIT_FRAME, SENSOR_WIDTH, View
from tests.labels.sphere import landmarks_at, moved, sphere_scene

Scene = tuple[LabelMaps, Camera, LandmarkLabels]
NOSE_TIP = 30


@pytest.fixture(scope="module")
def scene() -> Scene:
    return sphere_scene()


def index(name: str) -> int:
    return CLASSES.index(name)


def portrait(distance: float) -> float:
    """The focal length that frames a face at this distance as a portrait does."""
    return SENSOR_WIDTH * distance / PORTRAIT_FRAME


@pytest.mark.parametrize("size", [48, 64, 128, 256])
def test_true_labels_agree(size: int) -> None:
    check = check_labels(*sphere_scene(size=size))
    assert check.problems == ()
    assert check.worst_depth_mm < 1000 * DEPTH_TOLERANCE / 2
    assert check.landmarks_checked > 30


def test_more_pixels_resolve_more_points_and_better() -> None:
    coarse, fine = (check_labels(*sphere_scene(size=size)) for size in (64, 256))
    assert coarse.landmarks_checked < fine.landmarks_checked
    assert fine.worst_depth_mm < coarse.worst_depth_mm


@settings(deadline=None, max_examples=40)
@given(
    yaw=st.floats(-1.2, 1.2),
    pitch=st.floats(-0.6, 0.6),
    roll=st.floats(-3.0, 3.0),
    distance=st.floats(0.5, 4.0),
    shift=st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
    size=st.integers(48, 200),
)
def test_true_labels_agree_in_any_view(
    yaw: float, pitch: float, roll: float, distance: float, shift: tuple[float, float], size: int
) -> None:
    """Points outside the image or behind the sphere are left alone."""
    view = View(yaw, pitch, roll, distance, portrait(distance), *shift)
    assert check_labels(*sphere_scene(view, size)).problems == ()


@settings(deadline=None, max_examples=40)
@given(offset=st.floats(-0.3, 0.3), yaw=st.floats(-0.8, 0.8), size=st.integers(64, 200))
def test_a_depth_that_is_off_by_two_millimetres_or_more_is_found(
    offset: float, yaw: float, size: int
) -> None:
    assume(abs(offset) >= 0.002)
    maps, camera, landmarks = sphere_scene(View(yaw=yaw), size)
    shifted = np.where(maps.depth > 0, maps.depth + np.float32(offset), np.float32(0))
    check = check_labels(replace(maps, depth=shifted), camera, landmarks)
    assert check.worst_depth_mm == pytest.approx(1000 * abs(offset), abs=0.6)
    assert any("the depth there is" in line for line in check.problems)


@pytest.mark.parametrize(("size", "turn", "compared"), [(512, 70, 100), (64, 20, 100), (64, 70, 0)])
def test_a_sloping_plane_is_read_exactly(size: int, turn: float, compared: int) -> None:
    """Depths that differ by 1.7 mm a pixel are no error; by 13 mm, they are not compared."""
    camera = Camera.of(View(), np.zeros(3), size, size)
    along = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn)), 0.0])
    maps = plane_maps(camera, np.array([along[1], -along[0], 0.0]))
    spread = np.random.default_rng(0).uniform(-0.1, 0.1, (100, 2))
    landmarks = landmarks_at(camera, spread @ [along, [0, 0, 1]])
    visible = replace(landmarks, visibility=np.full(100, 2, np.uint8))
    check = check_labels(maps, camera, visible)
    assert check.landmarks_checked == compared
    assert check.worst_depth_mm < 0.01
    assert not any("depth" in line for line in check.problems)


def plane_maps(camera: Camera, normal: np.ndarray) -> LabelMaps:
    """A plane of skin through the world's origin."""
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(camera.intrinsics).T
    seen = camera.rotation @ normal
    depth = (camera.seen(np.zeros(3)) @ seen) / (rays @ seen)
    normals = np.broadcast_to(seen, (*depth.shape, 3))
    return LabelMaps(
        np.full(depth.shape, index("skin"), np.uint8),
        depth.astype(np.float32),
        normals.astype(np.float32),
        np.zeros((*depth.shape, 2), np.float32),
        np.ones(depth.shape, bool),
    )


def pixel_of(landmarks: LandmarkLabels, point: int) -> tuple[int, int]:
    """Row and column."""
    x, y = landmarks.pixels[point]
    return int(y), int(x)


def shift_depth(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    return replace(maps, depth=maps.depth + 0.002 * (maps.depth > 0)), camera, points


def shift_one_depth(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    """The patch around the nose's tip alone, so that its border is an edge."""
    y, x = pixel_of(points, NOSE_TIP)
    depth = maps.depth.copy()
    depth[y - 1 : y + 2, x - 1 : x + 2] -= 0.005
    return replace(maps, depth=depth), camera, points


def roughen_depth(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    """So rough that no patch is plane, and too near everywhere."""
    noise = np.random.default_rng(0).uniform(-0.03, -0.003, maps.depth.shape)
    return (
        replace(maps, depth=(maps.depth + noise * (maps.depth > 0)).astype(np.float32)),
        camera,
        points,
    )


def mirror_depth(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    return replace(maps, depth=np.roll(maps.depth, 4, axis=1)), camera, points


def move_pixels(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    return maps, camera, replace(points, pixels=points.pixels + np.array([4.0, 0.0]))


def move_one_pixel(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    pixels = points.pixels.copy()
    pixels[NOSE_TIP, 1] += 0.002
    return maps, camera, replace(points, pixels=pixels)


def move_points(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    """World, pixels and depth agree, but not with the images."""
    return maps, camera, moved(points, camera, 8.0)


def wrong_depth_of_a_point(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    depth = points.depth.copy()
    depth[NOSE_TIP] += 0.0001
    return maps, camera, replace(points, depth=depth)


def turn_camera(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    return maps, Camera.of(View(yaw=0.01), np.zeros(3), camera.width, camera.height), points


def erase_patch(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    y, x = pixel_of(points, NOSE_TIP)
    return _erased(maps, slice(y - 2, y + 3), slice(x - 2, x + 3)), camera, points


def erase_pixel(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    y, x = pixel_of(points, NOSE_TIP)
    return _erased(maps, slice(y, y + 1), slice(x, x + 1)), camera, points


def _erased(maps: LabelMaps, rows: slice, columns: slice) -> LabelMaps:
    """Consistently background, as if nothing were there."""
    arrays = [getattr(maps, name).copy() for name in LabelMaps.__annotations__]
    for array in arrays:
        array[rows, columns] = 0
    return LabelMaps(*arrays)


def swap(first: str, second: str) -> Callable[[LabelMaps, Camera, LandmarkLabels], Scene]:
    def mutate(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
        table = np.arange(len(CLASSES), dtype=np.uint8)
        table[[index(first), index(second)]] = table[[index(second), index(first)]]
        return replace(maps, segmentation=table[maps.segmentation]), camera, points

    return mutate


def cover_eye(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    """An open eye whose lids lie on nothing but skin."""
    segmentation = maps.segmentation.copy()
    segmentation[segmentation == index("eyes")] = index("skin")
    return replace(maps, segmentation=segmentation), camera, points


def flip_normals(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    return replace(maps, normals=-maps.normals), camera, points


def mirror_normals(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    """An axis of the camera the other way round: they still face the camera."""
    return replace(maps, normals=maps.normals * np.float32([1, -1, 1])), camera, points


def normals_of_the_world(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    return replace(maps, normals=maps.normals @ camera.rotation.astype(np.float32)), camera, points


def shorten_normals(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    return replace(maps, normals=maps.normals * np.float32(0.97)), camera, points


def normals_everywhere(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    normals = maps.normals.copy()
    normals[0, 0] = [0, 0, -1]
    return replace(maps, normals=normals), camera, points


def depth_behind(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    depth = maps.depth.copy()
    depth[0, 0] = 3.0
    return replace(maps, depth=depth), camera, points


def no_depth(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    """A surface, hair too, has a depth."""
    depth, segmentation = maps.depth.copy(), maps.segmentation.copy()
    depth[0, 0], segmentation[0, 0] = 0.0, index("hair")
    return replace(maps, depth=depth, segmentation=segmentation), camera, points


def uv_everywhere(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    return replace(maps, uv_valid=np.ones_like(maps.uv_valid)), camera, points


def uv_nowhere(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    return replace(maps, uv_valid=np.zeros_like(maps.uv_valid)), camera, points


def uv_too_large(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    return replace(maps, uv=maps.uv * np.float32(1.5)), camera, points


def hide_nothing(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    return maps, camera, replace(points, visibility=np.zeros_like(points.visibility))


def unknown_visibility(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    return maps, camera, replace(points, visibility=points.visibility + np.uint8(1))


def unknown_class(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    segmentation = maps.segmentation.copy()
    segmentation[3, 3] = len(CLASSES)
    return replace(maps, segmentation=segmentation), camera, points


def not_a_number(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    depth = maps.depth.copy()
    depth[3, 3] = np.nan
    return replace(maps, depth=depth), camera, points


def cut_off(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    damaged = replace(maps)
    # As only a damaged file can be: where such labels are made, their shapes would be refused.
    object.__setattr__(damaged, "depth", maps.depth[:-1])
    return damaged, camera, points


def too_few(maps: LabelMaps, camera: Camera, points: LandmarkLabels) -> Scene:
    few = LandmarkLabels(*(getattr(points, name)[:67] for name in LandmarkLabels.__annotations__))
    return maps, camera, few


MUTATIONS = [
    (shift_depth, r"landmark 30 at pixel \(\S+, \S+\): the depth there is 1\.\d+ m, 1\.\d+ m exp"),
    (shift_one_depth, r"landmark 30 at pixel .*: the depth there is"),
    (roughen_depth, r"dense point \d+ at pixel .*: the depth there is"),
    (mirror_depth, "the depth there is"),
    (move_pixels, r"landmark 0: pixel \(\S+, \S+\), \(\S+, \S+\) expected"),
    (move_one_pixel, "landmark 30: pixel"),
    (move_points, r"landmark 54 at pixel .* \(lips\) lies on skin, lips or mouth within 1\.5 pix"),
    (wrong_depth_of_a_point, r"landmark 30: depth 1\.\d+ m, 1\.\d+ m expected"),
    (turn_camera, "landmark 30: pixel"),
    (erase_patch, "landmark 30 at pixel .* lies on background, the head's surface expected"),
    (erase_pixel, "landmark 30 at pixel .* lies on background"),
    (swap("skin", "lips"), r"landmark 30 at pixel .* \(nose\) lies on lips, skin or beard within"),
    (swap("skin", "eyes"), r"landmark 17 at pixel .* \(brow\) lies on eyes"),
    (swap("skin", "mouth"), r"landmark 8 at pixel .* \(jaw\) lies on mouth"),
    (swap("lips", "eyes"), r"landmark 51 at pixel .* \(lips\) lies on eyes"),
    (cover_eye, r"landmark 37 at pixel .* \(right lid\) lies on skin, eyes within 1\.5 pix"),
    (flip_normals, r"pixels, first \(\d+, \d+\) of \d+: normals that face away from the camera"),
    (mirror_normals, r"normals turn away from those of the depth by \d+ degrees"),
    (normals_of_the_world, "normals turn away"),
    (shorten_normals, "head or clothes without a unit normal"),
    (normals_everywhere, r"1 pixels, first \(0, 0\): background that has a normal"),
    (depth_behind, r"first \(0, 0\): background that has a depth"),
    (no_depth, r"first \(0, 0\): surfaces without a depth"),
    (uv_everywhere, "texture coordinates off the head"),
    (uv_nowhere, "the head without texture coordinates"),
    (uv_too_large, "texture coordinates out of range"),
    (hide_nothing, r"landmark 30: visibility 0 at pixel \(\S+, \S+\) of 128 x 128"),
    (unknown_visibility, "landmark 30: visibility 3"),
    (unknown_class, "the segmentation has class 13, 12 at most"),
    (not_a_number, "depth has NaN"),
    (cut_off, r"depth is of shape \(127, 128\), \(128, 128\) expected"),
    (too_few, "67 landmarks, 68 or more expected"),
]


@pytest.mark.parametrize(("mutate", "line"), MUTATIONS, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_found_and_named(
    scene: Scene, mutate: Callable[..., Scene], line: str
) -> None:
    problems = check_labels(*mutate(*scene)).problems
    assert any(re.search(line, problem) for problem in problems), problems[:5]
    assert all("\n" not in problem for problem in problems)


def test_hidden_points_may_lie_behind_anything(scene: Scene) -> None:
    """Hair over the face: what it covers is hidden, and of its neighbours nothing is compared."""
    maps, camera, points = scene
    y, x = pixel_of(points, NOSE_TIP)
    segmentation, depth, normals = maps.segmentation.copy(), maps.depth.copy(), maps.normals.copy()
    valid = maps.uv_valid.copy()
    patch = (slice(y - 3, y + 4), slice(x - 3, x + 4))
    segmentation[patch], normals[patch], valid[patch] = index("hair"), 0.0, False
    depth[patch] -= 0.02
    covered = replace(maps, segmentation=segmentation, depth=depth, normals=normals, uv_valid=valid)
    column, row = np.floor(points.pixels).astype(int).T
    hidden = (segmentation[row, column] == index("hair")) & (points.visibility == 2)
    visibility = np.where(hidden, 1, points.visibility).astype(np.uint8)
    check = check_labels(covered, camera, replace(points, visibility=visibility))
    assert check.problems == ()
    assert check.landmarks_checked < check_labels(*scene).landmarks_checked


def test_a_closed_eye_shows_nothing_but_lids(scene: Scene) -> None:
    """Lids that meet may lie on skin."""
    maps, camera, points = cover_eye(*scene)
    world = points.world.copy()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        world[lower] = world[upper]
    shut = replace(landmarks_at(camera, world), visibility=points.visibility)
    assert check_labels(maps, camera, shut).problems == ()


def test_an_image_with_no_head_has_nothing_to_compare() -> None:
    """The head is off to the side, all points are outside."""
    maps, camera, points = sphere_scene(View(shift_x=3.0), 64)
    check = check_labels(maps, camera, points)
    assert check.problems == () and check.landmarks_checked == 0 and check.worst_depth_mm == 0
