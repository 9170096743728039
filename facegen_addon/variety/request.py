# SPDX-License-Identifier: GPL-3.0-or-later
"""What Generate Variety is asked for, checked before anything starts."""

from __future__ import annotations

from dataclasses import dataclass

from ..choices import CORRECTIONS, COUNT, DISTRIBUTIONS, RENDERS_PER_HEAD, SAMPLES, SEED, SIZE
from ..encoders.encoder import DEFAULT_ENCODER, same_face_threshold
from ..errors import UserError
from ..heads.catalogue import DEFAULT_MODEL
from ..latent.selection import checked_count, checked_distance
from ..mapping.backward import GRADES, Grade
from ..render_settings import RenderSettings


@dataclass(frozen=True)
class VarietyRequest:
    """What is wanted. ``encoder``: the one that tells heads apart, its name or .onnx file;
    ``distance``: cosine distance, 0 for that encoder's same-face threshold, which it then becomes;
    ``budget``: renders at most, 0 for RENDERS_PER_HEAD a head and as many again for each of its
    ``corrections``: renders by which a head is brought nearer to the latent it was asked for, the
    nearest being kept. ``fill_gaps``: folders of earlier runs, whose heads the new ones complement.

    Raises UserError, naming value and remedy, for what cannot be.
    """

    model: str = DEFAULT_MODEL
    count: int = COUNT.default
    distance: float = 0.0
    distribution: str = "latent"
    engine: str = "CYCLES"
    samples: int = SAMPLES.default
    size: int = SIZE.default
    seed: int = SEED.default
    budget: int = 0
    grade: Grade = "refined"
    light: str = "studio"
    device: str = "auto"
    fill_gaps: tuple[str, ...] = ()
    corrections: int = CORRECTIONS.default
    encoder: str = DEFAULT_ENCODER

    def __post_init__(self) -> None:
        checked_count(self.count)
        threshold = same_face_threshold(self.encoder)
        if not self.distance:
            object.__setattr__(self, "distance", threshold)  # frozen from here on
        checked_distance(self.distance)
        for name, value, choices in (
            ("distribution", self.distribution, DISTRIBUTIONS),
            ("grade", self.grade, GRADES),
        ):
            if value not in choices:
                raise UserError(f"unknown {name} {value!r}; choose from {', '.join(choices)}")
        if self.corrections not in CORRECTIONS:
            raise UserError(
                f"corrections {self.corrections} is out of range; give {CORRECTIONS.range}"
            )
        for name in ("fill_gaps", "corrections"):
            if getattr(self, name) and self.distribution != "latent":
                raise UserError(
                    f"{name} needs latents that heads are asked for; with distribution"
                    f" {self.distribution!r} there are none: choose latent"
                )
        if self.budget and self.budget < self.count:
            raise UserError(
                f"budget {self.budget} is below the {self.count} heads wanted; give at least that"
            )
        self.render_settings()  # refuses what it cannot render with

    @property
    def renders(self) -> int:
        """How many renders are allowed."""
        return self.budget or RENDERS_PER_HEAD * self.count * (1 + self.corrections)

    def render_settings(self) -> RenderSettings:
        """How its heads are rendered."""
        return RenderSettings(
            self.engine, self.samples, self.size, light=self.light, device=self.device
        )
