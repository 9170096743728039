# SPDX-License-Identifier: GPL-3.0-or-later
"""Wavefront OBJ files of heads that share their faces."""

from typing import Annotated, TextIO

import numpy as np

from facegen_addon.arrays import IndexArray, RealArray


class ObjWriter:
    """Writes one head after another; the text of faces and UVs is made once.

    faces (F, C); uv (F, C, 2) per corner in [0, 1], or None. Lengths as they come, 1 micrometre.
    """

    def __init__(
        self, faces: Annotated[IndexArray, "F C"], uv: Annotated[RealArray, "F C 2"] | None
    ) -> None:
        corners, count = np.asarray(faces).reshape(-1) + 1, faces.shape[1]
        if uv is None:
            self._uv_text = ""
            line = f"f {' '.join(['%d'] * count)}\n"
            self._face_text = line * len(faces) % tuple(corners.tolist())
            return
        points, index = np.unique(uv.reshape(-1, 2), axis=0, return_inverse=True)
        self._uv_text = "vt %.6f %.6f\n" * len(points) % tuple(points.ravel().tolist())
        pairs = np.stack([corners, index.reshape(-1) + 1], axis=1)
        line = f"f {' '.join(['%d/%d'] * count)}\n"
        self._face_text = line * len(faces) % tuple(pairs.ravel().tolist())

    def write(self, stream: TextIO, vertices: Annotated[RealArray, "V 3"]) -> None:
        """Write one head's vertices (V, 3), metres, and the faces."""
        stream.write("# FaceGen\no head\n")
        stream.write("v %.6f %.6f %.6f\n" * len(vertices) % tuple(vertices.ravel().tolist()))
        stream.write(self._uv_text)
        stream.write(self._face_text)
