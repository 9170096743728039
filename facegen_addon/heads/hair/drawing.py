# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair as people wear it: which styles, by sex, age and ancestry."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...arrays import BoolArray, FloatArray
from .styles import STYLES

_WOMEN = {
    "Long Straight": 28, "Long Wavy": 30, "Bob": 20, "Side Parting": 2, "Fringe": 8, "Curly": 8,
    "Ponytail": 4, "Bun": 2, "Braid": 2, "Short Sides": 1,
}  # fmt: skip
_MEN = {
    "Short Sides": 30, "Side Parting": 24, "Buzz Cut": 14, "Slick Back": 9, "Fringe": 9,
    "Curly": 7, "Long Wavy": 1, "Long Straight": 1, "Ponytail": 1,
}  # fmt: skip
_AFRICAN_WOMEN = {
    "Afro": 26, "Curly": 34, "Bob": 16, "Bun": 6, "Braid": 5, "Ponytail": 5, "Short Sides": 2,
    "Buzz Cut": 2,
}  # fmt: skip
_OLD_WOMEN = {"Layered": 34, "Bob": 44, "Long Wavy": 7, "Long Straight": 4, "Curly": 11}
_AFRICAN_MEN = {"Buzz Cut": 45, "Short Sides": 28, "Afro": 14, "Curly": 9, "Bald": 4}
"""How often each style is worn, by eye; of African ancestry where it prevails."""
_LONG = ("Long Straight", "Long Wavy", "Ponytail", "Bun", "Braid")
_MENS_LONGEST = {"top": 0.62, "side": 0.40, "back": 0.42}
"""What men have cut who do not wear it long: 67, 22 and 24 mm."""
_WITH_FRINGE, _OLD_WITH_FRINGE = 0.16, 0.55
"""Share of young and of old women who have a fringe, whatever the style: hair swept back from an
old forehead reads as a man's."""
_OF_A_FRINGE = {"hair_wave": 0.25, "hair_clumping": 0.2, "hair_untidiness": 0.10}
"""The most of what has a fringe hang before the eyes in strings, as half a fringe does, too."""
_JAW, _SHOULDERS, _GROWN_OUT = 0.57, 0.80, 0.11
"""By how much longer old women wear what ends between jaw and shoulders, lengths."""
_STRAIGHTENED = (0.05, 0.65)
"""Share of women of African ancestry who have their hair straightened, and what age adds."""

_SPREAD = 0.06
"""Standard deviation of each parameter around its style's."""
_GREY_FROM, _GREY_YEARS, _LATER = 0.71, 0.23, 0.05
"""Age (0.6 is 18 years, 1 is 80) at which hair begins to grey, and until most of it may be; by how
much later where ancestry is African (Panhard and others, Br J Dermatol 2012)."""

_COILED, _LONGEST_COILS = 0.7, 0.47
"""Curl from which hair stands out from the head, and the longest that is worn so."""
_DYED, _DYES = 0.78, (0.55, 0.90)
"""Share of women who show next to no grey, and the melanin of what they dye it with."""


def draw_hair(
    rng: np.random.Generator, column: Mapping[str, FloatArray], people: Mapping[str, FloatArray]
) -> None:
    """Give n drawn heads hair as people wear it; ``column``: name -> (n,), changed in place.

    ``people`` (n,) each: shares african, asian and caucasian, age from 0.5 to 1 and male, 0 or 1.
    Numbers are slider units, by eye.
    """
    n = len(people["age"])
    african, asian = people["african"], people["asian"]
    male, age = people["male"] > 0.5, people["age"]
    aged = np.clip((age - 0.62) / 0.3, 0.0, 1.0)
    few, more = _STRAIGHTENED
    straightened = ~male & (rng.random(n) < few + more * aged)
    coiled = (african > 0.5) & ~straightened
    long = np.zeros(n, bool)
    for number in range(n):
        worn = _drawn_style(rng, bool(male[number]), bool(coiled[number]), aged[number])
        long[number] = worn in _LONG
        for name, value in STYLES[worn].items():
            column[name][number] = value
    for region, longest in _MENS_LONGEST.items():
        length = column[f"hair_{region}_length"]
        length[:] = np.where(male & ~long, np.minimum(length, longest), length)
        at_the_jaw = ~male & ~coiled & (length > _JAW) & (length < _SHOULDERS)
        length += np.where(at_the_jaw, _GROWN_OUT * aged, 0.0)
    share = _WITH_FRINGE + (_OLD_WITH_FRINGE - _WITH_FRINGE) * aged**2
    may_have_one = ~male & ~coiled & (column["hair_tied"] < 0.5)
    fringed = may_have_one & ~(long & (column["hair_wave"] > 0.5)) & (rng.random(n) < share)
    column["hair_fringe"][may_have_one & (column["hair_fringe"] < 0.5)] = 0.0
    column["hair_fringe"][fringed] = rng.uniform(0.7, 1.0, int(fringed.sum()))
    for name, most in _OF_A_FRINGE.items():
        column[name][fringed] = np.minimum(column[name][fringed], most)
    for name in next(iter(STYLES.values())):
        moved = name not in ("hair_tied", "hair_density", "hair_bun", "hair_braid")
        spread = _SPREAD * (2.0 if name == "hair_parting" else 0.5 if "length" in name else 1.0)
        column[name] += moved * spread * rng.standard_normal(n)
    for region in ("top", "side", "back"):  # what coils and recedes is worn short
        length = column[f"hair_{region}_length"]
        cropped = coiled & (column["hair_recession"] > 0.5)
        length[:] = np.where(cropped, np.minimum(length, 0.12), length)
    column["hair_parting"] *= np.where(rng.random(n) < 0.5, -1.0, 1.0)
    tied = column["hair_tied"] > 0.5
    kinky = np.clip(1.4 * african - 0.35, 0.0, 1.0) * np.where(tied, 0.5, 1.0)
    kinky *= ~straightened
    column["hair_curl"][:] = np.maximum(column["hair_curl"], kinky * (0.85 + 0.1 * rng.random(n)))
    for region in ("top", "side", "back"):  # coils stand out as far as they are long
        length = column[f"hair_{region}_length"]
        stands = (column["hair_curl"] > _COILED) & ~tied
        length[:] = np.where(stands, np.minimum(length, _LONGEST_COILS), length)
    straight = np.clip(1.3 * asian - 0.3, 0.0, 1.0)
    column["hair_curl"] *= 1.0 - 0.9 * straight
    own_wave = 0.3 * rng.random(n) * (1.0 - straight)
    column["hair_wave"][:] = column["hair_wave"] * (1.0 - 0.7 * straight) + own_wave
    recedes = aged * rng.random(n) ** 0.7
    column["hair_recession"] += np.where(male, 0.45, 0.05) * recedes + 0.06 * rng.random(n)
    column["hair_thinning"] += np.where(male, 0.4, 0.0) * recedes * (rng.random(n) < 0.5)
    column["hair_volume"] += np.where(male, 0.0, 0.06) * aged
    column["hair_density"] -= 0.15 * aged * rng.random(n)
    _draw_colour(rng, column, people, male)


def _drawn_style(rng: np.random.Generator, male: bool, coiled: bool, aged: float) -> str:
    if male and rng.random() < 0.42 * aged:
        return "Bald" if rng.random() < 0.5 else "Receding"
    if not male and not coiled and rng.random() < 0.75 * aged:
        return str(rng.choice(list(_OLD_WOMEN), p=_shares(_OLD_WOMEN)))
    worn = (_AFRICAN_MEN if male else _AFRICAN_WOMEN) if coiled else (_MEN if male else _WOMEN)
    shares = _shares(worn)
    long = np.array([name in _LONG for name in worn])
    shares *= np.where(long, 1.0 - 0.7 * aged, 1.0)  # the old wear it shorter
    return str(rng.choice(list(worn), p=shares / shares.sum()))


def _shares(worn: Mapping[str, int]) -> FloatArray:
    counts = np.array(list(worn.values()), float)
    return np.asarray(counts / counts.sum())


def _draw_colour(
    rng: np.random.Generator,
    column: Mapping[str, FloatArray],
    people: Mapping[str, FloatArray],
    male: BoolArray,
) -> None:
    n = len(male)
    fair = np.clip(1.3 * people["caucasian"] - 0.25 + 0.1 * rng.standard_normal(n), 0.0, 1.0)
    column["hair_melanin"][:] = 0.97 - 0.78 * fair * rng.random(n) ** 1.3 - 0.04 * rng.random(n)
    red = (rng.random(n) < 0.07) & (fair > 0.5)
    usual = 0.05 + 0.15 * fair + (0.03 + 0.09 * fair) * rng.standard_normal(n)
    column["hair_redness"][:] = np.where(red, 0.6 + usual, usual)
    column["hair_melanin"][red] = rng.uniform(0.42, 0.66, int(red.sum()))
    column["brow_melanin"][:] = 0.25 + 0.75 * column["hair_melanin"] + 0.06 * rng.standard_normal(n)
    begun = people["age"] - _GREY_FROM - _LATER * people["african"]
    greys = np.clip(begun / _GREY_YEARS, 0.0, 1.0)
    column["hair_grey"][:] = greys * (0.25 + 0.95 * rng.random(n)) ** 1.2
    dyed = (rng.random(n) < _DYED) & ~male
    column["hair_grey"] *= np.where(dyed, 0.1, 1.0)
    dye = np.clip(column["hair_melanin"], *_DYES)
    column["hair_melanin"][:] += np.where(dyed, greys, 0.0) * (dye - column["hair_melanin"])
