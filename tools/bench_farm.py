# SPDX-License-Identifier: GPL-3.0-or-later
"""What the farm costs beside Cycles, as ratios measured in one run: `make bench`.

    python -m tools.bench_farm                    images only and with labels, one and two processes
    python -m tools.bench_farm --memory 2000      memory of farm and render process over 2,000 heads

The bare loop has all heads ready in one scene, shows one after the other and calls Cycles. Farm and
bare loop take turns, block by block, so that a machine that slows down slows both alike.
"""

import argparse
import io
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from batch.dataset.batch_encoder import BatchEncoder
from batch.dataset.farm import Farm, render_pool
from batch.dataset.generate import render_settings
from batch.dataset.messages import SetUp
from batch.dataset.plan import Plan
from batch.dataset.recipe import Recipe
from batch.dataset.run_folder import RunFolder
from batch.dataset.status import EventLog, Status
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.heads.catalogue import DEFAULT_FLAME, load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.labels.shot import Shot
from facegen_addon.scene.render.sample_renderer import SampleRenderer, SampleSettings
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from tools.timing import Ratio, timed

_BLOCK = 12  # heads between two turns
_CORES = len(os.sched_getaffinity(0))


class Bench:
    """A farm with render processes of its own (a context manager), measured shard by shard."""

    def __init__(
        self, folder: Path, recipe: Recipe, shards: int, workers: int, threads: int
    ) -> None:
        self.plan = Plan(recipe, load_head_model(DEFAULT_FLAME), 0)
        self.settings = render_settings(recipe, "CPU", threads)
        request = {"count": shards * _BLOCK, "shard_size": _BLOCK, "seed": 0}
        run = RunFolder.begin(folder, request, [], recipe.to_toml(), replace=False)
        status = Status(shards * _BLOCK, EventLog(None), io.StringIO())
        self._farm = Farm(run, self.plan, BatchEncoder(Encoder.load(threads=1)), {}, status)
        set_up = SetUp(DEFAULT_FLAME, self.settings, recipe.labels.dense)
        self.pool = render_pool(workers, set_up, folder / "logs", 600.0)

    def __enter__(self) -> "Bench":
        self.pool.__enter__()
        self.make(0)  # processes have started and have rendered once
        return self

    def __exit__(self, *exception: Any) -> None:
        self.pool.__exit__(*exception)

    def make(self, shard: int) -> None:
        """Make one shard."""
        self._farm.make([shard], self.pool)

    def shots(self, shard: int) -> list[Shot]:
        """What is rendered for one shard."""
        return [self.plan.shot(i, 0) for i in range(shard * _BLOCK, (shard + 1) * _BLOCK)]


class BareLoop:
    """Heads that are ready in one scene, shown one after the other to a bare call of Cycles."""

    def __init__(self, model: HeadModel, settings: dict[str, Any], shots: Sequence[Shot]) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self._renderer = SampleRenderer(model, SampleSettings(**settings))
        self._scene = bpy.data.scenes[self._renderer.scene_name]
        self._ready = [self._copy_of(shot) for shot in shots]
        for shown in self._scene.objects:
            shown.hide_render |= shown.type in ("MESH", "CURVES")

    def _copy_of(self, shot: Shot) -> list[bpy.types.Object]:
        """What the renderer shows of a shot, kept as objects of their own."""
        self._renderer.render(shot)
        copies = []
        for shown in [o for o in self._scene.objects if not o.hide_render and o.type != "LIGHT"]:
            copy = shown.copy()
            copy.data = shown.data.copy()
            self._scene.collection.objects.link(copy)
            copy.hide_render = True
            copies.append(copy)
        return copies

    def render(self, number: int) -> None:
        """Have Cycles render one head."""
        for shown in self._ready[number]:
            shown.hide_render = False
            if shown.type == "CAMERA":
                self._scene.camera = shown
        bpy.ops.render.render(scene=self._scene.name)
        for shown in self._ready[number]:
            shown.hide_render = True

    def close(self) -> None:
        """Remove all."""
        self._renderer.close()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", type=int, default=3, help=f"of {_BLOCK} heads, a row")
    parser.add_argument("--memory", type=int, metavar="HEADS", help="measure memory instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="facegen-bench-") as name:
        if options.memory:
            measure_memory(Path(name), options.memory)
            return 0
        images, labels = recipe_with(labels=False), recipe_with(labels=True)
        against_bare(Path(name, "images"), images, options.shards, _CORES, "images only")
        against_bare(Path(name, "labels"), labels, options.shards, _CORES, "all labels")
        scaling(Path(name), images, options.shards)
    return 0


def recipe_with(labels: bool, size: int = 256, samples: int = 16) -> Recipe:
    """Portraits from the prior, which needs no time for B."""
    recipe = Recipe.read("portraits")
    return replace(
        recipe,
        heads=replace(recipe.heads, distribution="prior"),
        image=replace(recipe.image, size=(size, size), samples=samples),
        labels=replace(recipe.labels, on=labels),
        accept=replace(recipe.accept, face=False),
    )


def against_bare(folder: Path, recipe: Recipe, shards: int, cores: int, what: str) -> None:
    """One process on all cores beside a bare loop in this one."""
    with Bench(folder, recipe, 1 + shards, 1, cores) as bench:
        ours, bare = [], []
        for shard in range(1, 1 + shards):
            loop = BareLoop(bench.plan.model, bench.settings, bench.shots(shard))
            loop.render(0)
            ours.append(timed(partial(bench.make, shard))[0] / _BLOCK)
            bare += [timed(partial(loop.render, i))[0] for i in range(_BLOCK)]
            loop.close()
    print_speeds(f"farm, {what}", ours, "bare Cycles on the same scenes", bare)


def scaling(folder: Path, recipe: Recipe, shards: int) -> None:
    """One and two processes of one thread each, in turn."""
    with (
        Bench(folder / "one", recipe, 1 + shards, 1, 1) as one,
        Bench(folder / "two", recipe, 1 + shards, 2, 1) as two,
    ):
        times = [
            [timed(partial(bench.make, shard))[0] / _BLOCK for bench in (two, one)]
            for shard in range(1, 1 + shards)
        ]
    fast, slow = (list(column) for column in zip(*times, strict=True))
    print_speeds("two processes of one thread", fast, "one process of one thread", slow)


def print_speeds(name: str, ours: list[float], alternative: str, theirs: list[float]) -> None:
    """Print heads a second from two lists of seconds a head, and the first over the second."""
    a, b = 1.0 / float(np.mean(ours)), 1.0 / float(np.mean(theirs))
    print(Ratio(name, a, alternative, b, "heads/s"), flush=True)


def measure_memory(folder: Path, heads: int) -> None:
    """Resident memory of render process and farm, and by how much it grows."""
    recipe = recipe_with(labels=True, size=64, samples=1)
    shards = -(-heads // _BLOCK)
    bar = ProgressBar()
    with Bench(folder, recipe, shards, 1, _CORES) as bench:
        rows = []
        for shard in range(1, shards):
            bench.make(shard)
            rows.append([(shard + 1) * _BLOCK, resident(bench.pool.pids[0]), resident(os.getpid())])
            bar.update("measure memory", shard + 1, shards)
    done, *memory = np.array(rows[len(rows) // 10 :]).T  # caches fill at first
    for name, megabytes in zip(("render process", "farm"), memory, strict=True):
        last, first = float(megabytes[-1]), float(megabytes[0])
        what = f"memory of the {name} after {done[-1]:.0f} heads"
        print(Ratio(what, last, f"after {done[0]:.0f}", first, "MB"), flush=True)


def resident(process: int) -> float:
    """Megabytes that a process has in memory (Linux)."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    run_process(main, "bench_farm")
