# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of *Generate Variety* that no other request has declared before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..choices import DISTRIBUTIONS, MAXIMUM_CORRECTIONS, RENDERS_PER_HEAD
from ..encoders.encoder import DEFAULT_ENCODER
from ..errors import UserError
from ..heads.catalogue import DEFAULT_MODEL, HEAD_MODELS
from ..heads.wear.outfit_text import read_outfit
from ..latent.people import BALANCED, OLDEST, POPULATIONS, SEXES, SKINS, YOUNGEST
from ..latent.selection import MAXIMUM_DISTANCE
from ..latent.who import ANY
from ..mapping.backward import GRADES
from ..request_fields import FilePaths, Number, OneOf, Text, WholeNumber
from .hands import APART_IN, ONE_RENDER, OTHER_CROPS, OTHER_HANDS


@dataclass(frozen=True, kw_only=True)
class Clothes(Text):
    """What is worn, as `outfit_text` says it."""

    def fault(self, value: Any, spelled: str) -> str:
        """What there is not to wear."""
        try:
            read_outfit(value)
        except UserError as error:
            return f"{spelled}: {error}"
        return ""


MODEL = Text(
    name="model",
    help=f"head model: {', '.join(HEAD_MODELS)}, or the path of a FLAME file (.pkl, .npz)",
    default=DEFAULT_MODEL,
)
# About as many clearly different faces as the latent space holds.
COUNT = WholeNumber(name="count", label="Heads", help="heads", default=16, low=1, high=10_000)
DISTANCE = Number(
    name="distance",
    help="cosine distance that every pair must keep",
    default=0.0,
    unset="the encoder's same-face threshold",
    low=0.0,
    high=MAXIMUM_DISTANCE,
    excluded=True,
)
DISTRIBUTION = OneOf(
    name="distribution",
    label="Drawn From",
    help="where heads are drawn from",
    default="latent",
    names=DISTRIBUTIONS,
    said={
        "latent": "where real faces lie",
        "prior": "plausible sliders",
        "uniform": "random sliders",
    },
)
BUDGET = WholeNumber(
    name="budget",
    label="Renders at Most",
    help="renders at most",
    default=0,
    unset=f"{RENDERS_PER_HEAD} a head, each with its corrections",
    low=1,
    high=2**31 - 1,
)
GRADE = OneOf(
    name="grade", label="Search", help="backward mapping", default="refined", names=GRADES
)
FILL_GAPS = FilePaths(
    name="fill_gaps",
    label="Fill Gaps of",
    help="folders of earlier runs (of generate or measure), whose heads the new ones complement",
    default=(),
    metavar="RUN",
)
CORRECTIONS = WholeNumber(
    name="corrections",
    help="renders that bring each head nearer to the latent it was asked for, of which the nearest"
    " is kept",
    default=0,
    low=0,
    high=MAXIMUM_CORRECTIONS,
    metavar="K",
)
ENCODER = Text(
    name="encoder",
    help="name of the encoder that tells heads apart, or path of its .onnx file",
    default=DEFAULT_ENCODER,
    metavar="NAME|FILE",
)
WEAR = Clothes(
    name="wear",
    help="what all of them wear (model person), such as garment=hoodie,colour=navy,glasses=round",
    default="",
    unset="the plain garment of portraits",
    metavar="WORD=VALUE,...",
)
SEX = OneOf(name="sex", help="sex that their latents read as", default=ANY, names=(ANY, *SEXES))
AGE = Text(
    name="age",
    help=f"ages that their latents read as, years from {YOUNGEST:g} to {OLDEST:g}, such as 60:75",
    default="",
    unset="any",
    metavar="YEARS:YEARS",
)
SKIN = Text(
    name="skin",
    help=f"skin that their latents read as: {', '.join(SKINS)}, or a range of lightness (L*) such"
    " as 45:60",
    default="",
    unset="any",
    metavar="NAME|L:L",
)
POPULATION = Text(
    name="population",
    help=f"whom to draw from: {', '.join(POPULATIONS)}, or a .toml file of shares by sex, age and"
    " skin",
    default=BALANCED,
    metavar="NAME|FILE",
)
PROBE = Text(
    name="probe",
    label="Test of Yours",
    help="a probe of yours and what it has to read off their latents: FILE.npz:LOW:HIGH, or"
    " FILE.npz:LEVEL",
    default="",
    unset="any",
    metavar="FILE:LOW:HIGH",
)
APART = OneOf(
    name="apart_in",
    label="Apart In",
    help="where every pair has to keep its distance",
    default=OTHER_CROPS,
    names=APART_IN,
    said={
        ONE_RENDER: "the one that is measured",
        OTHER_CROPS: "also as other detectors crop it",
        OTHER_HANDS: "also in other light, with other noise, the head turned a little",
    },
)
SECOND_ENCODER = Text(
    name="second_encoder",
    help="another encoder by which every pair has to be apart, too: its name, or path of its .onnx"
    " file",
    default="",
    unset="none",
    metavar="NAME|FILE",
)
SECOND_DISTANCE = DISTANCE.but(
    name="second_distance",
    help="cosine distance that every pair must keep by the second encoder",
    unset="its same-face threshold",
)
PEOPLE_QUANTILE = Number(
    name="people_quantile",
    help="instead of distances: by each encoder the distance that all but this share of pairs of"
    " different real people keep",
    default=0.0,
    unset="distances as given",
    low=0.001,
    high=0.5,
    metavar="SHARE",
)
WHO = (SEX, AGE, SKIN, POPULATION, PROBE)
"""Who is asked for, as latent.who.Who has it."""
HANDS = (APART, SECOND_ENCODER, SECOND_DISTANCE, PEOPLE_QUANTILE)
"""In whose hands, and by whose judgement, pairs have to be apart."""
