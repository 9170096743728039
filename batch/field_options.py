# SPDX-License-Identifier: GPL-3.0-or-later
"""A request's fields as options of a command line."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from batch.command_line import DefaultsFormatter, OneLineParser
from facegen_addon.errors import UserError
from facegen_addon.request_fields import (
    REQUIRED,
    FilePath,
    FilePaths,
    Number,
    OneOf,
    RequestField,
    Switch,
    WholeNumber,
    check_fields,
)
from facegen_addon.terminal.copies import with_program
from facegen_addon.variety.fields import ENCODER

_TYPES: Mapping[type, type] = {
    WholeNumber: int,
    Number: float,
    FilePath: Path,
    FilePaths: Path,
}
"""Kind of a field -> what its option's words are read as; text where it is not here."""

OUTPUT = FilePath(name="output", help="folder to make", default=Path("out/heads"))
REPLACE = Switch(name="replace", help="replace an earlier run in that folder", default=False)
REAL_LATENTS = FilePath(
    name="real_latents", help=".npz of real faces' latents for the reference", default=None
)
ANY_ENCODER = ENCODER.but(help="name of an encoder, or path of its .onnx file")
WORKERS = WholeNumber(name="workers", help="render processes", default=2, low=1, high=256)


class ExamplesFormatter(DefaultsFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults shown, examples kept in lines."""


def parser_of(
    fields: Iterable[RequestField], spelling: str, description: str, examples: str = ""
) -> argparse.ArgumentParser:
    """The parser of the command called `spelling`, with an option for each field."""
    parser = OneLineParser(
        prog=spelling,
        description=description,
        epilog=with_program(examples),
        formatter_class=ExamplesFormatter if examples else DefaultsFormatter,
        allow_abbrev=False,
    )
    for field in fields:
        parser.add_argument(field.option, **_settings(field))
    return parser


def checked(
    fields: Iterable[RequestField], values: argparse.Namespace | Mapping[str, Any]
) -> dict[str, Any]:
    """The values given, by the fields' names; UserError names the first option that is wrong."""
    plain = vars(values) if isinstance(values, argparse.Namespace) else values
    given = {name: value for name, value in plain.items() if value is not None}
    check_fields(fields, given, spelled)
    return given


def check_real_latents(path: Path | None) -> None:
    """UserError if a file of real faces' latents is named that is not there."""
    if path is not None and not path.is_file():
        raise UserError(f"--real-latents {path} is not there; name an .npz file")


def spelled(name: str) -> str:
    """The option of a field's name."""
    return f"--{name.replace('_', '-')}"


def said(field: RequestField) -> str:
    """One phrase: the field's meaning and the values it accepts."""
    if isinstance(field, OneOf):
        return f"{field.help}: {field.explained()}"
    return f"{field.help}, {field.accepted}" if field.accepted else field.help


def _settings(field: RequestField) -> dict[str, Any]:
    """An option's keyword arguments for argparse. None stands for one that is not given."""
    if isinstance(field, Switch):
        action: Any = argparse.BooleanOptionalAction if field.default else "store_true"
        return {"action": action, "default": field.default, "help": field.help}
    settings: dict[str, Any] = {
        "type": _TYPES.get(type(field), str),
        "help": said(field) + (f"; default: {field.unset}" if field.unset else ""),
        "metavar": field.metavar,
    }
    if field.default is REQUIRED:
        settings["required"] = True
    else:
        settings["default"] = None if field.unset else field.default
    if isinstance(field, FilePaths):
        settings["nargs"] = "+"
    return settings
