# SPDX-License-Identifier: GPL-3.0-or-later
"""What Generate Variety is asked for, checked before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..choices import ENGINE, LIGHT, RENDERS_PER_HEAD, SAMPLES, SEED, SIZE
from ..encoders.crop_jitter import JITTERS, CropJitter
from ..encoders.encoder import find_encoder
from ..errors import UserError
from ..heads.wear.outfit import Outfit
from ..heads.wear.outfit_text import read_outfit
from ..latent.who import Who
from ..mapping.backward import Grade
from ..render_settings import RenderSettings
from ..request_fields import check_fields, fields_of, given
from .apart import Demand
from .demands import settled_distances
from .fields import (
    AGE,
    APART,
    BUDGET,
    CORRECTIONS,
    COUNT,
    DISTANCE,
    DISTRIBUTION,
    ENCODER,
    FILL_GAPS,
    GRADE,
    MODEL,
    PEOPLE_QUANTILE,
    POPULATION,
    PROBE,
    SECOND_DISTANCE,
    SECOND_ENCODER,
    SEX,
    SKIN,
    WEAR,
    WHO,
)
from .hands import AIMED_BEYOND, ONE_RENDER, OTHER_HANDS, Hands, other_hands


@dataclass(frozen=True, kw_only=True)
class VarietyRequest:
    """What is wanted. ``encoder``: the one that tells heads apart, its name or .onnx file;
    ``distance``: cosine distance, 0 for that encoder's same-face threshold, which it then becomes;
    ``budget``: renders at most, 0 for RENDERS_PER_HEAD a head and as many again for each of its
    ``corrections``: renders by which a head is brought nearer to the latent it was asked for, the
    nearest being kept. ``fill_gaps``: folders of earlier runs, whose heads the new ones complement.
    ``sex``, ``age``, ``skin``, ``population``, ``probe``: see latent.who.Who. ``apart_in``: one of
    hands.APART_IN, where pairs have to be apart. ``second_encoder``: another that has to tell
    heads apart, by ``second_distance``, 0 being as for ``distance``. ``people_quantile``: instead
    of distances, the share of pairs of different real people that are nearer. ``wear``: what all
    heads wear, also when they are told apart.

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
    probe: str = PROBE.declared
    apart_in: str = APART.declared
    second_encoder: str = SECOND_ENCODER.declared
    second_distance: float = SECOND_DISTANCE.declared
    people_quantile: float = PEOPLE_QUANTILE.declared
    wear: str = WEAR.declared
    device: str = "auto"

    def __post_init__(self) -> None:
        check_fields(fields_of(type(self)), given(self))
        for name, distance in settled_distances(vars(self)).items():
            object.__setattr__(self, name, distance)  # frozen from here on
        check_latents_are_asked_for(vars(self))
        self.who.drawn_from()  # refuses whom it cannot draw
        if self.budget and self.budget < self.count:
            raise UserError(
                f"budget {self.budget} is below the {self.count} heads wanted; give at least that"
            )
        self.render_settings()  # refuses what it cannot render with

    @property
    def demands(self) -> tuple[Demand, ...]:
        """What every pair has to keep, by each encoder."""
        named = ((self.encoder, self.distance), (self.second_encoder, self.second_distance))
        sources = ((find_encoder(name), distance) for name, distance in named if name)
        return tuple(Demand(source.key, distance, source.threshold) for source, distance in sources)

    @property
    def jitters(self) -> tuple[CropJitter, ...]:
        """The crops of each render by which heads are compared."""
        return JITTERS[: 1 if self.apart_in == ONE_RENDER else None]

    @property
    def hands(self) -> tuple[Hands, ...]:
        """The other hands in which close pairs are looked at."""
        return other_hands(self.light) if self.apart_in == OTHER_HANDS else ()

    @property
    def aimed_distance(self) -> float:
        """What B is to push heads apart to, so that they are apart where they have to be."""
        return self.distance + AIMED_BEYOND[self.apart_in]

    @property
    def who(self) -> Who:
        """Who is asked for."""
        return Who(self.sex, self.age, self.skin, self.population, self.probe)

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
