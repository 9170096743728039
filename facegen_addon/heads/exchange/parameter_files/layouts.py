# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of conventions: the keys of each program's files and their FLAME parameters."""

from __future__ import annotations

from collections.abc import Mapping

from ...flame.model import POSES

Layout = Mapping[str, tuple[str, ...]]

CODES = ("betas", "expression")
HEAD_AND_JAW = ("global_orient", "jaw_pose")
EYES = ("leye_pose", "reye_pose")

LAYOUTS: dict[str, Layout] = {
    "plain": {name: (name,) for name in (*CODES, *POSES, "transl")},
    "deca": {"shape": ("betas",), "exp": ("expression",), "pose": HEAD_AND_JAW},
    "emoca": {
        "shapecode": ("betas",),
        "expcode": ("expression",),
        "posecode": HEAD_AND_JAW,
        "globalpose": ("global_orient",),
        "jawpose": ("jaw_pose",),
        "eyecode": EYES,
    },
    "mica": {"identity": ("betas",), "pred_shape_code": ("betas",)},
    "vhap": {
        "shape": ("betas",),
        "expr": ("expression",),
        "rotation": ("global_orient",),
        "translation": ("transl",),
        "neck_pose": ("neck_pose",),
        "jaw_pose": ("jaw_pose",),
        "eyes_pose": EYES,
    },
    "smirk": {
        "shape_params": ("betas",),
        "expression_params": ("expression",),
        "pose_params": ("global_orient",),
        "neck_pose_params": ("neck_pose",),
        "jaw_params": ("jaw_pose",),
        "eye_pose_params": EYES,
    },
    "flame-head-tracker": {
        "shape": ("betas",),
        "exp": ("expression",),
        "pose": HEAD_AND_JAW,
        "head_pose": ("global_orient",),
        "neck_pose": ("neck_pose",),
        "jaw_pose": ("jaw_pose",),
        "eye_pose": EYES,
    },
    "imavatar": {"shape_params": ("betas",), "expression": ("expression",), "pose": POSES},
    "cap4d": {
        "shape": ("betas",),
        "rot": ("global_orient",),
        "tra": ("transl",),
        "jaw_rot": ("jaw_pose",),
        "eye_rot": EYES,
    },
}
"""Convention -> key -> the parameters that its numbers are, one after the other."""

EMOCA_FOLDER: Layout = {**LAYOUTS["deca"], **LAYOUTS["emoca"]}

TRACKER: Layout = {
    "shape": ("betas",),
    "exp": ("expression",),
    "jaw": ("jaw_pose",),
    "eyes": EYES,
    "neck": ("neck_pose",),
    "R": ("global_orient",),
    "t": ("transl",),
}
"""Keys of `flame` in a frame of metrical-tracker and, with the last three, of Pixel3DMM."""

TRACKER_NEEDS = {"shape", "exp", "jaw", "eyes"}
TRACKER_SIX = {"jaw", "eyes", "neck", "R"}  # rotations in six numbers

COMPONENTS = {
    "deca": {"betas": 100, "expression": 50},
    "emoca": {"betas": 100, "expression": 50},
    "mica": {"betas": 300},
}
"""Components that a program's own files have; a plain file has as many as the model."""

FLAME_VERSION = {
    "deca": "FLAME 2020",
    "emoca": "FLAME 2020",
    "mica": "FLAME 2020",
    "tracker": "FLAME 2020",
    "pixel3dmm": "FLAME 2020",
    "smirk": "FLAME 2020",
    "flame-head-tracker": "FLAME 2020",
    "imavatar": "FLAME 2020",
    "vhap": "FLAME 2023",
    "cap4d": "FLAME 2023",
}

ABOUT_ORIGIN = {"cap4d", "pixel3dmm"}
"""Programs that turn the whole head about the model's origin, not about its root joint as FLAME."""

FOREIGN_EXPRESSION = {
    "cap4d": {
        "expr": (
            "its components are CAP4D's own, of a FLAME 2023 without jaw and with a blink; mouth"
            " and lids stay neutral"
        )
    }
}
"""Convention -> key of an expression that is not FLAME's -> what it is."""

VIDEO_TRACKERS = {"vhap", "tracker", "pixel3dmm", "flame-head-tracker", "imavatar"}
"""Programs whose numbered files are the frames of a video."""

FRAME_RATE = ("fps", "video_fps", "frame_rate", "framerate", "mocap_frame_rate")
"""Keys that say how many frames a second has."""


def names_for(names: tuple[str, ...], width: int) -> tuple[str, ...]:
    """The parameters under a key that is said to hold `names`, by how many numbers a head has.

    The pose of DECA's heirs holds head and jaw (6), or all five joints in FLAME's order (15).
    """
    if names == HEAD_AND_JAW and width == 3 * len(POSES):
        return POSES
    if names == ("global_orient",) and width == 3 * len(HEAD_AND_JAW):
        return HEAD_AND_JAW
    return names
