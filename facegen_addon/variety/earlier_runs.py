# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents of the heads that earlier runs of `generate` and `measure` rendered, read from files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..arrays import AnyArray, Float32Array
from ..artifacts import read_npz
from ..encoders.encoder import DEFAULT_ENCODER
from ..errors import UserError
from ..heads.exchange.slider_file import RUN_FILE
from ..latent.checked import checked_latents

MEASURE_FILE = "roundtrip.npz"
"""The file of latents in the folder that `measure` makes."""
ENCODER_ARRAY = "encoder"
"""In the file of a run by another encoder than the default, that one's EncoderSource.key."""
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


def encoder_array(key: str) -> dict[str, AnyArray]:
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
