# SPDX-License-Identifier: GPL-3.0-or-later
"""A large data set merged, gone on with and verified, with F replaced by a clock.

    python -m tools.million                         200,000 images of 20,000 heads: `make million`
    python -m tools.million --count 1000000 --shard-size 500

Two shards are made by the farm, by render processes that answer at once and an encoder that draws
its answers (tools.million_clock); the others are copies with other numbers and latents. Each
further step is a process of the command line: printed are its seconds and its peak memory.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from facegen_addon.terminal.process import run_process
from tools.million_clock import SIZE, VIEWS

_PROJECT = Path(__file__).resolve().parents[1]
_FACEGEN = (sys.executable, str(_PROJECT / "batch" / "run.py"), "dataset")
_CLOCK = (sys.executable, "-m", "tools.million_clock")
_RECIPE = f"""\
[heads]
distribution = "latent"
grade = "direct"
views = {VIEWS}
[image]
size = [{SIZE}, {SIZE}]
[labels]
on = false
[expression]
neutral = 1.0
"""


class Step(NamedTuple):
    """A process that has ended: seconds, those of a core, and the most memory it had, MB."""

    seconds: float
    core_seconds: float
    memory: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Do all and print it; the exit status, 1 if it took more memory than it may."""
    options = _parser().parse_args(arguments)
    taken = {}
    with tempfile.TemporaryDirectory(prefix="facegen-million-", dir=options.folder) as name:
        for what, step in _steps(Path(name), options.count, options.shard_size):
            taken[what] = step
            print(
                f"{what:<30}{step.seconds:8.1f} s, {step.core_seconds:8.1f} s of a core,"
                f" {1e3 * step.core_seconds / options.count:.2f} ms a sample,"
                f" {step.memory:.0f} MB",
                flush=True,
            )
    most = max(taken[what].memory for what in ("merge", "verify"))
    print(
        f"{options.count} samples merged and verified in {most:.0f} MB; ratio to the"
        f" {options.limit:.0f} MB that it may take {most / options.limit:.2f}"
    )
    return int(most > options.limit)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--count", type=int, default=200_000, help="samples; default: %(default)s")
    add("--shard-size", type=int, default=100, help="samples a shard; default: %(default)s")
    add("--limit", type=float, default=500.0, help="megabytes; default: %(default)s")
    add("--folder", type=Path, help="where to work: 35 kB a sample; default: TMPDIR")
    return parser


def _steps(folder: Path, count: int, shard_size: int) -> Iterator[tuple[str, Step]]:
    recipe, whole = folder / "recipe.toml", folder / "whole"
    recipe.write_text(_RECIPE, encoding="utf-8")
    make = [*_CLOCK, "make", "--recipe", str(recipe), "--count", str(count), "--workers", "1"]
    make += ["--shard-size", str(shard_size), "--resume"]
    shards = -(-count // shard_size)
    halves = [str(folder / f"half-{number}") for number in range(2)]
    for number, half in enumerate(halves):
        _run([*make, "--shard", f"{number}/{shards}", "--output", half], folder)
    yield "copy shards", _run([*_CLOCK, "copy", *halves], folder)
    yield "merge", _run([*_FACEGEN, "merge", *halves, "--output", str(whole)], folder)
    for half in halves:
        shutil.rmtree(half)
    again = [*make, "--shard", "0/1", "--output", str(whole)]
    yield f"go on with {shards} shards", _run(again, folder)
    verify = [*_FACEGEN, "verify", str(whole), "--seeds", "0"]  # copies come from no seed
    yield "verify", _run(verify, folder)


def _run(command: Sequence[str], folder: Path) -> Step:
    """Run a process to its end, its temporary files in `folder`; SystemExit if it fails."""
    environment = {**os.environ, "TMPDIR": str(folder), "OPENBLAS_NUM_THREADS": "1"}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=_PROJECT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\n{said.decode(errors='replace')}")
    spent = usage.ru_utime + usage.ru_stime
    return Step(time.perf_counter() - start, spent, usage.ru_maxrss / 1e3)  # kB, on Linux


if __name__ == "__main__":
    run_process(main, "million")
