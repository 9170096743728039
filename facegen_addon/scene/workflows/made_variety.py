# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves in the scene what Generate Variety made, or why it failed, for whoever called it.

Both are plain custom properties, which any script can read and which a file keeps. Rows lie one
behind the other in flat arrays of the precision that they were made with, so that ten thousand
heads cost no object each and come back bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import bpy
import numpy as np

from ...arrays import AnyArray
from ...errors import Need, NotReached, Remedy, UserError
from ...variety.holding import Holding
from ...variety.result import GeneratedHead, Uncorrected, VarietyResult

MADE_KEY = "facegen_variety_made"
"""Group: ``model``, ``encoder``, ``seed``, ``count``; one row a head: ``index`` (1), ``parameters``
(P), ``achieved`` (D), ``points`` (5 x 2), ``box`` (4), where there are such ``requested`` (D),
``uncorrected_parameters`` (P), ``uncorrected_achieved`` (D); ``rendered``: (M, D); ``seconds``: a
group; ``looks``; ``holding``: a group of an encoder's Holding each; ``images``: a group of bytes,
S x S x 3 each, where they were asked for."""
ERROR_KEY = "facegen_variety_error"
"""Group: ``kind`` (the error's class), ``text`` (the line as reported), and ``fault``, ``remedy``
and ``subject``, of which the command line makes a line of its own."""

_COLUMNS = (
    "index", "parameters", "achieved", "points", "box", "requested",
    "uncorrected_parameters", "uncorrected_achieved",
)  # fmt: skip
_KINDS = {kind.__name__: kind for kind in (UserError, NotReached, KeyboardInterrupt)}


def keep(scene: bpy.types.Scene, result: VarietyResult, *, images: bool) -> None:
    """Leave what was made in the scene, in place of what was made before.

    The heads are taken out of ``result``, so that no picture is held twice.
    """
    heads = result.heads
    forget(scene)
    made = _new_group(scene, MADE_KEY)
    made["model"], made["encoder"] = result.model, result.encoder
    made["seed"], made["count"] = heads[0].seed, len(heads)
    made["index"] = [head.index for head in heads]
    for name in ("parameters", "achieved", "points"):
        made[name] = _flat(getattr(head, name) for head in heads)
    made["box"] = _flat(np.array(head.box, np.float64) for head in heads)
    requested = [head.requested for head in heads if head.requested is not None]
    if requested:
        made["requested"] = _flat(requested)
    first = [head.uncorrected for head in heads if head.uncorrected is not None]
    if first:
        made["uncorrected_parameters"] = _flat(head.parameters for head in first)
        made["uncorrected_achieved"] = _flat(head.achieved for head in first)
    made["rendered"] = _flat(result.rendered)
    made["seconds"], made["looks"] = dict(result.seconds), result.looks
    made["holding"] = {str(number): one.plain() for number, one in enumerate(result.holding)}
    heads.reverse()
    pictures = _new_group(made, "images") if images else None
    for number in range(len(heads)):
        head = heads.pop()
        if pictures is not None:
            pictures[str(number)] = head.image.tobytes()


def read(scene: bpy.types.Scene) -> VarietyResult:
    """The result of the last run that ended well; UserError if it is not, or not all, in the scene.

    An image is (0, 0, 3) where images were not asked for.
    """
    return _read(scene, lambda pictures, name: pictures[name])


def take(scene: bpy.types.Scene) -> VarietyResult:
    """Read the result and forget it, so that thousands of images are not held twice."""
    result = _read(scene, lambda pictures, name: pictures.pop(name))
    forget(scene)
    return result


def forget(scene: bpy.types.Scene) -> None:
    """Have the scene keep nothing of earlier runs."""
    for key in (MADE_KEY, ERROR_KEY):
        scene.pop(key, None)


def keep_error(scene: bpy.types.Scene, error: BaseException, text: str) -> None:
    """Leave in the scene why a run failed; ``text``: the line as it is reported."""
    need = getattr(error, "need", None)
    scene[ERROR_KEY] = {
        "kind": type(error).__name__,
        "text": text,
        "fault": str(error),
        "remedy": need.remedy.name if need else "",
        "subject": need.subject if need else "",
    }


def forget_error(scene: bpy.types.Scene) -> None:
    """Forget the error of an earlier run, as a new one begins."""
    scene.pop(ERROR_KEY, None)


def error_of(scene: bpy.types.Scene) -> BaseException | None:
    """The error that ended the last run, to be raised again; None if it ended well."""
    kept = scene.get(ERROR_KEY)
    if kept is None:
        return None
    kind = _KINDS.get(kept["kind"], UserError)
    if kind is UserError and kept["remedy"]:
        return UserError(kept["fault"], Need(Remedy[kept["remedy"]], kept["subject"]))
    return kind(kept["fault"])


def _new_group(owner: Any, key: str) -> Any:
    owner[key] = {}
    return owner[key]


def _flat(rows: Iterable[AnyArray]) -> AnyArray:
    """Arrays one behind the other, of the type that they have."""
    return np.concatenate([np.ravel(row) for row in rows])


def _read(scene: bpy.types.Scene, picture: Callable[[Any, str], bytes]) -> VarietyResult:
    try:
        made = scene[MADE_KEY]
        count = int(made["count"])
        columns = {name: _rows(made, name, count) for name in _COLUMNS if name in made}
        pictures = made.get("images")
        heads = [
            _head(
                {name: rows[number] for name, rows in columns.items()},
                made["seed"],
                b"" if pictures is None else picture(pictures, str(number)),
            )
            for number in range(count)
        ]
        rendered = np.array(made["rendered"]).reshape(-1, columns["achieved"].shape[1])
        # Scenes of earlier versions have neither.
        held = made["holding"].to_dict().values() if "holding" in made else ()
        return VarietyResult(
            made["model"],
            made["encoder"],
            heads,
            rendered,
            made["seconds"].to_dict(),
            made.get("looks", 0),
            tuple(Holding(**one) for one in held),
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        raise UserError("the scene has no variety: run facegen.generate_variety in it") from None


def _rows(made: Mapping[str, Any], name: str, count: int) -> AnyArray:
    return np.array(made[name]).reshape(count, -1)


def _head(row: Mapping[str, Any], seed: int, pixels: bytes) -> GeneratedHead:
    """The head of one row of the columns."""
    first = (
        Uncorrected(row["uncorrected_parameters"], row["uncorrected_achieved"])
        if "uncorrected_achieved" in row
        else None
    )
    side = math.isqrt(len(pixels) // 3)
    x0, y0, x1, y1 = map(float, row["box"])
    return GeneratedHead(
        int(row["index"][0]),
        seed,
        row["parameters"],
        row.get("requested"),
        row["achieved"],
        np.frombuffer(pixels, np.uint8).reshape(side, side, 3),
        row["points"].reshape(-1, 2),
        (x0, y0, x1, y1),
        first,
    )
