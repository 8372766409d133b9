"""Pages of what was trained over seeds, from the results."""

import math
import statistics
from typing import Any

from scripts.benchmarks.markdown import median_and_spread, table
from scripts.benchmarks.systems.recipes import COVERAGE, PICTURES, SATURATION, SCORES, SYSTEMS, System

#: What `training.summary` keeps of a system.
Summary = dict[str, Any]

# Systems and modes -------------------------------------------------------------------------------------------


def systems(results: dict[str, Any]) -> str:
    """Every system's scores, what codes tell of known factors, and gradients where D runs ahead."""
    found = results["systems"]
    head = ("system", "experiment", "score (test)", "median ± spread", "goal", "minutes", "picture")
    measured = [system for system in SYSTEMS if system.name in found]
    rows = [row for system in measured for row in _lines(system, found[system.name], ("",))]
    gradients = [(loss, *(f"{mean:.2g}" for mean in results["gradients"][loss])) for loss in SATURATION]
    return f"""# Every system, measured

Figures are those on the test split, the median ± the standard deviation over seeds; minutes are the median of what a
run took. The overrides of each row stand in `scripts/benchmarks/systems/recipes.py`.

{table(head, rows)}
## Latent factors

R² on test digits of a linear reading of each factor from the code, beside PCA of the same width; median over seeds.

{_factors(found)}
## Gradients where the discriminator runs ahead

Norm of the gradient that reaches the generator, mean over rounds 51 to 100, by loss and seed
(`experiment=digits_gan_saturation`).

{table(("loss", "seed 0", "seed 1", "seed 2"), gradients)}"""


def modes(results: dict[str, Any]) -> str:
    """Mode coverage by averaged and by live weights, and pictures beside a classical rival."""
    found = results["systems"]
    head = ("data", "experiment", "score (test)", "default weights (EMA)", "live weights", "goal", "minutes", "picture")
    rows = [row for system in COVERAGE for row in _lines(system, found[system.name], ("", "_raw"))]
    pictures = []
    for system in PICTURES:
        if (of := found[system.name])["scores"]:
            cells = (median_and_spread(_values(of, score)) for score in SCORES)
            pictures.append((f"{system.title}, `{system.name}`", *cells, _minutes(of)))
    rival = {"scores": results["rival"]}
    cells = (median_and_spread(_values(rival, score)) for score in SCORES)
    pictures.append(("Mixture of 50 Gaussians on 32 principal components", *cells, ""))
    return f"""# Mode coverage, measured

Figures are those on the test split, the median ± the standard deviation over seeds, one thread a run.

{table(head, rows)}
## A classical rival on digits

497 samples against the 497 test digits. The rival is scikit-learn's `GaussianMixture` (full covariances) on `PCA`
components, fitted on the 1,100 training digits; each of its seeds is a new fit and a new draw.

{table(("generator", *(f"`{score}`" for score in SCORES), "minutes"), pictures)}"""


def _lines(system: System, of: Summary, weights: tuple[str, ...]) -> list[tuple[str, ...]]:
    """A line for each score, with a column for each kind of weights; what is said once stands in the first."""
    shown = f"[picture](../pictures/{of['picture']})" if of["picture"] else ""
    lines = []
    for index, (score, goal) in enumerate(system.scores.items()):
        figures = (median_and_spread(_values(of, f"{score}{kind}")) for kind in weights)
        head, tail = (("", ""), ("", "")) if index else ((system.title, f"`{system.name}`"), (_minutes(of), shown))
        lines.append((*head, f"`{score}`", *figures, goal, *tail))
    return lines


def _values(of: Summary, score: str) -> list[float]:
    return [scores[score] for scores in of["scores"].values() if score in scores]


def _minutes(of: Summary) -> str:
    return "" if of["minutes"] is None else f"{of['minutes']:.1f}"


def _factors(found: dict[str, Summary]) -> str:
    names = ("rotation", "thickness", "size")
    rows = []
    for name, title in (("digits_ae", "autoencoder, k = 8"), ("digits_vae", "VAE, k = 8"), ("digits_ae_k2", "k = 2")):
        keys = [key for factor in names for key in (f"r2_{factor}", f"r2_{factor}_pca")]
        if found[name]["scores"]:
            rows.append((title, *(f"{statistics.median(_values(found[name], key)):.2f}" for key in keys)))
    return table(("code", *(head for name in names for head in (name, "PCA"))), rows)


# Scores of known damage --------------------------------------------------------------------------------------


def scores(results: dict[str, Any]) -> str:
    """What each score sees of known damage."""
    rows = [(name, *(f"{mean:.3g} ± {spread:.2g}" for mean, spread in of)) for name, of in results["rows"].items()]
    return f"""# What each score sees of known damage

{results["images"]} images against the 497 test digits, by the shipped extractor. Mean ± standard deviation over
{results["resamples"]} resamples of the images, of every class as many as there are; for trained generators over other
latents, and their memorisation is against all 1,100 training images. Two values that differ by less than two or three
of these spreads do not differ.

{table((f"{results['images']} images", *results["scores"]), rows)}"""


# Stability ---------------------------------------------------------------------------------------------------

Recipe = tuple[str, ...]
Seeds = list[dict[str, Any]]
LOSSES = ("minimax", "non_saturating", "least_squares", "hinge", "wasserstein", "relativistic")
PENALTIES = ("none", "r1", "r1_r2", "wgan_gp")
NORMS = ("none", "batch", "spectral")


def yardsticks(columns: list[dict[str, Any]]) -> str:
    """Fréchet distances of damaged real pictures, by extractor and data."""
    names = list(dict.fromkeys(name for column in columns for name in column["values"]))
    rows = [
        (name, *(f"{column['values'][name]:.3g}" if name in column["values"] else "" for column in columns))
        for name in names
    ]
    title = ("training images", *(f"`fd_{column['extractor']}`, {column['data']}" for column in columns))
    counts = ("images, as many as test images", *(f"{column['images']:,}" for column in columns))
    return f"""# Known damage by the extractors that ship

Fréchet distances of training images, as they are and damaged, to as many test images; `forger extractor` prints the
same for an extractor of your own. Values of different columns do not compare, and they fall with the number of images.
One class dropped is the mean over the classes.

{table(title, [*rows, counts])}"""


def transfer(results: dict[str, Any]) -> str:
    """Few images of new classes, from scratch and from a game that knows others."""
    names = {"scratch": "from scratch", "transfer": "from the first game", "frozen": "the same, D's first layer frozen"}
    scores = results["fd_digits"]
    mean = {way: statistics.mean(scores[way]) for way in names}
    rows = [
        (
            name,
            ", ".join(f"{value:.3g}" for value in scores[way]),
            f"{mean[way]:.3g}",
            f"{mean[way] / mean['scratch']:.2f}",
        )
        for way, name in names.items()
    ]
    return f"""# Transfer to few images

`model=cgan` learns the digits 0 to 4 in {results["first"]:,} images. From its weights (`forger train --from RUN
--partial`), and from scratch, it then learns 5 to 9 in {results["images"]:,}, with {results["training"]} to train on.
`fd_digits` to their test images, by seed.

{table(("weights", "fd_digits", "mean", "of scratch"), rows)}"""


def path_length(results: dict[str, Any]) -> str:
    """Perceptual path length with its regularisation and without."""
    mean = {way: statistics.mean(results[way]["path_length"]) for way in ("without", "with")}
    rows = [
        (
            way,
            ", ".join(f"{value:.3g}" for value in results[way]["path_length"]),
            f"{mean[way]:.3g}",
            f"{mean[way] / mean['without']:.2f}",
            ", ".join(f"{value:.3g}" for value in results[way]["fd_digits"]),
        )
        for way in mean
    ]
    return f"""# Path length regularisation

`digits_stylegan2` without it, as it ships, and with `model/objectives=path_length`
(`scripts/benchmarks/systems/path_length.py`). By seed: the perceptual path length in W (Karras et al. 2019, section
4.1), by features of the `digits` extractor, of 5,000 pairs of latents; and `fd_digits`.

{table(("regularisation", "path length", "mean", "of that without", "fd_digits"), rows)}"""


def inversion(results: dict[str, Any]) -> str:
    """Latents of the games' own pictures, and of test digits."""
    rows = [
        (f"`{name}`", *(", ".join(f"{seed[what]:.1f}" for seed in seeds) for what in ("own", "test", "pca")))
        for name, seeds in results["systems"].items()
    ]
    return f"""# Inversion

Latents found by `forger invert` in {results["steps"]} steps, from which a game makes given pictures, by seed: median
PSNR in dB over {results["own"]} pictures of the game's own (an autoencoder's of digits that it was not trained on) and
over the first {results["test"]} test digits, beside PCA of the latent's width, fitted on the training digits.

{table(("experiment", "its own", "test digits", "PCA"), rows)}"""


#: fd_digits of a test set with one class left out (docs/scores.md): what is worse has lost at least that much.
ONE_CLASS_LEFT_OUT = 23.2
#: A healthy run ends within this factor of its own best, and 1 for chance.
GAP = 1.5


def stability(results: dict[str, dict[str, Seeds]]) -> str:
    """Each choice alone, then all recipes, ranked."""
    digits, grid = results["digits"], _on_grid(results["grid25"])
    head = ("place", "loss", "penalties", "norm of D", "seeds healthy", "final fd_digits (lowest to highest)")
    head += ("final ÷ best", "grid25: modes (fewest)", "high quality", "s")
    rows = []
    for place, (recipe, v) in enumerate(ranked(digits), 1):
        g = grid.get(recipe)
        rows.append(
            (
                f"{place}",
                *recipe,
                f"{v['healthy'] * v['seeds']:.0f} of {v['seeds']:.0f}",
                f"{v['final']:.1f} ({v['lowest']:.1f} to {v['highest']:.1f})",
                f"{v['gap']:.2f}",
                *((f"{g['modes']:.0f} ({g['fewest']:.0f})", f"{g['high_quality']:.0%}") if g else ("", "")),
                f"{v['seconds']:.0f}",
            )
        )
    return f"""# Which game is stable: every recipe

What the columns mean, and what can be read from them, is in [stability.md](../stability.md).

## Each choice alone

{_margins(digits)}
## All of them

{table(head, rows)}"""


def _margins(found: dict[str, Seeds]) -> str:
    """Share of healthy runs by each choice alone."""
    rows = []
    for place, (kind, options) in enumerate((("loss", LOSSES), ("penalties", PENALTIES), ("norm", NORMS))):
        for option in options:
            if seeds := [run for recipe, of in found.items() if _recipe(recipe)[place] == option for run in of]:
                final = statistics.median(map(_final, seeds))
                rows.append((f"{kind} {option}", f"{sum(map(healthy, seeds))} of {len(seeds)}", f"{final:.1f}"))
    return table(("choice", "healthy runs", "median final fd_digits"), rows)


def _recipe(name: str) -> Recipe:
    return tuple(name.split("-"))


def _final(run: dict[str, Any]) -> float:
    return math.inf if run["final"] is None else run["final"]


def healthy(run: dict[str, Any]) -> bool:
    """Ended, no worse than a set without one of its classes, and near its own best."""
    if run["status"] != "finished" or run["final"] is None or run["best"] is None:
        return False
    return run["final"] <= min(ONE_CLASS_LEFT_OUT, GAP * run["best"] + 1.0)


def ranked(found: dict[str, Seeds]) -> list[tuple[Recipe, dict[str, float]]]:
    """Ranked: most healthy seeds first, then the lower median final score."""
    rows = []
    for recipe, seeds in found.items():
        finals = list(map(_final, seeds))
        gaps = [run["final"] / run["best"] for run in seeds if run["final"] is not None and run["best"]]
        values = {
            "healthy": sum(map(healthy, seeds)) / len(seeds),
            "seeds": len(seeds),
            "final": statistics.median(finals),
            "lowest": min(finals),
            "highest": max(finals),
            "gap": statistics.median(gaps) if gaps else math.nan,
            "seconds": statistics.median(run["seconds"] for run in seeds),
        }
        rows.append((_recipe(recipe), values))
    return sorted(rows, key=lambda row: (-row[1]["healthy"], row[1]["final"]))


def _on_grid(found: dict[str, Seeds]) -> dict[Recipe, dict[str, float]]:
    rows = {}
    for recipe, seeds in found.items():
        modes = [run["final"] or 0.0 for run in seeds]
        rows[_recipe(recipe)] = {
            "modes": statistics.median(modes),
            "fewest": min(modes),
            "high_quality": statistics.median(run["high_quality"] or 0.0 for run in seeds),
        }
    return rows
