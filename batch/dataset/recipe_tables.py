# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a recipe, with every key, what it accepts and its default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batch.dataset import recipe_keys as keys
from batch.dataset.colours import Colours, PresetColour
from batch.dataset.distribution import Choice, Distribution, Fixed, Uniform
from batch.dataset.expressions import EXPRESSIONS
from batch.dataset.recipe_files import HDRI_SUFFIXES, PICTURE_SUFFIXES, NamedFiles
from batch.dataset.recipe_keys import Weights, key
from facegen_addon.choices import (
    DISTRIBUTIONS,
    ENGINES,
    LIGHT_PRESETS,
    SAMPLES,
    SIZE,
    WORLD_PRESETS,
)
from facegen_addon.encoders.encoder import DEFAULT_ENCODER
from facegen_addon.heads.wear.outfit import GLASSES, HEADWEAR, NECKLINES, NONE, PATTERNS
from facegen_addon.labels.shot import PORTRAIT_DISTANCE, PORTRAIT_FRAME
from facegen_addon.latent.own_probe import OwnProbe
from facegen_addon.latent.people import AS_FOUND, BALANCED, POPULATIONS, Population
from facegen_addon.latent.who import READERS, margin, ranges
from facegen_addon.mapping.backward import GRADES, Grade

_ANGLE = keys.distribution(-180.0, 180.0)
_SHARE = keys.number(0.0, 1.0)


@dataclass(frozen=True)
class Heads:
    """Whose heads; one of source and distribution is None. views: images of each head."""

    distribution: str | None = field(default="latent", metadata=key(keys.one_of(*DISTRIBUTIONS)))
    source: NamedFiles | None = field(default=None, metadata=key(keys.slider_file))
    grade: Grade = field(default="refined", metadata=key(keys.one_of(*GRADES)))
    views: int = field(default=1, metadata=key(keys.whole(1, 10_000)))
    encoder: str = field(default=DEFAULT_ENCODER, metadata=key(keys.encoder))

    @property
    def is_guided(self) -> bool:
        """Whether heads are asked for by latents."""
        return self.distribution == "latent"


@dataclass(frozen=True)
class People:
    """Who is asked for, where latents guide: words of latent.who.READERS by weight in the place of
    what the population has; empty: as it has them. probed: ranges or levels of ``probe`` alike."""

    population: str = field(default=BALANCED, metadata=key(keys.one_of(*POPULATIONS)))
    sex: Weights = field(default=(), metadata=key(keys.people("sex")))
    age: Weights = field(default=(), metadata=key(keys.people("age")))
    skin: Weights = field(default=(), metadata=key(keys.people("skin")))
    probe: NamedFiles | None = field(default=None, metadata=key(keys.probe))
    probed: Weights = field(default=(), metadata=key(keys.words))

    def drawn_from(self) -> Population:
        """The population that heads are drawn from."""
        margins = list(POPULATIONS[self.population])
        for place, attribute in enumerate(READERS):
            weights = getattr(self, attribute)
            if weights:
                margins[place] = margin(_shares(weights), attribute, f"[people] {attribute}")
        own = self.own_probe()
        if own is not None:
            margins.append(ranges(_shares(self.probed), own.range_of, "[people] probed"))
        return Population.product(tuple(margins))

    def own_probe(self) -> OwnProbe | None:
        """The probe of the user's own that is asked for, if one is."""
        if self.probe is None:
            return None
        (name,) = self.probe.names
        return OwnProbe.load(self.probe.path(name), "[people] probe")


AS_BEFORE = People(population=AS_FOUND)
"""What runs say nothing of: who was asked for before there were [people]."""


def _shares(weights: Weights) -> dict[str, float]:
    total = sum(weight for _, weight in weights)
    return {word: weight / total for word, weight in weights}


@dataclass(frozen=True)
class Image:
    """size: (width, height) pixels; quality: of JPEGs; samples a pixel."""

    size: tuple[int, int] = field(
        default=(256, 256), metadata=key(keys.size(SIZE.low, SIZE.high), "pixels")
    )
    format: str = field(default="png", metadata=key(keys.one_of("png", "jpeg")))
    quality: int = field(default=92, metadata=key(keys.whole(1, 100)))
    engine: str = field(default="CYCLES", metadata=key(keys.one_of(*ENGINES)))
    samples: int = field(default=16, metadata=key(keys.whole(SAMPLES.low, SAMPLES.high)))


@dataclass(frozen=True)
class Labels:
    """dense: landmarks beside the 68; check: share of samples whose labels are checked."""

    on: bool = field(default=True, metadata=key(keys.switch))
    dense: int = field(default=512, metadata=key(keys.whole(0, 4000)))
    check: float = field(default=0.25, metadata=key(_SHARE))


@dataclass(frozen=True)
class CameraTable:
    """Degrees, metres, millimetres, widths and heights of the image as labels.shot.View has them;
    framing: metres that the image's width spans at the face. It or focal_length is None."""

    yaw: Distribution = field(default=Fixed(0.0), metadata=key(_ANGLE, "degrees"))
    pitch: Distribution = field(
        default=Fixed(0.0), metadata=key(keys.distribution(-90.0, 90.0), "degrees")
    )
    roll: Distribution = field(default=Fixed(0.0), metadata=key(_ANGLE, "degrees"))
    distance: Distribution = field(
        default=Fixed(PORTRAIT_DISTANCE), metadata=key(keys.distribution(0.3, 100.0), "m")
    )
    framing: Distribution | None = field(
        default=Fixed(PORTRAIT_FRAME), metadata=key(keys.distribution(0.05, 20.0), "m")
    )
    focal_length: Distribution | None = field(
        default=None, metadata=key(keys.distribution(5.0, 5000.0), "mm")
    )
    shift_x: Distribution = field(
        default=Fixed(0.0), metadata=key(keys.distribution(-0.5, 0.5), "widths")
    )
    shift_y: Distribution = field(
        default=Fixed(0.0), metadata=key(keys.distribution(-0.5, 0.5), "heights")
    )


@dataclass(frozen=True)
class LightTable:
    """Presets with weights, moved by azimuth and elevation; HDRIs in a share of the samples."""

    presets: Weights = field(default=(("studio", 1.0),), metadata=key(keys.weights(LIGHT_PRESETS)))
    azimuth: Distribution = field(default=Fixed(0.0), metadata=key(_ANGLE, "degrees"))
    elevation: Distribution = field(
        default=Fixed(0.0), metadata=key(keys.distribution(-90.0, 90.0), "degrees")
    )
    strength: Distribution = field(default=Fixed(1.0), metadata=key(keys.distribution(0.01, 100.0)))
    hdri: NamedFiles | None = field(default=None, metadata=key(keys.folder(HDRI_SUFFIXES)))
    hdri_share: float = field(default=0.5, metadata=key(_SHARE))
    rotation: Distribution = field(default=Fixed(0.0), metadata=key(_ANGLE, "degrees"))


@dataclass(frozen=True)
class BackgroundTable:
    """Pictures in a share of the samples, colours in the others."""

    pictures: NamedFiles | None = field(default=None, metadata=key(keys.folder(PICTURE_SUFFIXES)))
    share: float = field(default=0.5, metadata=key(_SHARE))
    colours: Colours = field(default=PresetColour(), metadata=key(keys.colours))


@dataclass(frozen=True)
class ExpressionTable:
    """neutral: share of samples without; kinds: names of expressions.EXPRESSIONS with weights;
    active: how many are shown at once; only, avoid: names of the model's expression sliders."""

    neutral: float = field(default=0.3, metadata=key(_SHARE))
    strength: Distribution = field(
        default=Uniform(0.2, 1.0), metadata=key(keys.distribution(0.0, 1.0))
    )
    active: Distribution = field(
        default=Choice((1.0, 2.0), (0.6, 0.4)), metadata=key(keys.distribution(1.0, 3.0))
    )
    kinds: Weights = field(
        default=tuple((name, e.weight) for name, e in EXPRESSIONS.items()),
        metadata=key(keys.weights(EXPRESSIONS)),
    )
    only: tuple[str, ...] = field(default=(), metadata=key(keys.listed))
    avoid: tuple[str, ...] = field(default=(), metadata=key(keys.listed))


@dataclass(frozen=True)
class GazeTable:
    """Gaze of both eyes against the head; at_camera: share of samples that look at the camera."""

    yaw: Distribution = field(
        default=Fixed(0.0), metadata=key(keys.distribution(-60.0, 60.0), "degrees")
    )
    pitch: Distribution = field(
        default=Fixed(0.0), metadata=key(keys.distribution(-60.0, 60.0), "degrees")
    )
    at_camera: float = field(default=0.0, metadata=key(_SHARE))


@dataclass(frozen=True)
class WearTable:
    """Names with weights of what heads wear whose model can; colours: dark, or any."""

    clothes: Weights = field(default=(("crew", 1.0),), metadata=key(keys.weights(NECKLINES)))
    patterns: Weights = field(default=(("plain", 1.0),), metadata=key(keys.weights(PATTERNS)))
    colours: str = field(default="dark", metadata=key(keys.one_of("dark", "any")))
    glasses: Weights = field(default=((NONE, 1.0),), metadata=key(keys.weights((NONE, *GLASSES))))
    headwear: Weights = field(default=((NONE, 1.0),), metadata=key(keys.weights((NONE, *HEADWEAR))))


@dataclass(frozen=True)
class Accept:
    """face: only images that show it; roundtrip: largest cosine distance from what was asked for;
    attempts: times that a sample is drawn, at most."""

    face: bool = field(default=True, metadata=key(keys.switch))
    roundtrip: float = field(default=2.0, metadata=key(keys.number(0.0, 2.0)))
    attempts: int = field(default=4, metadata=key(keys.whole(1, 1000)))


TABLES: Mapping[str, type] = {
    "heads": Heads,
    "people": People,
    "image": Image,
    "labels": Labels,
    "camera": CameraTable,
    "light": LightTable,
    "background": BackgroundTable,
    "expression": ExpressionTable,
    "gaze": GazeTable,
    "wear": WearTable,
    "accept": Accept,
}
PARAMETERS = "parameters"
"""The table whose keys are the model's own sliders."""
FILE_KEYS = (
    *(("heads", "source"), ("people", "probe")),
    *(("light", "hdri"), ("background", "pictures")),
)
"""(table, key) of what names files."""
ALTERNATIVES = {"heads": ("source", "distribution"), "camera": ("focal_length", "framing")}
"""Table -> a key, and the one that it takes the place of."""
NEEDS = {
    ("light", "hdri_share"): "hdri",
    ("light", "rotation"): "hdri",
    ("background", "share"): "pictures",
    ("people", "probed"): "probe",
}
"""(table, key) -> the key without which it means nothing."""


def means_something(table_name: str, key_name: str, table: Any) -> bool:
    """Whether what a key needs is given; HDRIs that turn may be Blender's own."""
    needed = NEEDS.get((table_name, key_name))
    if (table_name, key_name) == ("light", "rotation"):
        return table.hdri is not None or any(name in WORLD_PRESETS for name, _ in table.presets)
    return needed is None or getattr(table, needed) is not None


def written(value: Any) -> Any:
    """A value as it stands in a recipe file; None stays None."""
    if isinstance(value, NamedFiles):
        return value.written
    if isinstance(value, tuple):
        is_weights = any(isinstance(item, tuple) for item in value)
        return dict(value) if is_weights else list(value)
    return value.plain() if hasattr(value, "plain") else value
