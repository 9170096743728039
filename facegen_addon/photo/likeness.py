# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to a head's colours, hair and expression that a photo asks for, beside a render of it.

How far each is followed is chosen by eye on photos: a photo's light is not known, so hair follows
the photo more than skin, whose lightness the latent says better (docs/results/photo.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, FloatArray
from ..heads.hair.colour import UNPIGMENTED, pigmented_colour
from ..heads.head_model import HeadModel
from ..heads.surface import Surface
from .colours import FaceColours, luminance, opponent

_HAIR = ("hair_melanin", "hair_redness", "hair_grey")
_SPREAD = {"hair_melanin": 0.60, "hair_redness": 0.22, "hair_grey": 0.30}
"""Standard deviations of B's errors in hair."""
_HAIR_NOISE, _DIM = np.array([0.30, 0.22, 0.30]), 0.06
"""Of the photo's, by `opponent`: light falls otherwise on hair than on cheeks; and the luminance,
of the cheeks', below which hair has next to no hue that could be told."""
_GREYS, _GREYING = 0.12, (30.0, 50.0)
"""Standard deviation of grey in the hair of the young, and ages between which that ceases."""
_FOLLOWERS = {
    "brow_melanin": ("hair_melanin", 0.6), "brow_grey": ("hair_grey", 0.5),
    "beard_grey": ("hair_grey", 0.6), "beard_redness": ("hair_redness", 0.5),
}  # fmt: skip
"""Hair of the face -> what it follows, and how much of that change."""
_SKIN = ("skin_melanin", "skin_redness")
_SKIN_SPREAD = (0.3, 0.5)
_SKIN_NOISE = np.array([0.45, 0.25, 0.50])
_LIPS = ("lip_colour", "lip_darkness")
_LIPS_NOISE = np.array([0.25, 0.12, 0.2])
_LIPS_SPREAD = (0.8, 0.8)
_NOTHING = 0.30
"""Share of a forehead without skin up to which it counts as free of hair."""
_SWEPT, _SHORT = {"hair_back": 0.5, "hair_fringe": 0.0}, 0.48
"""Hair that leaves the forehead free; long hair, of a back length above this, is parted instead."""
_UPPER, _OPENED = 0.45, 0.5
"""Of the expressions that show teeth and open the jaw, for all of a mouth."""
_DOUBT = 0.015
"""Cosine distance by which the surrogates have to see a head further from the photo, to weigh as
much as one standard deviation of colour, squared."""
_MOST_DOUBT = 0.04
"""The same beyond which a forehead stays as it is."""

Doubt = Callable[[Annotated[FloatArray, "N P"]], Annotated[FloatArray, "N"]]
"""Heads (N, P) -> cosine distances (N,) at which the surrogates see them from the photo."""

MOVED_BY_PHOTO = (*_HAIR, *_FOLLOWERS, *_SKIN, *_LIPS, *_SWEPT)
"""What `liken` may change, expression aside."""


def liken(
    model: HeadModel,
    parameters: Annotated[FloatArray, "P"],
    photo: FaceColours,
    render: FaceColours,
    smile: float | None,
    doubt: Doubt,
    cautious: bool = False,
) -> Annotated[FloatArray, "P"]:
    """A head (P,), seen in a render, moved towards the photo's colours, hair and expression.

    `smile`: 0 to 1; None for a head at rest. A `cautious` change is of hair's colour and expression
    alone."""
    row = np.array(parameters, np.float64)
    _hair_colour(model, row, photo, render, doubt)
    if not cautious:
        _skin(model, row, photo, render)
        _lips(model, row, photo, render)
        _forehead(model, row, photo, render, doubt)
    if smile is None:
        row[model.table.moving] = model.table.mean[model.table.moving]
    else:
        _expression(model, row, photo, render, smile)
    return np.clip(row, model.table.minimum, model.table.maximum)


def gain(
    model: HeadModel,
    alone: Annotated[FloatArray, "P"],
    moved: Annotated[FloatArray, "P"],
    photo: FaceColours,
    render: FaceColours,
) -> float:
    """By how much brighter the photo's light is than that of the render of head `alone` (P,), the
    skin of the head `moved` (P,) being what it is; within reason."""
    cheeks = _cheeks(model.surface)
    skins = [model.appearance(row).vertex_colour[cheeks].mean(0) for row in (alone, moved)]
    fairer = float(opponent(skins[1])[0] - opponent(skins[0])[0])
    brighter = float(opponent(photo.cheek)[0] - opponent(render.cheek)[0]) - fairer
    return float(np.exp(np.clip(brighter, -0.7, 0.7)))


def _set(model: HeadModel, row: FloatArray, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        if name in model.table.names:
            row[model.table.index(name)] = value


def _hair_colour(
    model: HeadModel, row: FloatArray, photo: FaceColours, render: FaceColours, doubt: Doubt
) -> None:
    """The most probable colour of hair, by how it differs from the cheeks in photo and render, by
    B, and by what the surrogates say of such heads."""
    table = model.table
    if photo.hair is None or render.hair is None or not set(_HAIR) <= set(table.names):
        return
    columns = [table.index(name) for name in _HAIR]
    before = row[columns]
    axes = np.linspace(0, 1, 16), np.linspace(0, 1, 6), np.linspace(0, 1, 9)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(_HAIR))
    grid = np.concatenate([before[None], grid])
    colours = opponent(np.stack([_seen_hair(*one) for one in grid]))
    asked = (
        opponent(photo.hair) - opponent(photo.cheek)
        - opponent(render.hair) + opponent(render.cheek)
    )  # fmt: skip
    heads = np.tile(row, (len(grid), 1))
    heads[:, columns] = grid
    dim = _DIM * float(luminance(photo.cheek) / max(float(luminance(photo.hair)), 1e-3))
    noise = _HAIR_NOISE * [1.0, 1.0 + dim, 1.0 + dim]
    off = (colours - colours[0] - asked) / noise
    far = (grid - before) / [_SPREAD[name] for name in _HAIR]
    cost = np.square(off).sum(axis=1) + np.square(far).sum(axis=1) + doubt(heads) / _DOUBT
    cost += np.square(grid[:, 2] / _GREYS) * _youth(model, row)
    best = grid[int(cost.argmin())]
    row[columns] = best
    change = dict(zip(_HAIR, best - before, strict=True))
    for name, (leader, share) in _FOLLOWERS.items():
        if name in table.names:
            row[table.index(name)] += share * change[leader]


def _seen_hair(melanin: float, redness: float, grey: float) -> FloatArray:
    """The colour (3,) by which hair differs from other hair in renders: some grey strands among
    dark ones are seen less than their share of the light says."""
    pigmented = np.log(pigmented_colour(melanin, redness))
    return np.exp(pigmented + grey * (np.log(UNPIGMENTED) - pigmented))


def _youth(model: HeadModel, row: FloatArray) -> float:
    """1 for a head too young for grey hair, 0 for an old one, or one of unknown age."""
    said = model.attributes(row[None])
    if said is None:
        return 0.0
    return float(np.clip((_GREYING[1] - said[0, 1]) / (_GREYING[1] - _GREYING[0]), 0.0, 1.0))


def _skin(model: HeadModel, row: FloatArray, photo: FaceColours, render: FaceColours) -> None:
    asked = opponent(photo.cheek) - opponent(render.cheek)
    places = _cheeks(model.surface)
    _follow(model, row, _SKIN, places, asked, _SKIN_NOISE, _SKIN_SPREAD)


def _lips(model: HeadModel, row: FloatArray, photo: FaceColours, render: FaceColours) -> None:
    asked = (
        opponent(photo.lip) - opponent(photo.cheek)
        - opponent(render.lip) + opponent(render.cheek)
    )  # fmt: skip
    places = model.surface.masks["lips"] > 0.5
    _follow(model, row, _LIPS, places, asked, _LIPS_NOISE, _LIPS_SPREAD)


def _follow(
    model: HeadModel,
    row: FloatArray,
    names: tuple[str, ...],
    places: BoolArray,
    asked: FloatArray,
    noise: FloatArray,
    spread: tuple[float, ...],
) -> None:
    """Move parameters so that the skin there changes by `asked`, as far as that is probable."""
    table = model.table
    names = tuple(name for name in names if name in table.names)
    if not names or not places.any():
        return

    def colour(moved: FloatArray) -> FloatArray:
        tried = row.copy()
        for name, by in zip(names, moved, strict=True):
            column = table.index(name)
            tried[column] = np.clip(
                tried[column] + by * table.std[column], table.minimum[column], table.maximum[column]
            )
        return opponent(model.appearance(tried).vertex_colour[places].mean(0))

    now = colour(np.zeros(len(names)))
    step = 0.3
    slopes = np.stack([(colour(step * e) - now) / step for e in np.eye(len(names))], axis=1)
    system = np.concatenate([slopes / noise[:, None], np.diag(1 / np.array(spread[: len(names)]))])
    wanted = np.concatenate([asked / noise, np.zeros(len(names))])
    moved = np.clip(np.linalg.lstsq(system, wanted, rcond=None)[0], -1.2, 1.2)
    for name, by in zip(names, moved, strict=True):
        row[table.index(name)] += by * table.std[table.index(name)]


def _cheeks(surface: Surface) -> BoolArray:
    """Which vertices (V,) are of the cheeks: skin in front, beside the mouth's corners."""
    rest = surface.rest_position
    lips = rest[surface.masks["lips"] > 0.5]
    across, up = np.abs(rest[:, 0]), rest[:, 2] - lips[:, 2].mean()
    found = surface.vertices_of("skin") & (across > 0.025) & (across < 0.05)
    found &= (up > 0.0) & (up < 0.035) & (rest[:, 1] < lips[:, 1].mean() + 0.05)
    return np.asarray(found)


def _forehead(
    model: HeadModel, row: FloatArray, photo: FaceColours, render: FaceColours, doubt: Doubt
) -> None:
    """Hair leaves a forehead free that is free in the photo."""
    if photo.front < _NOTHING and render.front > photo.front + 0.1:
        swept = row.copy()
        long = "hair_back_length" in model.table.names and (
            model.value(row, "hair_back_length") > _SHORT
        )
        _set(model, swept, {**_SWEPT, "hair_back": 0.1} if long else _SWEPT)
        before, after = doubt(np.stack([row, swept]))
        if after < before + _MOST_DOUBT:
            row[:] = swept


def _expression(
    model: HeadModel, row: FloatArray, photo: FaceColours, render: FaceColours, smile: float
) -> None:
    teeth = float(np.clip((photo.teeth - render.teeth) / 0.5, 0.0, 1.0))
    opened = float(np.clip((photo.open - render.open) / 0.5, 0.0, 1.0))
    wide = max(smile, 0.55 * teeth)
    values = {
        "jawOpen": 0.16 * teeth + _OPENED * 0.6 * opened,
        **{f"mouthSmile{side}": wide for side in ("Left", "Right")},
        **{f"mouthUpperUp{side}": _UPPER * teeth for side in ("Left", "Right")},
        **{f"mouthLowerDown{side}": 0.2 * teeth for side in ("Left", "Right")},
        **{f"cheekSquint{side}": 0.5 * wide for side in ("Left", "Right")},
    }
    _set(model, row, values)
