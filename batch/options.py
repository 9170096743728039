# SPDX-License-Identifier: GPL-3.0-or-later
"""What `generate` is asked for: read from the command line and checked before anything starts."""

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch.command_line import DefaultsFormatter, OneLineParser, check_range
from batch.output import check_output
from facegen_addon.choices import (
    CORRECTIONS,
    COUNT,
    DISTRIBUTIONS,
    ENGINES,
    NUMBERS,
    RENDERS_PER_HEAD,
    SAMPLES,
    SEED,
    SIZE,
    WholeNumber,
)
from facegen_addon.encoders.encoder import DEFAULT_ENCODER, same_face_threshold
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import DEFAULT_MODEL, HEAD_MODELS, check_model_name
from facegen_addon.mapping.backward import GRADES
from facegen_addon.variety.earlier_runs import run_file

_OF_DATASETS = ("--shard", "--shard-size", "--workers", "--resume", "--log-json", "--timeout")


@dataclass(frozen=True)
class GenerateOptions:
    """A checked request. distance: cosine distance in (0, 2); size: pixels; budget: renders;
    fill_gaps: earlier runs; corrections: renders by which each head is corrected; encoder: name
    or file."""

    model: str
    count: int
    distance: float
    distribution: str
    engine: str
    samples: int
    size: int
    seed: int
    budget: int
    grade: str
    light: str
    comparison: bool
    output: Path
    replace: bool
    real_latents: Path | None
    fill_gaps: tuple[Path, ...]
    corrections: int
    encoder: str


def parse_options(arguments: Sequence[str]) -> GenerateOptions:
    """Read and check the options of `generate`; UserError names a wrong value and the remedy."""
    values = _parser().parse_args(arguments)
    check_model_name(values.model)
    _check_choice("--distribution", values.distribution, DISTRIBUTIONS)
    _check_choice("--engine", values.engine, ENGINES)
    _check_choice("--grade", values.grade, GRADES)
    for number in NUMBERS:
        check_range(f"--{number.name}", getattr(values, number.name), number.low, number.high)
    each = 1 + values.corrections
    if values.budget is None:
        values.budget = RENDERS_PER_HEAD * values.count * each
    most = 10 * RENDERS_PER_HEAD * COUNT.high * each
    check_range("--budget", values.budget, values.count * each, most)
    _check_needs_latents(values)
    threshold = same_face_threshold(values.encoder)
    if values.distance is None:
        values.distance = threshold
    if not (math.isfinite(values.distance) and 0.0 < values.distance < 2.0):
        raise UserError(
            f"--distance {values.distance:g} is no demand on a cosine distance; give a number"
            " between 0 and 2, both excluded"
        )
    if values.real_latents is not None and not values.real_latents.is_file():
        raise UserError(f"--real-latents {values.real_latents} is not there; name an .npz file")
    check_output(values.output, values.replace)
    values.fill_gaps = tuple(values.fill_gaps)
    return GenerateOptions(**vars(values))


def asks_for_dataset(arguments: Sequence[str]) -> bool:
    """Whether a labelled data set is asked for, as `dataset make` was spelled before.

    UserError for options of data sets where it is not.
    """
    names = {argument.partition("=")[0] for argument in arguments}
    if "--recipe" in names:
        return True
    for option in _OF_DATASETS:
        if option in names:
            raise UserError(
                f"{option} is of labelled data sets: use `dataset make --recipe ...`, see"
                " `dataset make --help`"
            )
    return False


def _check_needs_latents(values: argparse.Namespace) -> None:
    """UserError for options that mean nothing where heads are asked for by no latent."""
    for option, wanted in (
        ("--fill-gaps", values.fill_gaps),
        ("--corrections", values.corrections),
    ):
        if wanted and values.distribution != "latent":
            raise UserError(
                f"{option} needs latents that heads are asked for; --distribution"
                f" {values.distribution} has none: give --distribution latent"
            )
    for run in values.fill_gaps:
        if not run_file(run).is_file():
            raise UserError(f"--fill-gaps {run} is not there; name the folder of an earlier run")


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="generate",
        description="Generate heads of which no two are nearer than a cosine distance."
        " Labelled data sets, of any size and on any number of machines, are made by"
        " `dataset make`.",
        formatter_class=DefaultsFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--model",
        default=DEFAULT_MODEL,
        help=f"head model: {', '.join(HEAD_MODELS)}, or a FLAME file (.pkl, .npz)",
    )
    _add_number(parser, COUNT)
    add(
        "--distance",
        type=float,
        help="demand on every pair; default: the encoder's same-face threshold",
    )
    add("--distribution", default="latent", help=f"heads from: {', '.join(DISTRIBUTIONS)}")
    add("--engine", default="CYCLES", help=f"renderer: {', '.join(ENGINES)}")
    _add_number(parser, SAMPLES)
    _add_number(parser, SIZE)
    _add_number(parser, SEED)
    add(
        "--budget",
        type=int,
        help=f"renders at most; default: {RENDERS_PER_HEAD} a head, each with its corrections",
    )
    add("--grade", default="refined", help=f"backward mapping: {', '.join(GRADES)}")
    add("--light", default="studio", help="light preset")
    add(
        "--comparison",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also render as many uniform and prior heads, for the figures beside the run's",
    )
    add("--output", type=Path, default=Path("out/heads"), help="folder to make")
    add("--replace", action="store_true", help="replace an earlier run in that folder")
    add(
        "--fill-gaps",
        type=Path,
        nargs="+",
        default=(),
        metavar="RUN",
        help="folders of earlier generate or measure runs, whose heads the new ones complement",
    )
    _add_number(parser, CORRECTIONS, metavar="K")
    add(
        "--encoder",
        default=DEFAULT_ENCODER,
        metavar="NAME|FILE",
        help="name of the encoder that tells heads apart, or path of its .onnx file; for one whose"
        " latents are not of B's size, --distribution prior or uniform",
    )
    add("--real-latents", type=Path, help=".npz of real faces' latents for the reference")
    return parser


def _add_number(parser: argparse.ArgumentParser, number: WholeNumber, **more: Any) -> None:
    """The option of a whole number of the request."""
    text = f"{number.help}, {number.range}"
    parser.add_argument(f"--{number.name}", type=int, default=number.default, help=text, **more)


def _check_choice(option: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise UserError(f"unknown {option} {value!r}; choose from {', '.join(choices)}")
