# SPDX-License-Identifier: GPL-3.0-or-later
"""Render what the landmark network learns from: out/landmarks/NAME of each distribution of heads.

    .venv/bin/python -m models.training.landmarks.make_set --count 600

The recipe is recipe.toml, with three views of each head. Distributions take turns, a shard each, so
that a run that is stopped has as many images of each; the same command goes on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from facegen_addon.choices import DISTRIBUTIONS
from facegen_addon.terminal.process import run_process

DEFAULT_FOLDER = Path("out/landmarks")
SHARD = 200
_VIEWS = 3
_ROOT = Path(__file__).resolve().parents[3]
_RECIPE = Path(__file__).with_name("recipe.toml")


def recipe_of(distribution: str) -> str:
    """The recipe's text for one distribution of heads."""
    heads = f'[heads]\ndistribution = "{distribution}"\nviews = {_VIEWS}\n\n'
    return heads + _RECIPE.read_text("utf-8")


def make(folder: Path, count: int, shard_size: int, workers: int) -> int:
    """Render what is missing of `count` images of each distribution; the first bad exit status."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = -(-count // shard_size)
    for shard in range(shards):
        for distribution in DISTRIBUTIONS:
            recipe = folder / f"{distribution}.toml"
            recipe.write_text(recipe_of(distribution), "utf-8")
            command = [
                sys.executable, str(_ROOT / "batch" / "run.py"), "dataset", "make",
                "--recipe", str(recipe), "--count", str(count), "--shard-size", str(shard_size),
                "--shard", f"{shard}/{shards}", "--workers", str(workers), "--resume",
                "--output", str(folder / distribution),
            ]  # fmt: skip
            status = subprocess.run(command, check=False).returncode
            if status:
                return status
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=800, help="images of each distribution")
    parser.add_argument("--shard-size", type=int, default=SHARD, help="images a shard")
    parser.add_argument("--workers", type=int, default=2, help="render processes")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
    options = parser.parse_args(arguments)
    return make(options.folder, options.count, options.shard_size, options.workers)


if __name__ == "__main__":
    run_process(main, "make_set")
