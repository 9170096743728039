# SPDX-License-Identifier: GPL-3.0-or-later
"""What `dataset make` is asked for: read from the command line, checked before it starts."""

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from batch.command_line import DefaultsFormatter, OneLineParser, check_range
from batch.dataset.recipe import RECIPES
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import DEFAULT_MODEL, HEAD_MODELS, check_model_name

MAXIMUM_COUNT = 1_000_000  # the keys have six digits
MAXIMUM_WORKERS = 256
_DEFAULT_WORKERS = 8  # at most, unless told otherwise: each takes about half a gigabyte

_EXAMPLES = """examples:
  dataset make --recipe photos --count 2000 --output out/photos
      on all cores of this machine, closed at the end
  dataset make --recipe mine.toml --count 100000 --shard 3/16 --resume --output /share/mine
      the fourth of 16 machines' parts, which `dataset merge /share/mine` closes
  dataset make --recipe photos --resume --log-json out/photos.jsonl --output out/photos
      go on where it stopped, with events for other programs to read
"""


@dataclass(frozen=True)
class DatasetOptions:
    """A checked request. shard: (i, n), this process makes every n-th shard from the i-th on, and
    closes the run where is_whole; workers: render processes; threads: of each; timeout: seconds
    that one may be silent; encoder_device: "cpu" or "cuda"."""

    recipe: str
    model: str
    count: int
    seed: int
    output: Path
    shard: tuple[int, int]
    is_whole: bool
    shard_size: int
    workers: int
    threads: int
    device: str
    encoder_device: str
    timeout: float
    resume: bool
    replace: bool
    log_json: Path | None


def parse_options(arguments: Sequence[str], spelling: str = "dataset make") -> DatasetOptions:
    """Read and check the options of the command, which is called `spelling`.

    UserError names a wrong value and the remedy.
    """
    values = _parser(spelling).parse_args(arguments)
    check_model_name(values.model)
    check_range("--count", values.count, 1, MAXIMUM_COUNT)
    check_range("--seed", values.seed, 0, 2**31 - 1)
    check_range("--shard-size", values.shard_size, 1, 100_000)
    cores = usable_cores()
    if values.workers is None:
        values.workers = min(cores, _DEFAULT_WORKERS)
    check_range("--workers", values.workers, 1, MAXIMUM_WORKERS)
    if values.threads is None:
        values.threads = max(1, cores // values.workers)
    check_range("--threads", values.threads, 1, 1024)
    if not 1.0 <= values.timeout <= 86_400.0:
        raise UserError(
            f"--timeout {values.timeout:g} is out of range; give seconds from 1 to 86400"
        )
    values.is_whole = values.shard is None
    values.shard = _read_shard(values.shard or "0/1")
    if values.resume and values.replace:
        raise UserError("--resume goes on with a run and --replace removes it; give one of them")
    if values.replace and not values.is_whole:
        raise UserError(
            "--replace would remove what the other machines make; remove the folder yourself, or"
            " leave out --shard"
        )
    return DatasetOptions(**vars(values))


def _read_shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if match is None:
        raise UserError(f"--shard {text!r} is not of the form i/n; give e.g. 0/4 to 3/4")
    number, count = map(int, match.groups())
    if not 0 <= number < count:
        last = f"0/{count} to {count - 1}/{count}" if count else "e.g. 0/4 to 3/4"
        raise UserError(f"--shard {text}: shards count from 0; give {last}")
    return number, count


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _parser(spelling: str) -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=spelling,
        description="Make a labelled data set. Sample i depends on the recipe, the seed and i only;"
        " a killed run goes on with --resume.",
        epilog=_EXAMPLES,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--recipe",
        required=True,
        metavar="NAME|FILE",
        help=f"what is drawn: {', '.join(RECIPES)}, or a .toml file",
    )
    add(
        "--model",
        default=DEFAULT_MODEL,
        help=f"head model: {', '.join(HEAD_MODELS)}, or a FLAME file (.pkl, .npz)",
    )
    add("--count", type=int, default=1000, help=f"samples, 1 to {MAXIMUM_COUNT}")
    add("--seed", type=int, default=0, help="same seed, same samples")
    add("--output", type=Path, default=Path("out/data"), help="folder of the run")
    add(
        "--shard",
        metavar="I/N",
        help="make every N-th tar file from the I-th on, I from 0 to N-1, and leave closing the run"
        " to `dataset merge`; default: make and close all of it",
    )
    add("--shard-size", type=int, default=500, help="samples a tar file")
    add("--workers", type=int, help="render processes; default: one a core, 8 at most")
    add("--threads", type=int, help="threads of each; default: the cores shared out")
    add("--device", choices=("auto", "CPU"), default="auto", help="what Cycles renders on")
    add(
        "--encoder-device",
        choices=("cpu", "cuda"),
        default="cpu",
        help="what the encoder runs on; cuda needs onnxruntime-gpu",
    )
    add(
        "--timeout",
        type=float,
        default=600.0,
        help="seconds without an answer after which a render process is started anew",
    )
    add("--resume", action="store_true", help="go on with what is there; else start")
    add("--replace", action="store_true", help="remove the run that is in the folder first")
    add(
        "--log-json",
        type=Path,
        metavar="FILE",
        help="also append events as JSON lines; - is stdout",
    )
    return parser


class _Formatter(DefaultsFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults shown, examples kept in lines."""
