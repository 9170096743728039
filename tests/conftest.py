# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of all rooms share."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from tests import shapes

PROJECT = Path(__file__).resolve().parents[1]


# Before anything of the library is imported.
shapes.watch()

# How long an example takes says how busy the machine is.
settings.register_profile("facegen", deadline=None)
settings.load_profile("facegen")

_status = 0


def pytest_sessionfinish(exitstatus: int) -> None:
    """Remember how the tests ended."""
    global _status
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Leave at once where Blender's module was used.

    At an ordinary end bpy 4.2 crashes once an operator has run, and 4.5 waits for ever for its
    sound thread once a test has failed.
    """
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_status)


@pytest.fixture(scope="session", autouse=True)
def user_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Caches of loaded models go here, never to the folder of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("user")
        patch.setenv("FACEGEN_DATA", str(folder))
        yield folder


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root folder."""
    return PROJECT


def _shared(part: str, what: str) -> Path:
    """A folder of what lies beside the project (environment variable FACEGEN_SHARED overrides)."""
    shared = os.environ.get("FACEGEN_SHARED")
    folder = (Path(shared) if shared else PROJECT.parent / "shared") / part
    if not folder.is_dir():
        pytest.skip(f"{what} not found: {folder} (set FACEGEN_SHARED)")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The research data."""
    return _shared("data", "research data")


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """Small inputs that failed in the field."""
    return _shared("cases", "cases")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(20261122)
