# SPDX-License-Identifier: GPL-3.0-or-later
"""Recipe + generator -> how one sample is rendered.

One number is taken from the generator. Each key of the recipe that is drawn has a stream of its own
that begins from it and the key's name ("camera.yaw"), so that what is drawn for a key depends on
nothing else: whoever changes the lights gets the same views and expressions as before.
"""

import math

import numpy as np

from batch.dataset.distribution import weighted
from batch.dataset.expressions import ExpressionDraw, shows_units
from batch.dataset.gaze import LIDS, eye_columns, eye_turn, lid_values, turns_to_camera
from batch.dataset.recipe import Recipe
from batch.dataset.recipe_files import NamedFiles
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.parameters import FloatArray, ParameterTable
from facegen_addon.labels.shot import SENSOR_WIDTH, Background, Light, Shot, View

_SEEDS = 2**31  # Cycles' seed is a signed 32-bit integer


class _Streams:
    """Generators by name."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._seed = int(rng.integers(2**63))

    def of(self, name: str) -> np.random.Generator:
        """A new generator; the same name always begins the same way."""
        return np.random.default_rng([*name.encode(), self._seed])


def draw_shot(
    recipe: Recipe, model: HeadModel, rng: np.random.Generator, identity: FloatArray
) -> Shot:
    """One sample of a head with parameters (P,).

    Expression and gaze are added to what the head has of them, and held within the sliders' ranges;
    [parameters] replace it. The recipe must fit the model (Recipe.check_model).
    """
    streams = _Streams(rng)
    view = _view(recipe, streams)
    table = model.table
    parameters = np.array(identity, np.float64)
    _add_expression(recipe, table, streams, parameters)
    _add_gaze(recipe, table, streams, view, parameters)
    for name, distribution in recipe.parameters.items():
        parameters[table.index(name)] = distribution.draw(streams.of(f"parameters.{name}"))
    return Shot(
        parameters=np.clip(parameters, table.minimum, table.maximum),
        view=view,
        light=_light(recipe, streams),
        background=_background(recipe, streams),
        seed=int(streams.of("noise").integers(_SEEDS)),
    )


def _view(recipe: Recipe, streams: _Streams) -> View:
    camera = recipe.camera
    drawn = {
        name: getattr(camera, name).draw(streams.of(f"camera.{name}"))
        for name in ("yaw", "pitch", "roll", "distance", "shift_x", "shift_y")
    }
    if camera.framing is not None:
        framing = camera.framing.draw(streams.of("camera.framing"))
        focal_length = SENSOR_WIDTH * drawn["distance"] / framing
    elif camera.focal_length is not None:
        focal_length = camera.focal_length.draw(streams.of("camera.focal_length"))
    angles = {name: math.radians(drawn.pop(name)) for name in ("yaw", "pitch", "roll")}
    return View(focal_length=focal_length, **angles, **drawn)


def _light(recipe: Recipe, streams: _Streams) -> Light:
    light = recipe.light
    names, weights = zip(*light.presets, strict=True)
    is_hdri = streams.of("light.hdri_share").random() < light.hdri_share
    azimuth, elevation, strength, rotation = (
        getattr(light, name).draw(streams.of(f"light.{name}"))
        for name in ("azimuth", "elevation", "strength", "rotation")
    )
    return Light(
        preset=names[weighted(streams.of("light.presets"), weights)],
        azimuth=math.radians(azimuth),
        elevation=math.radians(elevation),
        strength=strength,
        hdri=_one_of(light.hdri, streams.of("light.hdri")) if is_hdri else "",
        rotation=math.radians(rotation),
    )


def _background(recipe: Recipe, streams: _Streams) -> Background:
    background = recipe.background
    colour = background.colours.draw(streams.of("background.colours"))
    if streams.of("background.share").random() < background.share:
        picture = _one_of(background.pictures, streams.of("background.pictures"))
        return Background(picture=picture, colour=colour)
    return Background(colour=colour)


def _one_of(files: NamedFiles | None, rng: np.random.Generator) -> str:
    """The path of one of some files; empty where there are none."""
    if files is None:
        return ""
    return str(files.path(files.names[int(rng.integers(len(files.names)))]).resolve())


def _add_expression(
    recipe: Recipe, table: ParameterTable, streams: _Streams, parameters: FloatArray
) -> None:
    """Show an expression, or none."""
    expression = recipe.expression
    if streams.of("expression.neutral").random() < expression.neutral:
        return
    strength = expression.strength.draw(streams.of("expression.strength"))
    count = round(expression.active.draw(streams.of("expression.active")))
    rng = streams.of("expression.kinds")
    columns = table.columns("expression")
    units = tuple(table.names[column] for column in columns)
    if not shows_units(table):
        parameters[columns] += strength * rng.standard_normal(len(columns))
        return
    draw = ExpressionDraw(
        dict(expression.kinds), units, frozenset(expression.only), frozenset(expression.avoid)
    )
    for unit, value in draw.draw(rng, strength, count).items():
        parameters[table.index(unit)] += value


def _add_gaze(
    recipe: Recipe, table: ParameterTable, streams: _Streams, view: View, parameters: FloatArray
) -> None:
    """Turn the eyes, and let the lids follow."""
    columns = eye_columns(table)
    if columns is None:
        return
    gaze = recipe.gaze
    yaw, pitch = (
        math.radians(getattr(gaze, name).draw(streams.of(f"gaze.{name}")))
        for name in ("yaw", "pitch")
    )
    turns = np.tile(eye_turn(yaw, pitch), (2, 1))
    if streams.of("gaze.at_camera").random() < gaze.at_camera:
        turns = np.clip(
            turns_to_camera(view, *recipe.image.size),
            table.minimum[columns],
            table.maximum[columns],
        )
    parameters[columns] += turns
    if shows_units(table):
        for names in zip(*LIDS, strict=True):
            place = [table.index(name) for name in names]
            parameters[place] += lid_values(float(turns[:, 0].mean()))
