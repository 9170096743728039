# SPDX-License-Identifier: GPL-3.0-or-later
"""Rank a model's sliders by the visual variety they make, and keep the ranking.

    python -m models.training.rank_sliders --model open_flame     ranking_open_flame.npz, registered
    python -m models.training.rank_sliders --model my_flame.pkl   of a file of yours: kept with you

Through the surrogates alone: nothing is rendered, two minutes. To be repeated after training.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from facegen_addon.artifacts import models_directory
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import HEAD_MODELS, load_head_model
from facegen_addon.mapping.ranking import Ranking, cached_path, compute_steps, save
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.remedies import explain
from models.training import pairs
from models.training.register import register


def rank(model_name: str, heads: int) -> tuple[Ranking, Path]:
    """Rank, write, and register what belongs to the project; the ranking and its file."""
    model, bar = load_head_model(model_name), ProgressBar()
    steps = compute_steps(model, heads)
    try:
        while True:
            bar.update(f"ranking {model.name}", *next(steps))
    except StopIteration as end:
        ranking: Ranking = end.value
    finally:
        bar.close()
    if model.name not in HEAD_MODELS:
        path = cached_path(model.name)
        save(ranking, path)
        return ranking, path
    path = models_directory() / f"ranking_{model.name}.npz"
    save(ranking, path)
    register(
        f"ranking_{model.name}",
        path,
        licence="GPL-3.0-or-later",
        source="the surrogates, fitted to renders of this project's own heads",
        recipe=Path(__file__).name,
        surrogate=ranking.surrogate,
        table=ranking.table,
        heads=heads,
        sliders_at={f"{share:g}": ranking.count(share) for share in (0.9, 0.95, 0.99)},
    )
    return ranking, path


def main(arguments: list[str] | None = None) -> int:
    """Rank one model; 2 after an error that the user can put right."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    pairs.add_model_option(parser)
    parser.add_argument(
        "--heads", type=pairs.positive, default=1024, help="that each slider is drawn anew for"
    )
    options = parser.parse_args(arguments)
    if options.heads < 2:
        parser.error("--heads 1: give 2 or more, a variance needs them")
    try:
        ranking, path = rank(options.model, options.heads)
    except UserError as error:
        print(f"rank_sliders: {explain(error)}", file=sys.stderr)
        return 2
    counts = ", ".join(
        f"{ranking.count(share)} keep {100 * share:g} %" for share in (0.9, 0.95, 0.99)
    )
    print(f"{path}: of {len(ranking.names)} sliders {counts}")
    return 0


if __name__ == "__main__":
    run_process(main, "rank_sliders")
