# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of arrays, one name each.

A shape stands beside the type, in jaxtyping's words: ``Annotated[FloatArray, "N 3"]`` has any
number of rows, three wide; a letter means the same number in all arguments and results of one
function, ``...`` any number of axes, ``V+1`` one more than V. Nothing checks them where the
library is used: the tests do (tests/shapes.py).
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
RealArray = NDArray[np.floating]
"""Of any float type, where the taker converts."""
IntArray = NDArray[np.intp]
Int32Array = NDArray[np.int32]
IndexArray = NDArray[np.integer]
"""Of any integer type, where the taker looks something up with it, such as a mesh's vertices."""
BoolArray = NDArray[np.bool_]
ByteArray = NDArray[np.uint8]
AnyArray = NDArray[Any]
"""Of any type: what a file holds, before it is looked at."""

Real = TypeVar("Real", np.float32, np.float64)
"""Single or double precision, the same in all ``NDArray[Real]`` of one function."""
