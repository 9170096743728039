# SPDX-License-Identifier: GPL-3.0-or-later
"""C, corrections of the roundtrip s -> B -> render -> F, which does not come back to s.

Two kinds. *Feedback* looks at a render and asks B again: as the talk writes it, or with the sign
that compensates. *Render-free* corrections were fitted beforehand and move a latent before B sees
it: one rotation of the whole sphere, a transport into the plane that renders span, or a network
that gives each latent its own tangent vector.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import AnyArray, Float32Array, RealArray
from ..artifacts import artifact, load_npz
from ..errors import Need, Remedy, UserError
from ..heads.parameters import ParameterTable
from ..latent.checked import checked_latents
from ..latent.sphere import exp_map, normalise, rotation_between
from .backward import GRADES, BackwardMapping
from .perceptron import Perceptron

logger = logging.getLogger(__name__)

Correct = Callable[[Float32Array], Float32Array]
"""C: latents (N, 512) -> what to ask B for instead, (N, 512); all of unit norm."""

RENDER_FREE = ("none", "mean_rotation", "procrustes", "plane", "learned")


def compensated(
    requested: ArrayLike, achieved: ArrayLike, asked: ArrayLike | None = None
) -> Annotated[Float32Array, "N 512"]:
    """What to ask B for next, having seen one render: asked + rho, on the sphere.

    rho = s - F(B(asked)) is by how much the head fell short, so it is added to what was asked for:
    a step of the fixed-point iteration whose rest is F(B(asked)) = s.

    Args:
        requested: s, (512,) or (N, 512); normalised, with a notice, where the norm is not 1.
        achieved: F(B(asked)) of the same shape.
        asked: what B was asked for, of the same shape; s itself where None.

    Returns:
        (N, 512) float32 of unit norm. UserError for another width, NaN, or a zero vector.
    """
    s, f = _checked_pair(requested, achieved)
    before = s if asked is None else _checked_pair(asked, achieved)[0]
    moved = before + (s - f)
    # After several steps an answer may cancel what is asked for, though hardly ever exactly.
    lost = np.linalg.norm(moved, axis=1) < 1e-6
    moved[lost] = before[lost]
    return normalise(moved).astype(np.float32)  # type: ignore[no-any-return]


def as_written(
    requested: ArrayLike, achieved: ArrayLike, asked: ArrayLike | None = None
) -> Annotated[Float32Array, "N 512"]:
    """What the talk's formula B(s - rho(s)) asks for: with rho(s) = s - F(B(s)), F(B(s)) itself.

    Arguments and result as of `compensated`; `asked` plays no part.
    """
    s, f = _checked_pair(requested, achieved)
    return normalise(s - (s - f)).astype(np.float32)  # type: ignore[no-any-return]


FEEDBACK: dict[str, Callable[..., Float32Array]] = {
    "compensated": compensated,
    "as_written": as_written,
}


def _checked_pair(first: ArrayLike, second: ArrayLike) -> tuple[Float32Array, Float32Array]:
    s, f = checked_latents(first), checked_latents(second)
    if s.shape != f.shape:
        raise UserError(f"{len(s)} requested latents, {len(f)} achieved: give one for each")
    return s, f


@dataclass(frozen=True)
class Rotation:
    """One rotation (512, 512) of the whole sphere."""

    matrix: Annotated[Float32Array, "D D"]

    @classmethod
    def of_means(
        cls, first: Annotated[RealArray, "N 512"], second: Annotated[RealArray, "M 512"]
    ) -> Rotation:
        """The one that takes the mean direction of `first` (N, 512) to that of `second`."""
        a, b = (normalise(rows.mean(axis=0)) for rows in (first, second))
        return cls(rotation_between(a, b).astype(np.float32))

    def __call__(
        self, latents: Annotated[Float32Array, "N 512"]
    ) -> Annotated[Float32Array, "N 512"]:
        """Rotate latents (N, 512)."""
        return normalise(latents @ self.matrix.T).astype(np.float32)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class PlaneTransport:
    """From around the mean of photos into the plane of the renders' leading principal axes.

    What photos have and no render has is left out; what both have is kept as it deviates from
    each side's own mean.

    Attributes:
        means: (2, 512) of photos and of renders; axes: (K, 512), orthonormal.
    """

    means: Annotated[Float32Array, "2 512"]
    axes: Annotated[Float32Array, "K 512"]

    @classmethod
    def between(
        cls,
        photos: Annotated[RealArray, "N 512"],
        renders: Annotated[RealArray, "M 512"],
        size: int,
    ) -> PlaneTransport:
        """From photos (N, 512) into the plane of `size` axes of renders (M, 512)."""
        means = np.stack([photos.mean(axis=0), renders.mean(axis=0)]).astype(np.float32)
        axes = np.linalg.svd(renders - means[1], full_matrices=False)[2][:size]
        return cls(means, axes.astype(np.float32))

    def __call__(
        self, latents: Annotated[Float32Array, "N 512"]
    ) -> Annotated[Float32Array, "N 512"]:
        """Move latents (N, 512)."""
        moved = self.means[1] + (latents - self.means[0]) @ self.axes.T @ self.axes
        return normalise(moved).astype(np.float32)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class TangentNetwork:
    """A network that gives each latent a vector of its tangent space, along which it moves."""

    network: Perceptron

    def __call__(
        self, latents: Annotated[Float32Array, "N 512"]
    ) -> Annotated[Float32Array, "N 512"]:
        """Move latents (N, 512)."""
        step = self.network.predict(latents)
        step -= np.sum(step * latents, axis=1, keepdims=True) * latents
        return exp_map(latents, step).astype(np.float32)  # type: ignore[no-any-return]


def load_correction(name: str, model: str, grade: str = "refined") -> Correct:
    """A render-free correction, fitted for one grade of a model's B.

    UserError for an unknown name, or where none was fitted, or to another B than there is now.
    """
    if name not in RENDER_FREE:
        raise UserError(f"unknown correction {name!r}: choose one of {', '.join(RENDER_FREE)}")
    if name == "none":
        return _unchanged
    try:
        arrays = load_npz(f"corrections_{model}")
        _check_backward(model)
    except UserError as error:
        where = f"correction {name!r} of {model!r} (or choose none)"
        raise error.within(where) from None
    fitted = corrections_of(arrays, grade)
    if name not in fitted:
        raise UserError(
            f"no correction {name!r} was fitted for grade {grade!r} of {model!r}: choose one of"
            f" {', '.join(['none', *fitted])}"
        )
    return fitted[name]


def default_correction(model: str, grade: str) -> str:
    """Name of the correction that renders like best for one grade of a model's B.

    "none" where that is none, or where none was fitted to the present B.
    """
    try:
        facts = artifact(f"corrections_{model}").facts
    except UserError:
        return "none"
    chosen: str = facts.get("default", {}).get(grade, "none")
    try:
        if chosen != "none":
            _check_backward(model)
    except UserError as error:
        logger.warning("%s is sampled without its correction, which was %s", model, error)
        return "none"
    return chosen


def load_sampler(model: str, table: ParameterTable) -> BackwardMapping:
    """B as heads are sampled by it: each grade with its default correction.

    UserError if B is missing, damaged or stale.
    """
    chosen = {str(grade): default_correction(model, grade) for grade in GRADES}
    corrections = {
        grade: load_correction(name, model, grade)
        for grade, name in chosen.items()
        if name != "none"
    }
    return replace(BackwardMapping.load(model, table), corrections=corrections)


def _check_backward(model: str) -> None:
    """UserError where B was trained anew since the corrections were fitted to its roundtrips."""
    fitted = artifact(f"corrections_{model}").facts.get("backward")
    if fitted != artifact(f"backward_{model}").sha256:
        raise UserError("fitted to an earlier B", Need(Remedy.FIT_CORRECTIONS, model))


def corrections_of(arrays: Mapping[str, AnyArray], base: str) -> dict[str, Correct]:
    """All render-free corrections that `arrays` hold for one B.

    Keys are BASE/NAME/ARRAY: `rotation` (512, 512), or `ends` (2, 512), two directions of which
    the first is turned onto the second, or `means` and `axes` of a plane, or the layers of a
    tangent network.
    """
    found: dict[str, Correct] = {}
    for name in RENDER_FREE[1:]:
        prefix = f"{base}/{name}/"
        if f"{prefix}rotation" in arrays:
            found[name] = Rotation(np.asarray(arrays[f"{prefix}rotation"], np.float32))
        elif f"{prefix}ends" in arrays:
            first, second = normalise(arrays[f"{prefix}ends"])
            found[name] = Rotation(rotation_between(first, second).astype(np.float32))
        elif f"{prefix}axes" in arrays:
            found[name] = PlaneTransport(
                *(np.asarray(arrays[f"{prefix}{part}"], np.float32) for part in ("means", "axes"))
            )
        elif any(key.startswith(prefix) for key in arrays):
            found[name] = TangentNetwork(Perceptron.from_arrays(arrays, prefix))
    return found


def _unchanged(latents: Float32Array) -> Float32Array:
    return latents
