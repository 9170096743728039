# SPDX-License-Identifier: GPL-3.0-or-later
"""What the farm and its render processes say to one another, over a pipe between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegen_addon.arrays import FloatArray
from facegen_addon.labels.camera import Camera
from facegen_addon.labels.shot import Shot

PIPE_VARIABLE = "FACEGEN_FARM_PIPE"
"""Environment variable with the number of the open pipe."""


@dataclass(frozen=True)
class SetUp:
    """What a render process is told first. model: name or FLAME file; settings: keyword arguments
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
class Ready:
    """The render process waits for jobs. device: what Cycles renders on."""

    device: str


@dataclass(frozen=True)
class Begun:
    """A job is being rendered: if nothing more is heard, it is the one that did the harm."""

    index: int


@dataclass(frozen=True)
class Done:
    """A rendered sample.

    image (H, W, 3) uint8; image_file: its bytes; points (5, 2), box (4,) pixels; labels: members
    (suffix, content); check: the label check's problems and figures, None where it was not made.
    """

    index: int
    attempt: int
    image: NDArray[np.uint8]
    image_file: bytes
    camera: Camera
    points: FloatArray
    box: tuple[float, float, float, float]
    shows_face: bool
    labels: list[tuple[str, bytes]]
    check: dict[str, Any] | None


@dataclass(frozen=True)
class Broken:
    """Nothing can be rendered until the user has put this right, e.g. a picture is unreadable."""

    message: str
