# SPDX-License-Identifier: GPL-3.0-or-later
"""Where real faces lie and no head does yet, and the heads to ask for next.

Natural samples stand for the people to be reached. Heads are chosen greedily, each the one that
brings these samples' mean distance to their nearest head down most, by what the surrogates
predict. Besides single faces, the middles of neighbourhoods are asked for: a head between a dozen
faces is near to them all.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32Array, FloatArray
from ..artifacts import read_npz
from ..encoders.encoder import DEFAULT_ENCODER
from ..errors import UserError
from ..heads.exchange.slider_file import RUN_FILE
from ..latent.checked import checked_latents
from ..latent.coverage import greedy_cover, neighbourhood_middles
from ..latent.metrics import nearest_neighbour_distances
from ..latent.natural import NaturalFaces
from ..latent.sphere import cosine_distance_matrix
from .backward import BackwardMapping, Grade, Progress
from .screening import VarietyProposal, spread

MEASURE_FILE = "roundtrip.npz"
"""The file of latents in the folder that `measure` makes."""
ENCODER_ARRAY = "encoder"
"""In the file of a run by another encoder than the default, that one's EncoderSource.key."""

_ANCHORS = 1500  # natural samples that stand for all people
_NEIGHBOURHOODS = (4, 12, 30)  # faces whose middle is asked for
_REFINED_PER_HEAD = 2  # of the heads refined, every second is proposed
_REMEDY = "name the folder of a finished `generate` or `measure` run"


def read_achieved(run: Path, model: str, encoder: str = DEFAULT_ENCODER) -> Float32Array:
    """Latents (N, 512) of the heads that an earlier run of head model `model` rendered.

    Heads that showed no face are not among them.

    `run` is the folder of a `generate` or `measure` run, or the .npz file in it; `encoder` is the
    EncoderSource.key of the one that has to have read the heads. UserError, naming `run` and the
    remedy, if it is neither, is damaged, or is of another head model or encoder.
    """
    path = run_file(run)
    arrays = read_npz(path)
    if "achieved" not in arrays or "model" not in arrays:
        raise UserError(f"{path} holds no achieved latents of a head model: {_REMEDY}")
    if str(arrays["model"]) != model:
        raise UserError(
            f"{path} has heads of model {str(arrays['model'])!r}, not {model!r}: {_REMEDY} of"
            f" {model!r}, or choose the model {arrays['model']}"
        )
    by = str(arrays.get(ENCODER_ARRAY, DEFAULT_ENCODER))
    if by != encoder:
        raise UserError(f"{path} has latents of encoder {by!r}, not {encoder!r}: {_REMEDY} of that")
    achieved = np.atleast_1d(arrays["achieved"])
    # A head that showed no face has a zero latent there.
    usable = arrays.get("usable", np.ones(len(achieved), np.bool_))
    if usable.dtype != np.bool_ or usable.shape != achieved.shape[:1]:
        raise UserError(f"{path} does not say of each head whether it showed a face: {_REMEDY}")
    if not usable.any():
        raise UserError(f"{path} has no heads: {_REMEDY}")
    try:
        return checked_latents(achieved[usable])
    except UserError as error:
        raise error.within(str(path)) from None


def encoder_array(key: str) -> dict[str, NDArray[np.str_]]:
    """What a run's arrays say of the encoder that read its heads (EncoderSource.key).

    Nothing of the default one, which readers take for granted.
    """
    return {} if key == DEFAULT_ENCODER else {ENCODER_ARRAY: np.array(key)}


def run_file(run: Path) -> Path:
    """The file of an earlier run in which its heads' latents lie; UserError if there is none."""
    run = Path(run)
    if not os.path.isdir(run):  # False, too, where the disk or its rights say no
        return run
    for name in (RUN_FILE, MEASURE_FILE):
        if (run / name).is_file():
            return run / name
    raise UserError(f"{run} has neither {RUN_FILE} nor {MEASURE_FILE}: {_REMEDY}")


def propose_gap_fillers(
    backward: BackwardMapping,
    natural: NaturalFaces,
    rng: np.random.Generator,
    n: int,
    achieved: np.ndarray,
    distance: float | None = None,
    grade: Grade = "refined",
    progress: Progress | None = None,
) -> VarietyProposal:
    """Propose n heads that bring natural faces' distance to their nearest head down most.

    Args:
        achieved: (K, 512) latents of the heads that are there already; K may be 0.
        distance: if given, heads predicted to be nearer than that to one another come last, and
            the others are pushed until they are predicted to be apart.

    Returns:
        the heads in the order in which to render them; a few hundred at most make sense.
    """
    anchors = natural.sample(rng, _ANCHORS)
    covered = np.full(len(anchors), np.inf)
    if len(achieved):
        covered = nearest_neighbour_distances(anchors, achieved)
    asked = np.concatenate(
        [anchors, *(neighbourhood_middles(anchors, size) for size in _NEIGHBOURHOODS)]
    ).astype(np.float32)
    rough = backward.standardised(asked, "direct")
    few = n if grade == "direct" else _REFINED_PER_HEAD * n
    first = _cover(backward.predicted(rough), anchors, covered, few, distance)
    if grade == "direct":
        return VarietyProposal.of(backward, asked[first], rough[first])
    tell = progress or (lambda done, total: None)
    # Refining and pushing take about as long as one another.
    asked = asked[first]
    z = backward.standardised(asked, "refined", lambda done, total: tell(done, 2 * total))
    order = _cover(backward.predicted(z), anchors, covered, n, distance)
    asked, z = asked[order], z[order]
    if distance is not None:
        front = _apart(backward.predicted(z), distance)
        asked[:front], z[:front] = spread(
            backward,
            asked[:front],
            z[:front],
            distance,
            lambda done, total: tell(total + done, 2 * total),
        )
    return VarietyProposal.of(backward, asked, z)


def _cover(
    predicted: Float32Array,
    anchors: Float32Array,
    covered: FloatArray,
    count: int,
    distance: float | None,
) -> NDArray[np.int_]:
    def near(taken: int) -> NDArray[np.bool_]:
        beside: NDArray[np.bool_] = 1 - predicted @ predicted[taken] < distance
        return beside

    return greedy_cover(
        cosine_distance_matrix(anchors, predicted),
        covered,
        count,
        None if distance is None else near,
    )


def _apart(predicted: Float32Array, distance: float) -> int:
    """How many of the first heads lie, or nearly lie, apart from all before them."""
    near = cosine_distance_matrix(predicted) < 0.8 * distance
    crowded = np.tril(near, -1).any(axis=1)
    return int(np.argmax(crowded)) if crowded.any() else len(predicted)
