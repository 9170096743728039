# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist waits for, beside how long that may take at most: part of `make bench`.

    python -m tools.bench_artist                     all
    python -m tools.bench_artist "Add Head" "A Preset"   these alone
    python -m tools.bench_artist --times 9

The panel's own operators, one process, without a window; medians. What the first head of a session
reads is read before, as `ui/warm_up.py` does in a window while somebody looks at the panel. Six
faces are by prediction, as who has just installed the extension makes them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import bpy
import numpy as np

import facegen_addon
from facegen_addon.errors import UserError
from facegen_addon.terminal.process import run_process
from facegen_addon.ui import warm_up
from tools.timing import Ratio, timed

MODEL = "person"
BAR = "at most"
_PRESETS = ("Ada", "Amara")
"""Two in turn: what stays as it is need not be written."""


@dataclass(frozen=True)
class Bar:
    """What an artist does, given a seed, and the seconds that it may take."""

    seconds: float
    act: Callable[[int], object]


def add_head(seed: int) -> None:
    """The mean head."""
    bpy.ops.facegen.add_head(model=MODEL)


def new_face(seed: int) -> None:
    """Somebody who could exist."""
    bpy.ops.facegen.new_face(model=MODEL, seed=seed, distribution="latent")


def preset(seed: int) -> None:
    """A shipped head in place of the active one."""
    bpy.ops.facegen.apply_preset(name=_PRESETS[seed % len(_PRESETS)])


def six_faces(seed: int) -> None:
    """Six people who differ."""
    bpy.ops.facegen.generate_variety(
        model=MODEL, count=6, seed=seed, predicted=True, distribution="latent"
    )


BARS: Mapping[str, Bar] = {
    "Add Head": Bar(1.0, add_head),
    "New Face": Bar(1.0, new_face),
    "A Preset": Bar(1.0, preset),
    "6 Different Faces": Bar(15.0, six_faces),
}
EXPORT, EXPORT_SECONDS, EXPORT_MEGABYTES = "glb with shape keys and cards", 5.0, 8.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit status. UserError for what is not known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join((*BARS, EXPORT)))
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in (*BARS, EXPORT):
            known = ", ".join((*BARS, EXPORT))
            raise UserError(f"nothing is measured by the name {name!r}: choose from {known}")
    chosen, times = options.names or (*BARS, EXPORT), max(1, options.times)
    bpy.ops.wm.read_factory_settings()
    facegen_addon.register()
    try:
        warm_up.prepare(MODEL)
        for name in chosen:
            for ratio in measured(name, times):
                print(ratio, flush=True)
    finally:
        facegen_addon.unregister()
    return 0


def measured(name: str, times: int) -> list[Ratio]:
    """The figures of one thing that an artist does, in a scene with one head."""
    clear()
    new_face(seed=1)
    if name == EXPORT:
        return exported(times)
    bar = BARS[name]
    taken = [timed(partial(bar.act, seed))[0] for seed in range(times)]
    return [Ratio(name, float(np.median(taken)), BAR, bar.seconds, "s")]


def exported(times: int) -> list[Ratio]:
    """Seconds, and megabytes, of a glb of the active head at level 0."""
    with tempfile.TemporaryDirectory(prefix="facegen-bench-") as folder:
        taken, sizes = [], []
        for number in range(times):
            path = Path(folder, f"{number}.glb")
            taken.append(timed(partial(export, path))[0])
            sizes.append(path.stat().st_size / 1e6)
    return [
        Ratio(EXPORT, float(np.median(taken)), BAR, EXPORT_SECONDS, "s"),
        Ratio(f"{EXPORT}, its size", float(np.median(sizes)), BAR, EXPORT_MEGABYTES, "MB"),
    ]


def export(path: Path) -> None:
    """All that a game may want, as the panel's export dialog begins."""
    bpy.ops.facegen.export_heads(
        filepath=str(path), format="glb", shape_keys=True, hair="cards", lod=0
    )


def clear() -> None:
    """Remove all objects and what only they used."""
    for found in list(bpy.data.objects):
        bpy.data.objects.remove(found)
    bpy.ops.outliner.orphans_purge()


if __name__ == "__main__":
    run_process(main, "bench_artist")
