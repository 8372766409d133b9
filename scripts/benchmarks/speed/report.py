"""How long `forger report` takes for 200 runs of 2,000 rows, and how large its page is.

    python -m scripts.benchmarks.speed.report

50 variants of four seeds, nine curves and ten pictures each, written to a temporary folder. Prints processor seconds,
seconds, and megabytes.
"""

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

from PIL import Image

from forger.report.page import page

RUNS, ROWS, SEEDS, FRAMES = 200, 2_000, 4, 10
CURVES = (
    "train/generator/adversarial",
    "train/discriminator/real",
    "train/discriminator/fake",
    "train/discriminator/r1",
)
WATCHED = ("watch/d_real", "watch/d_fake", "watch/generator_gradient", "watch/discriminator_gradient")


def write_run(root: Path, number: int, draw: random.Random) -> None:
    """A finished run with noisy curves and pictures of 10 × 10 digits."""
    variant, seed = divmod(number, SEEDS)
    folder = root / f"variant{variant:02}" / f"{number:012x}"
    (folder / "samples").mkdir(parents=True)
    score = {"value": 1 + 0.1 * variant + draw.gauss(0, 0.2), "higher_is_better": False, "passport": {}}
    record = {
        "schema": 1, "name": f"variant{variant:02}", "id": f"{number:012x}", "command": "forger train", "overrides": [],
        "status": "finished", "seed": seed, "images": 64 * ROWS, "iterations": ROWS, "seconds": 60.0, "device": {},
        "versions": {}, "git": None, "data": {}, "scores": {"final": {"fd_digits": score}, "best": {}},
        "weights_sha256": None, "alerts": [], "parent": None,
    }  # fmt: skip
    (folder / "record.json").write_text(json.dumps(record))
    (folder / "config.yaml").write_text(json.dumps({"seed": seed, "model": {"lr": 0.001 * variant}}))
    with (folder / "metrics.jsonl").open("w") as file:
        for row in range(ROWS):
            values = {key: draw.random() for key in CURVES + WATCHED}
            scored = {"score/fd_digits": draw.random()} if row % 100 == 99 else {}
            file.write(
                json.dumps({"iterations": row, "images": 64 * row, "seconds": row / 30, **values, **scored}) + "\n"
            )
    for frame in range(FRAMES):
        digits = Image.frombytes("L", (80, 80), draw.randbytes(6400)).resize((500, 500), Image.Resampling.NEAREST)
        digits.save(folder / "samples" / f"{6400 * (frame + 1):09d}.png")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(RUNS):
            write_run(Path(folder), number, draw)
        began, worked = time.perf_counter(), time.process_time()
        html = page([folder])
        seconds, processor = time.perf_counter() - began, time.process_time() - worked
    print(f"{RUNS} runs × {ROWS} rows: {processor:.1f} s of processor time, {seconds:.1f} s, {len(html) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
