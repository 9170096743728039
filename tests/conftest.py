# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of all rooms share."""

import os
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root folder."""
    return PROJECT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The research data beside the project (environment variable FACEGEN_SHARED overrides)."""
    shared = os.environ.get("FACEGEN_SHARED")
    folder = (Path(shared) if shared else PROJECT.parent / "shared") / "data"
    if not folder.is_dir():
        pytest.skip(f"research data not found: {folder} (set FACEGEN_SHARED)")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(20261122)
