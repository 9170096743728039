# SPDX-License-Identifier: GPL-3.0-or-later
"""A head fitted to photos of a person: B first, a look at its render, then all cues together.

What the cues ask for is confirmed by one render, or, where B alone was nearer, by another of a more
cautious change: what comes out is not further from the photo, by the encoder, than B alone, but for
the noise of a render, or a little for the eye's sake where it surely reads as the person.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import ByteArray, Float32Array, FloatArray
from ..encoders.encoder import Encoder
from ..encoders.face_detector import FaceDetector
from ..errors import RejectedSample, UserError
from ..heads.head_model import HeadModel
from ..heads.skin.colour import linear_of_srgb
from ..labels.camera import Camera
from ..labels.shot import SENSOR_WIDTH, View
from ..latent.attributes import ATTRIBUTES, AttributeProbes
from ..latent.sphere import cosine_distance, geodesic, normalise
from ..mapping.approach import STEP
from ..mapping.backward import BackwardMapping, invert
from ..mapping.correction import compensated
from .camera_fit import FRAME, SHAPES, fit_camera
from .colours import measure
from .likeness import MOVED_BY_PHOTO, gain, liken
from .photo_face import SQUARE, PhotoFace, seen_latent

STEPS = ("B", "first render", "refine", "confirm", "from the front")
"""What is done for each head, in this order; the last is for the picture alone."""
FRONT = View(focal_length=SENSOR_WIDTH * View().distance / FRAME)
"""As large as a photo's square shows faces."""
NOISE = 0.04
"""Cosine distance that says nothing: the same head turned by two degrees is as much further or
nearer (docs/results/photo.md)."""
_SURE, _FOR_THE_EYE = 0.75, 0.08
"""Of the same-face threshold, below which a head is surely read as the person; so far it may then
be further than B's own: what the eye sees at once, hair and expression, FaceNet sees otherwise."""
_FARTHEST = 14.0
"""Pixels by which the detector may see a landmark elsewhere than it is; beyond, it saw another."""


@dataclass(frozen=True)
class Seen:
    """One render: image (S, S, 3) uint8 RGB; camera; points (5, 2) pixels and vertices (V, 3)."""

    image: Annotated[ByteArray, "S S 3"]
    camera: Camera
    points: Annotated[FloatArray, "5 2"]
    vertices: Annotated[Float32Array, "V 3"]


See = Callable[[Annotated[FloatArray, "P"], View, float, tuple[float, float, float] | None], Seen]
"""F's first half: parameters (P,), view, factor on the light, backdrop (linear RGB or the usual
one) -> a render of SQUARE pixels."""


@dataclass(frozen=True)
class FittingTools:
    """All that a fit needs of one head model."""

    model: HeadModel
    backward: BackwardMapping
    encoder: Encoder
    detector: FaceDetector
    probes: AttributeProbes
    see: See


@dataclass(frozen=True)
class FittedHead:
    """A head for a person.

    faces: of the photos, the one that it is compared with first; parameters (P,): the head, with
    the photo's expression; alone (P,): B's own; view: the photo's camera; seen, seen_alone: both
    heads there; distance, distance_alone: cosine distances from the photos' latent (512,) to what
    the encoder sees in these renders; achieved (512,): what it sees in the first; refined: whether
    it is the refined head, or B's own, as that was further; front: the head from the
    front, in usual light.
    """

    faces: tuple[PhotoFace, ...]
    parameters: Annotated[FloatArray, "P"]
    alone: Annotated[FloatArray, "P"]
    view: View
    seen: Seen
    seen_alone: Seen
    latent: Annotated[Float32Array, "512"]
    achieved: Annotated[Float32Array, "512"]
    distance: float
    distance_alone: float
    refined: bool
    front: Seen
    attributes: dict[str, float]

    def words(self, threshold: float) -> str:
        """How sure the likeness is, in plain words."""
        if self.distance < _SURE * threshold:
            said = "reads as the same person"
        elif self.distance < threshold:
            said = "reads as the same person, barely"
        elif self.distance < 1.25 * threshold:
            said = "reads as a relative, not as the same person"
        else:
            said = "reads as somebody else"
        return f"{said} ({self.distance:.2f}; one person: below {threshold:g})"


def fit_person(
    faces: Sequence[PhotoFace],
    tools: FittingTools,
    *,
    expression: bool = True,
    nearest: bool = False,
) -> Generator[str, None, FittedHead]:
    """Fit a head to the faces of one person; yields the name of each of STEPS before it.

    Without `expression` the head is at rest. `nearest`: B's own head rather than one that is
    further from the photo by ever so little. UserError if a render does not show its face.
    """
    model = tools.model
    lead, *others = sorted(faces, key=lambda face: -face.quality)
    latent = mean_latent([lead, *others])
    yield STEPS[0]
    alone = tools.backward.parameters(latent[None])[0]
    first = fit_camera(model, alone, lead.points, SQUARE)
    yield STEPS[1]
    backdrop = backdrop_of(lead)
    seen_alone = tools.see(alone, first.view, 1.0, backdrop)
    achieved_alone = _embedded(seen_alone, tools, lead)
    yield STEPS[2]
    photo = measure(lead.square, model, seen_alone.vertices, seen_alone.camera)
    render = measure(seen_alone.image, model, seen_alone.vertices, seen_alone.camera)
    second = fit_camera(model, alone, lead.points - _detectors_error(seen_alone, tools), SQUARE)

    def moved(cautious: bool) -> FloatArray:
        return liken(
            model, alone if cautious else second.parameters, photo, render,
            second.smile if expression else None,
            lambda heads: _predicted(tools.backward, heads, latent), cautious,
        )  # fmt: skip

    best = _Tried(alone, seen_alone, achieved_alone, float(cosine_distance(latent, achieved_alone)))
    before = best.distance
    yield STEPS[3]
    most = before if nearest else acceptable(before, tools.encoder.threshold)
    for cautious in (False, True):
        row = moved(cautious)
        if not cautious:
            row = _refined(tools.backward, latent, achieved_alone, alone, row)
        light = gain(model, alone, row, photo, render)
        seen = tools.see(row, first.view, light, backdrop)
        achieved = _embedded(seen, tools, lead)
        distance = float(cosine_distance(latent, achieved))
        if distance <= most:
            best = _Tried(row, seen, achieved, distance)
            break
    yield STEPS[4]
    said = tools.probes.read(latent[None])[0].tolist()
    return FittedHead(
        faces=(lead, *others), parameters=best.parameters, alone=alone, view=first.view,
        seen=best.seen, seen_alone=seen_alone, front=tools.see(best.parameters, FRONT, 1.0, None),
        latent=latent, achieved=best.achieved, distance=best.distance, distance_alone=before,
        refined=best.parameters is not alone, attributes=dict(zip(ATTRIBUTES, said, strict=False)),
    )  # fmt: skip


def acceptable(alone: float, threshold: float) -> float:
    """How far a head may be from the photo where B's own is at `alone`: what reads as the person
    goes on reading so."""
    surely = _SURE * threshold
    if alone < surely:
        return min(alone + _FOR_THE_EYE, max(surely, alone + NOISE))
    return min(alone + NOISE, max(threshold, alone))


@dataclass(frozen=True)
class _Tried:
    """A head (P,), its render, its latent (512,) and how far that is from the photo's."""

    parameters: FloatArray
    seen: Seen
    achieved: Float32Array
    distance: float


def _predicted(backward: BackwardMapping, heads: FloatArray, latent: Float32Array) -> FloatArray:
    """Cosine distances (N,) from a latent at which the surrogates see heads (N, P)."""
    seen = backward.predicted(backward.table.standardise(heads).astype(np.float32))
    return np.asarray(cosine_distance(seen, latent[None]), np.float64)


def mean_latent(faces: Sequence[PhotoFace]) -> Annotated[Float32Array, "512"]:
    """The mean of faces' latents on the sphere (512,), each weighed by its quality."""
    weighed = np.stack([face.quality * face.latent.astype(np.float64) for face in faces])
    return np.asarray(normalise(weighed.sum(axis=0)[None])[0], np.float32)


def backdrop_of(face: PhotoFace) -> tuple[float, float, float]:
    """The colour behind a head, linear RGB: the median beside it, in the upper half."""
    edge = SQUARE // 12
    upper = face.square[: SQUARE // 2]
    beside = np.concatenate([upper[:, :edge].reshape(-1, 3), upper[:, -edge:].reshape(-1, 3)])
    red, green, blue = linear_of_srgb(np.median(beside, axis=0) / 255.0).tolist()
    return red, green, blue


def _embedded(seen: Seen, tools: FittingTools, face: PhotoFace) -> Float32Array:
    """The latent (512,) of a render: as of photos, the mean over crops."""
    try:
        return seen_latent(seen.image, seen.points, tools.encoder)
    except RejectedSample as rejected:
        raise UserError(f"{face.name}: no head of that view shows its face ({rejected})") from None


def _detectors_error(seen: Seen, tools: FittingTools) -> FloatArray:
    """By how much (5, 2) the detector sees the render's landmarks elsewhere than they are: in the
    photo of such a face it will err alike. Zero where it does not find it."""
    found = tools.detector.detect(seen.image)
    if not found:
        return np.zeros((5, 2))
    error = found[0].points - seen.points
    return np.where(np.abs(error).max() > _FARTHEST, 0.0, error)


def _refined(
    backward: BackwardMapping,
    latent: Float32Array,
    achieved: Float32Array,
    alone: FloatArray,
    moved: FloatArray,
) -> FloatArray:
    """B again from the moved head: what the photo says of it stays, the rest makes up for it, and
    for half of what the first render fell short by."""
    table = backward.table
    start = table.standardise(moved)
    names = {*MOVED_BY_PHOTO, *SHAPES}
    held = np.array([table.names[column] in names for column in table.guided])
    held &= moved[table.guided] != alone[table.guided]
    region = backward.region.around(latent[None]).holding(held, start[0])
    asked = geodesic(latent[None], compensated(latent[None], achieved[None]), STEP)
    z = invert(backward.ensemble, asked.astype(np.float32), start, region, backward.settings)
    refined = table.from_standardised(z)[0]
    moving = table.moving
    refined[moving] = moved[moving]
    return np.clip(refined, table.minimum, table.maximum)
