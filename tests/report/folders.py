"""Run folders with known numbers, written as a training would write them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

PASSPORT = {
    "extractor": "digits",
    "weights_sha256": "7ad5",
    "preprocessing": "uint8",
    "n_real": 497,
    "n_fake": 497,
    "split": "digits/test",
    "fingerprint": "763b",
    "weights": "ema",
    "seed": 0,
    "truncation": 1.0,
    "versions": {"forger": "0.1.0"},
}


def score(value: float | None, *, higher_is_better: bool = False, **passport: Any) -> dict[str, Any]:
    return {"value": value, "higher_is_better": higher_is_better, "passport": PASSPORT | passport}


def write_run(
    root: Path,
    name: str,
    seed: int,
    fd: float | None = None,
    *,
    overrides: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    status: str = "finished",
    scores: Mapping[str, Any] | None = None,
    curve: Sequence[float | None] = (9.0, 5.0, 4.0),
    rows: Sequence[Mapping[str, Any]] | None = None,
    alerts: Sequence[Mapping[str, Any]] = (),
    frames: int = 0,
    extra: Mapping[str, Any] | None = None,
    seconds: float = 60.0,
) -> Path:
    """A run's folder; ``fd`` is its final fd_digits, ``curve`` its validation scores every 1,000 images."""
    identity = hashlib.sha256(f"{name} {seed} {overrides} {settings}".encode()).hexdigest()[:12]
    folder = root / name / identity
    (folder / "samples").mkdir(parents=True)
    images = 1000 * len(curve)
    final = {} if fd is None else {"fd_digits": score(fd), "is_digits": score(10 - fd / 10, higher_is_better=True)}
    record = {
        "schema": 1,
        "name": name,
        "id": identity,
        "command": f"forger train run.name={name} seed={seed} {' '.join(overrides)}",
        "overrides": [f"run.name={name}", f"seed={seed}", *overrides],
        "status": status,
        "seed": seed,
        "images": images,
        "iterations": images // 10,
        "seconds": seconds,
        "device": {"accelerator": "cpu", "devices": 1},
        "versions": {"python": "3.11.7", "forger": "0.1.0"},
        "git": {"commit": "0123456789abcdef", "dirty": False},
        "data": {"name": "digits", "fingerprint": "39f2", "counts": {"train": 1100, "test": 497}},
        "scores": {"final": final if scores is None else dict(scores), "best": {}},
        "weights_sha256": "ea8c" if status == "finished" else None,
        "alerts": [],
        "parent": None,
        **(extra or {}),
    }
    (folder / "record.json").write_text(json.dumps(record))
    model = {"_target_": "forger.games.adversarial.AdversarialGame", "name_of": name, **(settings or {})}
    config = {"run": {"name": name}, "model": model, "seed": seed, "metrics": {"best": "fd_digits"}}
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    if rows is None:
        rows = [
            {
                "iterations": 100 * (i + 1),
                "images": 1000 * (i + 1),
                "seconds": seconds * (i + 1) / len(curve),
                "score/fd_digits": value,
                "train/generator/adversarial": 1 / (i + 1),
                "train/discriminator/real": 0.5,
                "watch/d_real": 0.7,
                "watch/d_fake": 0.3,
                "watch/generator_gradient": 0.1 * i,
            }
            for i, value in enumerate(curve)
        ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if alerts:
        (folder / "alerts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in alerts))
    for frame in range(frames):
        shade = 255 * (frame + 1) // (frames + 1)
        Image.new("L", (60, 40), shade).save(folder / "samples" / f"{1000 * (frame + 1):09d}.png")
    return folder
