# SPDX-License-Identifier: GPL-3.0-or-later
"""What Generate Variety is asked for, checked before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..choices import ENGINE, LIGHT, RENDERS_PER_HEAD, SAMPLES, SEED, SIZE
from ..encoders.encoder import same_face_threshold
from ..errors import UserError
from ..heads.wear.outfit import Outfit
from ..heads.wear.outfit_text import read_outfit
from ..latent.who import Who
from ..mapping.backward import Grade
from ..render_settings import RenderSettings
from ..request_fields import check_fields, fields_of, given
from .fields import (
    AGE,
    BUDGET,
    CORRECTIONS,
    COUNT,
    DISTANCE,
    DISTRIBUTION,
    ENCODER,
    FILL_GAPS,
    GRADE,
    MODEL,
    POPULATION,
    SEX,
    SKIN,
    WEAR,
    WHO,
)


@dataclass(frozen=True, kw_only=True)
class VarietyRequest:
    """What is wanted. ``encoder``: the one that tells heads apart, its name or .onnx file;
    ``distance``: cosine distance, 0 for that encoder's same-face threshold, which it then becomes;
    ``budget``: renders at most, 0 for RENDERS_PER_HEAD a head and as many again for each of its
    ``corrections``: renders by which a head is brought nearer to the latent it was asked for, the
    nearest being kept. ``fill_gaps``: folders of earlier runs, whose heads the new ones complement.
    ``sex``, ``age``, ``skin``, ``population``: see latent.who.Who. ``wear``: what all heads wear,
    also when they are told apart.

    Raises UserError, naming value and remedy, for what cannot be.
    """

    model: str = MODEL.declared
    count: int = COUNT.declared
    distance: float = DISTANCE.declared
    distribution: str = DISTRIBUTION.declared
    engine: str = ENGINE.declared
    samples: int = SAMPLES.declared
    size: int = SIZE.declared
    seed: int = SEED.declared
    budget: int = BUDGET.declared
    grade: Grade = GRADE.declared
    light: str = LIGHT.declared
    fill_gaps: tuple[Path | str, ...] = FILL_GAPS.declared
    corrections: int = CORRECTIONS.declared
    encoder: str = ENCODER.declared
    sex: str = SEX.declared
    age: str = AGE.declared
    skin: str = SKIN.declared
    population: str = POPULATION.declared
    wear: str = WEAR.declared
    device: str = "auto"

    def __post_init__(self) -> None:
        check_fields(fields_of(type(self)), given(self))
        threshold = same_face_threshold(self.encoder)
        if not self.distance:
            object.__setattr__(self, "distance", threshold)  # frozen from here on
        check_latents_are_asked_for(vars(self))
        self.who.drawn_from()  # refuses whom it cannot draw
        if self.budget and self.budget < self.count:
            raise UserError(
                f"budget {self.budget} is below the {self.count} heads wanted; give at least that"
            )
        self.render_settings()  # refuses what it cannot render with

    @property
    def who(self) -> Who:
        """Who is asked for."""
        return Who(self.sex, self.age, self.skin, self.population)

    @property
    def outfit(self) -> Outfit:
        """What its heads wear; BARE where that is not asked for."""
        return read_outfit(self.wear)

    @property
    def renders(self) -> int:
        """How many renders are allowed."""
        return self.budget or RENDERS_PER_HEAD * self.count * (1 + self.corrections)

    def render_settings(self) -> RenderSettings:
        """How its heads are rendered."""
        return RenderSettings(
            self.engine, self.samples, self.size, light=self.light, device=self.device
        )


def check_latents_are_asked_for(
    values: Mapping[str, Any], spelled: Callable[[str], str] = str
) -> None:
    """UserError for fields that mean nothing where heads are asked for by no latent."""
    distribution = values[DISTRIBUTION.name]
    for field in (FILL_GAPS, CORRECTIONS, *WHO):
        value = values.get(field.name)
        if value and value != field.default and distribution != "latent":
            raise UserError(
                f"{spelled(field.name)} needs latents that heads are asked for;"
                f" {spelled(DISTRIBUTION.name)} {distribution} has none: choose latent"
            )
