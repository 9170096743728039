# SPDX-License-Identifier: GPL-3.0-or-later
"""The request of `dataset make`: read from the command line, checked before it starts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from batch.dataset.recipe import RECIPES
from batch.field_options import OUTPUT, REPLACE, WORKERS, checked, parser_of
from facegen_addon.choices import DEVICE, SEED
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import check_model_name
from facegen_addon.request_fields import (
    REQUIRED,
    FilePath,
    Number,
    OneOf,
    Switch,
    Text,
    WholeNumber,
    fields_of,
)
from facegen_addon.variety.fields import COUNT, MODEL

MAXIMUM_COUNT = 1_000_000  # the keys have six digits

_EXAMPLES = """examples:
  {program} dataset make --recipe photos --count 2000 --output out/photos
      on all cores of this machine, closed at the end
  {program} dataset make --recipe mine.toml --count 90000 --shard 3/16 --resume --output /share/mine
      the fourth of 16 machines' parts, which `dataset merge /share/mine` closes
  {program} dataset make --recipe photos --resume --log-json out/photos.jsonl --output out/photos
      go on where it stopped, with events for other programs to read
"""


RECIPE = Text(
    name="recipe",
    help=f"what is drawn: {', '.join(RECIPES)}, or a .toml file",
    default=REQUIRED,
    metavar="NAME|FILE",
)
SHARD = Text(
    name="shard",
    help="make every N-th tar file from the I-th on, I from 0 to N-1, and leave closing the run to"
    " `dataset merge`",
    default=None,
    unset="make and close all of it",
    metavar="I/N",
)
SHARD_SIZE = WholeNumber(
    name="shard_size", help="samples a tar file", default=500, low=1, high=100_000
)
THREADS = WholeNumber(
    name="threads",
    help="threads of each",
    default=None,
    unset="the fastest layout; of `--workers` given: the cores shared out",
    low=1,
    high=1024,
)
ENCODER_DEVICE = OneOf(
    name="encoder_device",
    help="what the encoder runs on",
    default="cpu",
    names=("cpu", "cuda"),
    said={"cuda": "needs onnxruntime-gpu"},
)
TIMEOUT = Number(
    name="timeout",
    help="seconds without an answer after which a render process is started anew",
    default=600.0,
    low=1.0,
    high=86_400.0,
)
RESUME = Switch(name="resume", help="go on with what is there; else start", default=False)
LOG_JSON = FilePath(
    name="log_json",
    help="also append events as JSON lines; - is stdout",
    default=None,
    metavar="FILE",
)


@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """A checked request. shard: (i, n), this process makes every n-th shard from the i-th on, and
    closes the run where is_whole; workers: render processes; threads: of each, None: as is fastest;
    timeout: seconds that one may be silent; encoder_device: "cpu" or "cuda"."""

    recipe: str = RECIPE.declared
    model: str = MODEL.declared
    count: int = COUNT.but(help="samples", default=1000, high=MAXIMUM_COUNT).declared
    seed: int = SEED.but(help="same seed, same samples").declared
    output: Path = OUTPUT.but(help="folder of the run", default=Path("out/data")).declared
    shard: tuple[int, int] = SHARD.declared
    is_whole: bool = True
    shard_size: int = SHARD_SIZE.declared
    workers: int | None = WORKERS.but(default=None, unset="the fastest layout").declared
    threads: int | None = THREADS.declared
    device: str = DEVICE.declared
    encoder_device: str = ENCODER_DEVICE.declared
    timeout: float = TIMEOUT.declared
    resume: bool = RESUME.declared
    replace: bool = REPLACE.but(help="remove the run that is in the folder first").declared
    log_json: Path | None = LOG_JSON.declared


def parse_options(arguments: Sequence[str], spelling: str = "dataset make") -> DatasetOptions:
    """Read and check the options of the command, which is called `spelling`.

    UserError names a wrong value and the remedy.
    """
    fields = fields_of(DatasetOptions)
    parser = parser_of(
        fields,
        spelling,
        "Make a labelled data set. Sample i depends on the recipe, the seed and i only; a killed"
        " run goes on with --resume.",
        _EXAMPLES,
    )
    values = checked(fields, parser.parse_args(arguments))
    check_model_name(values["model"])
    values["is_whole"] = "shard" not in values
    values["shard"] = _read_shard(values.get("shard", "0/1"))
    if values["resume"] and values["replace"]:
        raise UserError("--resume goes on with a run and --replace removes it; give one of them")
    if values["replace"] and not values["is_whole"]:
        raise UserError(
            "--replace would remove what the other machines make; remove the folder yourself, or"
            " leave out --shard"
        )
    return DatasetOptions(**values)


def _read_shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if match is None:
        raise UserError(f"--shard {text!r} is not of the form i/n; give e.g. 0/4 to 3/4")
    number, count = map(int, match.groups())
    if not 0 <= number < count:
        last = f"0/{count} to {count - 1}/{count}" if count else "e.g. 0/4 to 3/4"
        raise UserError(f"--shard {text}: shards count from 0; give {last}")
    return number, count
