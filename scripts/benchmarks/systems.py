"""Trains every system of the notes over three seeds and writes docs/systems.md: figures, spread, minutes, pictures.

    python scripts/benchmarks/systems.py [--root runs/systems] [--seeds 0 1 2] [--only digits_ae …] [--workers 2]

One thread a run. The same command is the same run, so that this can be stopped and started again.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forger.files import read_rows
from forger.runs.listing import list_runs

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class System:
    """A row of the table: a run by its overrides, and the scores that are shown with what they must reach."""

    name: str
    title: str
    overrides: tuple[str, ...]
    scores: dict[str, str]


def experiment(name: str, title: str, *more: str, as_name: str | None = None, **scores: str) -> System:
    overrides = (f"experiment={name}", *more, *((f"run.name={as_name}",) if as_name else ()))
    return System(as_name or name, title, overrides, scores)


SYSTEMS = [
    experiment(
        "gaussian_gan",
        "GAN on a density in one dimension (2014)",
        jsd="≤ 0.02 nats",
        d_from_half="≤ 0.05",
        d_from_optimum="",
    ),
    experiment("digits_gan", "GAN, MLPs, non-saturating", fd_digits="", is_digits=""),
    experiment(
        "digits_gan",
        "GAN, MLPs, minimax",
        "model/loss=minimax",
        as_name="digits_gan_minimax",
        fd_digits="",
        is_digits="",
    ),
    experiment("digits_gan_saturation", "The same GAN, D runs ahead, non-saturating", fd_digits=""),
    experiment(
        "digits_gan_saturation",
        "The same GAN, D runs ahead, minimax",
        "model/loss=minimax",
        as_name="digits_gan_saturation_minimax",
        fd_digits="",
    ),
    experiment("digits_dcgan", "DCGAN with R1", fd_digits="≤ 23.2, aim 13.9", is_digits="≥ 8.41"),
    experiment(
        "digits_dcgan",
        "MLPs with R1, as many images as DCGAN",
        "model=gan_r1",
        as_name="digits_mlp_equal_images",
        fd_digits="",
        is_digits="",
    ),
    experiment(
        "digits_dcgan",
        "MLPs with R1, about as long as DCGAN",
        "model=gan_r1",
        "budget.images=600_000",
        as_name="digits_mlp_equal_time",
        fd_digits="",
        is_digits="",
    ),
    experiment(
        "digits_cgan",
        "Conditional GAN",
        agreement_digits="≥ 0.98",
        train_on_fake="≥ 0.95",
        fd_digits="",
    ),
    experiment("digits_ae", "Autoencoder, k = 8", mse_over_pca="≤ 0.50"),
    experiment(
        "digits_ae",
        "Autoencoder, k = 2",
        "model.autoencoder.latent=2",
        as_name="digits_ae_k2",
        mse_over_pca="≤ 0.65",
    ),
    experiment("digits_stacked_ae", "Stacked autoencoder, greedy, then fine-tuned", mse_over_pca="≤ 0.75"),
    experiment(
        "digits_stacked_ae",
        "The same net end to end",
        "model.pretraining=0",
        as_name="digits_stacked_ae_end_to_end",
        mse_over_pca="",
    ),
    experiment("digits_sparse_ae", "Sparse autoencoder", active="≤ 0.40", dead="< 0.15", mse=""),
    experiment(
        "digits_sparse_ae",
        "The same net without the penalty",
        "model.sparsity=0",
        as_name="digits_sparse_ae_without",
        mse="at least half of the sparse one's",
    ),
    experiment(
        "digits_denoising_ae",
        "Denoising autoencoder, σ = 0.25",
        gain_over_wiener="≥ 0.8 dB",
        psnr_denoised="",
    ),
    experiment(
        "digits_vae",
        "VAE, k = 8",
        active_units="≥ 5",
        kl="nats",
        elbo="nats",
        fd_digits="≤ 23.2",
        is_digits="",
    ),
    experiment(
        "digits_vae",
        "GAN (MLPs with R1) at the budget and scores of the VAE",
        "model=gan_r1",
        "~model.r_loss_factor",
        "metrics=digits",
        as_name="compare_vae_gan",
        fd_digits="",
        is_digits="",
    ),
    experiment("digits_cyclegan", "CycleGAN, digits ↔ inverted", psnr="≥ 25 dB", class_preserved="≥ 0.97"),
    experiment(
        "digits_cyclegan_rotated",
        "CycleGAN, digits ↔ turned by 90°",
        class_preserved="≥ 0.80",
        class_after_cycle="",
        psnr="",
    ),
    experiment(
        "digits_cyclegan_rotated",
        "The same without the geometry term",
        "model.geometry=0",
        as_name="digits_cyclegan_rotated_plain",
        class_preserved="",
        class_after_cycle="",
        psnr="",
    ),
    experiment(
        "photos_srgan",
        "SRGAN ×2, china.jpg's held-out strip",
        psnr_bicubic="",
        psnr_first="bicubic + 0.3 dB",
        psnr="first − 1.2 dB at most",
        ssim_bicubic="",
        ssim_first="bicubic + 0.02",
        high_frequencies_first="",
        high_frequencies="≥ 1.3 × first",
    ),
    experiment(
        "photos_srgan_x4",
        "SRGAN ×4, the same",
        psnr_bicubic="",
        psnr_first="bicubic + 0.1 dB",
        psnr="first − 1.2 dB at most",
        high_frequencies_first="",
        high_frequencies="≥ 1.3 × first",
    ),
]


def train(system: System, seed: int, root: Path) -> None:
    overrides = [*system.overrides, f"seed={seed}", "trainer.threads=1", "logger=none", f"run.root={root}"]
    done = subprocess.run([sys.executable, "-m", "forger", "train", *overrides], capture_output=True, text=True)
    print(f"{system.name} seed {seed}: exit code {done.returncode}", flush=True)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)


def records(folder: Path) -> list[dict[str, Any]]:
    """The newest finished run of each seed."""
    found = [entry for entry in list_runs(folder) if entry.status == "finished"]
    found.sort(key=lambda entry: (entry.path / "record.json").stat().st_mtime)
    newest = {entry.record["seed"]: entry.record | {"path": entry.path} for entry in found if entry.record}
    return [newest[seed] for seed in sorted(newest)]


def row(system: System, runs: list[dict[str, Any]], pictures: Path) -> list[str]:
    """Lines of the table for one system: the first score beside its title, the others below."""
    lines = []
    minutes = statistics.median(run["seconds"] / 60 for run in runs)
    first = min(runs, key=lambda run: run["seed"])
    drawn = sorted((first["path"] / "samples").glob("*"))
    shown = ""
    if drawn:
        copy = pictures / f"{system.name}{drawn[-1].suffix}"
        shutil.copyfile(drawn[-1], copy)
        shown = f"[picture](pictures/systems/{copy.name})"
    for index, (score, goal) in enumerate(system.scores.items()):
        values = [run["scores"]["final"][score]["value"] for run in runs if score in run["scores"]["final"]]
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        figures = f"{statistics.median(values):.4g} ± {spread:.2g}" if values else "no such score"
        head = [system.title, f"`{system.name}`"] if index == 0 else ["", ""]
        tail = [f"{minutes:.1f}", shown] if index == 0 else ["", ""]
        lines.append("| " + " | ".join([*head, f"`{score}`", figures, goal, *tail]) + " |")
    return lines


def factors(root: Path) -> list[str]:
    """How much of each factor is read linearly from a code, beside PCA of the same width: median R² over seeds."""
    names = ("rotation", "thickness", "size")
    lines = ["| code | " + " | ".join(f"{name} | PCA" for name in names) + " |", "|---" * 7 + "|"]
    for name, title in (("digits_ae", "autoencoder, k = 8"), ("digits_vae", "VAE, k = 8"), ("digits_ae_k2", "k = 2")):
        if not (runs := records(root / name)):
            continue
        keys = [key for factor in names for key in (f"r2_{factor}", f"r2_{factor}_pca")]
        values = [statistics.median(run["scores"]["final"][key]["value"] for run in runs) for key in keys]
        lines.append(f"| {title} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    return lines


def gradients(root: Path) -> list[str]:
    """Norm of the gradient that reaches the generator in rounds 51 to 100, by loss and seed."""
    lines = ["| loss | seed 0 | seed 1 | seed 2 |", "|---|---|---|---|"]
    for name in ("digits_gan_saturation", "digits_gan_saturation_minimax"):
        means = []
        for run in records(root / name):
            rows = read_rows(run["path"] / "metrics.jsonl")
            early = [
                r["watch/generator_gradient"]
                for r in rows
                if 50 < r["iterations"] <= 100 and "watch/generator_gradient" in r
            ]
            means.append(statistics.mean(early))
        loss = "minimax" if name.endswith("minimax") else "non-saturating"
        lines.append(f"| {loss} | " + " | ".join(f"{mean:.2g}" for mean in means) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=REPOSITORY / "runs" / "systems")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table-only", action="store_true", help="write the table of what is there, train nothing")
    options = parser.parse_args()
    systems = [system for system in SYSTEMS if not options.only or system.name in options.only]
    if not options.table_only:
        with ThreadPoolExecutor(options.workers) as pool:
            jobs = [pool.submit(train, s, seed, options.root) for seed in options.seeds for s in systems]
        for job in jobs:
            job.result()

    pictures = REPOSITORY / "docs" / "pictures" / "systems"
    pictures.mkdir(parents=True, exist_ok=True)
    table: list[str] = []
    summary: dict[str, Any] = {}
    for system in SYSTEMS:
        if runs := records(options.root / system.name):
            table += row(system, runs, pictures)
            summary[system.name] = {
                str(run["seed"]): {name: score["value"] for name, score in run["scores"]["final"].items()}
                for run in runs
            }
    template = (REPOSITORY / "docs" / "systems.in.md").read_text()
    header = "| system | experiment | score (test) | median ± spread | goal | minutes | picture |\n" + "|---" * 7 + "|"
    parts = {"TABLE": [header, *table], "FACTORS": factors(options.root), "GRADIENTS": gradients(options.root)}
    for name, lines in parts.items():
        template = template.replace(f"@{name}@", "\n".join(lines))
    (REPOSITORY / "docs" / "systems.md").write_text(template)
    (REPOSITORY / "docs" / "systems.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
