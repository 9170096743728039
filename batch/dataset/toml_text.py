# SPDX-License-Identifier: GPL-3.0-or-later
"""TOML 1.0 in plain data: read with errors that name the line, and written, which Python cannot."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegen_addon.artifacts import read_file
from facegen_addon.errors import UserError

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def read_toml(path: Path, remedy: str) -> dict[str, Any]:
    """The content of a TOML file; UserError names the file, and the line that is wrong."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a .toml file")
    data = read_file(path, remedy)
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UserError(f"{path}: line {line} is not UTF-8; save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}; correct it there") from None
    except RecursionError:
        raise UserError(f"{path} is nested too deep; a recipe has tables of keys") from None


def toml_table(name: str, values: Mapping[str, Any]) -> str:
    """A table of a TOML file, a line for each of its keys."""
    lines = [f"[{_key(name)}]", *(f"{_key(key)} = {_value(v)}" for key, v in values.items())]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _string(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return f"{{{inner}}}"
    return f"[{', '.join(_value(item) for item in value)}]"


def _string(text: str) -> str:
    # JSON's strings are TOML's basic strings, but for the one control character that JSON allows.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
