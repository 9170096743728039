# SPDX-License-Identifier: GPL-3.0-or-later
"""An exported head whose neck is closed towards the inside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...arrays import Float32Array
from ...heads.head_model import HeadModel
from ...heads.rig import strongest
from ...heads.wear.neck import neck_cap
from .part import Part


def with_closed_neck(model: HeadModel, head: Part) -> Part:
    """A head with all of the model's vertices, and what closes its neck.

    That has the look of the skin and moves as the edge does. The edge is sharp, so that the skin
    above it is lit as on an open neck.
    """
    cap = neck_cap(model, head.faces)
    edge = cap.edge.astype(np.int32)
    skin = head.look_of_face[np.isin(head.faces, edge).any(1)][0]
    keys = head.keys
    if keys is not None:
        offsets: Float32Array = np.stack([cap.added(offset) for offset in keys.offsets])
        keys = replace(keys, offsets=offsets)
    return replace(
        head,
        vertices=cap.added_vertices(head.vertices),
        faces=np.concatenate([head.faces, cap.faces_after(len(head.vertices))], dtype=np.int32),
        uv=np.concatenate([head.uv, cap.uv], dtype=np.float32),
        colour=cap.added(head.colour),
        look_of_face=np.append(head.look_of_face, np.full(len(cap.faces), skin)).astype(np.int32),
        keys=keys,
        weights=strongest(cap.added(head.weights)),
        sharp=np.stack([edge, np.roll(edge, -1)], axis=1),
    )
