"""Trains 6 losses × 4 penalties × 3 norms over seeds: which are stable, which are good (docs/results/stability.md).

    python -m scripts.benchmarks.systems.stability [--root runs/stability] [--seeds 0 1 2] [--only LOSS …]
                                                   [--workers 2] [--table-only]

Digits first, with fully connected networks; then, for the better half, `grid25`. About an hour on two cores. Each
loss is one Hydra multirun; the same command is the same run, so that this can be stopped and started again.
"""

from collections import defaultdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from forger.lifecycle.listing import list_runs
from scripts.benchmarks import pages
from scripts.benchmarks.systems.tables import LOSSES, NORMS, PENALTIES, Recipe, ranked
from scripts.benchmarks.systems.training import all_of, forger_train, options

COMMON = ("logger=none", "trainer.threads=1", "samples.every_images=null", "checkpoint.every_images=null")
ON_DIGITS = ("model=gan", "data=digits", "metrics=digits", "budget.images=96_000", "metrics.every_images=12_000")
#: With a mixture of as many components as there are modes as latents: without one nobody finds them in so few rounds.
ON_GRID = ("model=gan_1d", "data=grid25", "metrics=modes", "model.ema=0.99", "model.latent=32", "watch.action=none")
ON_GRID += ("model.generator.width=128", "+model.generator.components=25", "model.discriminator.width=128")
ON_GRID += ("model.players.generator.optimizer.lr=1e-3", "model.players.discriminator.optimizer.lr=2e-3")
ON_GRID += ("budget.images=512_000", "metrics.every_images=128_000")


def train(loss: str, combinations: list[Recipe], seeds: list[int], root: Path, base: tuple[str, ...]) -> None:
    """All recipes of one loss: one multirun for each penalty."""
    for penalties in PENALTIES:
        norms = [norm for of, penalty, norm in combinations if (of, penalty) == (loss, penalties)]
        if not norms:
            continue
        overrides = [*base, *COMMON, f"run.root={root}", f"run.name={loss}-{penalties}"]
        overrides += [f"model/loss={loss}", f"+model/penalties={penalties}"]
        overrides += [f"++model.discriminator.norm={','.join(norms)}", f"seed={','.join(map(str, seeds))}"]
        forger_train(f"{root.name}: {loss}, {penalties}", "-m", *overrides)


def runs(root: Path, score: str) -> dict[str, list[dict[str, Any]]]:
    """By recipe (loss-penalties-norm), for each seed: status, final and best score (None: none), quality, seconds."""
    found: dict[Recipe, dict[int, dict[str, Any]]] = defaultdict(dict)
    for entry in list_runs(root):
        if entry.status not in ("finished", "diverged") or entry.record is None:
            continue
        config = yaml.safe_load((entry.path / "config.yaml").read_text())
        recipe = (*config["run"]["name"].split("-"), config["model"]["discriminator"].get("norm", "none"))
        scores = entry.record.scores
        found[recipe][entry.record.seed] = {
            "status": entry.status,
            "final": scores["final"].get(score, {}).get("value"),
            "best": scores["best"].get(score, {}).get("value"),
            "spread": scores["final"].get("spread", {}).get("value"),
            "high_quality": scores["final"].get("high_quality", {}).get("value"),
            "seconds": entry.record.seconds,
        }
    return {"-".join(recipe): [found[recipe][seed] for seed in sorted(found[recipe])] for recipe in sorted(found)}


def main() -> None:
    given = options(__doc__, "stability").parse_args()

    def train_all(recipes: list[Recipe], root: Path, base: tuple[str, ...]) -> None:
        calls = [partial(train, loss, recipes, given.seeds, root, base) for loss in given.only or LOSSES]
        all_of(given.workers, calls)

    digits, grid = given.root / "digits", given.root / "grid25"
    if not given.table_only:
        train_all(list(product(LOSSES, PENALTIES, NORMS)), digits, ON_DIGITS)
    found = runs(digits, "fd_digits")
    if not given.table_only:
        ranking = [recipe for recipe, _ in ranked(found)]
        train_all(ranking[: len(ranking) // 2], grid, ON_GRID)
    pages.publish("stability", {"digits": found, "grid25": runs(grid, "modes")})


if __name__ == "__main__":
    main()
