# SPDX-License-Identifier: GPL-3.0-or-later
"""A head of known anatomy fitted to a template of unknown topology.

Statistical-model registration followed by a smooth non-rigid one, after Amberg, Romdhani and
Vetter, "Optimal Step Nonrigid ICP Algorithms for Surface Registration" (CVPR 2007): first the
identity components and a similarity, then free vertices held together along their edges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import BoolArray, FloatArray, IndexArray, IntArray
from ..correspondence import Target, features
from ..products import gram, product, solve_positive
from ..skinning import rotation_matrices
from ..strands import vertex_normals
from ..surface import sorted_edges

_MODEL_STEPS = np.geomspace(1e-4, 1e-8, 25)  # prices of a component's square, stiff to loose
_FREE_STEPS = np.geomspace(30.0, 0.5, 15)  # prices of a bent edge, stiff to loose
_SPARSE = 4
"""One vertex in so many is enough to fit a few dozen components."""
_REACH = 0.012
"""Metres beyond which a correspondence loses its say."""
_SLIDE = 0.05
"""Weight of a step along the surface, where one across it counts 1."""
_SOLVER_STEPS = 40


@dataclass(frozen=True)
class Anatomy:
    """A donor head: vertices (V, 3) metres, faces (T, 3), basis (V, 3, K) per standard deviation,
    label (V, L) metres (see Target), fitted (V,): which vertices look for the target."""

    vertices: Annotated[FloatArray, "V 3"]
    faces: Annotated[IndexArray, "T 3"]
    basis: Annotated[FloatArray, "V 3 K"]
    label: Annotated[FloatArray, "V L"]
    fitted: Annotated[BoolArray, "V"]


def register(donor: Anatomy, target: Target) -> Annotated[FloatArray, "V 3"]:
    """The donor's vertices (V, 3), moved onto the target."""
    return _free_fit(donor, target, _model_fit(donor, target))


def _model_fit(donor: Anatomy, target: Target) -> FloatArray:
    """Similarity and components, by Gauss-Newton steps on point-to-plane distances."""
    components = np.zeros(donor.basis.shape[2])
    vertices, basis = donor.vertices, donor.basis
    centre = vertices.mean(0)
    rows = np.flatnonzero(donor.fitted)[::_SPARSE]
    for price in _MODEL_STEPS:
        wanted, normals, trust = _matches(donor, vertices, rows, target)
        x = vertices[rows] - centre
        jacobian = np.concatenate([basis[rows], _similarity(x)], axis=2)
        left, right = _normal_equations(jacobian, wanted - vertices[rows], normals, trust)
        count = len(components)
        left[np.arange(count), np.arange(count)] += price * len(rows)
        right[:count, 0] -= price * len(rows) * components
        step = solve_positive(left, right)[:, 0]
        components += step[:count]
        turn = rotation_matrices(step[count : count + 3]) * (1.0 + step[-1])
        shift = step[count + 3 : count + 6]
        moved = vertices + np.einsum("vak,k->va", basis, step[:count]) - centre
        vertices = product(moved, turn.T) + centre + shift
        basis = np.einsum("ab,vbk->vak", turn, basis)
    return vertices


def _free_fit(donor: Anatomy, target: Target, vertices: FloatArray) -> FloatArray:
    """Every vertex free, the displacement smooth along the edges."""
    edges = np.unique(sorted_edges(donor.faces), axis=0)
    rows = np.flatnonzero(donor.fitted)
    start = vertices
    displacement = np.zeros_like(vertices)
    for stiffness in _FREE_STEPS:
        vertices = start + displacement
        wanted, _, trust = _matches(donor, vertices, rows, target)
        weight = np.zeros(len(vertices))
        weight[rows] = trust
        goal = np.zeros_like(vertices)
        goal[rows] = trust[:, None] * (wanted - start[rows])

        def apply(
            x: FloatArray, weight: FloatArray = weight, stiffness: float = stiffness
        ) -> FloatArray:
            bent = stiffness * (x[edges[:, 0]] - x[edges[:, 1]])
            pull = np.stack(
                [
                    np.bincount(edges[:, 0], bent[:, k], len(x))
                    - np.bincount(edges[:, 1], bent[:, k], len(x))
                    for k in range(3)
                ],
                axis=1,
            )
            return weight[:, None] * x + pull + 1e-6 * x

        displacement = _conjugate_gradient(apply, goal, displacement)
    return start + displacement


def _matches(
    donor: Anatomy, vertices: FloatArray, rows: IntArray, target: Target
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """For K vertices: points (K, 3) on the target, its normals (K, 3) there, trust (K,) in each."""
    found = target.closest(vertices[rows], features(vertices, donor.faces, donor.label)[rows])
    wanted = found.read(target.vertices, target.faces)
    normals = found.read(vertex_normals(target.vertices, target.faces), target.faces)
    mine = vertex_normals(vertices, donor.faces)[rows]
    agreement = np.clip((normals * mine).sum(1), 0.0, 1.0)
    distance = np.linalg.norm(wanted - vertices[rows], axis=1)
    return wanted, normals, agreement**2 / (1.0 + (distance / _REACH) ** 2) ** 2


def _similarity(x: FloatArray) -> FloatArray:
    """Derivatives (N, 3, 7) of rotation, translation and scale at points x (N, 3)."""
    zero = np.zeros(len(x))
    a, b, c = x.T
    rotation = np.stack([zero, c, -b, -c, zero, a, b, -a, zero], axis=1).reshape(-1, 3, 3)
    translation = np.broadcast_to(np.eye(3), (len(x), 3, 3))
    return np.concatenate([rotation, translation, x[:, :, None]], axis=2)


def _normal_equations(
    jacobian: FloatArray, residual: FloatArray, normals: FloatArray, trust: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Left (K, K) and right (K, 1) side of the weighted least squares."""
    across = np.einsum("nak,na->nk", jacobian, normals)
    off = (residual * normals).sum(1)
    along = jacobian.reshape(-1, jacobian.shape[2])
    weight = _SLIDE * np.repeat(trust, 3)
    left = gram(across * trust[:, None], across) + gram(along * weight[:, None], along)
    right = gram(across, (trust * off)[:, None]) + gram(along, (weight * residual.ravel())[:, None])
    return left, right


def _conjugate_gradient(
    apply: Callable[[FloatArray], FloatArray], right: FloatArray, start: FloatArray
) -> FloatArray:
    """Solve apply(x) = right (V, 3) for a symmetric positive operator, from ``start``."""
    x = start.copy()
    residual = right - apply(x)
    direction = residual.copy()
    power = (residual**2).sum(0)
    for _ in range(_SOLVER_STEPS):
        image = apply(direction)
        step = power / np.maximum((direction * image).sum(0), 1e-30)
        x += step * direction
        residual -= step * image
        after = (residual**2).sum(0)
        direction = residual + after / np.maximum(power, 1e-30) * direction
        power = after
    return x
