# SPDX-License-Identifier: GPL-3.0-or-later
"""A face on a sphere: labels that follow from a formula."""

from dataclasses import replace

import numpy as np

from facegen_addon.labels.camera import Camera
from facegen_addon.labels.maps import CLASSES, LabelMaps, LandmarkLabels
from facegen_addon.labels.shot import View

RADIUS = 0.09
"""Metres; its middle is the world's origin."""
EYE, EYE_RADIUS = np.array([0.36, 0.25]), 0.13
"""Azimuth of the left eye and its elevation, seen from the middle; radians, as all of these."""
MOUTH, LIPS, GAP = -0.35, np.array([0.28, 0.14]), 0.5
"""Elevation of the mouth, half its width and height, and how much of that lies between the lips."""


def directions(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """Unit vectors (..., 3): azimuth from the face's front to its left, elevation upwards."""
    level = np.cos(elevation)
    return np.stack([np.sin(azimuth) * level, -np.cos(azimuth) * level, np.sin(elevation)], axis=-1)


def _ring(centre: tuple[float, float], size: np.ndarray, turns: list[float]) -> np.ndarray:
    """Points (N, 2) on an ellipse, by the angle from the subject's right, over the top."""
    angle = np.pi - np.pi * np.array(turns)
    return np.array(centre) + size * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def landmark_angles() -> np.ndarray:
    """Azimuth and elevation (68, 2) of the iBUG points."""
    jaw = np.array([[a, -0.75 + 0.35 * a * a] for a in np.linspace(-1.1, 1.1, 17)])
    brow = np.array([[a, 0.55] for a in np.linspace(-0.5, -0.2, 5)])
    bridge = np.array([[0.0, e] for e in np.linspace(0.2, 0.0, 4)])
    nostrils = np.array([[a, -0.08] for a in np.linspace(-0.1, 0.1, 5)])
    lid = [0.0, 1 / 3, 2 / 3, 1.0, 4 / 3, 5 / 3]
    eyes = [_ring((side * EYE[0], EYE[1]), np.full(2, EYE_RADIUS), lid) for side in (-1, 1)]
    outer = _ring((0.0, MOUTH), LIPS, [k / 6 for k in range(12)])
    inner = _ring((0.0, MOUTH), LIPS * GAP, [k / 4 for k in range(8)])
    return np.concatenate([jaw, brow, brow[::-1] * [-1, 1], bridge, nostrils, *eyes, outer, inner])


def _classes(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    eye = np.hypot(np.abs(azimuth) - EYE[0], elevation - EYE[1]) < EYE_RADIUS
    mouth = np.hypot(azimuth / LIPS[0], (elevation - MOUTH) / LIPS[1])
    names = np.select(
        [eye, mouth < GAP, mouth < 1.0, elevation < -0.95, np.abs(azimuth) > 1.3],
        ["eyes", "mouth", "lips", "neck", "ears"],
        "skin",
    )
    return np.array([CLASSES.index(name) for name in names.ravel()]).reshape(names.shape)


def sphere_maps(camera: Camera) -> LabelMaps:
    """What the middle of each pixel sees."""
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(camera.intrinsics).T
    middle = camera.seen(np.zeros(3))
    squared, along = (rays**2).sum(-1), rays @ middle
    root = along**2 - squared * (middle @ middle - RADIUS**2)
    hit = root > 0
    depth = np.where(hit, (along - np.sqrt(np.maximum(root, 0))) / squared, 0.0)
    normals = np.where(hit[..., None], (rays * depth[..., None] - middle) / RADIUS, 0.0)
    world = normals @ camera.rotation
    azimuth = np.arctan2(world[..., 0], -world[..., 1])
    elevation = np.arcsin(np.clip(world[..., 2], -1, 1))
    uv = np.stack([azimuth / (2 * np.pi) + 0.5, elevation / np.pi + 0.5], axis=-1)
    return LabelMaps(
        segmentation=np.where(hit, _classes(azimuth, elevation), 0).astype(np.uint8),
        depth=depth.astype(np.float32),
        normals=normals.astype(np.float32),
        uv=np.where(hit[..., None], uv, 0.0).astype(np.float32),
        uv_valid=hit,
    )


def landmarks_at(camera: Camera, world: np.ndarray) -> LandmarkLabels:
    """The labels of points (N, 3) of the sphere."""
    pixels, depth = camera.project(world), camera.seen(world)[:, 2]
    facing = ((camera.position - world) * world).sum(1) > 0
    inside = ((pixels >= 0) & (pixels < (camera.width, camera.height))).all(1)
    visibility = np.where(inside, np.where(facing, 2, 1), 0).astype(np.uint8)
    return LandmarkLabels(world, pixels, depth, visibility)


def sphere_scene(
    view: View | None = None, size: int = 128, dense: int = 200
) -> tuple[LabelMaps, Camera, LandmarkLabels]:
    """Label images, camera and landmarks of the sphere: 68, then ``dense`` more on its front."""
    camera = Camera.of(view or View(), np.zeros(3), size, size)
    rng = np.random.default_rng(1)
    more = rng.uniform([-1.2, -0.9], [1.2, 0.9], (dense, 2))
    angles = np.concatenate([landmark_angles(), more])
    return sphere_maps(camera), camera, landmarks_at(camera, RADIUS * directions(*angles.T))


def moved(landmarks: LandmarkLabels, camera: Camera, pixels: float) -> LandmarkLabels:
    """All points moved to the right by so many pixels, world and depth to match."""
    step = pixels / camera.intrinsics[0, 0] * landmarks.depth[:, None] * camera.rotation[0]
    world = landmarks.world + step
    return replace(landmarks_at(camera, world), visibility=landmarks.visibility)
