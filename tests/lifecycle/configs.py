"""A config of every kind of key, and changes of it."""

import json
from typing import Any

CONFIG: dict[str, Any] = {
    "seed": 0,
    "run": {"root": "runs", "name": "a", "restart": False, "strict": False},
    "budget": {"images": 1000, "minutes": None},
    "data": {"name": "digits", "batch_size": 64, "source": {"_target_": "x.y", "root": "/data", "n": 3}},
    "model": {"_target_": "z", "lr": 1.0, "betas": [0.5, 0.999], "width": 8},
    "trainer": {
        "accelerator": "cpu",
        "devices": 1,
        "num_nodes": 1,
        "strategy": "auto",
        "threads": 2,
        "precision": "32-true",
    },
    "logger": {"wandb": {"mode": "auto"}},
}


def changed(**changes: Any) -> dict[str, Any]:
    config = json.loads(json.dumps(CONFIG))
    for key, value in changes.items():
        *parents, last = key.split("__")
        node = config
        for parent in parents:
            node = node[parent]
        node[last] = value
    return config
