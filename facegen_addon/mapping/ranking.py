# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sliders make the visual variety: variance of the latent explained, by the surrogates.

Sobol indices of a function with vector values, summed over the latent's components, by Jansen's
estimators. The *total* index of a slider is the share of the variance that is lost when it is held,
with all that it does together with others; its *first-order* index is what it explains alone.

The indices are defined for inputs that are drawn independently. Each slider therefore has its own
distribution in the prior, drawn again from there, but not the prior's correlations: what skin does
is not counted for the ancestry that skin follows. Linked sliders are judged together as a group,
whose members are drawn together, as the prior has them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ..arrays import AnyArray, Float32Array, FloatArray, IntArray, RealArray
from ..artifacts import artifact, load_npz, read_index, read_npz
from ..atomic_file import replacing
from ..errors import Need, Remedy, UserError
from ..heads.head_model import HeadModel
from ..random_streams import random_stream
from ..user_folder import user_folder
from .influence import table_digest
from .surrogate import SurrogateEnsemble

Predict = Callable[[Float32Array], Float32Array]
"""Standardised heads (N, G) -> latents (N, D)."""
Steps = Generator[tuple[int, int], None, "Ranking"]
"""Yields (sliders done, of how many), returns the ranking."""

HEADS = 256
"""Heads that each slider is drawn anew for; enough to tell the leading sliders apart."""
FORMAT = 1
_POOL = 4096  # prior heads that sliders are drawn from
_COLUMNS = ("total", "total_error", "first", "cumulative")
_GROUP_COLUMNS = ("group_total", "group_first")


@dataclass(frozen=True)
class Indices:
    """Of K blocks of sliders: total, its standard error, and first-order index, (K,) each."""

    total: Annotated[FloatArray, "K"]
    total_error: Annotated[FloatArray, "K"]
    first: Annotated[FloatArray, "K"]


@dataclass(frozen=True)
class Ranking:
    """The guided sliders of a model, the most influential first.

    Attributes:
        names: (G,) of the sliders, by falling total index.
        total, total_error, first: (G,) indices in that order.
        cumulative: (G,) share of the variance that the leading 1, 2, ... sliders explain.
        groups, group_total, group_first: indices of the table's groups of guided sliders.
        variance: of the latent, summed over its components.
        heads: how many each index was measured on.
        surrogate, table: digests of what the figures depend on.
    """

    model: str
    names: tuple[str, ...]
    total: Annotated[FloatArray, "G"]
    total_error: Annotated[FloatArray, "G"]
    first: Annotated[FloatArray, "G"]
    cumulative: Annotated[FloatArray, "G"]
    groups: tuple[str, ...]
    group_total: FloatArray
    group_first: FloatArray
    variance: float
    heads: int
    surrogate: str
    table: str

    def count(self, share: float) -> int:
        """How many leading sliders keep `share` of the variance; UserError unless 0 < share <= 1.

        From that many on it is kept: a wobble of the estimate does not count.
        """
        if not 0 < share <= 1:
            raise UserError(f"share {share:g}: give a number above 0, at most 1")
        below = np.flatnonzero(self.cumulative < share)
        return int(below[-1]) + 2 if len(below) else 1

    def short_list(self, share: float) -> tuple[str, ...]:
        """Names of the leading sliders that keep `share` of the variance."""
        return self.names[: self.count(share)]


def prior_pool(model: HeadModel) -> Annotated[Float32Array, "4096 G"]:
    """(4096, G) standardised heads of the prior, the same always: what sliders are drawn from."""
    heads = model.sample_prior(random_stream(0), _POOL)
    return model.table.standardise(heads).astype(np.float32)


def independent_heads(
    pool: Annotated[Float32Array, "N G"],
    blocks: Sequence[IntArray],
    rng: np.random.Generator,
    count: int,
) -> Annotated[Float32Array, "K G"]:
    """(count, G): each block of columns from rows of the pool (N, G) of its own.

    Columns that are in no block are zero, the mean.
    """
    heads = np.zeros((count, pool.shape[1]), np.float32)
    for columns in blocks:
        heads[:, columns] = pool[np.ix_(rng.integers(len(pool), size=count), columns)]
    return heads


def linked_blocks(pool: Annotated[Float32Array, "N G"], correlation: float = 0.2) -> list[IntArray]:
    """Blocks of two columns or more of the pool (N, G) that correlations beyond this link."""
    varying = pool.std(axis=0) > 0
    linked = np.eye(pool.shape[1], dtype=bool)
    found = np.corrcoef(pool[:, varying], rowvar=False)
    linked[np.ix_(varying, varying)] |= np.abs(np.atleast_2d(found)) > correlation
    blocks, left = [], set(range(len(linked)))
    while left:
        block, grown = {left.pop()}, set[int]()
        while block != grown:
            grown = block
            block = set(np.flatnonzero(linked[sorted(grown)].any(axis=0)).tolist())
        left -= block
        if len(block) > 1:
            blocks.append(np.array(sorted(block), np.intp))
    return blocks


class Design:
    """Two independent sets of N heads (Jansen's A and B) with their latents and variance."""

    def __init__(
        self,
        predict: Predict,
        first: Annotated[Float32Array, "N G"],
        second: Annotated[Float32Array, "N G"],
    ) -> None:
        """UserError where the latents do not vary, so that there is nothing to explain."""
        self._predict, self.heads, self._others = predict, first, second
        self._latents, self._other_latents = predict(first), predict(second)
        self.variance = total_variance(np.concatenate([self._latents, self._other_latents]))
        if not self.variance > 1e-9:
            raise UserError("the surrogates make all heads alike, so no slider can be ranked")
        self._apart = self._distances(self._latents, self._other_latents).mean()

    def indices(self, columns: Annotated[IntArray, "K"]) -> tuple[float, float, float]:
        """Total index of these columns together, its standard error, first-order index."""
        mixed = self._with_others(columns)
        lost = self._distances(self._latents, mixed)
        # Against the distance of these very heads, not of all: what is common to both cancels.
        alone = self._apart - self._distances(self._other_latents, mixed).mean()
        error = lost.std(ddof=1) / np.sqrt(len(lost))
        return float(lost.mean()), float(error), float(alone)

    def closed(self, columns: Annotated[IntArray, "K"]) -> float:
        """Share of the variance that these columns explain together, without the others."""
        lost = self._distances(self._other_latents, self._with_others(columns))
        return float(1 - lost.mean())

    def _with_others(self, columns: IntArray) -> Float32Array:
        mixed = self.heads.copy()
        mixed[:, columns] = self._others[:, columns]
        return self._predict(mixed)

    def _distances(self, a: Float32Array, b: Float32Array) -> FloatArray:
        return half_squared_distances(a, b) / self.variance


def half_squared_distances(
    a: Annotated[RealArray, "N D"], b: Annotated[RealArray, "N D"]
) -> Annotated[FloatArray, "N"]:
    """Half the squared distance of rows (N, D) of two arrays; over the variance, an index."""
    return np.asarray(0.5 * np.square(a.astype(np.float64) - b).sum(axis=1))


def total_variance(latents: Annotated[RealArray, "N D"]) -> float:
    """Variance of latents (N, D), N at least 2, summed over components."""
    return float(latents.astype(np.float64).var(axis=0, ddof=1).sum())


def block_indices(
    predict: Predict,
    pool: Annotated[Float32Array, "N G"],
    blocks: Sequence[IntArray],
    heads: int = HEADS,
    seed: int = 0,
) -> Indices:
    """Indices of blocks of columns that are drawn together, all other columns of the pool alone."""
    singles = np.setdiff1d(np.arange(pool.shape[1]), np.concatenate(blocks))
    everything = [*blocks, *singles[:, None]]
    design = _design(predict, pool, everything, heads, seed)
    rows = np.array([design.indices(columns) for columns in blocks])
    return Indices(*rows.T)


def ranking_steps(
    model: HeadModel, ensemble: SurrogateEnsemble, surrogate: str, heads: int = HEADS, seed: int = 0
) -> Steps:
    """Rank a model's guided sliders, by as many steps as the work has; the same seed, the same.

    `surrogate` is the digest of the ensemble's file. UserError if it is of another model.
    """
    count, table = len(model.table.guided), model.table
    if ensemble.inputs != count:
        raise UserError(
            f"the surrogates take {ensemble.inputs} parameters, head model {model.name!r} guides"
            f" {count}",
            Need(Remedy.RETRAIN, model.name),
        )

    def predict(z: Float32Array) -> Float32Array:
        return ensemble.predict(z)[0]

    pool, singles = prior_pool(model), list(np.arange(count)[:, None])
    design = _design(predict, pool, singles, heads, seed)
    rows = []
    for columns in singles:
        rows.append(design.indices(columns))
        yield len(rows), 2 * count
    total, error, first = np.array(rows).T
    order = np.argsort(-total, kind="stable")
    cumulative = np.ones(count)
    for leading in range(1, count):
        cumulative[leading - 1] = max(design.closed(order[:leading]), 0.0)
        yield count + leading, 2 * count
    groups = table.guided_groups()
    of_groups = block_indices(predict, pool, list(groups.values()), heads, seed)
    yield 2 * count, 2 * count
    return Ranking(
        model.name,
        tuple(table.names[table.guided[column]] for column in order),
        total[order],
        error[order],
        first[order],
        cumulative,
        tuple(groups),
        of_groups.total,
        of_groups.first,
        design.variance,
        heads,
        surrogate,
        table_digest(table),
    )


def finished(steps: Steps) -> Ranking:
    """Do all steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def compute_steps(model: HeadModel, heads: int = HEADS) -> Steps:
    """Rank by the model's own surrogates; UserError where it has none."""
    surrogate = artifact(f"surrogate_{model.name}")
    ensemble = SurrogateEnsemble.load(model.name)
    return ranking_steps(model, ensemble, surrogate.sha256, heads)


def load_ranking(model: HeadModel) -> Ranking:
    """The ranking that comes with a model, else the user's own, computed once (20 to 60 s).

    UserError where the model has no surrogates.
    """
    found = stored_ranking(model)
    if found is None:
        found = finished(compute_steps(model))
        save(found, cached_path(model.name))
    return found


def short_list(model: HeadModel, share: float = 0.95) -> tuple[str, ...]:
    """Names of the fewest sliders, by the ranking, that keep this share of the visual variety."""
    return load_ranking(model).short_list(share)


def stored_ranking(model: HeadModel) -> Ranking | None:
    """The ranking by the model's present surrogates, if there is one; nothing is computed.

    UserError if the one that comes with FaceGen is damaged.
    """
    try:
        surrogate = artifact(f"surrogate_{model.name}").sha256
    except UserError:
        return None
    found = []
    registered = f"ranking_{model.name}"
    if registered in read_index():
        found.append(_from_arrays(load_npz(registered), registered))
    path = cached_path(model.name)
    if path.is_file():
        with suppress(UserError):  # a damaged copy is made anew
            found.append(_from_arrays(read_npz(path), str(path)))
    wanted = surrogate, table_digest(model.table)
    return next((r for r in found if (r.surrogate, r.table) == wanted), None)


def cached_path(model_name: str) -> Path:
    """Where a ranking lies that was computed for this user."""
    return user_folder() / "ranking" / f"{model_name}.npz"


def save(ranking: Ranking, path: Path) -> None:
    """Write a ranking at once or not at all."""
    facts = {
        "format": FORMAT, "model": ranking.model, "variance": ranking.variance,
        "heads": ranking.heads, "surrogate": ranking.surrogate, "table": ranking.table,
    }  # fmt: skip
    with replacing(path) as partial:
        np.savez_compressed(
            partial,
            facts=np.array(json.dumps(facts)),
            names=np.array(ranking.names),
            groups=np.array(ranking.groups),
            **{key: getattr(ranking, key) for key in (*_COLUMNS, *_GROUP_COLUMNS)},
        )


def _from_arrays(arrays: dict[str, AnyArray], source: str) -> Ranking:
    try:
        facts: dict[str, Any] = json.loads(str(arrays["facts"]))
        if facts.pop("format") != FORMAT:
            raise KeyError("format")
        names = tuple(str(name) for name in arrays["names"])
        groups = tuple(str(name) for name in arrays["groups"])
        columns: dict[str, Any] = {
            key: arrays[key].astype(np.float64) for key in (*_COLUMNS, *_GROUP_COLUMNS)
        }
        for key, values in columns.items():
            if values.shape != (len(groups if key in _GROUP_COLUMNS else names),):
                raise ValueError(key)
        return Ranking(names=names, groups=groups, **columns, **facts)
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{source} holds no ranking of this version", Need(Remedy.RANK_SLIDERS)
        ) from None


def _design(
    predict: Predict,
    pool: Float32Array,
    blocks: Sequence[IntArray],
    heads: int,
    seed: int,
) -> Design:
    rngs = (random_stream(seed, part) for part in range(2))
    return Design(predict, *(independent_heads(pool, blocks, rng, heads) for rng in rngs))
