# SPDX-License-Identifier: GPL-3.0-or-later
"""Random heads have the proportions of people, as landmarks on photos of men and women have them.

The bounds lie between what a detector of landmarks (dlib's) reads off photos, necks excepted, and
where heads lay before.
"""

import numpy as np
import pytest

from facegen_addon.heads.person.head import PersonHead, person_head

_HEADS = 240
_BELOW_CHIN, _BAND = 0.03, 0.008
"""Metres below the chin where necks are measured, and half the height of what is."""


@pytest.fixture(scope="module")
def person() -> PersonHead:
    return person_head()


@pytest.fixture(scope="module")
def heads(person: PersonHead) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Landmarks (N, 68, 3), metres; whether each is a man's (N,); breadths of necks (N,)."""
    rows = person.sample_prior(np.random.default_rng(3), _HEADS)
    found, necks = [], []
    for row in rows:
        vertices = person.forward(row)
        points = person.landmarks(vertices)[0]
        near = np.abs(vertices[0, :, 2] - (points[8, 2] - _BELOW_CHIN)) < _BAND
        found.append(points)
        necks.append(np.ptp(vertices[0, near, 0]))
    return np.array(found), rows[:, person.table.index("gender")] < 0.5, np.array(necks)


def _up(points: np.ndarray, number: int) -> np.ndarray:
    """How far a landmark lies above the eyes' outer corners, (N,), of the distance of these."""
    eyes = points[:, [36, 45]]
    return (points[:, number, 2] - eyes[..., 2].mean(1)) / np.ptp(eyes[..., 0], axis=1)


def _breadth(points: np.ndarray, left: int, right: int) -> np.ndarray:
    return points[:, right, 0] - points[:, left, 0]


def test_noses_end_as_high_as_people_s(heads: tuple) -> None:
    """Their ends were at nearly half the way from the eyes to the chin; on photos at 0.4."""
    points, man, _ = heads
    share = _up(points, 33) / _up(points, 8)
    assert 0.38 < share[man].mean() < 0.45
    assert 0.37 < share[~man].mean() < 0.418


def test_jaws_differ(heads: tuple) -> None:
    points, man, _ = heads
    jaw = _breadth(points, 4, 12) / _breadth(points, 1, 15)
    assert jaw[man].std() > 0.031
    assert jaw[~man].std() > 0.04


def test_chins_of_men_are_broader(heads: tuple) -> None:
    points, man, _ = heads
    chin = _breadth(points, 7, 9) / _breadth(points, 1, 15)
    assert chin[man].mean() - chin[~man].mean() > 0.5 * chin[~man].std()


def test_necks_are_narrower_than_faces(heads: tuple) -> None:
    """Men's were as wide as faces from ear to ear."""
    points, man, necks = heads
    share = necks / _breadth(points, 1, 15)
    assert 0.8 < share[man].mean() < 0.97
    assert 0.7 < share[~man].mean() < 0.84
    assert share[man].mean() > share[~man].mean()
