# SPDX-License-Identifier: GPL-3.0-or-later
"""What a latent says of a person, and the heads that people of that kind have.

B has to agree with it: grey hair belongs to age, beards to men, brown skin to brown people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Annotated

import numpy as np

from ..arrays import AnyArray, Float32Array, FloatArray, IntArray, RealArray
from ..errors import Need, Remedy, UserError
from ..latent.attributes import AttributeProbes

_DEGREE = 3
_PREFIX = "given_"
_OWN = ("ages", "low", "high", "means", "variances", "freedom")

_KNEE = 0.1
"""Share of a range over which `soft_clip` bends."""

_READING = 0.5
"""How far ages are corrected by how heads read: all of it would make everybody past fifty as old
as heads can be, none leaves heads that read too young."""

_SHARPLY = 10.0
"""By how much the log of the odds of a sex counts more than probes say."""

_FIRMLY = (10.0, 15.0)
"""Log of the odds of a sex that a head has to read with, at least and at most."""
_SCALES = np.array([6.0, 12.0])
"""What costs one: log of the odds by which a head reads less of its sex, years by which it reads
older or younger."""


@dataclass(frozen=True)
class Agreement:
    """What heads' predicted latents have to read as, in units of what costs one.

    Attributes:
        directions, offsets: (512, 2) and (2,): sex, positive for women, and age.
        wanted: (N, 2) readings.
    """

    directions: Annotated[FloatArray, "512 2"]
    offsets: Annotated[FloatArray, "2"]
    wanted: Annotated[FloatArray, "N 2"]

    def rows(self, rows: slice | IntArray) -> Agreement:
        """For some of the people."""
        return replace(self, wanted=self.wanted[rows])

    def price(
        self, mean: Annotated[RealArray, "N 512"]
    ) -> tuple[Annotated[FloatArray, "N"], Annotated[FloatArray, "N 512"]]:
        """Squared misreadings (N,) of latents along `mean` (N, 512), and their gradient there.

        To read even more clearly of one's sex costs nothing.
        """
        length = np.linalg.norm(mean, axis=1, keepdims=True)
        unit = mean / length
        off = unit @ self.directions + self.offsets - self.wanted
        sex = np.sign(self.wanted[:, 0])
        off[:, 0] = sex * np.minimum(sex * off[:, 0], 0)
        across = 2 * off @ self.directions.T
        across -= np.sum(across * unit, axis=1, keepdims=True) * unit
        return np.sum(off**2, axis=1), across / length


def polynomials(x: Annotated[RealArray, "N 3"]) -> Annotated[FloatArray, "N F"]:
    """All products (N, 20) of at most three of the columns of x (N, 3), 1 the first."""
    padded = np.column_stack([np.ones(len(x)), x])
    factors = combinations_with_replacement(range(padded.shape[1]), _DEGREE)
    return np.stack([padded[:, columns].prod(axis=1) for columns in map(list, factors)], axis=1)


@dataclass(frozen=True)
class AttributePrior:
    """The prior of a head model's standardised parameters, given ATTRIBUTES.

    Attributes:
        probes: what latents say.
        ages: (2, K) as heads read and as they are by their parameters, years, both increasing.
        low, high: (3,) attributes that the prior's heads have: none is asked for beyond.
        means, variances: (F, G) of `polynomials` of the attributes, scaled to [-1, 1] there.
        freedom: (G,) how far B may go from the means, as a share of how far people do.
        least_spread: standard deviations of the whole prior that a parameter is free by at least.
    """

    probes: AttributeProbes
    ages: Annotated[FloatArray, "2 K"]
    low: Annotated[FloatArray, "3"]
    high: Annotated[FloatArray, "3"]
    means: Annotated[FloatArray, "F G"]
    variances: Annotated[FloatArray, "F G"]
    freedom: Annotated[FloatArray, "G"]
    least_spread: float

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray]) -> AttributePrior | None:
        """Of the arrays beside the surrogates' weights; None where there are none.

        UserError where some are missing.
        """
        if not any(name.startswith(_PREFIX) for name in arrays):
            return None
        try:
            parts = {
                name: np.asarray(arrays[_PREFIX + name], np.float64)
                for name in ("probes", "biases", "least_spread", *_OWN)
            }
        except KeyError as error:
            raise UserError(f"the surrogates lack {error}", Need(Remedy.RETRAIN)) from None
        return cls(
            probes=AttributeProbes(parts["probes"], parts["biases"]),
            least_spread=float(parts["least_spread"]),
            **{name: parts[name] for name in _OWN},
        )

    def arrays(self) -> dict[str, AnyArray]:
        """As `from_arrays` takes them."""
        parts = {
            "probes": self.probes.weights,
            "biases": self.probes.biases,
            "least_spread": np.array(self.least_spread),
            **{name: getattr(self, name) for name in _OWN},
        }
        return {_PREFIX + name: array.astype(np.float32) for name, array in parts.items()}

    def said(self, latents: Annotated[RealArray, "N 512"]) -> Annotated[FloatArray, "N 3"]:
        """ATTRIBUTES (N, 3) that latents (N, 512) speak of: whoever may be either is no half of
        each, but what is likelier."""
        said = self.probes.read(latents)
        odds = np.asarray(latents, np.float64) @ self.probes.weights[:, 0] + self.probes.biases[0]
        said[:, 0] = 0.5 + 0.5 * np.tanh(0.5 * _SHARPLY * odds)
        return said

    def asked(self, latents: Annotated[RealArray, "N 512"]) -> Annotated[FloatArray, "N 3"]:
        """ATTRIBUTES (N, 3) by their parameters of heads for the people of latents (N, 512)."""
        wanted = self.said(latents)
        years, (read, own) = wanted[:, 1], self.ages
        # Beyond the ends of what heads read like, as many years more as there are.
        corrected = np.interp(years, read, own) + years - np.clip(years, read[0], read[-1])
        wanted[:, 1] += _READING * (corrected - years)
        return soft_clip(wanted, self.low, self.high)

    def agreement(self, latents: Annotated[RealArray, "N 512"]) -> Agreement:
        """What heads of latents (N, 512) have to read as: their sex, firmly, and their age."""
        directions = self.probes.weights[:, :2] / _SCALES
        offsets = self.probes.biases[:2] / _SCALES
        wanted = np.asarray(latents, np.float64) @ directions + offsets
        least, most = np.array(_FIRMLY) / _SCALES[0]
        firmly = np.clip(np.abs(wanted[:, 0]), least, most)
        wanted[:, 0] = np.where(wanted[:, 0] < 0, -firmly, firmly)
        return Agreement(directions, offsets, wanted)

    def of(
        self, attributes: Annotated[RealArray, "N 3"]
    ) -> tuple[Annotated[Float32Array, "N G"], Annotated[Float32Array, "N G"]]:
        """Means and standard deviations (N, G) of the heads of people with ATTRIBUTES (N, 3)."""
        features = self.features(attributes)
        spread = np.sqrt(np.maximum(features @ self.variances, self.least_spread**2))
        return (features @ self.means).astype(np.float32), spread.astype(np.float32)

    def features(self, attributes: Annotated[RealArray, "N 3"]) -> Annotated[FloatArray, "N F"]:
        """What means and variances are linear in, (N, F)."""
        inside = np.clip(attributes, self.low, self.high)
        scaled = 2 * (inside - self.low) / (self.high - self.low) - 1
        return polynomials(np.asarray(scaled, np.float64))


def soft_clip(
    x: Annotated[RealArray, "... K"],
    low: Annotated[RealArray, "K"],
    high: Annotated[RealArray, "K"],
) -> Annotated[FloatArray, "... K"]:
    """x (..., K) brought between low and high (K,) so that what is larger stays larger."""
    knee = _KNEE * (high - low)
    over, under = x - (high - knee), (low + knee) - x
    x = np.where(over > 0, high - knee * np.exp(-np.maximum(over, 0) / knee), x)
    return np.where(under > 0, low + knee * np.exp(-np.maximum(under, 0) / knee), x)
