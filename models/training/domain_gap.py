# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells renders from photos of the same people, and what closes how much of it.

    python -m models.training.domain_gap                  50 people of LFW, 250 renders
    python -m models.training.domain_gap --people 20      figures that say little

B's head for each photo is rendered in several ways (gap_renders.py), and the pictures changed as
cameras and files change them (gap_pictures.py). A linear classifier, fitted to other people's
latents, then tells photos from renders (gap_figures.py). Resumable: what is in --work is not
rendered again. Tables go to --work; photos and latents of people are not written, renders of their
heads are.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from facegen_addon.arrays import FloatArray, RealArray
from facegen_addon.artifacts import artifact
from facegen_addon.atomic_file import replacing
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.person.head import PERSON
from facegen_addon.labels.shot import Shot
from facegen_addon.latent.real_faces import load_photos
from facegen_addon.latent.sphere import cosine_distance, normalise
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.photo.photo_face import SQUARE
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from models.training import gap_pictures, pairs
from models.training.distributions_figures import figure
from models.training.gap_figures import FOLDS, along_the_gap, share_closed, told_apart
from models.training.gap_page import page
from models.training.gap_pictures import Change, Picture, in_turn
from models.training.gap_renders import (
    ALL,
    CAMERA,
    LIGHT,
    MOUTH,
    PLAIN,
    Person,
    Render,
    kept,
    read_photos,
    shots_of,
)
from models.training.kept_renders import carried_out, claim

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = 8
"""Cycles samples a pixel, as training has; nothing is denoised."""

_small = gap_pictures.as_small
_FILE = in_turn(
    gap_pictures.recoloured, _small, gap_pictures.blurred, gap_pictures.noisy,
    gap_pictures.compressed,
)  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """shot: which of the renders; change: what becomes of it; both: what becomes of photo and
    render alike; moved: whether renders' mean latent is moved to the photos'."""

    name: str
    shot: str = PLAIN
    change: Change | None = None
    both: Callable[[Picture], Picture] | None = None
    moved: bool = False


VARIANTS = (
    *(Variant(name, name) for name in (PLAIN, CAMERA, MOUTH, LIGHT, ALL)),
    Variant("as few pixels as the photo", change=_small),
    Variant("few pixels, blur", change=in_turn(_small, gap_pictures.blurred)),
    Variant("few pixels, sensor noise", change=in_turn(_small, gap_pictures.noisy)),
    Variant("few pixels, JPEG", change=in_turn(_small, gap_pictures.compressed)),
    Variant("exposure, contrast, white balance at random", change=gap_pictures.recoloured),
    Variant("the photo's own mean colour and contrast", change=gap_pictures.in_photos_colours),
    Variant("all of what files do", change=_FILE),
    Variant(f"{ALL}, all of what files do", ALL, _FILE),
    Variant("mean latent moved", moved=True),
    Variant("everything, and mean latent moved", ALL, _FILE, moved=True),
    Variant("photos and renders without colours", both=gap_pictures.in_grey),
    Variant("photos and renders, the face's oval alone", both=gap_pictures.oval_alone),
    Variant("photos and renders, 12 pixels from eyes to mouth", both=gap_pictures.coarse),
)


@dataclass(frozen=True)
class Tools:
    """heads: latents (N, 512) -> parameters (N, P); encoders: FaceNet, and another one."""

    model: HeadModel
    heads: Callable[[RealArray], FloatArray]
    render: Render
    encoders: tuple[Encoder, Encoder]


@dataclass(frozen=True)
class Seen:
    """What both encoders see in photos and renders of N people: (N, D) and (N, E) each."""

    photos: tuple[FloatArray, FloatArray]
    renders: tuple[FloatArray, FloatArray]


def report_of(people: Sequence[Person], tools: Tools, work: Path) -> dict[str, Any]:
    """Figures of all variants, and of other photos of the same people."""
    heads = tools.heads(np.stack([person.latent for person in people]))
    shots = [
        shots_of(tools.model, head, person, number)
        for number, (head, person) in enumerate(zip(heads, people, strict=True))
    ]
    renders = kept(work, shots, tools.render)
    bar, seen = ProgressBar(), {}
    photos = [person.photo for person in people]
    unchanged = _both(tools.encoders, photos)
    for done, variant in enumerate(VARIANTS, start=1):
        changed = _changed(variant, photos, renders[variant.shot])
        alike = unchanged
        if variant.both is not None:
            changed = [variant.both(picture) for picture in changed]
            alike = _both(tools.encoders, [variant.both(photo) for photo in photos])
        seen[variant] = Seen(alike, _both(tools.encoders, changed))
        bar.update("variants", done, len(VARIANTS))
    bar.close()
    plain = seen[VARIANTS[0]]
    rows = [{"name": v.name, **_figures(v, seen[v], plain)} for v in VARIANTS]
    return {
        "model": tools.model.name,
        "people": len(people),
        "samples": SAMPLES,
        "folds": FOLDS,
        "rows": rows,
        "another photo": _another(people, plain.photos[0]),
    }


def _changed(
    variant: Variant, photos: Sequence[Picture], renders: Sequence[Picture]
) -> list[Picture]:
    """Renders as a variant has them, each beside its photo."""
    if variant.change is None:
        return list(renders)
    # The same streams whatever is changed: changes are compared, and not their luck.
    return [
        variant.change(render, photo, random_stream("pictures", number))
        for number, (render, photo) in enumerate(zip(renders, photos, strict=True))
    ]


def _both(
    encoders: tuple[Encoder, Encoder], pictures: Sequence[Picture]
) -> tuple[FloatArray, FloatArray]:
    """What both encoders see."""
    one, other = encoders
    return _latents(one, pictures), _latents(other, pictures)


def _latents(encoder: Encoder, pictures: Sequence[Picture]) -> Annotated[FloatArray, "N D"]:
    crops = np.stack([encoder.cut(one.image, one.points) for one in pictures])
    return normalise(encoder.embed(crops).astype(np.float64))


def _figures(variant: Variant, seen: Seen, plain: Seen) -> dict[str, Any]:
    """Of FaceNet and of the other encoder: how well they are told apart, how much is closed, and
    the distance from one's own photo."""
    found: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(("facenet", "second")):
        photos, renders = seen.photos[number], seen.renders[number]
        found[name] = dict(told_apart(photos, renders, variant.moved).figures)
        if variant.both is None and not variant.moved:
            found[name] |= _paired(photos, renders, plain.renders[number])
    return found


def _paired(photos: RealArray, renders: RealArray, plain: RealArray) -> dict[str, Any]:
    """Against plain renders, the photos being the same."""
    before, after = cosine_distance(photos, plain), cosine_distance(photos, renders)
    return {
        "distance": figure(after, np.median),
        "nearer": figure(after - before, np.median),
        "closed": share_closed(along_the_gap(photos, plain, renders)),
    }


def _another(people: Sequence[Person], photos: RealArray) -> dict[str, Any]:
    """Photos against another photo of the same person: what no render can do better."""
    listed = load_photos()
    others = []
    for person in people:
        theirs = np.flatnonzero(listed.identity == person.identity)
        rest = theirs[theirs != person.row]
        others.append(listed.latents[random_stream(0, person.identity).choice(rest)])
    seen = np.stack(others).astype(np.float64)
    told = told_apart(photos, seen).figures
    return {**told, "distance": figure(cosine_distance(photos, seen), np.median)}


@contextlib.contextmanager
def loaded_tools(name: str, threads: int) -> Iterator[Tools]:
    """Blender's studio, B and both encoders, open until the end."""
    from facegen_addon.scene.render.sample_renderer import SampleRenderer, SampleSettings

    model = load_head_model(name)
    backward = BackwardMapping.load(model.name, model.table)
    settings = SampleSettings(
        samples=SAMPLES, width=SQUARE, height=SQUARE, threads=threads, labels=False
    )
    encoders = Encoder.load(threads=threads), Encoder.load("sface", threads=threads)
    with SampleRenderer(model, settings, dense=1) as studio:

        def render(shot: Shot) -> Picture:
            rendered = studio.render(shot)
            return Picture(rendered.image, rendered.points)

        yield Tools(model, backward.parameters, render, encoders)


def _request(model: HeadModel, people: int) -> dict[str, Any]:
    """What the renders in the work folder depend on."""
    names = (f"backward_{model.name}", f"surrogate_{model.name}")
    return {
        "model": model.name,
        "people": people,
        "samples": SAMPLES,
        "sources": dict(model.sources),
        "B": {name: artifact(name).sha256 for name in names},
    }


def run(options: argparse.Namespace) -> None:
    """Make the tables, print and write them."""
    work = (options.work or ROOT / "out" / "domain_gap").absolute()
    people = read_photos(options.people)
    with loaded_tools(options.model, options.threads) as tools:
        claim(work, _request(tools.model, len(people)))
        report = report_of(people, tools, work)
    texts = {".json": json.dumps(report, indent=1) + "\n", ".md": page(report)}
    for suffix, text in texts.items():
        with replacing(work / f"domain_gap{suffix}") as temporary:
            temporary.write_text(text, "utf-8")
    print(texts[".md"])


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=pairs.positive, default=50)
    parser.add_argument("--threads", type=pairs.positive, default=2, help="threads that render")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="default: out/domain_gap")
    pairs.add_model_option(parser)
    parser.set_defaults(model=PERSON)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the tables; 2 after an error that the user can put right, 130 after Ctrl-C."""
    options = make_parser().parse_args(arguments)

    def work() -> None:
        if options.people < 2 * FOLDS:
            raise UserError(f"--people {options.people} are too few: give {2 * FOLDS} or more")
        run(options)

    return carried_out("domain_gap", work)


if __name__ == "__main__":
    run_process(main, "domain_gap")
