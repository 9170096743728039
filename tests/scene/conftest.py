# SPDX-License-Identifier: GPL-3.0-or-later
"""Each test starts from Blender's empty file."""

from collections.abc import Iterator

import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

import facegen_addon


@pytest.fixture(autouse=True)
def empty_file() -> Iterator[None]:
    """An empty file, the add-on registered while the test runs."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    facegen_addon.register()
    yield
    facegen_addon.unregister()
