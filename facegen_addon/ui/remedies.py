# SPDX-License-Identifier: GPL-3.0-or-later
"""Remedies that a user of the panel has: whoever installed the zip has no checkout to repair."""

from __future__ import annotations

from ..encoders.encoder import DEFAULT_ENCODER
from ..encoders.mtcnn_file import DETECTOR
from ..errors import Need, Remedy, explained

_AGAIN = "install FaceGen's zip again"
_REMEDIES = {
    Remedy.BUILD_ENCODER: "give the path of its .onnx file",
    Remedy.RESTORE: _AGAIN,
    Remedy.RETRAIN: "install FaceGen's zip again, or choose Plausible or Any Sliders",
    Remedy.TRAIN: "choose Plausible or Any Sliders; training needs FaceGen's source, see its pages",
    Remedy.FIT_CORRECTIONS: _AGAIN,
    Remedy.RANK_SLIDERS: "press Rank Sliders",
    Remedy.MEASURE_INFLUENCE: _AGAIN,
    Remedy.CHOOSE_FLAME: "choose the FLAME file that they were made for as Model",
    Remedy.AVOID_LATENTS: "or choose Plausible or Any Sliders, which do without",
}
_DETECTOR = "press Get the Face Detector, or Locate, in FaceGen's preferences"
_FACENET = "press Get the Encoder, or Locate, in FaceGen's preferences"


def explain(error: Exception) -> str:
    """An error's line with the remedy that a user of the panel has."""
    return explained(error, remedy)


def remedy(need: Need) -> str:
    """The remedy of a need: a button to press or a thing to do."""
    if need == Need(Remedy.BUILD_ENCODER, DEFAULT_ENCODER):
        return _FACENET
    if need == Need(Remedy.BUILD_ENCODER, DETECTOR):
        return _DETECTOR
    return _REMEDIES[need.remedy]
