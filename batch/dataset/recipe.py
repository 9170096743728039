# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared recipe of a data set: a TOML file, checked, with every default resolved.

docs/dataset_recipe.md describes each key. Two recipes are equal if they say the same and the files
that they name have the same names and contents, wherever these lie.
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from batch.dataset import recipe_keys as keys
from batch.dataset.colours import Colours, PresetColour
from batch.dataset.distribution import Choice, Distribution, Fixed, Uniform
from batch.dataset.expressions import EXPRESSIONS
from batch.dataset.recipe_files import HDRI_SUFFIXES, PICTURE_SUFFIXES, NamedFiles
from batch.dataset.recipe_fit import check_model
from batch.dataset.recipe_keys import Key, Place, Weights, key, nearest
from batch.dataset.toml_text import read_toml, toml_table
from facegen_addon.choices import DISTRIBUTIONS, ENGINES, LIGHT_PRESETS
from facegen_addon.errors import UserError
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.parameters import FloatArray, ParameterTable
from facegen_addon.heads.slider_file import read_slider_file
from facegen_addon.labels.shot import PORTRAIT_DISTANCE, PORTRAIT_FRAME
from facegen_addon.mapping.backward import GRADES, Grade
from facegen_addon.mapping.encoder import DEFAULT_ENCODER

RECIPES: Mapping[str, Path] = {
    path.stem: path for path in sorted(Path(__file__).with_name("recipes").glob("*.toml"))
}
"""The named recipes."""
_WIDTH = 72  # characters of a value that `describe` shows
_ANGLE = keys.distribution(-180.0, 180.0)
_SHARE = keys.number(0.0, 1.0)
_FILE_KEYS = (("heads", "source"), ("light", "hdri"), ("background", "pictures"))
_ALTERNATIVES = {"heads": ("source", "distribution"), "camera": ("focal_length", "framing")}
"""Table -> a key, and the one that it takes the place of."""
_NEEDS = {
    ("light", "hdri_share"): "hdri",
    ("light", "rotation"): "hdri",
    ("background", "share"): "pictures",
}
"""(table, key) -> the key without which it means nothing."""


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
class Image:
    """size: (width, height) pixels; quality: of JPEGs; samples a pixel."""

    size: tuple[int, int] = field(default=(256, 256), metadata=key(keys.size(64, 4096), "pixels"))
    format: str = field(default="png", metadata=key(keys.one_of("png", "jpeg")))
    quality: int = field(default=92, metadata=key(keys.whole(1, 100)))
    engine: str = field(default="CYCLES", metadata=key(keys.one_of(*ENGINES)))
    samples: int = field(default=16, metadata=key(keys.whole(1, 4096)))


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
    """Of both eyes against the head; at_camera: share of samples that look at the camera."""

    yaw: Distribution = field(
        default=Fixed(0.0), metadata=key(keys.distribution(-60.0, 60.0), "degrees")
    )
    pitch: Distribution = field(
        default=Fixed(0.0), metadata=key(keys.distribution(-60.0, 60.0), "degrees")
    )
    at_camera: float = field(default=0.0, metadata=key(_SHARE))


@dataclass(frozen=True)
class Accept:
    """face: only images that show it; roundtrip: largest cosine distance from what was asked for;
    attempts: times that a sample is drawn, at most."""

    face: bool = field(default=True, metadata=key(keys.switch))
    roundtrip: float = field(default=2.0, metadata=key(keys.number(0.0, 2.0)))
    attempts: int = field(default=4, metadata=key(keys.whole(1, 1000)))


_TABLES: Mapping[str, type] = {
    "heads": Heads,
    "image": Image,
    "labels": Labels,
    "camera": CameraTable,
    "light": LightTable,
    "background": BackgroundTable,
    "expression": ExpressionTable,
    "gaze": GazeTable,
    "accept": Accept,
}
PARAMETERS = "parameters"
"""The table whose keys are the model's own sliders."""


@dataclass(frozen=True)
class Recipe:
    """What a data set is drawn from. origin: its file, as errors name it.

    parameters: name of a slider -> its distribution.
    """

    heads: Heads = field(default_factory=Heads)
    image: Image = field(default_factory=Image)
    labels: Labels = field(default_factory=Labels)
    camera: CameraTable = field(default_factory=CameraTable)
    light: LightTable = field(default_factory=LightTable)
    background: BackgroundTable = field(default_factory=BackgroundTable)
    expression: ExpressionTable = field(default_factory=ExpressionTable)
    gaze: GazeTable = field(default_factory=GazeTable)
    parameters: Mapping[str, Distribution] = field(default_factory=dict)
    accept: Accept = field(default_factory=Accept)
    origin: str = field(default="recipe", compare=False)

    @classmethod
    def read(cls, path_or_name: str) -> "Recipe":
        """A named recipe or a .toml file; UserError names file, key, value and what to give."""
        if path_or_name in RECIPES:
            path = RECIPES[path_or_name]
            return cls._of(read_toml(path, "restore it"), path_or_name, path.parent)
        path = Path(path_or_name)
        if path.suffix != ".toml" and not path.exists():
            names = ", ".join(RECIPES)
            hint = nearest(path_or_name, RECIPES)
            raise UserError(
                f"there is no recipe {path_or_name!r}{hint}; choose {names}, or name a .toml file"
            )
        return cls._of(read_toml(path, "name a recipe's .toml file"), str(path), path.parent)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], recipe: Path | None = None) -> "Recipe":
        """The recipe of a run, from what `as_mapping` gave.

        recipe: its file, needed where it names files, which a run does not say the place of.
        UserError if it is missing or says something else.
        """
        if recipe is not None:
            found = cls.read(str(recipe))
            differing = [n for n, table in found.as_mapping().items() if table != values.get(n)]
            if differing:
                raise UserError(
                    f"{recipe} is not the recipe of the run: [{differing[0]}] differs; name the"
                    " one that it was made with"
                )
            return found
        plain = {name: dict(table) for name, table in values.items()}
        named = [f"[{t}] {k}" for t, k in _FILE_KEYS if plain.get(t, {}).get(k)]
        if named:
            raise UserError(
                f"the run's recipe names files by {', '.join(named)}: name the recipe's own .toml"
                " file, which says where they are"
            )
        return cls._of(plain, "the run's recipe", Path())

    @classmethod
    def _of(cls, content: Mapping[str, Any], origin: str, folder: Path) -> "Recipe":
        _check_tables(content, origin)
        tables = {
            name: _read_table(kind, content.get(name, {}), Place(origin, folder, name, ""))
            for name, kind in _TABLES.items()
        }
        place = Place(origin, folder, PARAMETERS, "")
        read = keys.distribution()
        sliders = {
            name: read(value, replace(place, key=name))
            for name, value in sorted(content.get(PARAMETERS, {}).items())
        }
        recipe = cls(**tables, parameters=sliders, origin=origin)
        if recipe.labels.on and recipe.image.engine == "WORKBENCH":
            Place(origin, folder, "image", "engine").fail(
                recipe.image.engine, "CYCLES or EEVEE, or [labels] on = false: Workbench makes none"
            )
        return recipe

    def as_mapping(self) -> dict[str, Any]:
        """Nested plain data of all keys, defaults included; of files the names and hashes."""
        return {name: dict(_plain(table)) for name, table in self._tables()}

    def to_toml(self) -> str:
        """A recipe file that reads back, from the same folder, to an equal recipe."""
        texts = [
            toml_table(name, {k: _written(v) for k, v in _values(table) if v is not None})
            for name, table in self._tables()
        ]
        return "# Resolved by FaceGen: every key with the value that was used.\n\n" + "\n".join(
            texts
        )

    def files(self) -> dict[str, Path]:
        """The HDRIs and background pictures: name -> where it lies."""
        folders = (self.light.hdri, self.background.pictures)
        return {name: f.path(name) for f in folders if f is not None for name in f.names}

    def source_heads(self, table: ParameterTable) -> FloatArray:
        """The heads (N, P) of [heads] source for a model's table; UserError if they do not fit."""
        if self.heads.source is None:
            raise ValueError("the recipe has no source")
        (name,) = self.heads.source.names
        return read_slider_file(self.heads.source.path(name)).rows(table)

    def _tables(self) -> Iterator[tuple[str, Any]]:
        for name in (*_TABLES, PARAMETERS):
            yield name, getattr(self, name)

    def check_model(self, model: HeadModel) -> None:
        """UserError, naming key and remedy, for what a head model does not have or cannot do."""
        check_model(self, model)


def describe(recipe: Recipe) -> str:
    """What a recipe draws, a line a key: table, key, value and unit."""
    rows = [
        ("" if place else name, *row)
        for name, table in recipe._tables()
        for place, row in enumerate(_rows(name, table))
    ]
    wide, narrow = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [f"recipe {recipe.origin}"]
    for name, key_name, shown in rows:
        head, *rest = textwrap.wrap(shown, _WIDTH)
        lines.append(f"{name:<{wide}}  {key_name:<{narrow}}  {head}")
        lines += [" " * (wide + narrow + 4) + more for more in rest]
    return "\n".join(lines)


def _rows(name: str, table: Any) -> Iterator[tuple[str, str]]:
    """Key and value of what a table says; what means nothing is left out."""
    units = {f.name: f.metadata["key"].unit for f in fields(table)} if is_dataclass(table) else {}
    for key_name, value in _values(table):
        needed = _NEEDS.get((name, key_name))
        if value is not None and value != () and (not needed or getattr(table, needed)):
            yield key_name, f"{_shown(value)} {units.get(key_name, '')}".rstrip()


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        words = (f"{i[0]} {i[1]:g}" if isinstance(i, tuple) else str(i) for i in value)
        return ", ".join(words)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check_tables(content: Mapping[str, Any], origin: str) -> None:
    """UserError for a table that there is not, or a key outside of any."""
    names = (*_TABLES, PARAMETERS)
    for name, values in content.items():
        if name in names:
            if not isinstance(values, Mapping):
                raise UserError(f"{origin}: {name} is {values!r}; give a table of keys, [{name}]")
            continue
        owners = [table for table, kind in _TABLES.items() if name in _keys(kind)]
        if owners:
            raise UserError(
                f"{origin}: {name} stands outside of its table; put it below [{owners[0]}]"
            )
        known = ", ".join(f"[{other}]" for other in names)
        raise UserError(
            f"{origin}: there is no table [{name}]{nearest(name, names)} It has {known}"
        )


def _keys(kind: type) -> dict[str, Key]:
    return {f.name: f.metadata["key"] for f in fields(kind)}


def _read_table(kind: type, values: Mapping[str, Any], place: Place) -> Any:
    """A table from plain data; None stands for a key that is not given."""
    known, table = _keys(kind), place.table
    given = {name: value for name, value in values.items() if value is not None}
    for name in given:
        if name not in known:
            _fail_unknown(name, known, place)
    first, second = _ALTERNATIVES.get(table, ("", ""))
    if first in given and second in given:
        raise UserError(f"{place}{first} and {second} are both given; give one of them")
    read = {
        name: known[name].read(value, replace(place, key=name)) for name, value in given.items()
    }
    if first in given:
        read[second] = None
    made = kind(**read)
    for (owner, name), needed in _NEEDS.items():
        if owner == table and needed not in given and getattr(made, name) != getattr(kind(), name):
            replace(place, key=name).fail(
                given[name], f"{needed}, too, without which it is nothing"
            )
    return made


def _fail_unknown(name: str, known: Iterable[str], place: Place) -> NoReturn:
    owners = [table for table, kind in _TABLES.items() if name in _keys(kind)]
    hint = f", but [{owners[0]}] has" if owners else nearest(name, known)
    raise UserError(
        f"{place.file}: [{place.table}] has no key {name!r}{hint}; its keys are {', '.join(known)}"
    )


def _values(table: Any) -> Iterator[tuple[str, Any]]:
    """The keys of a table with their values."""
    if isinstance(table, Mapping):
        yield from table.items()
    else:
        yield from ((f.name, getattr(table, f.name)) for f in fields(table))


def _plain(table: Any) -> Iterator[tuple[str, Any]]:
    for name, value in _values(table):
        yield name, value.plain() if isinstance(value, NamedFiles) else _written(value)


def _written(value: Any) -> Any:
    """A value as it stands in a recipe file; None stays None."""
    if isinstance(value, NamedFiles):
        return value.written
    if isinstance(value, tuple):
        is_weights = any(isinstance(item, tuple) for item in value)
        return dict(value) if is_weights else list(value)
    return value.plain() if hasattr(value, "plain") else value
