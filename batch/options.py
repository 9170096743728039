# SPDX-License-Identifier: GPL-3.0-or-later
"""The request of `generate`: read from the command line and checked before anything starts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from batch.command_line import check_range
from batch.field_options import (
    OUTPUT,
    REAL_LATENTS,
    REPLACE,
    check_real_latents,
    checked,
    parser_of,
    spelled,
)
from batch.output import check_output
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import check_model_name
from facegen_addon.request_fields import Switch, fields_of
from facegen_addon.variety.demands import settled_distances
from facegen_addon.variety.earlier_runs import run_file
from facegen_addon.variety.fields import BUDGET
from facegen_addon.variety.request import VarietyRequest, check_latents_are_asked_for

COMPARISON = Switch(
    name="comparison",
    help="also render as many uniform and prior heads, for the figures beside the run's",
    default=True,
)

_OF_DATASETS = ("--shard", "--shard-size", "--workers", "--resume", "--log-json", "--timeout")


@dataclass(frozen=True, kw_only=True)
class GenerateOptions(VarietyRequest):
    """A checked request: a variety, and what becomes of it. budget: renders, never 0."""

    comparison: bool = COMPARISON.declared
    output: Path = OUTPUT.declared
    replace: bool = REPLACE.declared
    real_latents: Path | None = REAL_LATENTS.declared


def parse_options(arguments: Sequence[str]) -> GenerateOptions:
    """Read and check the options of `generate`; UserError names a wrong value and the remedy."""
    fields = fields_of(GenerateOptions)
    parser = parser_of(
        fields,
        "generate",
        "Generate heads of which no two are nearer than a cosine distance. Labelled data sets, of"
        " any size and on any number of machines, are made by `dataset make`.",
    )
    values = checked(fields, parser.parse_args(arguments))
    check_model_name(values["model"])
    if "budget" in values:
        least = values["count"] * (1 + values["corrections"])
        check_range("--budget", values["budget"], least, BUDGET.high)
    check_latents_are_asked_for(values, spelled)
    values |= {name: value for name, value in settled_distances(values, spelled).items() if value}
    for run in values["fill_gaps"]:
        if not run_file(run).is_file():
            raise UserError(f"--fill-gaps {run} is not there; name the folder of an earlier run")
    options = GenerateOptions(**values | {"fill_gaps": tuple(values["fill_gaps"])})
    check_real_latents(options.real_latents)
    check_output(options.output, options.replace)
    return replace(options, budget=options.renders)


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
