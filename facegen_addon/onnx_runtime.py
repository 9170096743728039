# SPDX-License-Identifier: GPL-3.0-or-later
"""The only door to ONNX Runtime, which from 1.29 on reports to its maker unless it is told not to.

Left alone it looks up a host on the internet and leaves a device's id and a database in the user's
cache folder and among the temporary files. tests/test_stays_at_home.py holds the door shut.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession as InferenceSession

_SWITCH = "ORT_DISABLE_TELEMETRY"


def onnx_runtime() -> ModuleType:
    """The module onnxruntime, without its telemetry. ModuleNotFoundError where it is missing."""
    # It looks at the switch once, when it is loaded; processes started from here inherit it.
    os.environ[_SWITCH] = "1"
    import onnxruntime

    # Another add-on of this Blender may have loaded it before, with the switch not set.
    onnxruntime.disable_telemetry_events()
    module: ModuleType = onnxruntime
    return module
