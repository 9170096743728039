# SPDX-License-Identifier: GPL-3.0-or-later
"""Characteristics of FLAME-format heads: age, sex, nose, jaw and so on as directions of components.

Who somebody is, is learned from people of the head model `person`, as the open head's components
describe them (models/training/learn_characteristics.py). What these components move is found again
on any FLAME file's triangles and said in its components. Measures are lengths between landmarks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ...arrays import FloatArray, IntArray
from ...artifacts import load_npz
from ...errors import Need, Remedy, UserError
from ..areas import area_weights
from ..characteristics import PEOPLE, WHOLE, Characteristic, Characteristics
from ..correspondence import SurfacePoints, Target, features
from ..surface import Surface
from .dressing import to_house
from .file import FlameArrays
from .head import FlameHead

ARTIFACT = "characteristics"
"""In models/index.json."""

_ANCESTRY = "ancestry"
_DEVIATIONS = "standard deviations"
LEARNED = (
    Characteristic("sex", "Sex", PEOPLE, "0 as men, 1 as women", 0.0, 1.0),
    Characteristic("age", "Age", PEOPLE, "years", 18.0, 80.0),
    Characteristic("african", "African", PEOPLE, "share", 0.0, 1.0, share_of=_ANCESTRY),
    Characteristic("asian", "Asian", PEOPLE, "share", 0.0, 1.0, share_of=_ANCESTRY),
    Characteristic("caucasian", "Caucasian", PEOPLE, "share", 0.0, 1.0, share_of=_ANCESTRY),
    Characteristic("weight", "Weight", PEOPLE, "0 thin, 1 heavy", 0.0, 1.0),
    Characteristic("cheeks", "Cheek Fullness", WHOLE, _DEVIATIONS, -2.0, 2.0),
    Characteristic("chin", "Chin Prominence", "jaw", _DEVIATIONS, -2.0, 2.0),
    Characteristic("forehead", "Forehead Height", WHOLE, _DEVIATIONS, -2.0, 2.0),
    Characteristic("ear_size", "Ear Size", "ears", _DEVIATIONS, -2.0, 2.0),
    Characteristic("neck", "Neck Girth", WHOLE, _DEVIATIONS, -2.0, 2.0),
)
"""What is learned, in the artifact's order."""

Points = Annotated[FloatArray, "... 68 3"]
_Measure = Callable[[Points], Annotated[FloatArray, "..."]]
_FACE_WEIGHT = 2.0
"""How much more displacements of the face count than those of the rest, as in the open head."""
_FRONT = -0.09
"""Metres: where the open head's face begins, at rest."""
_OF_ITS_OWN = 0.05
"""Variance that a component of a FLAME file has among people beside what the open head's people
show of it."""
_SHRINKAGE = 0.01
"""Share of the components' mean power that is taken as noise where displacements are read."""
_STEP = 1e-3
_WIDEST = 2.0
"""Standard deviations to which measures range."""
_READABLE = 0.5
"""Share of the variance from which on something is said to be read off a head."""
_STILL = 0.5
"""Standard deviation, in millimetres, by which what lies outside an area may move."""


def _between(*pairs: tuple[int, int]) -> _Measure:
    """The mean distance between the landmarks of each pair."""
    left, right = map(list, zip(*pairs, strict=True))
    return lambda points: np.linalg.norm(
        points[..., left, :] - points[..., right, :], axis=-1
    ).mean(-1)


def _along(axis: int, start: list[int], end: list[int]) -> _Measure:
    """How far one group's middle lies beyond the other's, along an axis."""
    return lambda points: points[..., end, axis].mean(-1) - points[..., start, axis].mean(-1)


_BACK, _UP = 1, 2
_MEASURED: tuple[tuple[str, str, str, _Measure], ...] = (
    ("face_width", "Face Width", WHOLE, _between((1, 15), (2, 14))),
    ("face_height", "Face Height", WHOLE, _between((27, 8))),
    ("brow_height", "Brow Height", "brow", _along(_UP, [*range(36, 48)], [*range(17, 27)])),
    ("eye_distance", "Eye Distance", "eyes", _between((39, 42))),
    ("eye_width", "Eye Width", "eyes", _between((36, 39), (42, 45))),
    ("eye_height", "Eye Height", "eyes", _between((37, 41), (38, 40), (43, 47), (44, 46))),
    ("nose_width", "Nose Width", "nose", _between((31, 35))),
    ("nose_length", "Nose Length", "nose", _between((27, 33))),
    ("nose_projection", "Nose Projection", "nose", _along(_BACK, [30], [31, 35])),
    ("mouth_width", "Mouth Width", "mouth", _between((48, 54))),
    ("lips", "Lip Thickness", "mouth", _between((51, 62), (57, 66))),
    ("jaw_width", "Jaw Width", "jaw", _between((4, 12), (5, 11))),
    ("chin_height", "Chin Height", "jaw", _between((57, 8))),
)
"""Name, label, group, and the length in metres between landmarks."""


@dataclass(frozen=True)
class _People:
    """What is learned of L quantities of people, in the open head's K components.

    weights (L, K) and mean (L,) read them; explained (L,), the share of each one's variance that
    is read; covariance (K, K) of people's components.
    """

    weights: Annotated[FloatArray, "L K"]
    mean: Annotated[FloatArray, "L"]
    explained: Annotated[FloatArray, "L"]
    covariance: Annotated[FloatArray, "K K"]

    @classmethod
    def load(cls, components: int) -> _People:
        """What is shipped; UserError if it is of an open head of other components."""
        arrays = load_npz(ARTIFACT)
        people = cls(**{name: arrays[name].astype(np.float64) for name in cls.__annotations__})
        if people.weights.shape != (len(LEARNED), components):
            raise UserError(
                f"the characteristics are of {people.weights.shape[1]} components, the open head"
                f" has {components}",
                Need(Remedy.RESTORE),
            )
        return people


def of_open_head(head: FlameHead) -> Characteristics:
    """Those of the open head, of whose components they were learned."""
    people = _People.load(head.flame.arrays.shape_basis.shape[2])
    return _characteristics(head, people.weights, people.mean, people.explained, people.covariance)


def of_flame_file(head: FlameHead, donor: FlameArrays, donor_surface: Surface) -> Characteristics:
    """Those of any dressed FLAME file, by what the donor, the open head, knows of its components.

    Its components are read as the donor's people would have them: the displacements of these,
    found again on the file's triangles and said in its components, and a little of their own.
    """
    people = _People.load(donor.shape_basis.shape[2])
    shown = _in_other_components(head, donor, donor_surface)
    covariance = shown @ people.covariance @ shown.T + _OF_ITS_OWN * np.eye(len(shown))
    together = shown @ people.covariance @ people.weights.T
    weights = np.linalg.solve(covariance, together).T
    kept = (weights.T * together).sum(0) / _variance(people.weights, people.covariance)
    return _characteristics(head, weights, people.mean, people.explained * kept, covariance)


def _characteristics(
    head: FlameHead,
    weights: Annotated[FloatArray, "L K"],
    mean: Annotated[FloatArray, "L"],
    explained: Annotated[FloatArray, "L"],
    covariance: Annotated[FloatArray, "K K"],
) -> Characteristics:
    """Characteristics by what is learned, L of them, and by the measures of a head."""
    sizes, slopes = (1000.0 * lengths for lengths in _measured(head))
    spread = np.sqrt(np.maximum(_variance(slopes, covariance), (slopes**2).sum(1)))
    measured = [
        Characteristic(name, label, group, "mm", size - _WIDEST * wide, size + _WIDEST * wide)
        for (name, label, group, _), size, wide in zip(
            _MEASURED, sizes.tolist(), spread.tolist(), strict=True
        )
    ]
    readable = np.flatnonzero(explained >= _READABLE)
    learned = [replace(LEARNED[row], explained=float(explained[row])) for row in readable]
    from_mean = np.array([row.unit == _DEVIATIONS for row in learned])
    return Characteristics(
        rows=(*learned, *measured),
        table=head.table,
        columns=head.table.columns("shape"),
        weights=np.concatenate([weights[readable], slopes]),
        mean=np.concatenate([np.where(from_mean, 0.0, mean[readable]), sizes]),
        covariance=covariance,
        within=_within_areas(head, covariance),
    )


def _within_areas(
    head: FlameHead, covariance: Annotated[FloatArray, "K K"]
) -> dict[str, Annotated[FloatArray, "K K"]]:
    """Area -> covariance (K, K) of people of whose heads the rest hardly differs."""
    basis = 1000.0 * _house_basis(head.flame.arrays)
    precision = np.linalg.inv(covariance)
    found = {}
    for area, weights in area_weights(head).items():
        outside = (basis * np.sqrt(1.0 - weights)[:, None]).reshape(len(basis), -1)
        moved = outside @ outside.T / (1.0 - weights).sum()
        found[area] = np.linalg.inv(precision + moved / _STILL**2)
    return found


def _variance(
    weights: Annotated[FloatArray, "L K"], covariance: Annotated[FloatArray, "K K"]
) -> Annotated[FloatArray, "L"]:
    return np.einsum("lk,km,lm->l", weights, covariance, weights)


def _measured(head: FlameHead) -> tuple[Annotated[FloatArray, "M"], Annotated[FloatArray, "M K"]]:
    """The measures (M,) of a head's template, metres, and what each component adds (M, K)."""
    faces, spots = head.surface.faces, head.dressing.landmarks
    arrays = head.flame.arrays
    rest: FloatArray = to_house(arrays.template)
    template = spots.read(rest, faces)
    moves = spots.read(_house_basis(arrays).transpose(1, 2, 0), faces).transpose(2, 0, 1)
    sizes, slopes = [], []
    for *_, measure in _MEASURED:
        sizes.append(measure(template))
        sides = measure(template + _STEP * moves) - measure(template - _STEP * moves)
        slopes.append(sides / (2.0 * _STEP))
    return np.array(sizes), np.stack(slopes)


def _house_basis(arrays: FlameArrays) -> Annotated[FloatArray, "K V 3"]:
    """Identity components in the house's coordinates."""
    return to_house(arrays.shape_basis.transpose(2, 0, 1)).astype(np.float64)


def _in_other_components(
    head: FlameHead, donor: FlameArrays, donor_surface: Surface
) -> Annotated[FloatArray, "S K"]:
    """How the donor's components (K) look in those of a head (S): columns of scores.

    By ridge regression on the skin; how the whole head lies is free, since models differ in where
    they have put their heads before they compared them.
    """
    skin = np.flatnonzero(head.surface.part == 0)
    there = _on_donor(head.surface, donor_surface, skin)
    moved = there.read(_house_basis(donor).transpose(1, 2, 0), donor_surface.faces)
    template = to_house(head.flame.arrays.template)[skin]
    own = np.concatenate(
        [_house_basis(head.flame.arrays)[:, skin].transpose(1, 2, 0), _placements(template)], axis=2
    )
    face = head.surface.rest_position[skin, 1] < _FRONT
    weight = np.where(face, _FACE_WEIGHT, 1.0)[:, None, None]
    count = head.flame.arrays.shape_basis.shape[2]
    design = (weight * own).reshape(-1, own.shape[2])
    left = design.T @ design
    price = np.zeros(len(left))
    price[:count] = _SHRINKAGE * np.trace(left[:count, :count]) / count
    right = design.T @ (weight * moved).reshape(len(design), -1)
    return np.linalg.solve(left + np.diag(price), right)[:count]


def _on_donor(surface: Surface, donor: Surface, rows: Annotated[IntArray, "N"]) -> SurfacePoints:
    """Where vertices of a dressed surface lie on the donor's skin, by what its dressing found."""
    usable = donor.part[donor.faces[:, 0]] == 0
    rest = donor.rest_position.astype(np.float64)
    target = Target(rest, donor.faces, np.zeros((len(rest), 0)), usable)
    found = surface.rest_position.astype(np.float64)
    own = features(found, surface.faces, np.zeros((len(found), 0)))
    return target.closest(found[rows], own[rows])


def _placements(points: Annotated[FloatArray, "N 3"]) -> Annotated[FloatArray, "N 3 6"]:
    """Displacements of points by turns about the three axes and by shifts along them."""
    offset = points - points.mean(0)
    turns = np.stack([np.cross(axis, offset) for axis in np.eye(3)], axis=2)
    return np.concatenate([turns, np.broadcast_to(np.eye(3), (len(points), 3, 3))], axis=2)
