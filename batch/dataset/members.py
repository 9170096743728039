# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels of a sample as members of its shard, and back.

    landmarks.npz      world (N, 3), pixels (N, 2), depth (N,) float32; visibility (N,) uint8
    segmentation.png   8-bit grey: index into facegen_addon.labels.maps.CLASSES
    depth.png          16-bit grey: units of 0.1 mm, 0 where there is nothing
    normals.png        16-bit RGB: (n + 1) / 2 * 65535, 0 where there is none
    uv.png             16-bit RGB: u, v times 65535, then 65535 where they are valid, else 0

What comes back differs by rounding alone: depth by 0.05 mm, each component of a normal by 3e-5,
texture coordinates by 8e-6, landmarks by single precision.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facegen_addon.arrays import AnyArray, ByteArray, Float32Array, RealArray
from facegen_addon.artifacts import parse_npz
from facegen_addon.errors import UserError
from facegen_addon.heads.landmarks import LANDMARK_COUNT
from facegen_addon.labels.maps import CLASSES, LabelMaps, LandmarkLabels
from facegen_addon.png import decode_png, encode_png

LABEL_SUFFIXES = ("landmarks.npz", "segmentation.png", "depth.png", "normals.png", "uv.png")

DEPTH_STEP = 1e-4
"""Metres by which the values of depth.png count."""
MAXIMUM_DEPTH = 65535 * DEPTH_STEP
"""Metres."""
_FULL = 65535.0
_REMEDY = "make the shard again"
_POINTS: Mapping[str, tuple[tuple[int, ...], type[np.generic]]] = {
    "world": ((3,), np.float32),
    "pixels": ((2,), np.float32),
    "depth": ((), np.float32),
    "visibility": ((), np.uint8),
}


def label_members(maps: LabelMaps, landmarks: LandmarkLabels) -> dict[str, bytes]:
    """Suffix -> content, in the order of LABEL_SUFFIXES; equal labels, equal bytes.

    UserError if something is farther away than 16 bits can say (6.5 m).
    """
    normals = np.where(maps.normals.any(-1, keepdims=True), (maps.normals + 1.0) / 2.0, 0.0)
    uv = np.where(maps.uv_valid[..., None], maps.uv, 0.0)
    return {
        "landmarks.npz": _encode_landmarks(landmarks),
        "segmentation.png": encode_png(maps.segmentation),
        "depth.png": encode_png(_quantised_depth(maps.depth)),
        "normals.png": encode_png(_quantised(normals)),
        "uv.png": encode_png(_quantised(np.dstack([uv, maps.uv_valid]))),
    }


def _encode_landmarks(landmarks: LandmarkLabels) -> bytes:
    """An .npz, whose members NumPy gives no time of day."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {
        name: getattr(landmarks, name).astype(dtype) for name, (_, dtype) in _POINTS.items()
    }
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _quantised_depth(depth: Float32Array) -> AnyArray:
    steps = np.rint(depth.astype(np.float64) / DEPTH_STEP)
    if not (steps <= _FULL).all():
        raise UserError(
            f"a surface {depth.max():.2f} m away is more than the {MAXIMUM_DEPTH:.2f} m that depth"
            " labels can say: have the recipe place the camera nearer"
        )
    return steps.astype(np.uint16)


def _quantised(shares: RealArray) -> AnyArray:
    """Numbers in [0, 1] as 16 bits."""
    return np.rint(np.clip(shares, 0.0, 1.0) * _FULL).astype(np.uint16)


def read_labels(
    members: Mapping[str, bytes], name: str = "the sample"
) -> tuple[LabelMaps, LandmarkLabels]:
    """The labels in a sample's members, suffix -> content.

    UserError that begins with `name` if one is missing, damaged, or does not fit the others.
    """
    for suffix in LABEL_SUFFIXES:
        if suffix not in members:
            raise UserError(f"{name} has no {suffix}: {_REMEDY}")
    return _read_maps(members, name), _read_landmarks(members["landmarks.npz"], name)


def _read_maps(members: Mapping[str, bytes], name: str) -> LabelMaps:
    segmentation: ByteArray = _image(members, "segmentation.png", (), np.uint8, name)
    depth = _image(members, "depth.png", (), np.uint16, name)
    normals = _image(members, "normals.png", (3,), np.uint16, name)
    uv = _image(members, "uv.png", (3,), np.uint16, name)
    if len({segmentation.shape, depth.shape, normals.shape[:2], uv.shape[:2]}) > 1:
        raise UserError(f"{name}: its label images differ in size: {_REMEDY}")
    if segmentation.max() >= len(CLASSES):
        raise UserError(
            f"{name}: segmentation.png has class {segmentation.max()}, {len(CLASSES) - 1} at most:"
            f" {_REMEDY}"
        )
    if not np.isin(uv[..., 2], (0, 65535)).all():
        raise UserError(f"{name}: the blue of uv.png is neither 0 nor 65535: {_REMEDY}")
    return LabelMaps(
        segmentation=segmentation,
        depth=(depth * DEPTH_STEP).astype(np.float32),
        normals=_unit(normals),
        uv=(uv[..., :2] / _FULL).astype(np.float32),
        uv_valid=uv[..., 2] > 0,
    )


def _image(
    members: Mapping[str, bytes],
    suffix: str,
    channels: tuple[int, ...],
    dtype: type[np.generic],
    name: str,
) -> AnyArray:
    image: AnyArray = decode_png(members[suffix], f"{name}: {suffix}")
    if image.dtype != dtype or image.shape[2:] != channels:
        raise UserError(
            f"{name}: {suffix} holds {image.shape} {image.dtype}, other than expected: {_REMEDY}"
        )
    return image


def _unit(normals: AnyArray) -> Float32Array:
    """Unit vectors, and 0 where there is none."""
    vectors = normals / _FULL * 2.0 - 1.0
    vectors /= np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return np.where(normals.any(-1, keepdims=True), vectors, 0.0).astype(np.float32)


def _read_landmarks(data: bytes, name: str) -> LandmarkLabels:
    where = f"{name}: landmarks.npz"
    arrays = parse_npz(data, Path(where), _REMEDY)
    if list(arrays) != list(_POINTS):
        raise UserError(f"{where} holds {', '.join(arrays) or 'nothing'}: {_REMEDY}")
    count = len(arrays["depth"]) if arrays["depth"].ndim else 0
    for key, (shape, dtype) in _POINTS.items():
        array = arrays[key]
        if array.shape != (count, *shape) or array.dtype != dtype or count < LANDMARK_COUNT:
            raise UserError(f"{where}: {key} is {array.shape} {array.dtype}: {_REMEDY}")
        if not np.isfinite(array).all():
            raise UserError(f"{where}: {key} has NaN or infinite values: {_REMEDY}")
    if arrays["visibility"].max() > 2:
        raise UserError(f"{where}: visibility {arrays['visibility'].max()}, 2 at most: {_REMEDY}")
    return LandmarkLabels(
        world=arrays["world"].astype(np.float64),
        pixels=arrays["pixels"].astype(np.float64),
        depth=arrays["depth"].astype(np.float64),
        visibility=arrays["visibility"],
    )
