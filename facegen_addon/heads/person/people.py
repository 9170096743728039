# SPDX-License-Identifier: GPL-3.0-or-later
"""Who random heads are: sex, age and ancestry, and the shapes of a face that go with them.

Anny's phenotypes give a face its sex, age and ancestry on the whole. Local sliders add what they
leave out, and vary less where their ends are caricatures. All numbers are of slider units. Where
noses, mouths, brows and chins lie, and how much jaws differ, follows landmarks on photos of people;
the rest is chosen by eye, in the directions that measured faces differ: men have longer jaws,
lower and stronger brows, wider noses, thinner lips, smaller eyes (Enlow and Hans, "Essentials of
Facial Growth"); with age lids and cheeks sag, lips thin, nose and ears grow, temples hollow (Albert
and others, "A review of the literature on the aging adult skull and face", Forensic Sci Int 2007).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import numpy as np

from ...arrays import FloatArray
from ..anny.model import ANCESTRIES
from ..parameters import ParameterTable

YOUNGEST, OLDEST = 18.0, 80.0
"""Ages that are drawn, years, evenly."""
_GROWN, _OLD = 0.60, 1.0  # Anny's age at these

_MIXING = 0.22
"""Of Dirichlet's distribution of ancestries: most people have one for the most part."""
_SPREAD_OF_SEX, _BETWEEN = 0.12, 0.05
"""How far from its ends gender lies, and the share of people whose face may be anywhere."""

_PHENOTYPES = {
    "gender": (0.5, 0.40),
    "age": (0.80, 0.115),
    "muscle": (0.49, 0.14),
    "weight": (0.50, 0.15),
    **dict.fromkeys(ANCESTRIES, (1 / 3, 0.37)),
}
"""Mean and standard deviation of what `draw_people` draws."""
_LATE = 1.4
"""Of forty years the seventh part of what age does to a face is to be seen, of fifty a third."""
_MAN, _AGED, _AGED_SPREAD = 0.80, 0.37, 0.35
"""Standard deviation of being a man, from -1 to 1; mean and standard deviation of ``aged``."""

# name: mean, what a man adds and a woman takes away, what old age adds, standard deviation; the
# other local sliders are as in Anny's table
_SHAPES: dict[str, tuple[float, float, float, float]] = {
    # jaw and chin
    "chin_bones_incr": (-0.1, 0.25, 0.0, 0.3),
    "chin_height_incr": (0.04, 0.1, 0.0, 0.24),
    "chin_jaw_drop_incr": (-0.01, 0.06, 0.5, 0.16),
    "chin_prominent_incr": (-0.03, 0.15, 0.1, 0.26),
    "chin_width_incr": (-0.12, 0.3, 0.05, 0.28),
    "chin_prognathism_incr": (0.0, 0.0, 0.0, 0.18),
    "chin_cleft_incr": (-0.02, 0.1, 0.0, 0.22),
    # cheeks
    "cheek_bones_incr": (0.08, -0.12, 0.1, 0.24),
    "cheek_inner_incr": (0.01, -0.06, -0.2, 0.2),
    "cheek_trans_up": (0.05, -0.10, -0.45, 0.18),
    "cheek_volume_incr": (0.06, -0.1, -0.25, 0.26),
    "head_fat_incr": (-0.07, -0.05, 0.1, 0.36),
    # brow and eyes
    "eyebrows_angle_up": (0.29, -0.05, 0.08, 0.16),
    "eyebrows_trans_forward": (-0.04, 0.18, 0.0, 0.1),
    "eyebrows_trans_up": (0.06, -0.35, -0.12, 0.24),
    "eye_scale_incr": (0.09, -0.22, -0.1, 0.2),
    "eye_height1_incr": (0.02, -0.1, -0.3, 0.26),
    "eye_height2_incr": (0.03, -0.12, -0.15, 0.26),
    "eye_height3_incr": (-0.04, -0.06, -0.15, 0.2),
    "eye_corner1_up": (0.10, -0.06, -0.15, 0.26),
    "eye_eyefold_up": (0.06, -0.04, -0.3, 0.22),
    "eye_eyefold_angle_up": (0.04, 0.0, -0.12, 0.2),
    "eye_bag_incr": (-0.08, 0.04, 0.55, 0.18),
    "eye_bag_height_incr": (0.0, 0.0, 0.25, 0.2),
    "eye_trans_up": (0.0, 0.0, 0.0, 0.21),
    "eye_trans_out": (0.0, -0.15, 0.0, 0.23),
    "eye_epicanthus_out": (0.0, 0.0, 0.0, 0.14),
    # nose
    "nose_scale_vert_incr": (-0.23, 0.1, 0.15, 0.26),
    "nose_scale_horiz_incr": (-0.07, 0.22, 0.1, 0.26),
    "nose_scale_depth_incr": (-0.06, 0.15, 0.05, 0.21),
    "nose_hump_incr": (-0.13, 0.12, 0.1, 0.26),
    "nose_volume_incr": (-0.06, 0.15, 0.12, 0.22),
    "nose_trans_up": (0.44, 0.14, 0.0, 0.32),
    "nose_base_up": (0.18, -0.2, -0.25, 0.23),
    "nose_point_up": (0.01, -0.03, -0.06, 0.07),
    "nose_width1_incr": (-0.02, 0.1, 0.0, 0.24),
    "nose_curve_convex": (-0.01, 0.07, 0.05, 0.18),
    # mouth
    "mouth_angles_up": (0.2, 0.0, -0.03, 0.1),
    "mouth_laugh_lines_out": (-0.01, 0.06, 0.75, 0.2),
    "mouth_scale_horiz_incr": (0.12, 0.07, 0.1, 0.32),
    "mouth_scale_vert_incr": (0.01, -0.07, -0.2, 0.18),
    "mouth_upperlip_volume_incr": (0.17, -0.33, -0.45, 0.26),
    "mouth_lowerlip_volume_incr": (0.11, -0.28, -0.4, 0.26),
    "mouth_upperlip_height_incr": (0.09, -0.18, -0.45, 0.29),
    "mouth_lowerlip_height_incr": (0.08, -0.12, -0.3, 0.26),
    "mouth_cupidsbow_incr": (0.08, -0.12, -0.2, 0.22),
    "mouth_trans_up": (0.17, -0.05, 0.0, 0.2),
    "mouth_trans_forward": (0.0, 0.0, -0.15, 0.16),
    # skull, ears and neck
    "forehead_nubian_incr": (0.0, 0.0, 0.0, 0.06),
    "forehead_scale_vert_incr": (-0.16, -0.03, 0.0, 0.1),
    "forehead_trans_forward": (0.02, -0.1, 0.0, 0.16),
    "forehead_temple_incr": (0.0, 0.0, -0.35, 0.22),
    "head_age_incr": (-0.02, 0.0, 0.8, 0.08),
    "head_angle_out": (0.0, 0.0, 0.0, 0.08),
    "head_scale_vert_incr": (-0.06, 0.0, 0.0, 0.2),
    "head_scale_horiz_incr": (0.03, 0.09, 0.0, 0.22),
    "head_scale_depth_incr": (0.0, 0.0, 0.0, 0.18),
    "head_back_scale_depth_incr": (0.0, 0.0, 0.0, 0.14),
    "ear_wing_incr": (-0.1, 0.0, 0.0, 0.16),
    "ear_flap_incr": (-0.1, 0.0, 0.0, 0.14),
    "ear_trans_up": (0.0, 0.0, 0.0, 0.1),
    "ear_trans_forward": (0.0, 0.0, 0.0, 0.14),
    "ear_scale_incr": (-0.18, 0.10, 0.15, 0.14),
    "ear_scale_vert_incr": (-0.06, 0.05, 0.15, 0.15),
    "ear_lobe_incr": (-0.05, 0.05, 0.35, 0.2),
    "ear_shape_triangle": (0.0, 0.0, 0.0, 0.12),
    "measure_neck_circ_incr": (-0.6, 0.1, 0.0, 0.14),
    "neck_scale_horiz_incr": (-0.42, -0.16, 0.0, 0.1),
    "neck_double_incr": (-0.03, 0.04, 0.35, 0.16),
}

_OLD_WOMEN = {
    "cheek_volume_incr": -0.10,
    "eyebrows_trans_up": 0.20,
    "eye_scale_incr": 0.10,
    "head_age_incr": -0.30,
    "mouth_scale_vert_incr": 0.12,
    "mouth_upperlip_height_incr": 0.30,
    "mouth_upperlip_volume_incr": 0.15,
    "nose_flaring_incr": -0.15,
    "nose_nostrils_width_incr": -0.15,
    "nose_scale_horiz_incr": -0.15,
    "nose_width2_incr": -0.15,
}
"""What old age adds to a woman besides, or takes of what it adds to men: else nose, brow and lips
of most read as a man's. Found by what surrogates say that each does to sex as probes read it."""


def with_people(table: ParameterTable) -> ParameterTable:
    """A table whose phenotypes and local sliders have the mean and spread that are drawn."""
    moments = _PHENOTYPES | {
        name: (
            mean + of_age * _AGED,
            np.hypot(spread, np.hypot(_MAN * of_man, _AGED_SPREAD * of_age)),
        )
        for name, (mean, of_man, of_age, spread) in _SHAPES.items()
    }
    return ParameterTable(
        replace(row, mean=moments[row.name][0], std=float(moments[row.name][1]))
        if row.name in moments
        else row
        for row in table.parameters
    )


def draw_people(
    rng: np.random.Generator, column: Mapping[str, Annotated[FloatArray, "N"]]
) -> dict[str, Annotated[FloatArray, "N"]]:
    """Give n drawn heads, name -> (n,), changed in place, phenotypes such as people have.

    Returns who they are, name -> (n,): shares african, asian and caucasian, age as Anny has it,
    male 0 or 1.
    """
    n = len(column["gender"])
    people = dict(zip(ANCESTRIES, rng.dirichlet((_MIXING,) * 3, n).T, strict=True))
    male = rng.random(n) < 0.5
    from_end = np.minimum(np.abs(_SPREAD_OF_SEX * rng.standard_normal(n)), 0.45)
    anywhere = rng.random(n) < _BETWEEN
    from_end = np.where(anywhere, rng.uniform(0.1, 0.5, n), from_end)
    people |= {"age": _GROWN + (_OLD - _GROWN) * rng.random(n), "male": male.astype(float)}
    column["gender"][:] = np.where(male, from_end, 1.0 - from_end)
    column["weight"][:] = 0.48 + 0.06 * aged(people["age"]) + 0.15 * rng.standard_normal(n)
    column["muscle"][:] = 0.42 + 0.14 * people["male"] + 0.12 * rng.standard_normal(n)
    for name in ("age", *ANCESTRIES):
        column[name][:] = people[name]
    return people


def draw_shapes(
    rng: np.random.Generator,
    column: Mapping[str, Annotated[FloatArray, "N"]],
) -> None:
    """Give n drawn heads of ``draw_people`` the local shapes that go with their sex and age."""
    man, old = 1.0 - 2.0 * column["gender"], aged(column["age"])
    for name, (mean, of_man, of_age, spread) in _SHAPES.items():
        noise = rng.standard_normal(len(man))
        column[name][:] = mean + of_man * man + of_age * old + spread * noise
    woman = np.clip(-man, 0.0, 1.0)
    for name, more in _OLD_WOMEN.items():
        column[name] += more * old * woman


def aged(age: Annotated[FloatArray, "..."]) -> Annotated[FloatArray, "..."]:
    """How far people of Anny's age are on the way from 30 years, 0, to 76, 1: slowly at first."""
    return np.clip((age - 0.68) / 0.29, 0.0, 1.0) ** _LATE
