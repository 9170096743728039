# SPDX-License-Identifier: GPL-3.0-or-later
"""Recipe + generator -> how one sample is rendered.

One number is taken from the generator. Each key of the recipe that is drawn has a stream of its own
that begins from it and the key's name ("camera.yaw"), so that what is drawn for a key depends on
nothing else: whoever changes the lights gets the same views and expressions as before.
"""

import math
from typing import Annotated

import numpy as np

from batch.dataset.distribution import weighted
from batch.dataset.expressions import ExpressionDraw, shows_units
from batch.dataset.gaze import (
    LIDS,
    direction_of,
    eye_columns,
    lid_values,
    turns_to,
    turns_to_camera,
)
from batch.dataset.recipe import Recipe
from batch.dataset.recipe_files import NamedFiles
from batch.dataset.recipe_tables import GazeTable, WearTable
from facegen_addon.arrays import FloatArray
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.heads.wear.outfit import Outfit, drawn_colours
from facegen_addon.labels.camera import Camera
from facegen_addon.labels.shot import SENSOR_WIDTH, Background, Light, Shot, View
from facegen_addon.random_streams import random_stream

_SEEDS = 2**31  # Cycles' seed is a signed 32-bit integer


class _Streams:
    """Generators by name."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._seed = int(rng.integers(2**63))

    def of(self, name: str) -> np.random.Generator:
        """A new generator; the same name always begins the same way."""
        return random_stream(name, self._seed)


def draw_shot(
    recipe: Recipe, model: HeadModel, rng: np.random.Generator, identity: Annotated[FloatArray, "P"]
) -> Shot:
    """One sample of a head with parameters (P,).

    The expression is added to the one that the head has, within the sliders' ranges; the gaze,
    where the recipe says anything about it, and [parameters] replace what it has. The recipe must
    fit the model (check_model).
    """
    streams = _Streams(rng)
    view = _view(recipe, streams)
    return Shot(
        parameters=_parameters(recipe, model, streams, view, identity),
        view=view,
        light=_light(recipe, streams),
        background=_background(recipe, streams),
        seed=int(streams.of("noise").integers(_SEEDS)),
        outfit=_outfit(recipe, model, streams),
    )


def _parameters(
    recipe: Recipe, model: HeadModel, streams: _Streams, view: View, identity: FloatArray
) -> FloatArray:
    """The head (P,) as the shot shows it."""
    table = model.table
    columns = [table.index(name) for name in recipe.parameters]
    values = [d.draw(streams.of(f"parameters.{n}")) for n, d in recipe.parameters.items()]
    at_ease = np.array(identity, np.float64)
    at_ease[columns] = values  # the gaze depends on the pose
    parameters = at_ease.copy()
    _add_expression(recipe, table, streams, parameters)
    _turn_eyes(recipe, model, streams, view, at_ease, parameters)
    parameters[columns] = values
    return np.clip(parameters, table.minimum, table.maximum)


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


def _outfit(recipe: Recipe, model: HeadModel, streams: _Streams) -> Outfit | None:
    """What is worn; None where the recipe says nothing of it, or the model wears nothing."""
    wear = recipe.wear
    if wear == WearTable() or not model.dressed:
        return None
    drawn = {}
    for name in ("clothes", "patterns", "glasses", "headwear"):
        names, weights = zip(*getattr(wear, name), strict=True)
        drawn[name] = names[weighted(streams.of(f"wear.{name}"), weights)]
    colours = drawn_colours(streams.of("wear.colours")) if wear.colours == "any" else {}
    return Outfit(
        neckline=drawn["clothes"],
        pattern=drawn["patterns"],
        glasses=drawn["glasses"],
        headwear=drawn["headwear"],
        **colours,
    )


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


def _turn_eyes(
    recipe: Recipe,
    model: HeadModel,
    streams: _Streams,
    view: View,
    at_ease: FloatArray,
    parameters: FloatArray,
) -> None:
    """Have the eyes look where the recipe says, if it says so, and the lids follow.

    at_ease (P,): the head without the expression that was drawn, on which no gaze is to depend.
    """
    gaze, table = recipe.gaze, model.table
    columns = eye_columns(model)
    if gaze == GazeTable() or columns is None:
        return
    at_ease[columns] = 0.0
    if streams.of("gaze.at_camera").random() < gaze.at_camera:
        size = recipe.image.size
        turns = turns_to_camera(model, at_ease, lambda middle: Camera.of(view, middle, *size))
    else:
        yaw, pitch = (
            math.radians(getattr(gaze, name).draw(streams.of(f"gaze.{name}")))
            for name in ("yaw", "pitch")
        )
        turns = turns_to(model, at_ease, direction_of(yaw, pitch))
    parameters[columns] = 0.0
    columns = columns[:, :2]
    parameters[columns] = np.clip(turns, table.minimum[columns], table.maximum[columns])
    if shows_units(table):
        down = float(parameters[columns[:, 0]].mean())
        for names in zip(*LIDS, strict=True):
            parameters[[table.index(name) for name in names]] += lid_values(down)
