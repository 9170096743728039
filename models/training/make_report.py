# SPDX-License-Identifier: GPL-3.0-or-later
"""The research report of one head model: every chapter judged by renders, in one page.

    python -m models.training.make_report           all chapters on the default model: an hour
    python -m models.training.make_report --model anny --chapters roundtrips bounds
    python -m models.training.make_report --quick   a few heads a row, to see that everything runs
    python -m models.training.make_report --docs    also docs/results/roundtrip_MODEL.*

Needs bpy, not torch. Resumable: heads already rendered are not rendered again. Writes index.html,
report.md and report.json to out/report/MODEL.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

# Inversion runs its own threads, one a block of heads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from facegen_addon.atomic_file import replacing
from facegen_addon.durations import format_seconds
from facegen_addon.errors import UserError
from facegen_addon.report.page import markdown, page
from facegen_addon.report.section import Section
from facegen_addon.scene.render.view import Forward
from facegen_addon.terminal.process import run_process
from models.training import pairs
from models.training.render_pairs import add_render_options
from models.training.report.study import Study

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = (
    "The research data of real faces is not here. Wherever this report speaks of held-out or real"
    " people, samples of their density stand in for them, to which the project was fitted."
)
CHAPTERS = ("roundtrips", "bounds", "correlations", "coverage", "sliders", "second_encoder")


def make(options: argparse.Namespace, forward: Forward | None = None) -> Path:
    """Run the chapters and write the report; its folder."""
    start = time.monotonic()
    _check_docs(options)
    study = Study(options, forward)
    try:
        sections = [_chapter(name, study) for name in options.chapters]
    finally:
        study.close()
    folder: Path = options.output / study.model.name
    title = f"Roundtrip report: {study.model.name}{' (quick)' if options.quick else ''}"
    note = "" if study.has_real_faces else STAND_IN
    files = {
        folder / "index.html": page(title, sections, note),
        folder / "report.md": markdown(title, sections, note),
        folder / "report.json": json.dumps(_plain(study, sections), indent=1, allow_nan=False)
        + "\n",
    }
    if options.docs:
        target = ROOT / "docs/results" / f"roundtrip_{study.model.name}"
        files[target.with_suffix(".md")] = files[folder / "report.md"]
        files[target.with_suffix(".json")] = files[folder / "report.json"]
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(text, "utf-8")
    print(f"{folder / 'index.html'} in {format_seconds(time.monotonic() - start)}")
    return folder


def _chapter(name: str, study: Study) -> Section:
    section: Section = importlib.import_module(f"models.training.report.{name}").chapter(study)
    return section


def _check_docs(options: argparse.Namespace) -> None:
    """UserError where the committed tables would be replaced by less than the whole report."""
    whole = set(options.chapters) == set(CHAPTERS) and not options.quick
    if options.docs and not whole:
        raise UserError("--docs takes the whole report: leave out --quick and --chapters")


def _plain(study: Study, sections: list[Section]) -> dict[str, object]:
    return {
        "model": study.model.name,
        "quick": study.quick,
        "samples": study.options.samples,
        "real_faces": study.has_real_faces,
        "chapters": {section.key: without_nan(section.data) for section in sections},
    }


def without_nan(data: Any) -> Any:
    """Plain data as JSON can hold it: numbers that are none become null."""
    if isinstance(data, dict):
        return {key: without_nan(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [without_nan(value) for value in data]
    if isinstance(data, np.generic):
        data = data.item()
    return None if isinstance(data, float) and not math.isfinite(data) else data


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chapters", nargs="+", choices=CHAPTERS, default=CHAPTERS)
    parser.add_argument("--quick", action="store_true", help="few heads: figures that say little")
    parser.add_argument(
        "--docs", action="store_true", help="also write docs/results/roundtrip_MODEL.*"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "out" / "report", help="folder")
    add_render_options(parser)
    return parser


def main(arguments: list[str] | None = None, forward: Forward | None = None) -> int:
    """Make the report; 2 after an error that the user can put right, 130 after Ctrl-C."""
    try:
        options = make_parser().parse_args(arguments)
        options.model = pairs.model_name(options.model)
        make(options, forward)
    except (UserError, OSError) as error:
        print(f"make_report: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("make_report: stopped; the same command goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    run_process(main, "make_report")
