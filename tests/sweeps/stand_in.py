"""Stands in for `forger train` (FORGER_TRAIN): a run folder, scores and checkpoints of a known function, no torch.

The score of a run is (log10 lr + 2)² + 1000 / images + 0.1 seed; 1,000 images a step. STAND_IN, a JSON object in
the environment, says how long a step takes (`seconds`), from which lr it diverges (`diverges`), and which trials
fail (`fails`: numbers; all with -1), crash once in the middle (`crashes`), or crash whenever they begin
(`dies`).
"""

import hashlib
import json
import math
import os
import signal
import sys
import time

from forger.files import write_atomically
from forger.records import Record
from forger.run_folder import RunFolder
from forger.trial import ending, follow_parent, membership

EVERY, CHECKPOINT = 1000, 3000


def main() -> int:
    follow_parent(0.2)
    keys = dict(text.lstrip("+").split("=", 1) for text in sys.argv[1:] if "=" in text)
    how = json.loads(os.environ.get("STAND_IN", "{}"))
    trial = membership()
    assert trial is not None
    lr = float(keys["model.players.generator.optimizer.lr"])
    seed, budget = int(keys["seed"]), int(float(keys["budget.images"]))
    run_id = hashlib.sha256(f"{lr} {seed} {keys.get('model/loss')}".encode()).hexdigest()[:12]
    folder = RunFolder.of(keys["run.root"], keys["run.name"], run_id)
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, _: received.append(n))
    with folder.lock():
        state = folder.checkpoints / "last.ckpt"
        if not state.exists():
            record = Record(
                schema=1, name=keys["run.name"], id=run_id, command="", overrides=sys.argv[1:], status="running",
                seed=seed, images=0, iterations=0, seconds=0.0, device={"accelerator": "cpu", "devices": 1},
                versions={}, git=None, data={"name": "none", "fingerprint": "", "counts": {}},
                scores={"final": {}, "best": {}}, weights_sha256=None, alerts=[], parent=None,
            )  # fmt: skip
            folder.create(record)
        images = json.loads(state.read_text()) if state.exists() else 0
        folder.cut_back(images)
        folder.update(status="running")

        def save(status: str, code: int) -> int:
            write_atomically(state, json.dumps(images))
            folder.update(status=status, images=images)
            return code

        with (folder.path / "starts.txt").open("a") as file:
            file.write(f"{images}\n")
        if trial.number in how.get("dies", []):
            os.kill(os.getpid(), signal.SIGKILL)
        while images < budget:
            if received:
                return save(ending("interrupted"), 128 + received[0])
            time.sleep(how.get("seconds", 0))
            images += EVERY
            with (folder.path / "steps.txt").open("a") as file:
                file.write(f"{images}\n")
            if lr >= how.get("diverges", math.inf):
                return save("diverged", 3)
            score = (math.log10(lr) + 2) ** 2 + 1000 / images + 0.1 * seed
            row = {"iterations": images, "images": images, "score/fd_digits": score, "score/is_digits": -score}
            folder.append_metrics(row)
            if images % CHECKPOINT == 0:
                save("running", 0)
            if {trial.number, -1} & set(how.get("fails", [])):
                print("forger: something broke", file=sys.stderr)
                return save("failed", 1)
            crashed = folder.path / "crashed"
            if trial.number in how.get("crashes", []) and images == 5 * EVERY and not crashed.exists():
                crashed.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        folder.update(scores={"final": {}, "best": {}})
        return save("finished", 0)


if __name__ == "__main__":
    sys.exit(main())
