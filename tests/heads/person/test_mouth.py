# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest

from facegen_addon.heads.person.head import PersonHead, person_head


@pytest.fixture(scope="module")
def person() -> PersonHead:
    return person_head()


def posed(person: PersonHead, count: int, **values: float) -> np.ndarray:
    """Heads (N, P) of the prior with an expression; sliders of two sides by their common name."""
    rows, table = person.sample_prior(np.random.default_rng(2), count), person.table
    rows[:, table.columns("expression")] = 0.0
    for name, value in values.items():
        for slider in (name,) if name in table.names else (f"{name}Left", f"{name}Right"):
            rows[:, table.index(slider)] = value
    return rows


def incisors(person: PersonHead, upper: bool) -> np.ndarray:
    """Vertices of the front teeth of one row."""
    surface = person.surface
    teeth, rest = np.flatnonzero(surface.vertices_of("teeth")), surface.rest_position
    row = teeth[: len(teeth) // 2] if upper else teeth[len(teeth) // 2 :]
    front = row[np.abs(rest[row, 0]) < 0.007]
    return front[rest[front, 1] < rest[front, 1].min() + 0.006]


def lips(person: PersonHead) -> np.ndarray:
    surface = person.surface
    return np.flatnonzero(
        (surface.masks["lips"] > 0.5) & (np.abs(surface.rest_position[:, 0]) < 0.004)
    )


def test_teeth_stay_behind_closed_lips(person: PersonHead) -> None:
    for vertices in person.forward(posed(person, 40)):
        front = vertices[np.r_[incisors(person, True), incisors(person, False)], 1].min()
        assert front > vertices[lips(person), 1].min() + 0.004


def test_a_smile_shows_the_upper_teeth(person: PersonHead) -> None:
    """Their edges come below the upper lip's, and they stand close behind the lips."""
    smiling = posed(person, 40, mouthSmile=0.9, jawOpen=0.15, mouthUpperUp=0.3)
    rest = person.surface.rest_position
    lip = lips(person)
    upper = lip[rest[lip, 2] > np.median(rest[lip, 2])]
    shown, behind = [], []
    for vertices in person.forward(smiling):
        teeth = vertices[incisors(person, True)]
        shown.append(vertices[upper, 2].min() - teeth[:, 2].min())
        behind.append(teeth[:, 1].min() - vertices[upper, 1].min())
    assert np.median(shown) > 0.003
    assert np.median(behind) < 0.016


def test_teeth_are_whiter_than_gums_and_the_throat_is_dark_red(person: PersonHead) -> None:
    surface = person.surface
    colour = person.appearance(person.table.default()).vertex_colour
    teeth, gums = (colour[surface.vertices_of(name)].mean(0) for name in ("teeth", "gums"))
    assert teeth.min() > 1.5 * gums.mean()
    inside = surface.vertices_of("skin") & (surface.masks["mouth"] > 0.9)
    deep = inside & (
        surface.rest_position[:, 1] > np.quantile(surface.rest_position[inside, 1], 0.9)
    )
    throat, lining = colour[deep].mean(0), colour[inside].mean(0)
    assert throat[0] > 3.0 * throat[1]
    assert throat.mean() < 0.8 * lining.mean()


def test_lips_touch_up_to_their_corners(person: PersonHead) -> None:
    """Nine of ten heads have no gap of a third of a millimetre between 21 and 23 mm aside."""
    rest, lip = person.surface.rest_position, person.surface.masks["lips"] > 0.9
    near = lip & person.surface.vertices_of("skin") & (np.abs(rest[:, 0] - 0.0222) < 0.0014)
    near &= rest[:, 1] < -0.1405
    rows = np.flatnonzero(near)
    upper, lower = rows[rest[rows, 2] > 0.66095], rows[rest[rows, 2] < 0.66095]
    vertices = person.forward(posed(person, 60, resting_lips=0.0))
    gap = vertices[:, upper, 2].min(1) - vertices[:, lower, 2].max(1)
    assert np.quantile(gap, 0.9) < 0.0003
