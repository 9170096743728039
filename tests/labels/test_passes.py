# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages over pixels -> label images."""

from collections.abc import Callable

import numpy as np
import pytest

from facegen_addon.labels.camera import Camera
from facegen_addon.labels.exr import ExrImage
from facegen_addon.labels.maps import CLASSES, LabelMaps
from facegen_addon.labels.passes import CLASS_PASSES, PASSES, STRAND_CLASSES, UV_CENTRE, Passes
from facegen_addon.labels.shot import View

HEIGHT, WIDTH = 12, 16
CAMERA = Camera.of(View(yaw=0.3, pitch=0.1), (0.0, -0.1, 0.2), WIDTH, HEIGHT)
ORIGIN = CAMERA.extrinsics[2, 3]  # depth of the world's origin


class Canvas:
    """Passes of flat surfaces: each pixel a list of shares."""

    def __init__(self) -> None:
        self.channels = {
            f"L.{name}.{c}": np.zeros((HEIGHT, WIDTH)) for name in PASSES for c in "RGB"
        }

    def add(self, rows, columns, name: str, share: float, **of: object) -> None:
        """Cover a share of some pixels by a class, at a depth, with a normal and (u, v)."""
        at = (rows, columns)
        for key, names in CLASS_PASSES.items():
            if name in names:
                self.channels[f"L.{key}.{'RGB'[names.index(name)]}"][at] += share
        depth = share * (of.get("depth", 1.0) - ORIGIN)
        if name in STRAND_CLASSES:
            self.channels["L.facegen_depth.G"][at] += depth
            return
        self.channels["L.facegen_depth.R"][at] += depth
        self.channels["L.facegen_depth.B"][at] += share
        for c, value in zip("RGB", of.get("normal", (0.0, -1.0, 0.0)), strict=True):
            self.channels[f"L.facegen_normal.{c}"][at] += share * value
        if name != "clothes":
            u, v = np.array(of.get("uv", (0.3, 0.8))) - UV_CENTRE
            for c, value in zip("RGB", (u, v, u * u + v * v), strict=True):
                self.channels[f"L.facegen_uv.{c}"][at] += share * value

    def passes(self) -> Passes:
        names = tuple(sorted(self.channels))
        values = np.stack([self.channels[name] for name in names], axis=1).astype(np.float32)
        return Passes.of(ExrImage(names, values), "L")

    def maps(self, camera: Camera = CAMERA) -> LabelMaps:
        return self.passes().maps(camera)


@pytest.fixture
def canvas() -> Canvas:
    return Canvas()


def _names(segmentation: np.ndarray) -> np.ndarray:
    return np.array(CLASSES)[segmentation]


def test_every_class_is_named_and_nothing_is_background(canvas: Canvas) -> None:
    for column, name in enumerate(CLASSES[1:]):
        canvas.add(2, column, name, 1.0, depth=1.5)
    maps = canvas.maps()
    assert tuple(_names(maps.segmentation[2, : len(CLASSES) - 1])) == CLASSES[1:]
    assert (maps.segmentation[3:] == 0).all()
    np.testing.assert_allclose(maps.depth[2, : len(CLASSES) - 1], 1.5, rtol=1e-6)
    for empty in (maps.depth[3:], maps.normals[3:], maps.uv[3:], maps.uv_valid[3:]):
        assert not empty.any()


def test_the_class_that_covers_most_of_a_pixel_names_it(canvas: Canvas) -> None:
    canvas.add(0, 0, "skin", 0.4)
    canvas.add(0, 0, "lips", 0.6)
    canvas.add(0, 1, "skin", 0.4)  # the rest is background
    canvas.add(0, 2, "skin", 0.6)
    assert tuple(_names(canvas.maps().segmentation[0, :3])) == ("lips", "background", "skin")


def test_strands_count_for_more_than_they_cover(canvas: Canvas) -> None:
    for column, share in enumerate((0.2, 0.3, 0.6)):
        canvas.add(0, 5 * column, "brows", share)
        canvas.add(0, 5 * column, "skin", 1.0 - share)
    assert tuple(_names(canvas.maps().segmentation[0, ::5][:3])) == ("skin", "brows", "brows")


@pytest.mark.parametrize(("focal_length", "closed"), [(36.0, False), (36.0 * 50, True)])
def test_skin_between_strands_is_theirs_where_the_gap_is_narrow(
    canvas: Canvas, focal_length: float, closed: bool
) -> None:
    """A pixel spans 0.1 m here, or 2 mm."""
    camera = Camera.of(View(distance=1.6, focal_length=focal_length), (0, 0, 0), WIDTH, HEIGHT)
    canvas.channels = {name: 0 * value for name, value in canvas.channels.items()}
    every = slice(None)
    canvas.add(every, [0, 1, 2, 4, 5], "beard", 1.0, depth=ORIGIN)
    canvas.add(every, 3, "skin", 1.0, depth=ORIGIN + 0.01)
    canvas.add(every, [8, 9, 10, 11], "skin", 1.0, depth=ORIGIN)
    maps = canvas.maps(camera)
    assert (_names(maps.segmentation[:, 3]) == ("beard" if closed else "skin")).all()
    assert (_names(maps.segmentation[:, 8:12]) == "skin").all()
    assert (maps.segmentation[:, [6, 7, 12]] == 0).all()
    # Between the strands, the skin is what there is.
    np.testing.assert_allclose(maps.depth[:, 3] - maps.depth[:, 2], 0.01, atol=1e-6)
    assert maps.normals[:, 3].any() != closed


def test_a_gap_shows_background_unless_a_strand_crosses_it(canvas: Canvas) -> None:
    near = Camera.of(View(distance=1.6, focal_length=1800.0), (0, 0, 0), WIDTH, HEIGHT)
    every = slice(None)
    canvas.add(every, [0, 1, 2, 4, 5, 6], "hair", 1.0, depth=ORIGIN)
    canvas.add(slice(6, None), 3, "hair", 0.1, depth=ORIGIN)
    maps = canvas.maps(near)
    assert (maps.segmentation[:6, 3] == 0).all()
    assert not maps.depth[:6, 3].any()
    assert (_names(maps.segmentation[6:, 3]) == "hair").all()
    assert (maps.depth[6:, 3] > 0).all()


def test_depth_is_that_of_the_surface_that_is_named(canvas: Canvas) -> None:
    canvas.add(0, 0, "hair", 0.7, depth=1.2)
    canvas.add(0, 0, "skin", 0.3, depth=1.6)
    canvas.add(0, 9, "hair", 0.1, depth=1.2)
    canvas.add(0, 9, "skin", 0.3, depth=1.6)
    canvas.add(0, 9, "neck", 0.5, depth=1.8)
    depth = canvas.maps().depth
    assert depth[0, 0] == pytest.approx(1.2)
    assert depth[0, 9] == pytest.approx((0.3 * 1.6 + 0.5 * 1.8) / 0.8)


def test_normals_are_unit_vectors_before_the_camera(canvas: Canvas) -> None:
    facing = -CAMERA.rotation[2]  # towards the camera, in the world
    canvas.add(0, 0, "skin", 0.6, normal=0.9 * facing)
    canvas.add(0, 1, "clothes", 1.0, normal=CAMERA.rotation[0])
    canvas.add(0, 2, "hair", 1.0)
    normals = canvas.maps().normals
    np.testing.assert_allclose(normals[0, 0], [0, 0, -1], atol=1e-6)
    np.testing.assert_allclose(normals[0, 1], [1, 0, 0], atol=1e-6)
    assert not normals[0, 2].any()


def _seam(canvas: Canvas, share: float) -> None:
    canvas.add(0, 0, "skin", share, uv=(0.2, 0.2))
    canvas.add(0, 0, "neck", 1.0 - share, uv=(0.9, 0.6))


def _cloth(canvas: Canvas, share: float) -> None:
    canvas.add(0, 0, "skin", share)
    canvas.add(0, 0, "clothes", 1.0 - share)


def _partly(canvas: Canvas, share: float) -> None:
    canvas.add(0, 0, "skin", share)


@pytest.mark.parametrize(
    ("cover", "share", "valid"),
    [
        (_partly, 1.0, True),
        (_partly, 0.7, True),
        (_partly, 0.45, False),
        (_cloth, 0.6, True),
        (_cloth, 0.4, False),
        (_seam, 0.5, False),
        (_seam, 0.05, False),
        (_seam, 1.0, True),
    ],
)
def test_texture_coordinates_hold_on_one_island_of_the_head(
    canvas: Canvas, cover: Callable[[Canvas, float], None], share: float, valid: bool
) -> None:
    cover(canvas, share)
    maps = canvas.maps()
    assert maps.uv_valid[0, 0] == valid
    expected = ((0.2, 0.2) if cover is _seam else (0.3, 0.8)) if valid else (0.0, 0.0)
    np.testing.assert_allclose(maps.uv[0, 0], expected, atol=1e-6)


def test_strands_cover_what_they_cover(canvas: Canvas) -> None:
    canvas.add(0, 0, "hair", 0.2)
    canvas.add(0, 0, "brows", 0.3)
    passes = canvas.passes()
    assert passes.strands()[0, 0] == pytest.approx(0.5)
    assert passes.strands(("hair", "beard"))[0, 0] == pytest.approx(0.2)


def test_a_pass_that_is_missing_is_named(canvas: Canvas) -> None:
    del canvas.channels["L.facegen_uv.R"]
    with pytest.raises(KeyError, match=r"L\.facegen_uv\.R"):
        canvas.passes()


def test_arrays_have_the_types_that_maps_promise(canvas: Canvas) -> None:
    canvas.add(3, 3, "skin", 1.0)
    maps = canvas.maps()
    kinds = [maps.segmentation, maps.depth, maps.normals, maps.uv, maps.uv_valid]
    assert [kind.dtype for kind in kinds] == [
        np.uint8,
        np.float32,
        np.float32,
        np.float32,
        np.bool_,
    ]
    assert maps.normals.shape == (HEIGHT, WIDTH, 3)
    assert maps.uv.shape == (HEIGHT, WIDTH, 2)
