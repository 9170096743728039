# SPDX-License-Identifier: GPL-3.0-or-later
"""Products and solutions are those of linear algebra, without its threads."""

from pathlib import Path

import numpy as np
import pytest

from facegen_addon.heads.products import gram, product, solve_positive
from tests.on_threads import printed_on_threads

DRESS = """
import hashlib
from dataclasses import replace
from facegen_addon.heads.flame import dressing, registration
from facegen_addon.heads.flame.open_head import open_flame

registration._MODEL_STEPS = registration._MODEL_STEPS[:1]
registration._FREE_STEPS = registration._FREE_STEPS[:0]
flame, donor = open_flame()
other = replace(flame, shape_basis=flame.shape_basis[..., :20])
arrays = dressing.to_arrays(dressing.dress(other, flame, donor))
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays.values())).hexdigest())
"""
"""A fit of one step, to the open head with fewer components."""


def test_products(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((30, 7)), rng.standard_normal((30, 5))
    np.testing.assert_allclose(gram(a, b), a.T @ b, atol=1e-12)
    np.testing.assert_allclose(product(a.T, b), a.T @ b, atol=1e-12)
    assert product(a.T.astype(np.float32), b.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("size", [1, 4, 67])
def test_solutions(rng: np.random.Generator, size: int) -> None:
    factor = rng.standard_normal((size + 10, size)) * np.geomspace(1.0, 1e-3, size)
    left, right = factor.T @ factor, rng.standard_normal((size, 3))
    kept = left.copy(), right.copy()
    np.testing.assert_allclose(solve_positive(left, right), np.linalg.solve(left, right), rtol=1e-6)
    assert np.array_equal(left, kept[0]) and np.array_equal(right, kept[1])


def test_no_number_of_threads_changes_a_dressing(project: Path) -> None:
    dressings = printed_on_threads(project, DRESS)
    assert dressings[0] == dressings[1]
