# SPDX-License-Identifier: GPL-3.0-or-later
"""Brows, lashes and facial hair as rows of a head model's table, and how people have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from ...arrays import FloatArray
from ..appearance_parameters import APPEARANCE_NAMES, label_of
from ..parameters import Parameter, ParameterTable
from .named import BEARDS

_ROWS = (
    # name, group, lowest, highest, prior mean, prior std, what it does
    ("brow_height", "brow", -1.0, 1.0, 0.05, 0.32, "Low over the eye to high"),
    ("brow_arch", "brow", 0.0, 1.0, 0.42, 0.18, "Straight to highly arched"),
    ("brow_peak", "brow", 0.0, 1.0, 0.50, 0.18, "Where it is highest: in the middle to far out"),
    ("brow_wave", "brow", 0.0, 1.0, 0.12, 0.12, "Shape of an S: it dips before it rises"),
    ("brow_slant", "brow", -1.0, 1.0, 0.15, 0.13, "Outer end low, as if sad, to high, as if angry"),
    ("brow_length", "brow", 0.0, 1.0, 0.50, 0.15, "How far out it reaches"),
    ("brow_gap", "brow", 0.0, 1.0, 0.58, 0.11, "Between the brows: grown together to far apart"),
    ("brow_thickness", "brow", 0.0, 1.0, 0.54, 0.14, "Height of the brow"),
    ("brow_taper", "brow", 0.0, 1.0, 0.55, 0.18, "Blunt to pointed outer end"),
    ("brow_density", "brow", 0.0, 1.0, 0.71, 0.14, "How many hairs"),
    ("brow_bushiness", "brow", 0.0, 1.0, 0.35, 0.18, "Short and neat to long and unruly hairs"),
    ("brow_asymmetry", "brow", -1.0, 1.0, 0.0, 0.16, "The left one higher, or the right one"),
    ("brow_melanin", "brow", 0.0, 1.0, 0.64, 0.15, "Light to dark"),
    ("brow_grey", "brow", 0.0, 1.0, 0.08, 0.15, "Share of grey hairs in the brows"),
    ("lash_density", "brow", 0.0, 1.0, 0.45, 0.20, "Faint to full lashes"),
    ("lash_length", "brow", 0.0, 1.0, 0.45, 0.18, "Short to long lashes"),
    ("beard_density", "beard", 0.0, 1.0, 0.20, 0.28, "How many hairs on chin, cheeks and neck"),
    ("beard_length", "beard", 0.0, 1.0, 0.18, 0.18, "Stubble to a long beard"),
    ("beard_cheek", "beard", 0.0, 1.0, 0.50, 0.22, "How far up the cheeks it grows"),
    ("beard_neck", "beard", 0.0, 1.0, 0.40, 0.20, "How far down the neck it grows"),
    ("beard_sideburns", "beard", 0.0, 1.0, 0.55, 0.28, "Before the ears: none to full"),
    ("beard_goatee", "beard", 0.0, 1.0, 0.15, 0.28, "All along the jaw, or on the chin alone"),
    ("beard_grey", "beard", 0.0, 1.0, 0.15, 0.22, "Share of grey hairs in the beard"),
    ("beard_redness", "beard", 0.0, 1.0, 0.35, 0.18, "How red the beard is"),
    ("moustache_density", "beard", 0.0, 1.0, 0.20, 0.28, "How many hairs above the lip"),
    ("moustache_length", "beard", 0.0, 1.0, 0.22, 0.18, "Stubble to a walrus's moustache"),
    ("soul_patch", "beard", 0.0, 1.0, 0.20, 0.28, "Hairs below the lower lip"),
)
FACE_HAIR_NAMES = tuple(name for name, *_ in _ROWS)

SHADED_BY = frozenset(FACE_HAIR_NAMES) - {"brow_bushiness", "lash_length"}
"""The parameters that colours of skin and hair follow, too."""

FACE_HAIR_HELP = {name: text for name, *_, text in _ROWS}
"""Name of a parameter -> what it does, in one line."""

_SHARES = {
    "clean": 0.30,
    "shadow": 0.22,
    "stubble": 0.22,
    "moustache": 0.04,
    "goatee": 0.06,
    "short full": 0.13,
    "long full": 0.02,
    "sideburns": 0.01,
}
"""How many men wear what: about half has a visible beard, most of it short. Chosen by eye."""
_WOMENS_LEAST = {"brow_density": (0.60, 0.45), "brow_thickness": (0.36, 0.26)}
"""The least of young and of old women: of less, brows are not seen from afar."""


def face_hair_parameters() -> list[Parameter]:
    """The rows of a head model that has such hair; without unit; all are guided."""
    return [
        Parameter(name, label_of(name), group, low, high, mean, std, "", True)
        for name, group, low, high, mean, std, _ in _ROWS
    ]


def with_face_hair(table: ParameterTable) -> ParameterTable:
    """A table with these rows in the place of what the shared appearance says of brows, lashes
    and beards. (Sliders of the brows' shape are of group "brow", too, and stay.)"""
    replaced = [
        row.name in APPEARANCE_NAMES and row.group in ("brow", "beard") for row in table.parameters
    ]
    first = replaced.index(True)
    others = [row for row, gone in zip(table.parameters, replaced, strict=True) if not gone]
    return ParameterTable([*others[:first], *face_hair_parameters(), *others[first:]])


def draw_face_hair(
    rng: np.random.Generator,
    column: Mapping[str, Annotated[FloatArray, "N"]],
    people: Mapping[str, Annotated[FloatArray, "N"]],
) -> None:
    """Give n drawn heads, name -> (n,), brows, lashes and beards such as people have.

    Changed in place, when the hair on the head is drawn. ``people`` (n,) each: shares african,
    asian and caucasian, age from 0.5 to 1 and male, 0 or 1. By how much all of it follows is
    chosen by eye.
    """
    n = len(people["age"])
    noise = {name: rng.standard_normal(n) for name in FACE_HAIR_NAMES}
    aged = np.clip((people["age"] - 0.65) / 0.3, 0.0, 1.0)
    _draw_brows(column, people, aged, noise)
    _draw_beards(rng, column, people, aged, noise)


def _draw_brows(
    column: Mapping[str, FloatArray],
    people: Mapping[str, FloatArray],
    aged: FloatArray,
    noise: Mapping[str, FloatArray],
) -> None:
    """Women's are thinner, higher and more arched, old men's bushy, fair people's darker than
    their hair; men's grey late, women colour theirs."""
    male, asian, african = people["male"], people["asian"], people["african"]
    female = 1.0 - male
    middles = {
        "brow_height": 0.20 * female - 0.28 * male - 0.12 * aged,
        "brow_arch": 0.29 + 0.23 * female - 0.10 * asian,
        "brow_peak": 0.50 + 0.05 * female,
        "brow_wave": np.zeros_like(male),
        "brow_slant": 0.14 + 0.04 * female - 0.02 * aged,
        "brow_length": 0.46 - 0.10 * asian - 0.06 * aged,
        "brow_gap": 0.55 + 0.08 * female,
        "brow_thickness": 0.47 + 0.12 * male + 0.05 * african - 0.08 * aged * female,
        "brow_taper": 0.40 + 0.24 * female,
        "brow_density": 0.76 + 0.02 * female - 0.14 * aged * female - 0.03 * asian,
        "brow_bushiness": 0.16 + 0.26 * male + 0.30 * aged * male,
    }
    spreads = {
        **dict.fromkeys(middles, 0.13),
        **{"brow_height": 0.26, "brow_slant": 0.12, "brow_gap": 0.09, "brow_thickness": 0.12},
        "brow_wave": 0.16,
    }
    for name, middle in middles.items():
        column[name][:] = middle + spreads[name] * noise[name]
    for name, (least, aged_least) in _WOMENS_LEAST.items():
        floor = female * (least + (aged_least - least) * aged)
        column[name][:] = np.maximum(column[name], floor)
    np.abs(column["brow_wave"], out=column["brow_wave"])
    column["brow_asymmetry"][:] = 0.14 * noise["brow_asymmetry"]
    hair = np.clip(column["hair_melanin"], 0.0, 1.0)
    column["brow_melanin"][:] = 0.33 + 0.44 * hair + 0.05 * noise["brow_melanin"]
    late = np.clip(column["hair_grey"], 0.0, 1.0) * np.clip((people["age"] - 0.80) / 0.16, 0.0, 1.0)
    column["brow_grey"][:] = (0.75 * male + 0.1 * female) * late + 0.03 * np.abs(noise["brow_grey"])
    column["lash_density"][:] = (
        0.34 + 0.42 * female + aged * (0.18 * female - 0.10) + 0.12 * noise["lash_density"]
    )
    column["lash_length"][:] = 0.36 + 0.24 * female - 0.08 * asian + 0.13 * noise["lash_length"]


def _draw_beards(
    rng: np.random.Generator,
    column: Mapping[str, FloatArray],
    people: Mapping[str, FloatArray],
    aged: FloatArray,
    noise: Mapping[str, FloatArray],
) -> None:
    """Each man's is one of the named ones, loosely; women have none."""
    worn = rng.choice(len(_SHARES), len(aged), p=np.array([*_SHARES.values()]))
    sparse = 1.0 - 0.25 * people["asian"]
    for name in next(iter(BEARDS.values())):
        styles = np.array([BEARDS[style][name] for style in _SHARES])
        # What grows nowhere stays at nothing; all else varies.
        drawn = styles[worn]
        own = noise[name] if name in noise else rng.standard_normal(len(aged))
        column[name][:] = np.where(drawn > 0.0, drawn + 0.09 * own, 0.0) * people["male"]
    for name in ("beard_density", "moustache_density", "beard_cheek"):
        column[name] *= sparse
    grey = 1.15 * np.clip(column["hair_grey"], 0.0, 1.0) + 0.06 * noise["beard_grey"]
    column["beard_grey"][:] = grey * (0.6 + 0.4 * aged)
    column["beard_redness"][:] = column["hair_redness"] + 0.08 + 0.08 * noise["beard_redness"]
