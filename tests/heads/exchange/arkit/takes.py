# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings of ARKit's curves as apps write them, made of random numbers."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from facegen_addon.heads.exchange.arkit.take import NAMES

TURNS = tuple(
    f"{part}{axis}" for part in ("Head", "LeftEye", "RightEye") for axis in ("Yaw", "Pitch", "Roll")
)
PASCAL = tuple(name[0].upper() + name[1:] for name in NAMES)


def weights(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Weights (N, 52) in NAMES' order, as exact in text as in memory."""
    return np.round(rng.random((frames, len(NAMES))), 6)


def live_link(
    path: Path,
    values: np.ndarray,
    turns: np.ndarray | None = None,
    lost: Mapping[int, int] | None = None,
    step: float = 1.0,
) -> Path:
    """Live Link Face's .csv of weights (N, 52) and turns (N, 9); ``lost``: frames without a face
    after these; ``step``: of the timecode, whose second has 60 frames."""
    turns = np.zeros((len(values), len(TURNS))) if turns is None else turns
    lines = [",".join(["Timecode", "BlendShapeCount", *PASCAL, *TURNS])]
    moment = 58 * 60.0
    for frame, row in enumerate(np.hstack([values, turns])):
        lines.append(",".join([_timecode(moment), "61", *(f"{v:.10f}" for v in row)]))
        moment += step
        for _ in range((lost or {}).get(frame, 0)):
            lines.append(f"{_timecode(moment)},0")
            moment += step
    path.write_text("\n".join(lines) + "\n")
    return path


def _timecode(moment: float) -> str:
    seconds, frame = divmod(moment, 60.0)
    return f"16:{47 + int(seconds // 60)}:{int(seconds % 60):02d}:{frame:06.3f}"


def short(name: str) -> str:
    """`eyeBlink_L` of `eyeBlinkLeft`: Face Cap's, iFacialMocap's and ARKit's own raw names."""
    for side in ("Left", "Right"):
        if name.endswith(side) and not name.startswith(("jaw", "mouthLeft", "mouthRight")):
            return f"{name.removesuffix(side)}_{side[0]}"
    return name


def face_cap(path: Path, values: np.ndarray, milliseconds: float = 1000 / 60) -> Path:
    """Face Cap's .txt: the head turned 10 degrees down, 20 to the left and 5 to the right."""
    lines = ["info,Sample,1", "bs," + ",".join(map(short, NAMES))]
    for frame, row in enumerate(values):
        numbers = [frame * milliseconds, 0, 0, -40, 10, 20, 5, 1, 2, 3, 4, *row]
        lines.append("k," + ",".join(map(str, numbers)))
    path.write_text("\n".join(lines))
    return path


def packets(path: Path, values: np.ndarray) -> Path:
    """iFacialMocap's packets, in per cent."""
    lines = [
        "trackingStatus-1|"
        + "|".join(f"{short(n)}-{round(100 * v)}" for n, v in zip(NAMES, row, strict=True))
        + "|=head#1.5,-2,3.25,0.1,-0.2,0.3|rightEye#1,2,3|leftEye#1,2,3|"
        for row in values
    ]
    path.write_text("\n".join(lines))
    return path


def forms(values: np.ndarray) -> dict[str, object]:
    """The same frames in every form of JSON that is read; all but the first say 30 a second."""
    rows = values.tolist()
    faces = [dict(zip(NAMES, row, strict=True)) for row in rows]
    categories = [
        [{"index": 0, "categoryName": "_neutral", "score": 1e-6, "displayName": ""}]
        + [{"categoryName": n, "score": v} for n, v in face.items()]
        for face in faces
    ]
    return {
        "faces": faces,
        "frames": {"fps": 30, "frames": faces},
        "matrix": {"names": list(PASCAL), "weights": rows, "fps": 30},
        "audio2face": {
            "exportFps": 30, "trackPath": "a.wav", "numPoses": 52, "numFrames": len(rows),
            "facsNames": list(NAMES), "weightMat": rows,
        },
        "columns": {"fps": 30, **dict(zip(map(short, NAMES), values.T.tolist(), strict=True))},
        "nested": {"fps": 30, "frames": [{"timestamp": 1, "blendShapes": face} for face in faces]},
        "times": [{"timestampMs": 1000 * i / 30, **face} for i, face in enumerate(faces)],
        "mediapipe": {"fps": 30, "frames": categories},
        "mediapipe results": [
            {"timestampMs": 1000 * i / 30, "faceBlendshapes": [{"categories": found}]}
            for i, found in enumerate(categories)
        ],
    }  # fmt: skip


def write_json(path: Path, content: object, encoding: str = "utf-8") -> Path:
    """A .json file."""
    path.write_bytes(json.dumps(content).encode(encoding))
    return path
