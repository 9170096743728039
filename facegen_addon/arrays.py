# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of arrays, one name each; shapes stand in the docstrings of what takes and gives them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
IntArray = NDArray[np.intp]
