# SPDX-License-Identifier: GPL-3.0-or-later
"""Training sets of several distributions and renders of what networks make of photos with them.

All renders of one budget are kept in one folder, so that a stopped run goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from facegen_addon.arrays import BoolArray, Float32Array, RealArray
from facegen_addon.encoders.encoder import DEFAULT_ENCODER
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.checked import LATENT_SIZE
from facegen_addon.latent.sphere import normalise
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.random_streams import random_stream
from facegen_addon.scene.render.view import Forward, View
from models.training import pairs, real_latents
from models.training.data_set_folder import sets_of_folders
from models.training.distributions_learning import (
    DISTRIBUTIONS,
    ENOUGH,
    GUIDED,
    PRIOR,
    SIZES,
    WIDE,
    Sets,
    as_spread,
    least_of,
    nearest_to,
    sets_of,
    subset,
)
from models.training.distributions_networks import Networks
from models.training.distributions_people import Likeness, read_people
from models.training.distributions_readings import (
    attribute_row,
    misread,
    read_held_out,
    readings_report,
)
from models.training.kept_renders import KeptRenders
from models.training.pairs import Pairs
from models.training.render_pairs import initial_heads

ROOT = Path(__file__).resolve().parents[2]
VIEW = View(encoders=(DEFAULT_ENCODER, "sface"))
RANDOM = "random heads of both kinds"
NEAREST = "random heads nearest to people"
READ_RIGHT = "random heads that read as what they are"
READ = 400
"""Photos that are read without a render."""


@dataclass(frozen=True)
class Budget:
    """What is spent: people; held-out heads of each distribution; `more` heads to learn from,
    rendered for PRIOR and for WIDE; networks a size; of these, how many are judged by renders, at
    which sizes."""

    people: int = 60
    held_out: int = 60
    more: int = 0
    sizes: tuple[int, ...] = SIZES
    seeds: int = 5
    judged_seeds: int = 1
    judged_sizes: tuple[int, ...] = (250, 500)


QUICK = Budget(10, 20, 40, (30, 60, 120), 2, 1, (60, 120))


@dataclass(frozen=True)
class Row:
    """Heads for all people by networks of one way of training: z (N, G) of each."""

    title: str
    size: int | None
    heads: list[Annotated[RealArray, "N G"]]

    @property
    def key(self) -> str:
        """Name of the folders of its renders."""
        name = "".join(c if c.isalnum() else "_" for c in self.title)
        return name if self.size is None else f"{name}_{self.size}"


class Experiment:
    """All renders of one budget, kept in one folder. `forward` replaces rendering in tests.

    To be closed at the end.
    """

    def __init__(
        self, options: argparse.Namespace, budget: Budget, forward: Forward | None = None
    ) -> None:
        self.options, self.budget, self.work = options, budget, options.work
        self.model: HeadModel = load_head_model(options.model)
        self.table = self.model.table
        self._renders = KeptRenders(self.work, self._request(), options, VIEW, forward)
        self.people = read_people(budget.people, options.rounds, options.per_round)
        drawn = 2 * (budget.held_out + budget.more)
        self._renders.expect(drawn + len(self.people) * self._passes)

    def close(self) -> None:
        """End the processes that render."""
        self._renders.close()

    @property
    def _passes(self) -> int:
        """How many heads are rendered for each person, about."""
        judged = len(self.budget.judged_sizes) * self.budget.judged_seeds
        families = len(DISTRIBUTIONS) + len(self.options.data_set)
        return 2 + families * judged + len(self.budget.sizes) + 6

    @cached_property
    def sets(self) -> Sets:
        """Training sets and held-out heads."""
        count = 2 * (self.budget.held_out + self.budget.more)
        z = self._renders.heads("drawn", lambda: initial_heads(self.model, count, seed=1))
        data, usable = self._renders.rendered("drawn", z)
        drawn = Pairs(data.z, normalised(data.latents[:, :LATENT_SIZE], usable))
        wide = np.arange(count) % 2 == 1
        rows = Pairs(drawn.z[usable], drawn.latents[usable])
        sets = sets_of(self.model, rows, wide[usable], self.budget.held_out)
        guided = len(sets.learnt[GUIDED]) + len(sets.held_out[GUIDED])
        made = self.options.rounds * self.options.per_round
        if not 0.98 * made <= guided <= made:
            raise UserError(
                f"the table has {guided} guided heads, not {made}: give --rounds and --per-round as"
                " it was made with, or people are judged whom it has seen"
            )
        return sets

    @cached_property
    def networks(self) -> Networks:
        """Those that heads of the table of pairs teach."""
        return Networks(self.model, self.sets, self.budget.sizes, self.budget.seeds)

    @cached_property
    def of_images(self) -> Networks | None:
        """Those that images of data sets teach, if any were named."""
        folders = dict(self.options.data_set)
        if not folders:
            return None
        sets = sets_of_folders({images_of(name): folders[name] for name in folders}, self.table)
        found = Networks(self.model, sets, self.budget.sizes, self.budget.seeds, "images")
        if not found.common:
            raise UserError(
                f"no {self.budget.sizes[0]} images with a face in each of {', '.join(folders)}:"
                " make more"
            )
        return found

    @property
    def families(self) -> list[Networks]:
        """All networks; those within one can be compared."""
        return [self.networks] if self.of_images is None else [self.networks, self.of_images]

    def rows(self) -> list[Row]:
        """Heads that are rendered for the photos, what matters most first."""
        networks, latents = self.networks, self.people.latents
        common = [size for size in self.budget.judged_sizes if size in networks.common]
        if not common:
            raise UserError(f"no distribution has {self.budget.judged_sizes[0]} heads: render more")
        most = common[-1]
        prior = self.model.sample_prior(random_stream(0, "strangers"), len(self.people))
        found = self._rows_of(most)
        found += self._chosen_rows(most)
        found += [
            Row("B, refined", None, [refined(self.options.model, self.model, latents)]),
            Row("random head of the prior", None, [self.table.standardise(prior)]),
        ]
        for size in reversed(common[:-1]):
            found += self._rows_of(size)
        found += self._changed_rows(most, found[0].heads[0])
        for size in reversed(networks.sizes[GUIDED]):
            if size not in common:
                found.append(Row(GUIDED, size, [self._photos_by(networks, GUIDED, size)]))
        return found

    def _photos_by(self, networks: Networks, name: str, size: int, seed: int = 0) -> RealArray:
        return networks.heads(networks.learnt(name, size, seed), size, self.people.latents)

    def _rows_of(self, size: int) -> list[Row]:
        """By as many networks of a size as are judged by renders, of each set."""
        seeds = range(self.budget.judged_seeds)
        return [
            Row(name, size, [self._photos_by(networks, name, size, seed) for seed in seeds])
            for networks in self.families
            for name in networks.names
            if size in networks.common
        ]

    def _chosen_rows(self, most: int) -> list[Row]:
        """By networks that chosen ones of all random heads teach, or as many at random."""
        chosen = self._chosen_sets()
        return [
            Row(title, most, [self.networks.heads(chosen[title], most, self.people.latents)])
            for title in (READ_RIGHT, RANDOM, NEAREST)
            if title in chosen
        ]

    def _changed_rows(self, most: int, guided: RealArray) -> list[Row]:
        """What differs in one respect from networks of `most` heads: how far predictions are
        spread (that of `guided`), or where photos lie."""
        latents, networks, found = self.people.latents, self.networks, []
        for name in (PRIOR, WIDE, GUIDED):
            data = networks.learnt(name, most)
            if name != GUIDED:
                own = as_spread(networks.heads(data, most, latents), guided)
                found.append(Row(f"{name}, spread as guided", most, [own]))
            moved = networks.heads(data, most, _moved(latents, data))
            found.append(Row(f"{name}, photos moved", most, [moved]))
        return found

    def readings(self) -> dict[str, Any]:
        """What networks of each set say of many photos, without a render."""
        people = read_held_out(READ)
        of_b = self._renders.heads(
            "of_many", lambda: refined(self.options.model, self.model, people.latents)
        )
        outputs, learnt = {}, {}
        for networks in self.families:
            more = self._chosen_sets() if networks is self.networks else {}
            for name, data in {**networks.sets.learnt, **more}.items():
                for size in self.budget.sizes[-2:]:
                    if len(data) < ENOUGH * size:
                        continue
                    rows, title = subset(data, size, 0), f"{name}, {size:,} {networks.unit}"
                    outputs[title] = networks.heads(rows, size, people.latents)
                    learnt[title] = rows.latents
        found = readings_report(people, outputs, of_b, learnt, self.model)
        found["renders"] = [row for name in DISTRIBUTIONS for row in self._read_renders(name)]
        found["probes"] = [row for name in DISTRIBUTIONS for row in self._probed(name)]
        return found

    def _chosen_sets(self) -> dict[str, Pairs]:
        """Sets that differ in one respect: of all random heads any, those nearest to people, those
        that probes, fitted to photos, read as most and as least what they are; and a mixture."""
        learnt = self.sets.learnt
        most = self.networks.sizes[PRIOR][-1]
        random, half = learnt[PRIOR] + learnt[WIDE], most // 2
        found = {
            RANDOM: subset(random, most, 0),
            NEAREST: nearest_to(real_latents.fit_latents(), random, most),
            "half latent guidance, half prior": subset(learnt[GUIDED], half, 0)
            + subset(learnt[PRIOR], most - half, 0),
        }
        own = self.model.attributes(self.table.from_standardised(random.z))
        if own is not None:
            read = misread(own, AttributeProbes.load().read(random.latents))
            found[READ_RIGHT] = least_of(random, read, most)
            found["random heads that least do"] = least_of(random, -read, most)
        return found

    def _probed(self, name: str) -> list[dict[str, Any]]:
        """How well probes, fitted to photos, read the attributes of a distribution's heads."""
        data = self.sets.learnt[name]
        own = self.model.attributes(self.table.from_standardised(data.z))
        if own is None:
            return []
        return [{"name": name, **attribute_row(AttributeProbes.load().read(data.latents), own)}]

    def _read_renders(self, name: str) -> list[dict[str, Any]]:
        """How well a network of the most heads reads the attributes of held-out heads."""
        most = self.networks.sizes[PRIOR][-1]
        data, rows = self.networks.learnt(name, most), []
        for judged, held_out in self.sets.held_out.items():
            z = self.networks.heads(data, most, held_out.latents)
            said, own = (self.model.attributes(self.table.from_standardised(x))
                         for x in (z, held_out.z))  # fmt: skip
            if said is not None and own is not None:
                title = f"{name}, {most:,} heads, on {judged}"
                rows.append({"name": title, **attribute_row(said, own)})
        return rows

    def likeness(self, row: Row) -> Likeness:
        """Render heads for the people and see how near they come."""
        parts = []
        for seed, z in enumerate(row.heads):
            z = np.clip(z, *self.table.guided_bounds())
            data, usable = self._renders.rendered(f"{row.key}_seed_{seed}", z)
            parts.append(self._judged(data.latents, usable))
        return Likeness.joined(parts)

    def mean_head(self) -> Likeness:
        """The same head for everybody."""
        one, usable = self._renders.rendered(
            "mean_head", np.zeros((1, len(self.table.guided)), np.float32)
        )
        count = len(self.people)
        return self._judged(np.repeat(one.latents, count, axis=0), np.repeat(usable, count))

    def _judged(self, latents: RealArray, usable: BoolArray) -> Likeness:
        facenet, sface = np.split(latents, [LATENT_SIZE], axis=1)
        return Likeness.of(
            self.people, normalised(facenet, usable), normalised(sface, usable), usable
        )

    def _request(self) -> dict[str, Any]:
        """What the files of the work folder depend on."""
        table = pairs.table_path(self.model.name).read_bytes()
        return {
            "model": self.model.name,
            "budget": asdict(self.budget),
            "samples": self.options.samples,
            "sources": dict(self.model.sources),
            "pairs": hashlib.sha256(table).hexdigest(),
        }


def images_of(name: str) -> str:
    """What a data set goes by."""
    return f"images of {name}"


def normalised(
    latents: Annotated[RealArray, "N D"], usable: Annotated[BoolArray, "N"]
) -> Annotated[Float32Array, "N D"]:
    """Latents (N, D) of unit norm; zeros where there was no face."""
    found = np.zeros(latents.shape, np.float32)
    found[usable] = normalise(latents[usable])
    return found


def _moved(latents: Annotated[RealArray, "N D"], data: Pairs) -> Annotated[RealArray, "N D"]:
    """Photos' latents, moved by what lies between the mean of all photos and that of the heads."""
    gap = data.latents.mean(axis=0) - real_latents.fit_latents().mean(axis=0)
    return normalise(latents + gap)


def refined(name: str, model: HeadModel, latents: Annotated[RealArray, "N D"]) -> RealArray:
    """z (N, G) as the shipped B finds them."""
    return BackwardMapping.load(name, model.table).standardised(latents)
