# SPDX-License-Identifier: GPL-3.0-or-later
"""What annotations say of shapes is true of every call in the tests; here: that it is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, NamedTuple

import numpy as np
import pytest

from facegen_addon.arrays import FloatArray
from facegen_addon.encoders.face_crop import face_box
from facegen_addon.errors import UserError
from facegen_addon.latent import sphere
from tests.shapes import check_class, checked


def add_columns(
    matrix: Annotated[FloatArray, "N 3"], weights: Annotated[FloatArray, "N"] | None
) -> tuple[Annotated[FloatArray, "N"], Annotated[FloatArray, "N+1"]]:
    """Two results, the second one longer."""
    total = matrix.sum(1) if weights is None else matrix.sum(1) * weights
    return total, np.append(total, [0.0] * (2 if total.sum() > 10 else 1))


add_columns = checked(add_columns, globals())


class Middle(NamedTuple):
    """A point."""

    point: Annotated[FloatArray, "3"]


@dataclass(frozen=True)
class Cloud:
    """Points and a weight each."""

    points: Annotated[FloatArray, "N 3"]
    weights: Annotated[FloatArray, "N"]

    @cached_property
    def heavy(self) -> Annotated[FloatArray, "M 3"]:
        """Flat, which is wrong."""
        return self.points.ravel()


check_class(Cloud)
check_class(Middle)


def test_shapes_that_agree_pass() -> None:
    total, longer = add_columns(np.ones((2, 3)), np.ones(2))
    assert (len(total), len(longer)) == (2, 3)
    add_columns(np.ones((2, 3)), None)
    Cloud(np.ones((4, 3)), np.ones(4))


@pytest.mark.parametrize(
    ("matrix", "weights"),
    [
        (np.ones((2, 4)), None),
        (np.ones((1, 2, 3)), None),
        (np.ones((2, 3)), np.ones(1)),
        (np.full((2, 3), 9.0), None),
    ],
    ids=["width", "axes", "letter", "result"],
)
def test_shapes_that_do_not_agree_are_named(matrix: FloatArray, weights: FloatArray | None) -> None:
    with pytest.raises(AssertionError, match="add_columns: "):
        add_columns(matrix, weights)


def test_dataclasses_tuples_and_properties_are_looked_at() -> None:
    with pytest.raises(AssertionError, match=r"Cloud.*weights is \(3,\)"):
        Cloud(np.ones((4, 3)), np.ones(3))
    with pytest.raises(AssertionError, match=r"Middle.*point is \(4,\)"):
        Middle(np.ones(4))
    with pytest.raises(AssertionError, match="heavy"):
        assert Cloud(np.ones((4, 3)), np.ones(4)).heavy.size


def test_the_library_is_watched() -> None:
    with pytest.raises(AssertionError, match="cosine_distance_matrix: b is"):
        sphere.cosine_distance_matrix(np.ones((2, 4)), np.ones(4))


def test_what_a_function_refuses_by_itself_is_its_own_affair() -> None:
    with pytest.raises(UserError):
        face_box(np.ones((68, 2)))
