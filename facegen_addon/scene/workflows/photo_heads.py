# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos to heads, F being Blender: what the command line and the panel's operator share."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Annotated

import bpy
import numpy as np

from ...arrays import FloatArray
from ...encoders.encoder import Encoder
from ...encoders.face_detector import FaceDetector
from ...errors import UserError
from ...generators import retold
from ...heads.catalogue import load_head_model
from ...heads.head_model import HeadModel
from ...labels.shot import Background, Light, Shot, View
from ...latent.attributes import AttributeProbes
from ...mapping.backward import BackwardMapping
from ...photo.fitting import STEPS, FittedHead, FittingTools, Seen, fit_person
from ...photo.photo_face import SQUARE, PhotoFace, find_faces
from ..head import history
from ..head.head_object import HeadObject
from ..head.latents import Latents, store
from ..head.placement import stand, taken_room
from ..render.photo_file import read_photo
from ..render.sample_renderer import SampleRenderer, SampleSettings

Work = Generator[tuple[int, int], None, tuple[list[FittedHead], list[str]]]
"""Yields (steps done, of how many); returns the heads and, a line each, what was left out."""

_SAMPLES = 8


@contextmanager
def fitting_tools(
    model_name: str, device: str = "auto", threads: int = 0
) -> Iterator[FittingTools]:
    """All that fits photos to heads of a model, Blender's studio open until the end.

    UserError if the model has no B, or a file is missing: FaceNet's or the detector's.
    """
    detector = FaceDetector.load()
    encoder = Encoder.load(threads=threads)
    model = load_head_model(model_name)
    backward = BackwardMapping.load(model.name, model.table)
    with PhotoStudio(model, device, threads) as studio:
        yield FittingTools(model, backward, encoder, detector, AttributeProbes.load(), studio.see)


class PhotoStudio(SampleRenderer):
    """Renders heads as a photo's camera sees them."""

    def __init__(self, model: HeadModel, device: str, threads: int) -> None:
        settings = SampleSettings(
            samples=_SAMPLES, width=SQUARE, height=SQUARE, device=device, threads=threads,
            labels=False,
        )  # fmt: skip
        super().__init__(model, settings, dense=1)

    def see(
        self,
        parameters: Annotated[FloatArray, "P"],
        view: View,
        light: float = 1.0,
        backdrop: tuple[float, float, float] | None = None,
    ) -> Seen:
        """The head (P,) in this view."""
        shot = Shot(
            np.asarray(parameters, np.float64), view, Light(strength=light),
            Background(colour=backdrop),
        )  # fmt: skip
        rendered = self.render(shot)
        vertices = self.model.forward(shot.parameters[None])[0]
        return Seen(rendered.image, rendered.camera, rendered.points, vertices)


def fit_photos(
    photos: Sequence[Path],
    model: str,
    device: str = "auto",
    *,
    everybody: bool = False,
    same_person: bool = False,
    expression: bool = True,
    nearest: bool = False,
) -> Work:
    """Fit a head to the largest face of each photo, to everybody in it, or one to all photos.

    Photos that cannot be used are left out; UserError, of the first, if none can.
    """
    faults: list[str] = []
    people: list[list[PhotoFace]] = []
    each = len(STEPS)
    with fitting_tools(model, device) as tools:
        for number, photo in enumerate(photos, start=1):
            try:
                faces = find_faces(
                    read_photo(photo), photo.name, tools.detector, tools.encoder, everybody
                )
                people += [[face] for face in faces]
            except UserError as error:
                faults.append(str(error))
            yield number, len(photos) * (1 + each)
        if not people:
            raise UserError(faults[0])
        if same_person:
            people = [[face for faces in people for face in faces]]
        total = len(photos) + each * len(people)
        done = count(len(photos))
        fitted = []
        for faces in people:
            steps = fit_person(faces, tools, expression=expression, nearest=nearest)
            head = yield from retold(steps, lambda _: (next(done), total))
            fitted.append(head)
        yield total, total
    return fitted, faults


def place(
    fitted: Sequence[FittedHead],
    model: str,
    context: bpy.types.Context,
    *,
    keep_latent: bool = False,
) -> list[HeadObject]:
    """Add fitted heads to the context's collection, in a grid from the cursor or where is room.

    `keep_latent`: each has the latent of its photo as the one that was asked for.
    """
    taken = taken_room(context.view_layer)
    heads = []
    for one in fitted:
        head = HeadObject.create(
            load_head_model(model), context.collection, parameters=one.parameters
        )
        if keep_latent:
            store(head.mesh_object, Latents(requested=one.latent))
        history.record(head, "Fit from photo")
        heads.append(head)
    stand([head.mesh_object for head in heads], context.scene.cursor.location, taken)
    return heads
