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
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from facegen_addon.arrays import IntArray, RealArray
from facegen_addon.atomic_file import replacing
from facegen_addon.encoders.encoder import same_face_threshold
from facegen_addon.heads.person.head import PERSON
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.scene.render.view import Forward
from facegen_addon.terminal.process import run_process
from models.training import pairs
from models.training.distributions_experiment import (
    NEAREST,
    QUICK,
    RANDOM,
    READ_RIGHT,
    Budget,
    Experiment,
)
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
from models.training.distributions_networks import Networks
from models.training.distributions_page import page
from models.training.distributions_people import Likeness, People, ranks
from models.training.distributions_readings import groups_of
from models.training.kept_renders import carried_out
from models.training.pairs import Pairs
from models.training.render_pairs import add_render_options

ROOT = Path(__file__).resolve().parents[2]


Seen = Mapping[tuple[str, int | None], Likeness]
"""Heads for the people by the title and size of their row."""

ErrorsBy = Mapping[tuple[str, int, str], Errors]
"""By what networks learned from, how much of it, and what they are judged on."""


def report_of(experiment: Experiment) -> dict[str, Any]:
    """Figures of all training sets."""
    people, of_images = experiment.people, experiment.of_images
    errors = experiment.networks.errors()
    of_image_errors = of_images.errors() if of_images else {}
    rows = experiment.rows()[: experiment.options.rows]
    seen = {(row.title, row.size): experiment.likeness(row) for row in rows}
    seen = {("mean head", None): experiment.mean_head(), **seen}
    threshold = same_face_threshold()
    found: dict[str, Any] = {
        "model": experiment.model.name,
        "samples": experiment.options.samples,
        "budget": asdict(experiment.budget),
        "people": len(people),
        "held_out_people": int(people.held_out.sum()),
        **family_report(experiment.networks, errors, seen, threshold),
        "photos": [
            {"title": title, "size": size, "seeds": found.facenet.shape[1],
             **likeness_figures(found, threshold)}
            for (title, size), found in seen.items()
        ],
        "ceiling": _ceiling(people, threshold),
        "kinds": _kinds(seen, people, threshold, experiment.families),
        "readings": experiment.readings(),
        "differences": _differences(seen, people, experiment.families),
    }  # fmt: skip
    if of_images:
        found["images"] = family_report(of_images, of_image_errors, seen, threshold)
    return found


def family_report(
    networks: Networks, errors: ErrorsBy, seen: Seen, threshold: float
) -> dict[str, Any]:
    """Figures of sets that can be compared; the first is the one whose held-out heads are judged
    by groups and sizes."""
    sets, names = networks.sets, networks.names
    most = networks.common[-1]
    return {
        "most": most,
        "unit": networks.unit,
        "choices": {size: asdict(choice) for size, choice in networks.choices.items()},
        "sets": {name: len(sets.learnt[name]) for name in names},
        "spread": {name: _spread(sets.held_out[name]) for name in names},
        "errors": [
            {"trained": name, "size": size, "judged": judged, **found.overall}
            for (name, size, judged), found in errors.items()
        ],
        "groups": {
            group: {name: errors[name, most, names[0]].of_group(columns) for name in names}
            | {"spread": _spread(sets.held_out[names[0]], columns)}
            for group, columns in networks.model.table.guided_groups().items()
        },
        "vertices": [
            {"trained": name, "size": most, "judged": judged,
             **figure(networks.vertices(name, most, judged), np.mean)}
            for name in names
            for judged in names
        ],
        "vertices_of_mean": {
            judged: float(networks.vertices_of_mean(judged).mean()) for judged in names
        },
        "costs": costs(networks, errors, seen, threshold),
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


def _kinds(
    seen: Seen, people: People, threshold: float, families: Sequence[Networks]
) -> list[dict[str, Any]]:
    """The same by kinds of people, for the most heads of each set and for B."""
    most = [(name, networks.common[-1]) for networks in families for name in networks.names]
    found = []
    for key in (("B, refined", None), *most):
        if key not in seen:
            continue
        for kind, chosen in groups_of(people.attributes).items():
            figures = likeness_figures(seen[key].of_people(chosen), threshold)
            found.append({"title": key[0], "size": key[1], "kind": kind,
                          "count": int(chosen.sum()), **figures})  # fmt: skip
    return found


def _differences(seen: Seen, people: People, families: Sequence[Networks]) -> list[dict[str, Any]]:
    """The first set of each family against the others, random heads that were chosen against those
    that were not, and each change of a set against the set."""
    changed = [title for title, _ in seen if title.split(", ")[0] in set(DISTRIBUTIONS) - {title}]
    against = {title: [title.split(", ")[0]] for title in changed}
    against |= {title: [RANDOM, PRIOR, WIDE] for title in (READ_RIGHT, NEAREST)}
    against |= {networks.names[0]: list(networks.names[1:]) for networks in families}
    against[GUIDED] += [READ_RIGHT, NEAREST]
    found = []
    for (title, size), one in seen.items():
        for other in against.get(title, []):
            if (other, size) in seen:
                found += _parted(title, other, size, (one, seen[other, size]), people)
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


def costs(
    networks: Networks, errors: ErrorsBy, seen: Seen, threshold: float
) -> list[dict[str, Any]]:
    """Heads that each set needs for what the others reach with the most, and for an accuracy that
    is prescribed: errors as small as those of a set's mean alone, on held-out heads of the first;
    renders that in the median read as the person of the photo."""
    most, (first, *others) = networks.common[-1], networks.names
    held_out = networks.sets.held_out[first]
    of_mean = np.square(held_out.z - held_out.z.mean(axis=0)).mean(axis=1)
    errors_of = {
        name: {
            size: part.each_head
            for (trained, size, judged), part in errors.items()
            if (trained, judged) == (name, first)
        }
        for name in networks.names
    }
    distances_of = {
        name: {
            size: part.facenet.mean(axis=1)
            for (title, size), part in seen.items()
            if title == name and size is not None
        }
        for name in networks.names
    }
    found = []
    for measure, curves, statistic, prescribed in (
        ("error", errors_of, root_means, of_mean),
        ("facenet", distances_of, medians, threshold),
    ):
        targets: dict[str, tuple[RealArray, int | None]] = {
            name: (curves[name][most], most) for name in others if most in curves[name]
        }
        if targets:
            known = np.broadcast_to(prescribed, len(next(iter(targets.values()))[0]))
            targets["prescribed"] = (known, None)
        found += [
            {"measure": measure, "of": name, "reaches": reached, "reaches_size": size,
             "on": first, **data_cost(curves[name], target, statistic)}
            for reached, (target, size) in targets.items()
            for name in networks.names
            if curves[name]
        ]  # fmt: skip
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


def _named_folder(text: str) -> tuple[str, Path]:
    """A data set: what it is called and where its shards lie."""
    name, _, folder = text.partition("=")
    if not name or not folder:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FOLDER")
    if not any(Path(folder).glob("data-*.tar")):
        raise argparse.ArgumentTypeError(f"{folder} holds no shards: `make landmarks` makes some")
    return name, Path(folder)


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
    parser.add_argument(
        "--data-set", type=_named_folder, action="append", default=[], metavar="NAME=FOLDER",
        help="also learn from the images of this data set; may be given several times, the first is"
        " the one that the others are compared with",
    )  # fmt: skip
    add_render_options(parser)
    parser.set_defaults(model=PERSON)
    return parser


def main(arguments: list[str] | None = None, forward: Forward | None = None) -> int:
    """Make the tables; 2 after an error that the user can put right, 130 after Ctrl-C."""
    options = make_parser().parse_args(arguments)
    return carried_out("distributions", lambda: run(options, forward))


if __name__ == "__main__":
    run_process(main, "distributions")
