# SPDX-License-Identifier: GPL-3.0-or-later
"""The request of `measure`: options and latents, checked before anything starts."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from batch.field_options import (
    ANY_ENCODER,
    OUTPUT,
    REAL_LATENTS,
    REPLACE,
    WORKERS,
    check_real_latents,
    checked,
    parser_of,
)
from batch.reference import Reference, load_reference
from facegen_addon.arrays import AnyArray, Float32Array
from facegen_addon.artifacts import DAMAGED_ARCHIVE, read_npz
from facegen_addon.choices import MEASURING_SAMPLES, SEED
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import check_model_name
from facegen_addon.latent.checked import LATENT_SIZE, checked_latents
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.real_faces import lfw_directory
from facegen_addon.latent.sphere import cosine_distance_matrix
from facegen_addon.mapping.backward import Grade
from facegen_addon.mapping.correction import RENDER_FREE
from facegen_addon.mapping.roundtrip import FEEDBACKS, GALLERY, HALF_STEPS
from facegen_addon.random_streams import random_stream
from facegen_addon.request_fields import OneOf, Switch, Text, WholeNumber, fields_of
from facegen_addon.variety.fields import GRADE, MODEL

logger = logging.getLogger("facegen_addon.batch")

NATURAL, HELD_OUT = "natural", "held-out"
MAXIMUM_COUNT = 100_000
MAXIMUM_RENDERS = 64
_DEFAULT_COUNT = 100
_SAME = 1e-3  # cosine distance below which two latents are of one photo, float16 included

_EXAMPLES = """examples:
  {program} measure --latents held-out --count 200 --output out/measure
      the roundtrip of 200 real people whom nothing was fitted to
  {program} measure --latents held-out --renders 2 --output out/feedback
      the same, each head brought nearer by looking at its render, twice
  {program} measure --latents natural --correction learned --output out/corrected
      a learned correction that needs no render, beside the uncorrected heads
  {program} measure --latents mine.npz --model anny --workers 8 --output out/mine
      your own latents: an array `latents` (N, 512) in an .npz, or an .npy

A run that was stopped goes on with the same command."""


LATENTS = Text(
    name="latents",
    help=f"{NATURAL} (drawn where real faces live), {HELD_OUT} (real people whom nothing was"
    " fitted to), or a FILE: .npz with the array latents, or .npy",
    default=NATURAL,
    metavar="WHICH",
)
LATENT_COUNT = WholeNumber(
    name="count",
    help="latents",
    default=None,
    unset=f"all of a file, else {_DEFAULT_COUNT}",
    low=1,
    high=MAXIMUM_COUNT,
)
CORRECTION = OneOf(
    name="correction", help="correction without renders", default="none", names=RENDER_FREE
)
FEEDBACK = OneOf(
    name="feedback",
    help="how a render is used; the first takes half the compensating step from the nearest head so"
    " far and keeps what is nearer, the others ask anew whatever came back",
    default=None,
    unset=f"{HALF_STEPS} where there are renders",
    names=FEEDBACKS,
)
RENDERS = WholeNumber(
    name="renders",
    help="renders a head for the correction",
    default=0,
    low=0,
    high=MAXIMUM_RENDERS,
)
BEFORE = Switch(
    name="before",
    help="with a correction, also render the uncorrected heads to compare",
    default=True,
)


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """A checked request.

    latents: "natural", "held-out" or a file's path; count: None for all of a file; feedback: None
    where `renders`, the renders that serve the correction, is 0.
    """

    latents: str = LATENTS.declared
    real_latents: Path | None = REAL_LATENTS.but(
        help=".npz of real faces' latents for held-out and reference"
    ).declared
    model: str = MODEL.declared
    count: int | None = LATENT_COUNT.declared
    seed: int = SEED.but(help="of natural latents and intervals").declared
    grade: Grade = GRADE.declared
    correction: str = CORRECTION.declared
    feedback: str | None = FEEDBACK.declared
    renders: int = RENDERS.declared
    before: bool = BEFORE.declared
    samples: int = MEASURING_SAMPLES.declared
    encoder: str = ANY_ENCODER.declared
    workers: int = WORKERS.declared
    output: Path = OUTPUT.but(help="folder", default=Path("out/measure")).declared
    replace: bool = REPLACE.but(
        help="replace an earlier run, or work of other settings, in that folder"
    ).declared

    @property
    def renders_uncorrected(self) -> bool:
        """Whether heads are made for comparison only; the first step of a feedback is free."""
        return self.before and self.correction != "none"

    @property
    def renders_per_latent(self) -> int:
        """Heads rendered for each latent."""
        return self.renders + 1 + self.renders_uncorrected


def parse_options(arguments: Sequence[str]) -> MeasureOptions:
    """Read and check the options of `measure`; UserError names a wrong value and the remedy."""
    fields = fields_of(MeasureOptions)
    parser = parser_of(
        fields,
        "measure",
        "Turn latents into heads, render and embed these, and report how far they lie from what was"
        " asked for.",
        _EXAMPLES,
    )
    values = checked(fields, parser.parse_args(arguments))
    check_model_name(values["model"])
    if values.get("feedback") and not values["renders"]:
        raise UserError(
            f"--feedback {values['feedback']} looks at renders, of which --renders allows none; add"
            " --renders 1 or more"
        )
    if values["renders"]:
        values.setdefault("feedback", HALF_STEPS)
    check_real_latents(values.get("real_latents"))
    return MeasureOptions(**values)


@dataclass(frozen=True)
class Requested:
    """latents (N, 512) float32 of unit norm to be measured, and in words what they are."""

    latents: Annotated[Float32Array, "N 512"]
    source: str


def requested_latents(options: MeasureOptions) -> Requested:
    """The latents that the options ask for; UserError if there are not so many, or no such."""
    if options.latents == NATURAL:
        count = options.count or _DEFAULT_COUNT
        return Requested(
            _natural_latents(options.seed, count), "samples of the density of real faces"
        )
    if options.latents == HELD_OUT:
        return _held_out(options.real_latents, options.count or _DEFAULT_COUNT)
    path = Path(options.latents)
    if path.suffix not in (".npz", ".npy"):
        raise UserError(
            f"--latents {options.latents} is neither {NATURAL} nor {HELD_OUT} nor an .npz or .npy"
            " file; name one of these"
        )
    latents = read_latents(path)
    return Requested(_first(latents, options.count, str(path)), path.name)


def _natural_latents(seed: int, count: int) -> Float32Array:
    """Each has a generator of its own, so that more of them begin with the same."""
    density = NaturalFaces.load()
    rows = [density.sample(random_stream(seed, i), 1) for i in range(count)]
    return np.concatenate(rows).astype(np.float32)


def _held_out(real_latents: Path | None, count: int) -> Requested:
    path = real_latents or lfw_directory() / "latents_dev.npz"
    if not path.is_file():
        raise UserError(
            f"--latents {HELD_OUT}: there is no file of real latents; give one by --real-latents,"
            f" or take --latents {NATURAL}"
        )
    # Nobody is both asked for and compared with, as in the reports of `generate`.
    people = load_reference(path, count).yardstick
    if count > len(people):
        raise UserError(
            f"--count {count}: {path.name} has {2 * len(people)} held-out people, of whom at most"
            f" half can be asked for, as the others are compared with; give at most {len(people)}"
        )
    return Requested(
        people.astype(np.float32), f"real people whom nothing was fitted to, from {path.name}"
    )


def read_latents(path: Path) -> Annotated[Float32Array, "N 512"]:
    """Latents of a user's own file, (N, 512) of unit norm; those of another norm with a notice.

    `path`: an .npz with the array `latents`, or an .npy, of shape (N, 512) or (512,). UserError
    for another file, shape or width, no rows, NaN and vectors without direction.
    """
    if path.suffix == ".npy":
        rows = _read_npy(path)
    else:
        arrays = read_npz(path)
        if "latents" not in arrays:
            raise UserError(
                f"{path} has no array latents but {', '.join(arrays) or 'none at all'}; save them"
                " as numpy.savez(FILE, latents=...)"
            )
        rows = arrays["latents"]
    if rows.dtype.kind not in "fiu":
        raise UserError(f"{path}: latents of type {rows.dtype} are no numbers; save them as floats")
    if rows.size == 0:
        raise UserError(f"{path} holds no latents; give at least one row of {LATENT_SIZE} numbers")
    try:
        return checked_latents(_on_sphere(rows, path))
    except UserError as error:
        raise error.within(str(path)) from None


def _read_npy(path: Path) -> AnyArray:
    if not path.is_file():
        raise UserError(f"{path} is missing: give another file, or make this one again")
    try:
        rows = np.load(path, allow_pickle=False)
    except DAMAGED_ARCHIVE:
        rows = None
    if not isinstance(rows, np.ndarray):
        raise UserError(f"{path} is no whole .npy file of a plain array: make it again")
    return rows


def _on_sphere(rows: AnyArray, path: Path) -> AnyArray:
    """Rows scaled to unit norm, with a notice of how many; what has no direction is left as is."""
    if rows.ndim not in (1, 2):
        return rows
    scaled = np.atleast_2d(rows).astype(np.float64)
    norms = np.linalg.norm(scaled, axis=1)
    usable = np.isfinite(norms) & (norms > 1e-6)
    off = usable & (np.abs(norms - 1) > 1e-2)
    if off.any():
        logger.warning("%s: %d of %d latents are not of unit norm and are normalised",
                       path, off.sum(), len(off))  # fmt: skip
    return scaled / np.where(off, norms, 1.0)[:, None]


def _first(latents: Float32Array, count: int | None, source: str) -> Float32Array:
    if count is not None and count > len(latents):
        raise UserError(f"--count {count}: {source} has {len(latents)} latents; ask for no more")
    return latents[:count]


def reference_for(
    options: MeasureOptions, requested: Requested
) -> tuple[Reference, Annotated[Float32Array, "M 512"]]:
    """Real faces to compare with, without those asked for; and all of them, whose rows are named.

    UserError if hardly any are left.
    """
    reference = load_reference(options.real_latents, len(requested.latents))
    everybody = np.concatenate([reference.yardstick, reference.latents]).astype(np.float32)
    nearest = cosine_distance_matrix(reference.latents, requested.latents).min(axis=1)
    others = reference.latents[nearest > _SAME]
    if len(others) < GALLERY:
        raise UserError(
            f"--latents {options.latents} asks for all but {len(others)} of the real people to"
            f" compare with, {GALLERY} are needed; leave some out by --count, or give others by"
            " --real-latents"
        )
    kept = Reference(reference.note, others, reference.moments, reference.yardstick)
    return kept, everybody
