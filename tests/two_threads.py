# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenBLAS with two threads, as inside Blender, whatever OPENBLAS_NUM_THREADS says."""

from collections.abc import Iterator

import pytest

from facegen_addon import blas_threads


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Skips where NumPy has no OpenBLAS, or one that was built for a single thread."""
    openblas = blas_threads._openblas()
    if openblas is None:
        pytest.skip("NumPy has no OpenBLAS here")
    usual = openblas.get()
    openblas.set(2)
    if openblas.get() != 2:
        pytest.skip("this OpenBLAS has one thread")
    yield
    openblas.set(usual)
