# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of ARKit's curves: those that Live Link Face, Face Cap and others write.

=================  ============================================================================
Live Link Face     .csv: ``Timecode,BlendShapeCount,EyeBlinkLeft,...``; rotations in radians
Audio2Face         .json: ``facsNames``, ``weightMat``, ``exportFps``; .csv with ``timeCode``
Face Cap           .txt: lines ``bs`` with names and ``k`` with milliseconds, degrees and weights
iFacialMocap       .txt: its packets, ``eyeBlink_L-50|...``, one a line, in per cent
MediaPipe          .json: lists of ``categoryName`` and ``score``
any                .json: name to weight; a list of such frames; names and a list of weights
=================  ============================================================================

See docs/animation.md. Names may be spelled jawOpen, JawOpen, jaw_open; eyeBlinkLeft, eyeBlink_L.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ....arrays import FloatArray
from ....artifacts import read_file
from ....errors import UserError
from .json_take import take_from_json
from .take import Take, plain, weights_by_name
from .timecode import seconds_of

_REMEDY = "give a .csv, .json or .txt file with ARKit's blend shapes"

_TURNS = {
    "head": ("headpitch", "headyaw", "headroll"),
    "left_eye": ("lefteyepitch", "lefteyeyaw", "lefteyeroll"),
    "right_eye": ("righteyepitch", "righteyeyaw", "righteyeroll"),
}
_LIVE_LINK_SIGNS = {
    "head": np.array([-1.0, -1.0, -1.0]),
    "left_eye": np.array([1.0, -1.0, -1.0]),
    "right_eye": np.array([1.0, -1.0, -1.0]),
}
"""Live Link Face counts the head's pitch upwards but the eyes' downwards, yaw to the subject's
right and roll towards the left shoulder; a Take down, to the left and to the right shoulder."""
_ROTATIONS = {name for names in _TURNS.values() for name in names}
_MOST_RADIANS = 3.2  # half a turn; more can only be degrees

_PACKET = re.compile(r"\|?\s*([A-Za-z_]+)\s*[-&]\s*(-?\d+(?:\.\d+)?)\s*(?=\||$)")


def read_take(path: Path) -> Take:
    """Read a file of ARKit's curves; UserError, in one line, if it is none or is damaged."""
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; {_REMEDY}")
    text = _decoded(read_file(path, _REMEDY), path)
    start = text.lstrip()[:1]
    if not start:
        raise UserError(f"{path} is empty; {_REMEDY}")
    if start in "{[":
        return take_from_json(text, path)
    lines = [line for line in text.splitlines() if line.strip()]
    if lines[0].split(",")[0] in ("info", "bs", "k"):
        return _from_face_cap(lines, path)
    if "|" in lines[0] and _PACKET.search(lines[0]):
        return _from_packets(lines, path)
    return _from_table(lines, path)


def check_no_take(path: Path, reader: str) -> None:
    """Refuse a file of ARKit's curves by a UserError that names ``reader``, which reads it."""
    try:
        read_take(path)
    except UserError:
        return
    raise UserError(
        f"{path} holds ARKit's blend shapes, not FLAME parameters; read it with {reader}"
    )


def _decoded(data: bytes, path: Path) -> str:
    """Text in UTF-8 or, where a byte order mark says so, UTF-16."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UserError(f"{path} is not a text file; {_REMEDY}")
    return text


def _from_table(lines: list[str], path: Path) -> Take:
    """A table with a line of names: Live Link Face's, or any other with ARKit's names."""
    delimiter = max(",;\t", key=lines[0].count)
    rows = list(csv.reader(lines, delimiter=delimiter))
    header = [name.strip() for name in rows[0]]
    keys = [plain(name) for name in header]
    count = keys.index("blendshapecount") if "blendshapecount" in keys else None
    seen, lost = [], 0
    for number, row in enumerate(rows[1:], start=2):
        # A frame in which Live Link Face lost the face ends after a count of 0.
        if count is not None and len(row) > count and row[count].strip() in ("0", "0.0"):
            lost += 1
            continue
        if len(row) != len(header):
            raise UserError(
                f"{path}: line {number} has {len(row)} values, the first line {len(header)} names;"
                " it may have been cut short"
            )
        seen.append(row)
    time = next((keys.index(key) for key in ("timecode", "time") if key in keys), None)
    curves = [column for column in range(len(header)) if column not in (time, count)]
    kept = [column for column in curves if keys[column] not in _ROTATIONS]
    weights, notes, warnings = weights_by_name(
        [header[column] for column in kept], _numbers(seen, kept, header, delimiter, path), path
    )
    source = "live_link_face" if count is not None else "table"
    turns, said = _turns(seen, keys, header, delimiter, path)
    if count is not None and (counts := {row[count].strip() for row in seen}) != {str(len(curves))}:
        said.append(
            f"BlendShapeCount says {' and '.join(sorted(counts)[:3])}, there are {len(curves)}"
            " curves"
        )
    if lost:
        notes.append(f"{lost} frames without a face are left out")
    times = None if time is None else seconds_of([row[time] for row in seen])
    if time is not None and times is None:
        said.append(f"{header[time]} does not increase as a timecode does and is not used")
    return Take(source, weights, turns, times, notes, warnings + said)


def _numbers(
    rows: Sequence[Sequence[str]],
    columns: Sequence[int],
    header: Sequence[str],
    delimiter: str,
    path: Path,
) -> FloatArray:
    """These columns of a table (N, K); UserError names the field that is no number."""
    values = np.empty((len(rows), len(columns)))
    for frame, row in enumerate(rows):
        fields = [row[column] for column in columns]
        if delimiter == ";":  # as spreadsheets save where the comma is decimal
            fields = [value.replace(",", ".") for value in fields]
        try:
            values[frame] = np.array(fields, np.float64)
        except ValueError:
            name, value = next(
                (header[column], value)
                for column, value in zip(columns, fields, strict=True)
                if not _is_float(value)
            )
            raise UserError(
                f"{path}: {name} of frame {frame} is {value!r}; expected a number"
            ) from None
    return values


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _turns(
    rows: Sequence[Sequence[str]],
    keys: Sequence[str],
    header: Sequence[str],
    delimiter: str,
    path: Path,
) -> tuple[dict[str, FloatArray], list[str]]:
    """Turns of head and eyes for a Take, and warnings; columns that are all zero are no turn."""
    turns, warnings = {}, []
    for part, names in _TURNS.items():
        if not all(name in keys for name in names):
            continue
        columns = [keys.index(name) for name in names]
        values = _numbers(rows, columns, header, delimiter, path)
        if not np.isfinite(values).all():
            raise UserError(f"{path}: {header[columns[0]]} or its like is not finite")
        largest = np.abs(values).max(initial=0.0)
        if largest > _MOST_RADIANS:
            warnings.append(f"{part}: turns up to {largest:g} are read as degrees, not radians")
            values = np.radians(values)
        if largest > 0.0:
            turns[part] = values * _LIVE_LINK_SIGNS[part]
    return turns, warnings


def _from_face_cap(lines: Iterable[str], path: Path) -> Take:
    """Face Cap's recording: after `k` milliseconds, position, the head's turns, the eyes', weights.

    Turns are degrees down, to the left and to the right shoulder, two an eye.
    """
    names: list[str] = []
    keys: list[list[str]] = []
    for line in lines:
        kind, *fields = (field.strip() for field in line.rstrip(",").split(","))
        if kind == "bs":
            names = fields
        elif kind == "k":
            keys.append(fields)
    if not names:
        raise UserError(
            f"{path} has no line bs with the names of its curves, as Face Cap writes; export again"
        )
    header = ["time", "x", "y", "z", "rx", "ry", "rz", "lx", "ly", "ex", "ey", *names]
    for number, row in enumerate(keys):
        if len(row) != len(header):
            raise UserError(
                f"{path}: frame {number} has {len(row)} values; expected {len(header)}: time,"
                f" position, turns and {len(names)} weights"
            )
    values = _numbers(keys, range(len(header)), header, ",", path)
    weights, notes, warnings = weights_by_name(names, values[:, 11:], path)
    eyes = np.pad(np.radians(values[:, 7:11]).reshape(-1, 2, 2), ((0, 0), (0, 0), (0, 1)))
    turns = {
        "head": np.radians(values[:, 4:7]),
        "left_eye": eyes[:, 0],
        "right_eye": eyes[:, 1],
    }
    moments = [str(moment) for moment in values[:, 0] / 1000.0]
    notes.append("ignored: the head's position")
    return Take("face_cap", weights, turns, seconds_of(moments), notes, warnings)


def _from_packets(lines: Sequence[str], path: Path) -> Take:
    """iFacialMocap's packets, one a line: whole per cent; what follows `=` are head and eyes."""
    frames = [dict(_PACKET.findall(line.partition("=")[0])) for line in lines]
    for frame in frames:
        frame.pop("trackingStatus", None)
    names = list(frames[0])
    for number, frame in enumerate(frames):
        if set(frame) != set(names):
            raise UserError(
                f"{path}: line {number + 1} has other curves than the first; it may be cut short"
            )
    rows = [[frame[name] for name in names] for frame in frames]
    values = _numbers(rows, range(len(names)), names, "|", path) / 100.0
    weights, notes, warnings = weights_by_name(names, values, path)
    if "=" in lines[0]:
        notes.append("ignored: head and eyes of iFacialMocap, whose axes its version decides")
    return Take("ifacialmocap", weights, notes=notes, warnings=warnings)
