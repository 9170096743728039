# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages between a farm and its render processes, by a pool (terminal/pool.py)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from facegen_addon.arrays import ByteArray, FloatArray
from facegen_addon.labels.camera import Camera
from facegen_addon.labels.shot import Shot


@dataclass(frozen=True)
class SetUp:
    """The first message to a render process. model: name or FLAME file; settings: keyword arguments
    of scene.sample_renderer.SampleSettings; dense: dense landmarks; pictures: path -> sha256 of the
    files that shots name."""

    model: str
    settings: dict[str, Any]
    dense: int
    pictures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One sample to render, the attempt-th time; checked: whether its labels are checked."""

    index: int
    attempt: int
    shot: Shot
    checked: bool


@dataclass(frozen=True)
class Done:
    """A rendered sample.

    image (H, W, 3) uint8; image_file: its bytes; points (5, 2), box (4,) pixels; labels: members
    (suffix, content); check: the label check's problems and figures, None where it was not made.
    """

    index: int
    attempt: int
    image: Annotated[ByteArray, "H W 3"]
    image_file: bytes
    camera: Camera
    points: Annotated[FloatArray, "5 2"]
    box: tuple[float, float, float, float]
    shows_face: bool
    labels: list[tuple[str, bytes]]
    check: dict[str, Any] | None
