# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions that faces show, as ARKit's units that go together.

Drawn each for itself, 52 units make grimaces that nobody can pull: opposed muscles act at once and
the two halves of the face move apart. The combinations below follow the Facial Action Coding System
(Ekman and Friesen, "Facial Action Coding System", 1978) and, for emotions, the prototypes of its
Investigator's Guide (Ekman, Friesen and Hager, 2002), with ARKit's unit for each action unit (AU);
the talking mouths are those of open, rounded and spread vowels. How strong each unit is at most was
set by eye on the open head.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from batch.dataset.distribution import weighted
from facegen_addon.heads.parameters import ParameterTable

_SIDES = ("Left", "Right")
_MIDDLE = frozenset(
    {"browInnerUp", "cheekPuff", "jawForward", "jawOpen", "mouthClose", "mouthFunnel"}
    | {"mouthPucker", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"}
    | {"tongueOut"}
)
"""Units that have no side."""
_EVEN = frozenset({"eyeBlink", "eyeWide"})
"""The lids of both eyes move as one."""
_EITHER = frozenset({"jaw", "mouth"})
"""What moves to one side or the other."""
_LEAN = 0.1
"""Standard deviation by which one side is weaker: spontaneous expressions are almost even (Ekman,
Hager and Friesen, "The symmetry of emotional and deliberate facial actions", 1981)."""
_LARGEST_LEAN = 0.3
_LEAST = 0.75
"""Each unit is drawn from this to 1 times its share, so that no two smiles are alike."""
_FOLLOWING = (0.3, 0.9)
"""How strong a second expression is, against the first."""


@dataclass(frozen=True)
class Expression:
    """Units with their values at full strength; a name without side stands for both sides.

    areas: of "brows", "eyes" and "mouth", those that it takes, so that no other is shown there;
    one_sided: units that one side alone shows, either; weight: how often it is drawn.
    """

    units: Mapping[str, float]
    areas: frozenset[str]
    weight: float = 1.0
    one_sided: frozenset[str] = frozenset()

    @property
    def all_units(self) -> tuple[str, ...]:
        """ARKit's names of all expressions that it can show."""
        return tuple(unit for name in self.units for unit in _sides_of(name))


def _sides_of(name: str) -> tuple[str, ...]:
    """ARKit's names of a unit without side."""
    return (name,) if name in _MIDDLE else tuple(name + side for side in _SIDES)


def _shown(areas: str, weight: float, one_sided: str = "", /, **units: float) -> Expression:
    return Expression(units, frozenset(areas.split()), float(weight), frozenset(one_sided.split()))


_WHOLE = "brows eyes mouth"
EXPRESSIONS: Mapping[str, Expression] = {
    # AU 12, 6
    "smile": _shown("eyes mouth", 3, mouthSmile=0.8, cheekSquint=0.5, eyeSquint=0.25),
    # AU 12 with the lips closed, as for a photograph
    "faint_smile": _shown("mouth", 3, mouthSmile=0.45, mouthPress=0.15, mouthDimple=0.1),
    # AU 12, 6, 25, 26
    "laugh": _shown(
        "eyes mouth", 2, mouthSmile=0.9, cheekSquint=0.7, eyeSquint=0.4, jawOpen=0.3,
        mouthUpperUp=0.3, mouthLowerDown=0.2,
    ),
    # AU 1, 2, 5, 26
    "surprise": _shown(
        _WHOLE, 1, browInnerUp=0.9, browOuterUp=0.8, eyeWide=0.7, jawOpen=0.45
    ),
    # AU 1, 4, 15, 17
    "sadness": _shown(
        _WHOLE, 1, browInnerUp=0.8, browDown=0.2, mouthFrown=0.7, mouthShrugLower=0.35
    ),
    # AU 4, 5, 7, 24
    "anger": _shown(
        _WHOLE, 1, browDown=0.9, eyeSquint=0.45, noseSneer=0.3, mouthPress=0.5, mouthFrown=0.25
    ),
    # AU 9, 10, 15
    "disgust": _shown(
        _WHOLE, 1, noseSneer=0.85, browDown=0.45, mouthUpperUp=0.35, mouthFrown=0.3,
        cheekSquint=0.35,
    ),
    # AU 1, 2, 4, 5, 20, 25
    "fear": _shown(
        _WHOLE, 1, browInnerUp=0.9, browOuterUp=0.4, browDown=0.25, eyeWide=0.75,
        mouthStretch=0.5, jawOpen=0.2,
    ),
    # AU 12 and 14 of one side
    "smirk": _shown("mouth", 1, "mouthSmile mouthDimple", mouthSmile=0.6, mouthDimple=0.4),
    "open_vowel": _shown("mouth", 1.5, jawOpen=0.4, mouthLowerDown=0.25, mouthUpperUp=0.15),
    "rounded_vowel": _shown("mouth", 1, mouthFunnel=0.5, mouthPucker=0.25, jawOpen=0.2),
    "spread_vowel": _shown(
        "mouth", 1, mouthStretch=0.3, mouthSmile=0.15, jawOpen=0.15, mouthLowerDown=0.35,
        mouthUpperUp=0.15,
    ),
    # AU 18
    "pucker": _shown("mouth", 0.5, mouthPucker=0.8),
    # AU 24, 28
    "pressed_lips": _shown("mouth", 1, mouthPress=0.6, mouthRollLower=0.35, mouthRollUpper=0.3),
    # AU 34
    "puffed_cheeks": _shown("mouth", 0.3, cheekPuff=0.7, mouthPucker=0.15),
    "mouth_aside": _shown("mouth", 0.3, "mouth", mouth=0.5),
    # AU 1, 2
    "raised_brows": _shown("brows", 1.5, browInnerUp=0.8, browOuterUp=0.8),
    # AU 4, 7
    "knitted_brows": _shown("brows eyes", 1.5, browDown=0.8, eyeSquint=0.25),
    # AU 6, 7: into the sun
    "squint": _shown("eyes", 1, eyeSquint=0.8, cheekSquint=0.4),
    # AU 45
    "blink": _shown("eyes", 1, eyeBlink=1.0),
    # AU 46, with what the cheek does
    "wink": _shown("eyes", 0.3, "eyeBlink cheekSquint", eyeBlink=1.0, cheekSquint=0.6),
}  # fmt: skip


def shows_units(table: ParameterTable) -> bool:
    """Whether a model's expressions are ARKit's units; else they are principal components, each of
    them N(0, 1) in the scans that the model was learned from."""
    return "jawOpen" in table.names


@dataclass(frozen=True)
class ExpressionDraw:
    """A way to draw expressions.

    weights: name -> how often; units: the sliders that the model has; only: those that may be used,
    all if empty; avoid: those that may not.
    """

    weights: Mapping[str, float]
    units: tuple[str, ...]
    only: frozenset[str] = frozenset()
    avoid: frozenset[str] = frozenset()

    def candidates(self) -> dict[str, Expression]:
        """The expressions that can be drawn: those of which a unit may be used, and the units of
        `only` that none of them has, each with its other side alone."""
        known = {
            name: EXPRESSIONS[name]
            for name in self.weights
            if any(self._allows(unit) for unit in EXPRESSIONS[name].all_units)
        }
        covered = {unit for expression in known.values() for unit in expression.all_units}
        rest = [unit for unit in self.units if unit in self.only - self.avoid - covered]
        return known | {name: _alone(name) for name in dict.fromkeys(map(_without_side, rest))}

    def draw(self, rng: np.random.Generator, strength: float, count: int) -> dict[str, float]:
        """Values of units, in [0, 1]: the first expression in full, `count - 1` weaker ones where
        it leaves the face free."""
        values: dict[str, float] = {}
        left, taken = self.candidates(), set[str]()
        for place in range(count):
            left = {name: e for name, e in left.items() if not e.areas & taken}
            if not left:
                break
            names = list(left)
            shares = [self.weights.get(name, 1.0) for name in names]
            chosen = left[names[weighted(rng, shares)]]
            taken |= chosen.areas
            factor = strength * (rng.uniform(*_FOLLOWING) if place else 1.0)
            for unit, value in self._values(chosen, rng).items():
                values[unit] = min(1.0, factor * value)
        return values

    def _values(self, expression: Expression, rng: np.random.Generator) -> dict[str, float]:
        """The allowed units of an expression at full strength, a little uneven."""
        lean = float(np.clip(_LEAN * rng.standard_normal(), -_LARGEST_LEAN, _LARGEST_LEAN))
        evenness = {"Left": 1.0 + min(lean, 0.0), "Right": 1.0 - max(lean, 0.0)}
        sides = [s for s in _SIDES if any(self._allows(n + s) for n in expression.one_sided)]
        chosen_side = sides[int(rng.integers(len(sides)))] if sides else ""
        values = {}
        for name, value in expression.units.items():
            share = value * float(rng.uniform(_LEAST, 1.0))
            for unit in _sides_of(name):
                side = unit.removeprefix(name)
                if name not in expression.one_sided or side == chosen_side:
                    even = name in _EVEN or not side
                    values[unit] = share * (1.0 if even else evenness[side])
        return {unit: value for unit, value in values.items() if self._allows(unit)}

    def _allows(self, unit: str) -> bool:
        return unit not in self.avoid and (not self.only or unit in self.only)


def _without_side(unit: str) -> str:
    return unit.removesuffix("Left").removesuffix("Right")


def _alone(name: str) -> Expression:
    """A unit as an expression."""
    return Expression({name: 1.0}, frozenset({name}), one_sided=frozenset({name}) & _EITHER)
