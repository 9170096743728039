# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a head model has what a recipe asks of it."""

import itertools
import math

import numpy as np

from batch.dataset.distribution import Distribution
from batch.dataset.expressions import EXPRESSIONS, ExpressionDraw, shows_units
from batch.dataset.gaze import eye_columns, turn_from_ahead
from batch.dataset.recipe import Recipe
from batch.dataset.recipe_keys import nearest
from batch.dataset.recipe_tables import GazeTable
from facegen_addon.errors import UserError
from facegen_addon.heads.exchange.slider_file import read_slider_file
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.parameters import ParameterTable


def check_model(recipe: Recipe, model: HeadModel) -> None:
    """UserError, naming key and remedy, for what a head model does not have or cannot do."""
    table = model.table
    _check_source(recipe, model)
    for name, distribution in recipe.parameters.items():
        where = f"{recipe.origin}: [parameters] {name}"
        if name not in table.names:
            some = f"{', '.join(table.names[:3])} ... {table.names[-1]}"
            hint = nearest(name, table.names)
            raise UserError(f"{where} is no slider of {model.name}{hint}; name one of {some}")
        _check_reach(where, distribution, table, name)
    if recipe.expression.neutral < 1:
        _check_expression(recipe, model)
    _check_gaze(recipe, model)


def _check_source(recipe: Recipe, model: HeadModel) -> None:
    source = recipe.heads.source
    if source is None:
        return
    where = f"{recipe.origin}: [heads] source"
    try:
        recipe.source_heads(model.table)
        found = read_slider_file(source.path(source.names[0])).model
    except UserError as error:
        raise error.within(where) from None
    if found not in (None, model.name):
        raise UserError(
            f"{where} {source.written!r} has heads of {found}, not of {model.name}; give --model"
            f" {found} or other heads"
        )


def _check_reach(where: str, distribution: Distribution, table: ParameterTable, name: str) -> None:
    """UserError if a distribution goes beyond a slider's range."""
    parameter = table.parameters[table.index(name)]
    low, high = distribution.bounds
    if low < parameter.minimum or high > parameter.maximum:
        raise UserError(
            f"{where} reaches from {low:g} to {high:g}; give numbers from {parameter.minimum:g} to"
            f" {parameter.maximum:g}, the slider's range"
        )


def _check_expression(recipe: Recipe, model: HeadModel) -> None:
    expression, table = recipe.expression, model.table
    units = tuple(table.names[column] for column in table.columns("expression"))
    where = f"{recipe.origin}: [expression]"
    if not units:
        raise UserError(f"{where} neutral is below 1, but {model.name} has no expressions; give 1")
    for key in ("only", "avoid"):
        for name in getattr(expression, key):
            if name not in units:
                raise UserError(
                    f"{where} {key} has {name!r}, no expression slider of"
                    f" {model.name}{nearest(name, units)}"
                )
    weights = dict(expression.kinds)
    if shows_units(table):
        draw = ExpressionDraw(
            weights, units, frozenset(expression.only), frozenset(expression.avoid)
        )
        if not draw.candidates():
            raise UserError(f"{where} only and avoid leave nothing to draw; name fewer")
    elif set(weights) != set(EXPRESSIONS) or expression.only or expression.avoid:
        raise UserError(
            f"{where} kinds, only and avoid are of ARKit's units, which {model.name} does not have;"
            " leave them out"
        )


def _check_gaze(recipe: Recipe, model: HeadModel) -> None:
    """UserError if the eyes do not turn, or not as far as the recipe has it."""
    gaze, table = recipe.gaze, model.table
    if gaze == GazeTable():
        return
    columns = eye_columns(model)
    where = f"{recipe.origin}: [gaze]"
    if columns is None:
        raise UserError(f"{where}: the eyes of {model.name} do not turn; leave the table out")
    ends = [sorted({*d.bounds, _within(0.0, d)}) for d in (gaze.yaw, gaze.pitch)]
    turns = np.array([turn_from_ahead(*np.radians(pair)) for pair in itertools.product(*ends)])
    minimum, maximum = table.minimum[columns[:, :2]], table.maximum[columns[:, :2]]
    beyond = (turns[:, None] < minimum) | (turns[:, None] > maximum)
    if beyond.any():
        _, eye, axis = np.argwhere(beyond)[0]
        low, high = np.degrees([minimum[eye, axis], maximum[eye, axis]])
        key, low, high = ("yaw", low, high) if axis else ("pitch", -high, -low)
        raise UserError(
            f"{where} {key} turns the eyes of {model.name} too far, together with the other; they"
            f" turn from {math.ceil(low)} to {math.floor(high)} degrees"
        )


def _within(value: float, distribution: Distribution) -> float:
    """The number that a distribution can reach nearest to one."""
    low, high = distribution.bounds
    return min(max(value, low), high)
