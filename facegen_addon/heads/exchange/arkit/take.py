# SPDX-License-Identifier: GPL-3.0-or-later
"""A take: ARKit's 52 curves over time, whatever a file calls them, and turns of head and eyes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np

from ....arrays import FloatArray
from ....errors import UserError

_SIDED = [
    "browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut",
    "eyeLookUp", "eyeSquint", "eyeWide", "jaw", "mouth", "mouthDimple", "mouthFrown",
    "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer",
]  # fmt: skip
_UNSIDED = [
    "browInnerUp", "cheekPuff", "jawForward", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "tongueOut",
]  # fmt: skip
NAMES = tuple(sorted([*_UNSIDED, *(name + side for name in _SIDED for side in ("Left", "Right"))]))
"""ARKit's names of the 52 blend shapes, ARFaceAnchor.BlendShapeLocation."""

GAZE_NAMES = frozenset(name for name in NAMES if name.startswith("eyeLook"))
"""The curves that say where the eyes look."""

_BY_KEY = {name.lower(): name for name in NAMES} | {
    re.sub(r"(left|right)$", lambda side: side[0][0], name.lower()): name for name in NAMES
}
_PREFIX = re.compile(r"^(?:blend_?shapes?|arkit|face)[._:]", re.IGNORECASE)
_NEUTRAL = {"neutral", ""}
"""Names of MediaPipe's first curve, which is no blend shape; it has no tongueOut."""


def canonical(name: str) -> str | None:
    """ARKit's name of a curve that a file calls ``EyeBlinkLeft``, ``eyeBlink_L`` or the like; None
    if it is no blend shape of ARKit's."""
    return _BY_KEY.get(plain(name))


def plain(name: str) -> str:
    """A name in small letters, without prefix and separators: what spellings have in common."""
    return re.sub(r"[\W_]", "", _PREFIX.sub("", name.strip())).lower()


@dataclass(frozen=True)
class Take:
    """N frames of one face.

    source: who writes such files; weights: ARKit's name -> (N,), 0 to 1, as the file has them;
    turns: of "head", "left_eye" and "right_eye", where the file has them, (N, 3) radians down, to
    the subject's left, and of the crown towards the subject's right shoulder; times: seconds (N,)
    from the first frame, None where the file does not say; notes: what was ignored; warnings: what
    may be other than its author meant.
    """

    source: str
    weights: Mapping[str, Annotated[FloatArray, "N"]]
    turns: Mapping[str, Annotated[FloatArray, "N 3"]] = field(default_factory=dict)
    times: Annotated[FloatArray, "N"] | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """How many frames there are."""
        return len(next(iter(self.weights.values())))


def weights_by_name(
    names: Iterable[str], values: Annotated[FloatArray, "N K"], path: Path
) -> tuple[dict[str, Annotated[FloatArray, "N"]], list[str], list[str]]:
    """Sort columns (N, K) of a file's names by ARKit's: weights, notes and warnings of a take.

    UserError if no name is ARKit's, two of them mean the same, there is no frame, or a weight is
    not finite or of no known scale.
    """
    columns: dict[str, int] = {}
    strange = []
    for column, given in enumerate(names):
        name = canonical(given)
        if name is None:
            strange.append(given)
        elif name in columns:
            raise UserError(f"{path}: two of its curves are {name}; remove or rename one")
        else:
            columns[name] = column
    _check_names(columns, strange, path)
    if not len(values):
        raise UserError(f"{path} has no frame of a face; record again")
    chosen = np.asarray(values, np.float64)[:, list(columns.values())]
    _check_finite(chosen, list(columns), path)
    notes, warnings = _on_names(columns, strange), []
    top = chosen.max()
    if top > 2.0:  # no tracker goes beyond 1 by so much, but some count in per cent
        if top > 100.0:
            raise UserError(
                f"{path}: weights go up to {top:g}; expected 0 to 1, or per cent from 0 to 100"
            )
        chosen = chosen / 100.0
        warnings.append(f"weights up to {top:g} are read as per cent")
    return dict(zip(columns, chosen.T, strict=True)), notes, warnings


def _check_names(columns: Mapping[str, int], strange: list[str], path: Path) -> None:
    if columns:
        return
    if strange and all(_is_number(name) for name in strange):
        raise UserError(
            f"{path} has numbers without names, and tools order the curves differently; save it"
            " with a line of names such as jawOpen"
        )
    raise UserError(
        f"{path} has the names {_listed(strange)}, none of which is one of ARKit's 52 blend shapes"
        " (jawOpen, eyeBlinkLeft, ...)"
    )


def _check_finite(values: FloatArray, names: list[str], path: Path) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        frame, column = np.argwhere(bad)[0]
        raise UserError(
            f"{path}: {names[column]} of frame {frame} is {values[frame, column]}; expected a"
            " number from 0 to 1"
        )


def _on_names(columns: Mapping[str, int], strange: list[str]) -> list[str]:
    notes = []
    ignored = [name for name in strange if plain(name) not in _NEUTRAL]
    if ignored:
        notes.append(f"ignored: {_listed(ignored)}")
    missing = [name for name in NAMES if name not in columns]
    if missing:
        notes.append(f"not in the file, left at 0: {_listed(missing)}")
    return notes


def _listed(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    shown = (" ".join(name.split())[:40] for name in names[:most])  # a name may be anything
    return (", ".join(shown) or "nothing") + more


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
