# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is shipped in the gallery: drawn from the prior as people are, chosen and dressed by eye."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np

from facegen_addon.arrays import FloatArray
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.named_styles import styled
from facegen_addon.heads.person.head import years
from facegen_addon.random_streams import random_stream

_DRAWN, _NEAR, _MOSTLY = 6000, 3.0, 0.7
"""Heads to choose from, years that an age may differ, and the share of one ancestry."""
_LIVELY = 0.85
"""Root mean square of deviations, standard units, of who is chosen first: neither bland nor odd."""


@dataclass(frozen=True)
class Person:
    """Who is drawn: sex, years, ancestry (a parameter's name), and which of those that fit.

    hair, beard: a named style instead of the drawn one; values: parameters set by hand.
    """

    name: str
    about: str
    sex: str
    age: int
    ancestry: str
    pick: int = 0
    hair: str = ""
    beard: str = ""
    wear: str = "garment=crew,colour=grey"
    values: tuple[tuple[str, float], ...] = ()
    model: str = "person"


_AFRICAN, _ASIAN, _EUROPEAN = "african", "asian", "caucasian"
_GREY = (("hair_grey", 0.75), ("brow_grey", 0.4))
_EVEN = (
    *(("skin_freckles", 0.0), ("skin_moles", 0.0), ("skin_blotchiness", 0.1), ("eye_shadow", 0.2)),
    *(("hair_melanin", 0.6), ("hair_redness", 0.25), ("brow_melanin", 0.65)),
)
_BLOND, _RED, _LIGHT_BROWN = (
    (("hair_melanin", melanin), ("hair_redness", redness), ("brow_melanin", 0.3 + 0.4 * melanin))
    for melanin, redness in ((0.2, 0.1), (0.5, 0.7), (0.45, 0.2))
)
"""Where chance would have too many Europeans dark."""

PEOPLE = (
    Person("Ada", "Woman, 24", "woman", 24, _EUROPEAN, hair="Long Straight", values=_BLOND),
    Person("Amara", "Woman, 27", "woman", 27, _AFRICAN, hair="Afro"),
    Person("Mei", "Woman, 25", "woman", 25, _ASIAN, hair="Fringe"),
    Person("Jonas", "Man, 26", "man", 26, _EUROPEAN, hair="Short Sides", beard="stubble"),
    Person("Kofi", "Man, 29", "man", 29, _AFRICAN, hair="Buzz Cut", beard="goatee"),
    Person("Kenji", "Man, 28", "man", 28, _ASIAN, hair="Side Parting", beard="clean"),
    Person("Freya", "Woman, 34", "woman", 34, _EUROPEAN, hair="Bob", values=_RED),
    Person("Zola", "Woman, 38", "woman", 38, _AFRICAN, hair="Layered"),
    Person("Lin", "Woman, 41", "woman", 41, _ASIAN, hair="Bob"),
    Person(
        "Marek",
        "Man, 37",
        "man",
        37,
        _EUROPEAN,
        hair="Slick Back",
        beard="short full",
        values=_LIGHT_BROWN,
    ),
    Person("Tunde", "Man, 42", "man", 42, _AFRICAN, hair="Bald", beard="short full"),
    Person("Bao", "Man, 39", "man", 39, _ASIAN, hair="Short Sides", beard="moustache"),
    Person("Clara", "Woman, 48", "woman", 48, _EUROPEAN, hair="Layered"),
    Person("Nia", "Woman, 52", "woman", 52, _AFRICAN, hair="Curly"),
    Person("Yuna", "Woman, 56", "woman", 56, _ASIAN, hair="Bob"),
    Person("Viktor", "Man, 51", "man", 51, _EUROPEAN, hair="Receding", beard="stubble"),
    Person("Samuel", "Man, 55", "man", 55, _AFRICAN, beard="moustache"),
    Person("Takeo", "Man, 58", "man", 58, _ASIAN, hair="Short Sides", beard="clean"),
    Person("Margit", "Woman, 67", "woman", 67, _EUROPEAN, hair="Layered", values=_GREY),
    Person("Esi", "Woman, 70", "woman", 70, _AFRICAN, hair="Curly", values=_GREY),
    Person("Hana", "Woman, 74", "woman", 74, _ASIAN, hair="Bob", values=_GREY),
    Person("Anselm", "Man, 66", "man", 66, _EUROPEAN, hair="Receding", beard="long full"),
    Person("Baako", "Man, 71", "man", 71, _AFRICAN, hair="Buzz Cut", beard="goatee"),
    Person("Wei", "Man, 75", "man", 75, _ASIAN, hair="Receding", beard="clean"),
    Person("Runa", "Woman, 21", "woman", 21, _EUROPEAN, pick=1, hair="Fringe", values=_BLOND),
    Person("Leila", "Woman, 31", "woman", 31, _EUROPEAN, pick=2, hair="Long Straight"),
    Person("Diego", "Man, 32", "man", 32, _EUROPEAN, pick=3, hair="Curly", beard="shadow"),
    Person("Idris", "Man, 22", "man", 22, _AFRICAN, pick=1, hair="Afro", beard="clean"),
    Person("Sora", "Woman, 19", "woman", 19, _ASIAN, pick=1, hair="Long Straight"),
    Person(
        "Ragnar", "Man, 45", "man", 45, _EUROPEAN, pick=1, hair="Long Straight", beard="long full"
    ),
)

_BLACK = "garment=crew,colour=black"
MANNEQUINS = (
    Person("", "", "woman", 27, _EUROPEAN, pick=5, hair="Bun", wear=_BLACK, values=_EVEN),
    Person("", "", "man", 33, _EUROPEAN, pick=2, hair="Short Sides", beard="clean", values=_EVEN),
)
"""Who shows hair, brows and expressions, and who beards."""


@cache
def _drawn(model: HeadModel) -> Annotated[FloatArray, "N P"]:
    return model.sample_prior(random_stream(18, "gallery"), _DRAWN)


def cast(model: HeadModel, person: Person) -> Annotated[FloatArray, "P"]:
    """The parameters (P,) of one of those who fit."""
    heads, table = _drawn(model), model.table
    sex, age, share = (heads[:, table.index(name)] for name in ("gender", "age", person.ancestry))
    woman = sex > 0.8 if person.sex == "woman" else sex < 0.2
    fits = woman & (np.abs(years(age) - person.age) <= _NEAR) & (share >= _MOSTLY)
    rows = np.flatnonzero(fits)
    size = np.sqrt(np.mean(table.standardise(heads[rows]) ** 2, axis=1))
    row = heads[rows[np.argsort(np.abs(size - _LIVELY))[person.pick]]]
    for kind, name in (("hair", person.hair), ("beard", person.beard)):
        if name:
            row = styled(model, row, kind, name)
    for name, value in person.values:
        row[table.index(name)] = value
    return row
