# SPDX-License-Identifier: GPL-3.0-or-later
"""What the renderer averages over the samples of each pixel -> label images.

The renderer writes arbitrary output values (AOVs) of the surface that each camera ray hits first.
Averages over a pixel's samples, by the filter that makes the image, they are sums of what the
surfaces in the pixel have, each weighted by the share of the pixel that it covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import BoolArray, ByteArray, Float32Array, FloatArray
from .camera import Camera
from .exr import ExrImage
from .maps import CLASSES, LabelMaps

FloatImage = Float32Array

CLASS_PASSES = {
    "facegen_face": ("lips", "mouth", "ears"),
    "facegen_body": ("eyes", "neck", "clothes"),
    "facegen_strands": ("hair", "brows", "beard"),
    "facegen_worn": ("glasses", "headwear"),
}
"""Coverage of up to three classes each; the skin is what these leave of the meshes."""
FACE_PASS, BODY_PASS, STRAND_PASS, WORN_PASS = CLASS_PASSES
STRAND_CLASSES = CLASS_PASSES[STRAND_PASS]
DEPTH_PASS = "facegen_depth"
"""Depth of meshes, depth of strands, coverage of meshes; depths are along the optical axis, metres
behind the world's origin."""
NORMAL_PASS = "facegen_normal"
"""Normals of meshes, in world coordinates."""
UV_PASS = "facegen_uv"
"""u, v, u^2 + v^2 of the head's mesh, both less UV_CENTRE."""
UV_CENTRE = 0.5
PASSES = (*CLASS_PASSES, DEPTH_PASS, NORMAL_PASS, UV_PASS)
"""Each has three channels."""

_STRAND_WEIGHT = 3.0
"""Strands that cover a quarter of a pixel, thin as they are, make it brow, hair or beard."""
_STRAND_GAP = 0.004
"""Metres: skin between strands that is no wider belongs to what an annotator would outline."""
_UV_SPREAD = 0.02
"""Standard deviation of a pixel's texture coordinates up to which their mean stands for them."""
_UV_COVERAGE = 0.5

_CHANNELS = [3 * i + k for i, names in enumerate(CLASS_PASSES.values()) for k in range(len(names))]
_CLASSES = [CLASSES.index(name) for names in CLASS_PASSES.values() for name in names]
_STRANDS = [CLASSES.index(name) for name in STRAND_CLASSES]
_SKIN, _NECK = (CLASSES.index(name) for name in ("skin", "neck"))
_WORN = [CLASSES.index(name) for name in ("clothes", "glasses", "headwear")]


@dataclass(frozen=True)
class Passes:
    """The averages of one image: coverage (H, W, C) of CLASSES, the background included; depth,
    normals and uv (H, W, 3) as DEPTH_PASS, NORMAL_PASS and UV_PASS say."""

    coverage: FloatImage
    depth: FloatImage
    normals: FloatImage
    uv: FloatImage

    @classmethod
    def of(cls, image: ExrImage, layer: str) -> Passes:
        """Those of a view layer in a file of its passes; KeyError where one is missing."""

        def read(names: tuple[str, ...]) -> FloatImage:
            return image.channels([f"{layer}.{name}.{c}" for name in names for c in "RGB"])

        depth = read((DEPTH_PASS,))
        coverage = np.zeros((*depth.shape[:2], len(CLASSES)), np.float32)
        coverage[..., _CLASSES] = read(tuple(CLASS_PASSES))[..., _CHANNELS]
        meshes = np.delete(coverage, _STRANDS, axis=-1).sum(-1)
        coverage[..., _SKIN] = np.maximum(depth[..., 2] - meshes, 0.0)
        coverage[..., 0] = np.maximum(1.0 - coverage.sum(-1), 0.0)
        return cls(coverage, depth, read((NORMAL_PASS,)), read((UV_PASS,)))

    def strands(self, names: tuple[str, ...] = STRAND_CLASSES) -> FloatImage:
        """The share of each pixel that strands of some classes cover, (H, W)."""
        covered: FloatImage = self.coverage[..., [CLASSES.index(name) for name in names]].sum(-1)
        return covered

    def maps(self, camera: Camera) -> LabelMaps:
        """The label images, as ``camera`` sees them."""
        segmentation = self._segmentation(camera)
        on_strands = np.isin(segmentation, _STRANDS)
        on_mesh = (segmentation > 0) & ~on_strands
        uv, uv_valid = self._uv(on_mesh & ~np.isin(segmentation, _WORN))
        return LabelMaps(
            segmentation,
            self._depth(camera, segmentation > 0, on_strands),
            self._normals(camera.rotation, on_mesh),
            uv,
            uv_valid,
        )

    def _segmentation(self, camera: Camera) -> ByteArray:
        """The class of most of each pixel, strands with what is between them."""
        weight = np.ones(len(CLASSES), np.float32)
        weight[_STRANDS] = _STRAND_WEIGHT
        segmentation = (self.coverage * weight).argmax(-1).astype(np.uint8)
        skin, nothing = np.isin(segmentation, (_SKIN, _NECK)), segmentation == 0
        focal, depth = float(camera.intrinsics[0, 0]), self.strand_depth(camera)
        for strands in _STRANDS:
            mask = segmentation == strands
            if mask.any():
                seen = depth[mask].mean(dtype=np.float64)
                reach = round(0.5 * _STRAND_GAP * focal / float(seen))
                between = skin | (nothing & (self.coverage[..., strands] > 0))
                segmentation[between & _closed(mask, reach)] = strands
        return segmentation

    def strand_depth(self, camera: Camera) -> FloatImage:
        """Mean depth (H, W) of the strands in each pixel, metres; infinite where there are none."""
        strands = self.strands()
        depth = np.full(strands.shape, np.inf, np.float32)
        np.divide(self.depth[..., 1], strands, out=depth, where=strands > 0)
        return depth + _origin_depth(camera)

    def _depth(self, camera: Camera, on_any: BoolArray, on_strands: BoolArray) -> FloatImage:
        """That of strands where there are any in their class, else that of the mesh."""
        meshes = self.depth[..., 2]
        depth = np.zeros(on_any.shape, np.float32)
        np.divide(self.depth[..., 0], meshes, out=depth, where=meshes > 0)
        depth += _origin_depth(camera)
        on_strands = on_strands & (self.strands() > 0)
        depth[on_strands] = self.strand_depth(camera)[on_strands]
        return np.where(on_any, depth, np.float32(0.0))

    def _normals(self, rotation: FloatArray, on_mesh: BoolArray) -> FloatImage:
        normals = self.normals @ rotation.T.astype(np.float32)
        length = np.linalg.norm(normals, axis=-1, keepdims=True)
        known = on_mesh[..., None] & (length > 0)
        return np.divide(normals, length, out=np.zeros_like(normals), where=known)

    def _uv(self, on_head: BoolArray) -> tuple[FloatImage, BoolArray]:
        """Texture coordinates (H, W, 2) and where they hold: at seams two islands are averaged."""
        covered = self.depth[..., 2] - self.coverage[..., _WORN].sum(-1)
        on_head = on_head & (covered > _UV_COVERAGE)
        mean = np.zeros_like(self.uv)
        np.divide(self.uv, covered[..., None], out=mean, where=on_head[..., None])
        centred = mean[..., :2]
        variance = mean[..., 2] - (centred * centred).sum(-1)
        valid = on_head & (variance < _UV_SPREAD**2)
        uv = np.clip(centred + np.float32(UV_CENTRE), 0.0, 1.0)
        return np.where(valid[..., None], uv, np.float32(0.0)), valid


def _origin_depth(camera: Camera) -> np.float32:
    return np.float32(camera.extrinsics[2, 3])


def _closed(mask: BoolArray, reach: int) -> BoolArray:
    """A mask (H, W) with its gaps closed, up to 2 ``reach`` pixels wide: grown, then shrunk."""
    grown = _any_near(np.pad(mask, 2 * reach), reach)
    return ~_any_near(~grown, reach)


def _any_near(mask: BoolArray, reach: int) -> BoolArray:
    """Whether any pixel no further than ``reach`` along rows and columns is set; the result is
    smaller by ``reach`` on all sides."""
    side = 2 * reach + 1
    sums = np.pad(mask.astype(np.int32).cumsum(0).cumsum(1), [(1, 0), (1, 0)])
    boxes = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return boxes > 0
