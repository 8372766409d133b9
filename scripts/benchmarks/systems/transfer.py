"""Transfer: from a game trained on digits 0 to 4 to digits 5 to 9 with 100 images (docs/results/transfer.md).

    python -m scripts.benchmarks.systems.transfer

Some 8 minutes of a processor.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from forger.data.images import digits
from forger.records import Record
from scripts.benchmarks import pages
from scripts.benchmarks.systems.training import forger_train, newest_runs, options

#: Images of the run that the others start from, and of these.
FIRST, THEN = 300_000, 10_000
#: Training images of each class of 5 to 9.
FEW = 20
FROZEN = "+model.players.discriminator.freeze=[discriminator.blocks.0.*]"
COMMON = ("data=files", "data.extractor=digits", "trainer.threads=1", "logger=none", "samples.closing=[]")


def main() -> None:
    given = options(__doc__, "transfer").parse_args()
    if not given.table_only:
        _write_digits(given.root / "pictures")
        for seed in given.seeds:
            _train(given.root, seed)
    ways = ("scratch", "transfer", "frozen")
    scores = {way: [_score(record) for _, record in newest_runs(given.root / way)] for way in ways}
    pages.publish("transfer", {"first": FIRST, "images": THEN, "training": 5 * FEW, "fd_digits": scores})


def _write_digits(folder: Path) -> None:
    """The digits 0 to 4 whole, and of 5 to 9 few to train on and all others, as folders of PNG."""
    data = digits()
    for name, classes in (("low", range(5)), ("high", range(5, 10))):
        for split, part in data.splits.items():
            labels = part.arrays["label"].numpy()
            for label in classes:
                chosen = np.flatnonzero(labels == label)[: FEW if (name, split) == ("high", "train") else None]
                place = folder / name / split / str(label)
                place.mkdir(parents=True, exist_ok=True)
                for index in chosen:
                    Image.fromarray(part.arrays["image"][index, 0].numpy()).save(place / f"{index:04d}.png")


def _train(root: Path, seed: int) -> None:
    def run(name: str, pictures: str, images: int, *more: str) -> None:
        place = (f"data.root={root}/pictures/{pictures}", f"run.root={root}", f"run.name={name}")
        forger_train(f"{name} seed {seed}", *COMMON, *place, f"budget.images={images}", f"seed={seed}", *more)

    run("first", "low", FIRST, "model=cgan")
    origin = next(path for path, record in newest_runs(root / "first") if record.seed == seed)
    run("scratch", "high", THEN, "model=cgan")
    run("transfer", "high", THEN, "--from", str(origin), "--partial")
    run("frozen", "high", THEN, "--from", str(origin), "--partial", FROZEN)


def _score(record: Record) -> float | None:
    return record.scores["final"]["fd_digits"]["value"]


if __name__ == "__main__":
    main()
