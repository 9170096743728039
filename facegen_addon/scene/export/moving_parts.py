# SPDX-License-Identifier: GPL-3.0-or-later
"""A head with shape keys as several objects, each with the keys that move it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...arrays import BoolArray
from .part import Part, ShapeKeys, compact

_MOVED = 1e-5  # metres; a part that a key moves nowhere as far does without it


def moving_parts(head: Part) -> tuple[Part, ...]:
    """The head as a part for each of its looks, called by it; the first keeps the head's name.

    Eyes, teeth and tongue have next to no keys, which else would each hold all of their vertices.
    A head without keys stays whole. Keys that move nothing at all stay with the first part, so
    that a program that looks for the 52 of ARKit finds each somewhere.
    """
    if head.keys is None:
        return (head,)
    parts = [_with_look(head, number) for number in range(len(head.looks))]
    moved = [_moved(part.keys) for part in parts]
    moved[0] |= ~np.any(moved, axis=0)
    return tuple(
        replace(part, keys=_kept(part.keys, wanted))
        for part, wanted in zip(parts, moved, strict=True)
    )


def _with_look(head: Part, number: int) -> Part:
    of_look = head.look_of_face == number
    of_one = replace(
        head,
        name=head.looks[number].name if number else head.name,
        faces=head.faces[of_look],
        uv=head.uv[of_look],
        looks=(head.looks[number],),
        look_of_face=np.zeros(int(of_look.sum()), np.int32),
    )
    return compact(of_one)


def _moved(keys: ShapeKeys | None) -> BoolArray:
    """Which keys (K,) move anything."""
    assert keys is not None, "a head without keys stays whole"
    moved: BoolArray = np.linalg.norm(keys.offsets, axis=2).max(1) >= _MOVED
    return moved


def _kept(keys: ShapeKeys | None, wanted: BoolArray) -> ShapeKeys | None:
    """The keys that are wanted (K,); None if none is."""
    if keys is None or not wanted.any():
        return None
    names = tuple(name for name, kept in zip(keys.names, wanted, strict=True) if kept)
    return ShapeKeys(names, keys.offsets[wanted], keys.values[wanted], keys.lowest[wanted])
