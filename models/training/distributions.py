# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the distribution of training heads matter for a photo-to-face model?

    python -m models.training.distributions                60 photos of LFW; ten minutes on 2 cores
    python -m models.training.distributions --quick        few heads, to see that all runs

Trains one network (distributions_learning.py) on heads of latent guidance, of the prior and on wide
draws, at several sizes, and judges it on held-out heads of each and by renders of the heads that it
predicts for photos. Training heads are those of models/pairs_MODEL.npz; more of the prior and wide
ones, and held-out ones, are rendered. Resumable: what is in --work is not rendered again. Tables go
to --work, as distributions.md and .json; photos and latents of people are not written.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from facegen_addon.arrays import IntArray
from facegen_addon.atomic_file import replacing
from facegen_addon.encoders.encoder import same_face_threshold
from facegen_addon.heads.person.head import PERSON
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.scene.render.view import Forward
from facegen_addon.terminal.process import run_process
from models.training import pairs
from models.training.distributions_experiment import NEAREST, QUICK, Budget, Experiment
from models.training.distributions_figures import (
    Errors,
    compared,
    data_cost,
    figure,
    likeness_figures,
    medians,
    root_means,
)
from models.training.distributions_learning import (
    DISTRIBUTIONS,
    GUIDED,
    PRIOR,
    WIDE,
)
from models.training.distributions_page import page
from models.training.distributions_people import Likeness, People, ranks
from models.training.distributions_readings import groups_of
from models.training.kept_renders import carried_out
from models.training.pairs import Pairs
from models.training.render_pairs import add_render_options

ROOT = Path(__file__).resolve().parents[2]


def report_of(experiment: Experiment) -> dict[str, Any]:
    """Figures of all training sets."""
    sets, people = experiment.sets, experiment.people
    errors = experiment.errors()
    rows = experiment.rows()[: experiment.options.rows]
    seen = {(row.title, row.size): experiment.likeness(row) for row in rows}
    seen = {("mean head", None): experiment.mean_head(), **seen}
    most = max(size for title, size in seen if title == WIDE and size)
    threshold = same_face_threshold()
    return {
        "model": experiment.model.name,
        "samples": experiment.options.samples,
        "budget": asdict(experiment.budget),
        "people": len(people),
        "held_out_people": int(people.held_out.sum()),
        "most": most,
        "choices": {size: asdict(choice) for size, choice in experiment.choices.items()},
        "sets": {name: len(sets.learnt[name]) for name in DISTRIBUTIONS},
        "spread": {name: _spread(sets.held_out[name]) for name in DISTRIBUTIONS},
        "errors": [
            {"trained": name, "size": size, "judged": judged, **found.overall}
            for (name, size, judged), found in errors.items()
        ],
        "groups": {
            group: {name: errors[name, most, GUIDED].of_group(columns) for name in DISTRIBUTIONS}
            | {"spread": _spread(sets.held_out[GUIDED], columns)}
            for group, columns in experiment.table.guided_groups().items()
        },
        "photos": [
            {"title": title, "size": size, "seeds": found.facenet.shape[1],
             **likeness_figures(found, threshold)}
            for (title, size), found in seen.items()
        ],
        "ceiling": _ceiling(people, threshold),
        "kinds": _kinds(seen, people, threshold),
        "readings": experiment.readings(),
        "differences": _differences(seen, people),
        "costs": _costs(errors, seen, most),
    }  # fmt: skip


def _spread(data: Pairs, columns: IntArray | slice = slice(None)) -> float:
    """Root mean square deviation from the mean: the error of who knows nothing but that."""
    return float(np.sqrt(np.var(data.z[:, columns], axis=0, dtype=np.float64).mean()))


def _ceiling(people: People, threshold: float) -> dict[str, Any]:
    """Photo against another photo of the same person."""
    distance = cosine_distance(people.latents, people.another)
    rank = ranks(people.latents, people.another)
    return {
        "facenet": figure(distance, np.median),
        "one_person": figure(distance, lambda x: np.mean(x < threshold)),
        "first": figure(rank, lambda x: np.mean(x == 1)),
        "rank": figure(rank, np.median),
    }


def _kinds(seen: Seen, people: People, threshold: float) -> list[dict[str, Any]]:
    """The same by kinds of people, for the most heads of each distribution and for B."""
    most = max(size for title, size in seen if title == WIDE and size)
    found = []
    for key in (("B, refined", None), *((name, most) for name in DISTRIBUTIONS)):
        if key not in seen:
            continue
        for kind, chosen in groups_of(people.attributes).items():
            figures = likeness_figures(seen[key].of_people(chosen), threshold)
            found.append({"title": key[0], "size": key[1], "kind": kind,
                          "count": int(chosen.sum()), **figures})  # fmt: skip
    return found


Seen = Mapping[tuple[str, int | None], Likeness]
"""Heads for the people by the title and size of their row."""


def _differences(seen: Seen, people: People) -> list[dict[str, Any]]:
    """Latent guidance against the others, and each change of a set against the set."""
    found = []
    for (title, size), other in seen.items():
        base = title.split(", ")[0]
        if title in (PRIOR, WIDE, NEAREST):
            one, against = GUIDED, title
        elif base in DISTRIBUTIONS and title != base:
            one, against, other = title, base, seen[base, size]
        else:
            continue
        found += _parted(one, against, size, (seen[one, size], other), people)
        if title == NEAREST:
            for name in (PRIOR, WIDE):
                found += _parted(title, name, size, (other, seen[name, size]), people)
    return found


def _parted(
    one: str, against: str, size: int | None, both: tuple[Likeness, Likeness], people: People
) -> list[dict[str, Any]]:
    """Differences of two rows, for all people and for those to whom nothing was fitted."""
    found = []
    for who, part in (("all", slice(None)), ("held out", people.held_out)):
        if who == "all" or people.held_out.sum() > 1:
            gaps = compared(*(row.of_people(part) for row in both))
            found.append({"one": one, "other": against, "size": size, "people": who, **gaps})
    return found


def _costs(
    errors: Mapping[tuple[str, int, str], Errors], seen: Seen, most: int
) -> list[dict[str, Any]]:
    """Heads that each distribution needs for what PRIOR and WIDE reach with the most."""
    found = []
    for other in (WIDE, PRIOR):
        for name in DISTRIBUTIONS:
            curve = {
                size: part.each_head
                for (trained, size, judged), part in errors.items()
                if trained == name and judged == GUIDED
            }
            target = errors[other, most, GUIDED].each_head
            found.append(
                {"measure": "error", "of": name, "reaches": other,
                 **data_cost(curve, target, root_means)}
            )  # fmt: skip
            near = {
                size: part.facenet.mean(axis=1)
                for (title, size), part in seen.items()
                if title == name and size is not None
            }
            distance = seen[other, most].facenet.mean(axis=1)
            found.append(
                {"measure": "facenet", "of": name, "reaches": other,
                 **data_cost(near, distance, medians)}
            )  # fmt: skip
    return found


def run(options: argparse.Namespace, forward: Forward | None = None) -> None:
    """Make the tables, print and write them."""
    options.model = pairs.model_name(options.model)
    budget = QUICK if options.quick else Budget()
    kind = "distributions-quick" if options.quick else "distributions"
    options.work = (options.work or ROOT / "out" / kind).absolute()
    experiment = Experiment(options, budget, forward)
    try:
        report = report_of(experiment)
    finally:
        experiment.close()
    texts = {".json": json.dumps(report, indent=1) + "\n", ".md": page(report)}
    for suffix, text in texts.items():
        with replacing(options.work / f"distributions{suffix}") as temporary:
            temporary.write_text(text, "utf-8")
    print(texts[".md"])


def _three_or_more(text: str) -> int:
    """A number of rows: that of the distributions, which all is compared with, or more."""
    value = pairs.positive(text)
    if value < len(DISTRIBUTIONS):
        raise argparse.ArgumentTypeError(f"{value} rows compare nothing: give 3 or more")
    return value


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few heads: figures that say little")
    parser.add_argument("--rounds", type=pairs.positive, default=5, help="of the table of pairs")
    parser.add_argument(
        "--per-round", type=pairs.positive, default=400, help="heads asked for in each of these"
    )
    parser.add_argument(
        "--rows", type=_three_or_more, metavar="N",
        help="judge by renders the first N rows alone, what matters most; default: all",
    )  # fmt: skip
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="default: out/distributions")
    add_render_options(parser)
    parser.set_defaults(model=PERSON)
    return parser


def main(arguments: list[str] | None = None, forward: Forward | None = None) -> int:
    """Make the tables; 2 after an error that the user can put right, 130 after Ctrl-C."""
    options = make_parser().parse_args(arguments)
    return carried_out("distributions", lambda: run(options, forward))


if __name__ == "__main__":
    run_process(main, "distributions")
