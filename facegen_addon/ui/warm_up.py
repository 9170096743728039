# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads in a thread what the first head of a model needs, so that New Face need not wait for it.

A head is drawn and grown in memory; nothing of it is kept but what is read and worked out once.
"""

from __future__ import annotations

import contextlib
from threading import Thread

import bpy
import numpy as np

from ..blas_threads import one_thread
from ..errors import UserError
from ..heads.catalogue import load_head_model
from ..mapping.backward import is_trained
from ..mapping.sampling import HeadSampler
from ..random_streams import random_stream

_begun: set[str] = set()


def begin(model_name: str) -> None:
    """Begin to read what heads of this model need, once; not where nobody looks at a panel."""
    if bpy.app.background or model_name in _begun:
        return
    _begun.add(model_name)
    Thread(target=prepare, args=(model_name,), daemon=True).start()


def prepare(model_name: str) -> None:
    """Read it; what cannot be read is said to whoever asks for a head."""
    with contextlib.suppress(UserError), one_thread():
        model = load_head_model(model_name)
        distribution = "latent" if is_trained(model_name) else "prior"
        start, free = model.table.default(), np.zeros(len(model.table), bool)
        drawn = HeadSampler.load(model).sample(distribution, start, free, random_stream(0))
        model.appearance(drawn.parameters)
        model.grow(drawn.parameters, model.forward(drawn.parameters)[0])
