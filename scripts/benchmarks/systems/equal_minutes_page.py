"""The page of generative models at equal minutes, from the results."""

import statistics
from collections.abc import Mapping
from typing import Any

from scripts.benchmarks.markdown import median_and_spread, table

#: Titles by sweep.
TITLES = {"compare_generative": "Digits, 8×8", "compare_generative_fashion": "Fashion-MNIST, 28×28"}
#: By arm, what it is.
ARMS = {
    "gan": "conditional GAN",
    "vae": "conditional VAE",
    "vqvae": "VQ-VAE, without classes",
    "flow": "flow matching",
    "diffusion": "diffusion (EDM)",
}
#: Samples that are timed together.
SAMPLES = 500
SCORES = ("fd", "precision", "recall", "neighbour_ratio", "memorisation")


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A table for each data set, the least Fréchet distance first."""
    parts = [_part(name, found) for name, found in results.items() if found["arms"]]
    return f"""# Generative models at equal minutes

`forger sweep run compare_generative` and `compare_generative_fashion`: each kind of model trains for as many
images as it is shown in the same processor minutes of one thread, so that the result is the same on every
machine; scores and pictures take no part of them. Figures are those on the test split, median ± standard
deviation over seeds. With a neighbour ratio of 1 samples are as far from the nearest training image as test
images are, copies have 0; with a memorisation of 0.5 they are as often nearer to it as farther. Milliseconds are
of one processor thread, for a sample of {SAMPLES} at once. All but the VQ-VAE are told the class, which makes the
task easier.

{"".join(parts)}"""


def _part(name: str, found: Mapping[str, Any]) -> str:
    extractor = found["extractor"]
    head = (
        "model",
        "experiment",
        "images",
        "minutes",
        *(f"`{s}_{extractor}`" for s in SCORES),
        "ms a sample",
        "picture",
    )
    rows = []
    for arm, own in sorted(found["arms"].items(), key=lambda item: _median(item[1], f"fd_{extractor}")):
        scores = [median_and_spread([seed[f"{s}_{extractor}"] for seed in own["scores"].values()]) for s in SCORES]
        minutes = own["images"] / found["rates"][arm]
        shown = (f"{own['images']:,}", f"{minutes:.1f}", *scores, f"{1000 * own['seconds_a_sample']:.2g}")
        rows.append((ARMS[arm], f"`{own['experiment']}`", *shown, f"[picture](../pictures/{own['picture']})"))
    counts = sorted({len(own["scores"]) for own in found["arms"].values()})
    seeds = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    return f"## {TITLES[name]}\n\n{seeds} seed{'s' * (seeds != '1')} each.\n\n{table(head, rows)}\n"


def _median(arm: Mapping[str, Any], score: str) -> float:
    return statistics.median(seed[score] for seed in arm["scores"].values())
