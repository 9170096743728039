# SPDX-License-Identifier: GPL-3.0-or-later
"""The distances that are demanded of pairs, by one encoder or two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..encoders.encoder import EncoderSource, find_encoder
from ..encoders.people import people_distance
from ..errors import UserError
from .fields import DISTANCE, ENCODER, PEOPLE_QUANTILE, SECOND_DISTANCE, SECOND_ENCODER

_SINGLE = 1e-6  # what Blender's single precision may take from a distance


def settled_distances(
    values: Mapping[str, Any], spelled: Callable[[str], str] = str
) -> dict[str, float]:
    """What ``distance`` and ``second_distance`` stand for, by these names; 0 without a second.

    values: of a request, by its fields' names. UserError, in the words of ``spelled``, for demands
    that contradict one another, or of an encoder that is not there or not known well enough.
    """
    first = find_encoder(values[ENCODER.name])
    named = values.get(SECOND_ENCODER.name)
    if not named:
        if values.get(SECOND_DISTANCE.name):
            raise UserError(
                f"{spelled(SECOND_DISTANCE.name)} {values[SECOND_DISTANCE.name]:g} is of no"
                f" encoder; name it by {spelled(SECOND_ENCODER.name)}"
            )
        return {
            DISTANCE.name: _settled(DISTANCE.name, first, values, spelled),
            SECOND_DISTANCE.name: 0.0,
        }
    second = find_encoder(named)
    if second.key == first.key:
        raise UserError(
            f"{spelled(SECOND_ENCODER.name)} {named} is the first encoder, too; name another"
        )
    return {
        name: _settled(name, encoder, values, spelled)
        for name, encoder in ((DISTANCE.name, first), (SECOND_DISTANCE.name, second))
    }


def _settled(
    name: str, encoder: EncoderSource, values: Mapping[str, Any], spelled: Callable[[str], str]
) -> float:
    """The distance that an encoder's field stands for."""
    demanded, share = values.get(name), values.get(PEOPLE_QUANTILE.name)
    if not share:
        return float(demanded or encoder.threshold)
    try:
        meant = people_distance(encoder, share)
    except UserError as error:
        raise error.within(f"{spelled(PEOPLE_QUANTILE.name)} {share:g}") from None
    if demanded and abs(demanded - meant) > _SINGLE:
        raise UserError(
            f"{spelled(name)} {demanded:g} and {spelled(PEOPLE_QUANTILE.name)} {share:g} are two"
            " demands; give one of them"
        )
    return float(demanded or meant)
