"""Mode coverage over three seeds, and a classical rival on digits: writes docs/modes.md and docs/modes.json.

    python scripts/benchmarks/modes.py [--root runs/modes] [--seeds 0 1 2] [--only ring8 …] [--workers 2] [--table-only]

One thread a run. The same command is the same run, so that this can be stopped and started again.
"""

import argparse
import json
import shutil
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from systems import REPOSITORY, System, experiment, records, train

from forger.data.images import Data, digits
from forger.metrics.extractors import DigitsExtractor
from forger.metrics.reference import Reference
from forger.metrics.scores import Scores

POINTS = {"high_quality": "0.95 to 0.992", "kl_modes": "≤ 0.15", "spread": "0.75 to 1.25"}
COVERAGE = [
    experiment("ring8", "Eight Gaussians on a circle, σ 0.02", modes="8", **POINTS),
    experiment("grid25", "25 Gaussians on a grid, σ 0.05", modes="25", **POINTS),
    experiment("stacked_digits", "Three digits in one image", modes="≥ 950, aim 990", kl_modes="≤ 0.2"),
]
PICTURES = [
    experiment("digits_cgan", "Conditional GAN (RpGAN, R1, R2)"),
    experiment("digits_dcgan", "DCGAN with R1"),
]
#: Of the pictures; the rival has the first two and the last.
SCORES = ("fd_digits", "neighbour_ratio_digits", "agreement_digits", "train_on_fake", "is_digits")
RIVAL = "Mixture of 50 Gaussians on 32 principal components"


def rival(seed: int) -> dict[str, float]:
    """Scores on test of as many draws from a Gaussian mixture on principal components, fitted on train."""
    data = digits()
    train = data.train.arrays["image"]
    pixels = train.flatten(1).numpy() / 255
    components = PCA(32, random_state=seed).fit(pixels)
    mixture = GaussianMixture(50, random_state=seed).fit(components.transform(pixels))
    drawn = components.inverse_transform(mixture.sample(len(data.test))[0])
    grey = torch.from_numpy(np.round(drawn.clip(0, 1) * 255).astype(np.uint8))
    scores = judge(data)
    scores.update(grey.reshape(-1, *train.shape[1:]))
    values = scores.compute()
    return {name: values[name] for name in SCORES if name in values}


def judge(data: Data) -> Scores:
    """The scores of `metrics=conditional` that look at images alone."""
    extractor = DigitsExtractor()
    parts = {name: data.splits[name].arrays["image"] for name in ("train", "test")}
    known = {name: Reference.build(extractor, images, split=f"digits/{name}") for name, images in parts.items()}
    return Scores(extractor, known["test"], ["fd", "is", "memorisation"], train=known["train"])


def told(values: list[float]) -> str:
    """Median ± standard deviation over seeds."""
    if not values:
        return ""
    spread = statistics.stdev(values) if len(values) > 1 else float("nan")
    return f"{statistics.median(values):.4g} ± {spread:.2g}"


def values(runs: list[dict[str, Any]], score: str) -> list[float]:
    return [run["scores"]["final"][score]["value"] for run in runs if score in run["scores"]["final"]]


def minutes(runs: list[dict[str, Any]]) -> str:
    return f"{statistics.median(run['seconds'] / 60 for run in runs):.1f}"


def picture(system: System, runs: list[dict[str, Any]]) -> str:
    """A link to a copy of the first seed's last picture."""
    drawn = sorted((min(runs, key=lambda run: run["seed"])["path"] / "samples").glob("*.png"))
    if not drawn:
        return ""
    folder = REPOSITORY / "docs" / "pictures" / "modes"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(drawn[-1], folder / f"{system.name}.png")
    return f"[picture](pictures/modes/{system.name}.png)"


def coverage(system: System, runs: list[dict[str, Any]]) -> list[str]:
    """A line for each score: by the averaged weights, by the live ones."""
    lines = []
    for index, (score, goal) in enumerate(system.scores.items()):
        head = [system.title, f"`{system.name}`"] if index == 0 else ["", ""]
        tail = [minutes(runs), picture(system, runs)] if index == 0 else ["", ""]
        cells = [*head, f"`{score}`", told(values(runs, score)), told(values(runs, f"{score}_raw")), goal, *tail]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=REPOSITORY / "runs" / "modes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table-only", action="store_true", help="write the tables of what is there, train nothing")
    options = parser.parse_args()
    systems = [system for system in COVERAGE + PICTURES if not options.only or system.name in options.only]
    if not options.table_only:
        with ThreadPoolExecutor(options.workers) as pool:
            jobs = [pool.submit(train, system, seed, options.root) for seed in options.seeds for system in systems]
        for job in jobs:
            job.result()

    found = {system.name: records(options.root / system.name) for system in COVERAGE + PICTURES}
    modes = [line for system in COVERAGE if found[system.name] for line in coverage(system, found[system.name])]
    rivals = [rival(seed) for seed in options.seeds]
    pictures = []
    for system in PICTURES:
        if runs := found[system.name]:
            cells = [f"{system.title}, `{system.name}`", *(told(values(runs, score)) for score in SCORES)]
            pictures.append("| " + " | ".join([*cells, minutes(runs)]) + " |")
    cells = [RIVAL, *(told([drawn[score] for drawn in rivals if score in drawn]) for score in SCORES), ""]
    pictures.append("| " + " | ".join(cells) + " |")

    parts = {
        "MODES": ["| data | experiment | score (test) | default weights (EMA) | live weights | goal | minutes | |"],
        "PICTURES": ["| generator | " + " | ".join(f"`{score}`" for score in SCORES) + " | minutes |"],
    }
    page = (REPOSITORY / "docs" / "modes.in.md").read_text()
    for name, lines in (("MODES", modes), ("PICTURES", pictures)):
        rule = "|---" * (parts[name][0].count("|") - 1) + "|"
        page = page.replace(f"@{name}@", "\n".join([*parts[name], rule, *lines]))
    (REPOSITORY / "docs" / "modes.md").write_text(page)
    summary = {
        name: {str(run["seed"]): {key: score["value"] for key, score in run["scores"]["final"].items()} for run in runs}
        for name, runs in found.items()
    }
    summary["gaussian_mixture"] = {str(seed): drawn for seed, drawn in zip(options.seeds, rivals, strict=True)}
    (REPOSITORY / "docs" / "modes.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
