# SPDX-License-Identifier: GPL-3.0-or-later
"""What each slider does: how far it moves a face in latent space and in millimetres.

Each parameter is moved by one step on a few heads of the prior, the same heads for all parameters,
and both heads are rendered and embedded. A step is one standard deviation of the prior; where the
prior leaves a parameter alone (expression, pose), a quarter of its range. Rendering has noise: the
same head under another seed of the renderer has another latent, and a cosine distance below that
floor means nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32Array, FloatArray
from ..artifacts import load_npz, read_index, read_npz
from ..atomic_file import replacing
from ..choices import MEASURING_SAMPLES, SEED
from ..errors import Need, RejectedSample, Remedy, UserError
from ..heads.head_model import HeadModel
from ..heads.parameters import Parameter, ParameterTable
from ..random_streams import random_stream
from ..user_folder import user_folder

BELIEVABLE = 2.5
"""Standard deviations from the mean within which an artist believes a head."""
RANGE_SHARE = 0.25
"""A step of a parameter without standard deviation, as a share of its range."""
FORMAT = 1
_UNUSABLE = -1.0  # a distance where one of both renders shows no face


@dataclass(frozen=True)
class InfluenceSettings:
    """What the figures depend on, besides model and encoder."""

    heads: int = 4
    samples: int = MEASURING_SAMPLES.default
    seed: int = SEED.default


@dataclass(frozen=True)
class Probe:
    """F and a portrait, by a renderer or by a stand-in.

    ``embed(parameters (N, P), noise seed)`` gives latents (N, 512) of unit norm, or raises
    RejectedSample; ``portrait(parameters (P,))`` gives the bytes of a small JPEG.
    """

    embed: Callable[[FloatArray, int], Float32Array]
    portrait: Callable[[FloatArray], bytes]


@dataclass(frozen=True)
class SliderInfluence:
    """One parameter's figures.

    step: how far it was moved, in its own unit; step_is_std: whether that is one standard
    deviation (else a quarter of the range); distances (H,): cosine distance of each head with and
    without the step, -1 where a render shows no face; mean_mm and largest_mm: displacement of skin
    vertices by the step, over all heads; low and high: values of the two pictures, JPEG.
    """

    name: str
    step: float
    step_is_std: bool
    distances: Annotated[Float32Array, "H"]
    mean_mm: float
    largest_mm: float
    low: float
    high: float
    low_picture: bytes
    high_picture: bytes

    @property
    def cosine(self) -> float:
        """Mean cosine distance per step; NaN where no head could be measured."""
        usable = self._usable
        return float(usable.mean()) if len(usable) else math.nan

    @property
    def standard_error(self) -> float:
        """Standard error of ``cosine`` over the heads; NaN for fewer than two."""
        usable = self._usable
        if len(usable) < 2:
            return math.nan
        return float(usable.std(ddof=1) / math.sqrt(len(usable)))

    @property
    def _usable(self) -> FloatArray:
        return self.distances[self.distances >= 0.0].astype(np.float64)

    @property
    def step_words(self) -> str:
        """What one step is."""
        return "standard deviation" if self.step_is_std else "quarter of the range"


@dataclass(frozen=True)
class BaseHeads:
    """The heads that every parameter is moved on: parameters (H, P), vertices (H, V, 3) metres,
    latents (H, 512), noise (H,): cosine distance of each to itself under another seed."""

    parameters: Annotated[FloatArray, "H P"]
    vertices: Annotated[Float32Array, "H V 3"]
    latents: Annotated[Float32Array, "H 512"]
    noise: Annotated[Float32Array, "H"]


@dataclass(frozen=True)
class Influence:
    """The figures of a model's parameters, or of those that were measured.

    noise (H,): cosine distance of each base head to itself under another seed of the renderer;
    fingerprint: of model, settings and encoder; table_digest: of the parameter table.
    """

    model: str
    settings: InfluenceSettings
    fingerprint: str
    table_digest: str
    noise: Annotated[Float32Array, "H"]
    sliders: tuple[SliderInfluence, ...]

    @cached_property
    def noise_floor(self) -> float:
        """Mean cosine distance that rendering noise alone makes."""
        return float(self.noise.mean(dtype=np.float64))

    @cached_property
    def _by_name(self) -> dict[str, SliderInfluence]:
        return {slider.name: slider for slider in self.sliders}

    def slider(self, name: str) -> SliderInfluence | None:
        """The figures of one parameter; None if it was not measured."""
        return self._by_name.get(name)

    def ranked(self) -> list[SliderInfluence]:
        """The parameters, those that change a face most first; unmeasurable ones last."""
        return sorted(self.sliders, key=lambda s: -s.cosine if s.cosine >= 0 else math.inf)

    def is_noise(self, slider: SliderInfluence) -> bool:
        """Whether a figure does not rise above the renderer's noise."""
        return not slider.cosine > self.noise_floor

    def cosine_words(self, slider: SliderInfluence) -> str:
        """The cosine distance for people: "0.031", or "0.001 (noise: 0.002)"."""
        if math.isnan(slider.cosine):
            return "not measurable"
        if self.is_noise(slider):
            return f"{slider.cosine:.3f} (noise: {self.noise_floor:.3f})"
        return f"{slider.cosine:.3f}"

    def describe(self, name: str) -> str:
        """One line for a tooltip; empty if the parameter was not measured."""
        slider = self.slider(name)
        if slider is None:
            return ""
        return (
            f"Influence: {self.cosine_words(slider)} cosine distance and"
            f" {slider.mean_mm:.1f} mm per {slider.step_words}"
        )


def step_of(parameter: Parameter) -> tuple[float, bool]:
    """How far a parameter is moved, and whether that is one standard deviation."""
    if parameter.std > 0:
        return parameter.std, True
    return RANGE_SHARE * (parameter.maximum - parameter.minimum), False


def believable_range(parameter: Parameter) -> tuple[float, float]:
    """The lowest and highest value that an artist believes."""
    if parameter.std == 0:
        return parameter.minimum, parameter.maximum
    reach = BELIEVABLE * parameter.std
    return (
        max(parameter.minimum, parameter.mean - reach),
        min(parameter.maximum, parameter.mean + reach),
    )


def draw_heads(model: HeadModel, settings: InfluenceSettings) -> Annotated[FloatArray, "H P"]:
    """The base heads' parameters (H, P): of the prior, head i by its own seed."""
    return np.concatenate(
        [
            model.sample_prior(random_stream(settings.seed, head), 1)
            for head in range(settings.heads)
        ]
    )


def base_heads(model: HeadModel, settings: InfluenceSettings, probe: Probe) -> BaseHeads:
    """Draw, render and embed the base heads, twice for the noise.

    RejectedSample if one of them shows no face, which no head of a prior should do.
    """
    parameters = draw_heads(model, settings)
    latents = probe.embed(parameters, settings.seed)
    again = probe.embed(parameters, settings.seed + 1)
    noise = _cosine_distance(latents, again)
    return BaseHeads(parameters, model.forward(parameters), latents, noise)


def measure(
    model: HeadModel, name: str, base: BaseHeads, settings: InfluenceSettings, probe: Probe
) -> SliderInfluence:
    """Move the parameter called ``name`` by one step on every base head.

    Upwards, or downwards where the range ends before.
    """
    column = model.table.index(name)
    parameter = model.table.parameters[column]
    step, is_std = step_of(parameter)
    moved = base.parameters.copy()
    upwards = moved[:, column] + step <= parameter.maximum
    moved[:, column] += np.where(upwards, step, -step)
    moved[:, column] = np.clip(moved[:, column], parameter.minimum, parameter.maximum)
    skin = model.surface.part == model.surface.part_names.index("skin")
    offset = (model.forward(moved) - base.vertices)[:, skin].astype(np.float64)
    millimetres = 1000.0 * np.linalg.norm(offset, axis=2)
    low, high = believable_range(parameter)
    return SliderInfluence(
        name,
        step,
        is_std,
        _distances(moved, base, settings.seed, probe),
        float(millimetres.mean()),
        float(millimetres.max()),
        low,
        high,
        *(probe.portrait(_mean_head_with(model.table, column, value)) for value in (low, high)),
    )


def _mean_head_with(table: ParameterTable, column: int, value: float) -> FloatArray:
    parameters = table.default()
    parameters[column] = value
    return parameters


def _distances(moved: FloatArray, base: BaseHeads, seed: int, probe: Probe) -> Float32Array:
    distances = np.full(len(moved), _UNUSABLE, np.float32)
    for head, parameters in enumerate(moved):
        try:
            latents = probe.embed(parameters[None], seed)
        except RejectedSample:
            continue
        distances[head] = _cosine_distance(latents, base.latents[head : head + 1])[0]
    return distances


def _cosine_distance(a: Float32Array, b: Float32Array) -> Float32Array:
    """Of unit vectors (N, D), row by row; equal ones have exactly none."""
    difference = a.astype(np.float64) - b
    return (0.5 * np.square(difference).sum(1)).astype(np.float32)


def table_digest(table: ParameterTable) -> str:
    """sha256 of a parameter table: names, ranges and prior."""
    rows = [parameter.as_mapping() for parameter in table.parameters]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def fingerprint(model: HeadModel, settings: InfluenceSettings, encoder_sha256: str) -> str:
    """sha256 of all that the figures depend on: geometry, table, settings, encoder."""
    digest = hashlib.sha256()
    facts = [FORMAT, model.name, table_digest(model.table), asdict(settings), encoder_sha256]
    digest.update(json.dumps(facts, sort_keys=True).encode())
    heads = draw_heads(model, settings)
    # Heads and a posed, grimacing one: every blend shape takes part in one or the other.
    heads = np.concatenate([heads, 0.75 * model.table.maximum[None]])
    for array in (model.surface.faces, model.forward(heads)):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def influence_folder() -> Path:
    """Where figures lie that this user measured."""
    return user_folder() / "influence"


def load(model_name: str, table: ParameterTable | None = None) -> Influence | None:
    """The figures of a model: those that come with FaceGen, else the user's own; None if none.

    With ``table`` given, figures of another version of the model count as none. UserError if a
    file is damaged.
    """
    registered = f"influence_{model_name}"
    found = []
    if registered in read_index():
        found.append(_from_arrays(load_npz(registered), registered))
    path = influence_folder() / f"{model_name}.npz"
    if path.is_file():
        found.append(_from_arrays(read_npz(path), str(path)))
    for influence in found:
        if table is None or influence.table_digest == table_digest(table):
            return influence
    return None


def save(influence: Influence, path: Path) -> None:
    """Write the figures at once or not at all."""
    with replacing(path) as partial:
        np.savez_compressed(partial, **_as_arrays(influence))  # type: ignore[arg-type]


def read(path: Path) -> Influence:
    """The figures in a file that ``save`` wrote; UserError if it is something else."""
    return _from_arrays(read_npz(path), str(path))


def joined(parts: Sequence[Influence], names: Sequence[str]) -> Influence:
    """Parts with the same fingerprint as one, its parameters in the order of ``names``."""
    by_name = {slider.name: slider for part in parts for slider in part.sliders}
    first = parts[0]
    return Influence(
        first.model,
        first.settings,
        first.fingerprint,
        first.table_digest,
        first.noise,
        tuple(by_name[name] for name in names if name in by_name),
    )


_COLUMNS = ("name", "step", "step_is_std", "distances", "mean_mm", "largest_mm", "low", "high")


def _as_arrays(influence: Influence) -> dict[str, NDArray]:
    """Plain arrays: a column per figure, all pictures end to end with their lengths."""
    facts = {
        "format": FORMAT,
        "model": influence.model,
        "settings": asdict(influence.settings),
        "fingerprint": influence.fingerprint,
        "table": influence.table_digest,
    }
    pictures = [picture for s in influence.sliders for picture in (s.low_picture, s.high_picture)]
    columns = {
        key: np.array([getattr(slider, key) for slider in influence.sliders]) for key in _COLUMNS
    }
    return {
        "facts": np.array(json.dumps(facts)),
        "noise": influence.noise,
        "picture_sizes": np.array([len(picture) for picture in pictures], np.int64),
        "pictures": np.frombuffer(b"".join(pictures), np.uint8),
        **columns,
    }


def _from_arrays(arrays: dict[str, NDArray], source: str) -> Influence:
    try:
        facts: dict[str, Any] = json.loads(str(arrays["facts"]))
        if facts["format"] != FORMAT:
            raise KeyError("format")
        ends = np.cumsum(arrays["picture_sizes"])
        pictures = [part.tobytes() for part in np.split(arrays["pictures"], ends[:-1])]
        pairs = zip(pictures[::2], pictures[1::2], strict=True)
        rows = zip(*(arrays[key] for key in _COLUMNS), pairs, strict=True)
        sliders = tuple(
            SliderInfluence(
                str(name), float(step), bool(is_std), distances,
                float(mean), float(largest), float(low), float(high), *pair,
            )
            for name, step, is_std, distances, mean, largest, low, high, pair in rows
        )  # fmt: skip
        return Influence(
            facts["model"],
            InfluenceSettings(**facts["settings"]),
            facts["fingerprint"],
            facts["table"],
            arrays["noise"],
            sliders,
        )
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{source} holds no influence figures of this version", Need(Remedy.MEASURE_INFLUENCE)
        ) from None
