# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared recipe of a data set: a TOML file, checked, with every default resolved.

docs/dataset_recipe.md describes each key. Two recipes are equal if they say the same and the files
that they name have the same names and contents, wherever these lie.
"""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

from batch.dataset.distribution import Distribution
from batch.dataset.recipe_files import NamedFiles
from batch.dataset.recipe_keys import Place, nearest
from batch.dataset.recipe_reading import check_tables, read_sliders, read_table
from batch.dataset.recipe_tables import (
    AS_BEFORE,
    FILE_KEYS,
    PARAMETERS,
    TABLES,
    Accept,
    BackgroundTable,
    CameraTable,
    ExpressionTable,
    GazeTable,
    Heads,
    Image,
    Labels,
    LightTable,
    People,
    WearTable,
    means_something,
    written,
)
from batch.dataset.toml_text import read_toml, toml_table
from facegen_addon.arrays import FloatArray
from facegen_addon.errors import UserError
from facegen_addon.heads.exchange.slider_file import read_slider_file
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.latent.people import AS_FOUND, BALANCED

RECIPES: Mapping[str, Path] = {
    path.stem: path for path in sorted(Path(__file__).with_name("recipes").glob("*.toml"))
}
"""The named recipes."""
_LATER = ("probe", "probed")
_TIED = "\N{NO-BREAK SPACE}"
_RESOLVED = "# Resolved by FaceGen"
_WIDTH = 72  # characters of a value that `describe` shows


@dataclass(frozen=True)
class Recipe:
    """The choices that a data set is drawn by. origin: its file, as errors name it.

    parameters: name of a slider -> its distribution.
    """

    heads: Heads = field(default_factory=Heads)
    people: People = field(default_factory=People)
    image: Image = field(default_factory=Image)
    labels: Labels = field(default_factory=Labels)
    camera: CameraTable = field(default_factory=CameraTable)
    light: LightTable = field(default_factory=LightTable)
    background: BackgroundTable = field(default_factory=BackgroundTable)
    expression: ExpressionTable = field(default_factory=ExpressionTable)
    gaze: GazeTable = field(default_factory=GazeTable)
    wear: WearTable = field(default_factory=WearTable)
    parameters: Mapping[str, Distribution] = field(default_factory=dict)
    accept: Accept = field(default_factory=Accept)
    origin: str = field(default="recipe", compare=False)

    @classmethod
    def read(cls, path_or_name: str, population: str = BALANCED) -> "Recipe":
        """A named recipe or a .toml file; UserError names file, key, value and what to give.

        population: who is drawn where it does not say.
        """
        if path_or_name in RECIPES:
            path = RECIPES[path_or_name]
            return cls._of(read_toml(path, "restore it"), path_or_name, path.parent, population)
        path = Path(path_or_name)
        if path.suffix != ".toml" and not path.exists():
            names = ", ".join(RECIPES)
            hint = nearest(path_or_name, RECIPES)
            raise UserError(
                f"there is no recipe {path_or_name!r}{hint}; choose {names}, or name a .toml file"
            )
        content = read_toml(path, "name a recipe's .toml file")
        if "people" not in content and _is_resolved(path):
            population = AS_FOUND  # written before there were others, or it would say so
        return cls._of(content, str(path), path.parent, population)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], recipe: Path | None = None) -> "Recipe":
        """The recipe of a run, from what `as_mapping` gave.

        recipe: its file, needed where it names files, which a run does not say the place of.
        UserError if it is missing or says something else.
        """
        unsaid = population_unsaid(values)
        if recipe is not None:
            found = cls.read(str(recipe), unsaid)
            said = found.as_mapping()
            differing = [n for n in (*TABLES, PARAMETERS) if said.get(n) != values.get(n)]
            if differing:
                raise UserError(
                    f"{recipe} is not the recipe of the run: [{differing[0]}] differs; name the"
                    " one that it was made with"
                )
            return found
        plain = {name: dict(table) for name, table in values.items()}
        named = [f"[{t}] {k}" for t, k in FILE_KEYS if plain.get(t, {}).get(k)]
        if named:
            raise UserError(
                f"the run's recipe names files by {', '.join(named)}: name the recipe's own .toml"
                " file, which says where they are"
            )
        return cls._of(plain, "the run's recipe", Path(), unsaid)

    @classmethod
    def _of(
        cls, content: Mapping[str, Any], origin: str, folder: Path, population: str
    ) -> "Recipe":
        check_tables(content, origin)
        heads = read_table(Heads, content.get("heads", {}), Place(origin, folder, "heads", ""))
        if heads.is_guided:
            said = content.get("people", {})
            content = {**content, "people": {"population": population, **said}}
        tables = {
            name: read_table(kind, content.get(name, {}), Place(origin, folder, name, ""))
            for name, kind in TABLES.items()
        }
        sliders = read_sliders(content.get(PARAMETERS, {}), Place(origin, folder, PARAMETERS, ""))
        recipe = cls(**tables, parameters=sliders, origin=origin)
        if recipe.people != People() and not recipe.heads.is_guided:
            Place(origin, folder, "heads", "distribution").fail(
                recipe.heads.distribution, "latent, or leave [people] out: the others ask nobody"
            )
        if recipe.labels.on and recipe.image.engine == "WORKBENCH":
            Place(origin, folder, "image", "engine").fail(
                recipe.image.engine, "CYCLES or EEVEE, or [labels] on = false: Workbench makes none"
            )
        return recipe

    def as_mapping(self) -> dict[str, Any]:
        """Nested plain data of all keys, defaults included; of files the names and hashes.

        Runs from before there were [people] and [wear] go on: [wear] is there only where it says
        more than its defaults, [people] where somebody else is asked for than was then."""
        tables = (pair for pair in self._tables() if pair[1] != AS_BEFORE)
        return {name: dict(_plain(table)) for name, table in tables}

    def to_toml(self) -> str:
        """A recipe file that reads back, from the same folder, to an equal recipe."""
        texts = [
            toml_table(name, {k: written(v) for k, v in _values(table) if v is not None})
            for name, table in self._tables()
        ]
        return f"{_RESOLVED}: every key with the value that was used.\n\n" + "\n".join(texts)

    def files(self) -> dict[str, Path]:
        """The HDRIs and background pictures: name -> where it lies."""
        folders = (self.light.hdri, self.background.pictures)
        return {name: f.path(name) for f in folders if f is not None for name in f.names}

    def picture_hashes(self) -> dict[str, str]:
        """sha256 of the HDRIs and background pictures, by the paths that shots name them by."""
        folders = (self.light.hdri, self.background.pictures)
        return {
            str(f.path(name).resolve()): sha256
            for f in folders
            if f is not None
            for name, sha256 in f.sha256.items()
        }

    def source_heads(self, table: ParameterTable) -> Annotated[FloatArray, "N P"]:
        """The heads (N, P) of [heads] source for a model's table; UserError if they do not fit."""
        if self.heads.source is None:
            raise ValueError("the recipe has no source")
        (name,) = self.heads.source.names
        return read_slider_file(self.heads.source.path(name)).rows(table)

    def _tables(self) -> Iterator[tuple[str, Any]]:
        """All that say something."""
        for name in (*TABLES, PARAMETERS):
            table = getattr(self, name)
            nobody = isinstance(table, People) and not self.heads.is_guided
            if not nobody and table != WearTable():
                yield name, table


def population_unsaid(recorded: Mapping[str, Any]) -> str:
    """Who a run's recipe, as `as_mapping` gave it, draws if it does not say: as faces were found,
    before there was another default."""
    return BALANCED if "people" in recorded else AS_FOUND


def _is_resolved(path: Path) -> bool:
    """Whether `to_toml` wrote the file."""
    return path.read_bytes().removeprefix(b"\xef\xbb\xbf").startswith(_RESOLVED.encode())


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
        head, *rest = (line.replace(_TIED, " ") for line in textwrap.wrap(shown, _WIDTH))
        lines.append(f"{name:<{wide}}  {key_name:<{narrow}}  {head}")
        lines += [" " * (wide + narrow + 4) + more for more in rest]
    return "\n".join(lines)


def _rows(name: str, table: Any) -> Iterator[tuple[str, str]]:
    """Key and value of what a table says; what means nothing is left out."""
    units = {f.name: f.metadata["key"].unit for f in fields(table)} if is_dataclass(table) else {}
    for key_name, value in _values(table):
        if value is not None and value != () and means_something(name, key_name, table):
            yield key_name, f"{_shown(value)} {units.get(key_name, '')}".rstrip()


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        words = (f"{i[0]}{_TIED}{i[1]:g}" if isinstance(i, tuple) else str(i) for i in value)
        return ", ".join(words)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _values(table: Any) -> Iterator[tuple[str, Any]]:
    """The keys of a table with their values."""
    if isinstance(table, Mapping):
        yield from table.items()
    else:
        yield from ((f.name, getattr(table, f.name)) for f in fields(table))


def _plain(table: Any) -> Iterator[tuple[str, Any]]:
    for name, value in _values(table):
        if name in _LATER and not value:  # recorded people have been without it
            continue
        yield name, value.plain() if isinstance(value, NamedFiles) else written(value)
