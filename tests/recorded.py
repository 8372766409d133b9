"""Records of runs that nobody trained."""

from typing import Any

from forger.records import SCHEMA, Record
from forger.run_folder import RunFolder


def begun(folder: RunFolder, **fields: Any) -> Record:
    """The record of a run that has just begun in this folder."""
    usual: dict[str, Any] = {
        "schema": SCHEMA,
        "name": "a",
        "id": "0123456789ab",
        "command": "forger train seed=1",
        "overrides": ["seed=1"],
        "status": "running",
        "seed": 1,
        "images": 0,
        "iterations": 0,
        "seconds": 0.0,
        "device": {"accelerator": "cpu", "devices": 1},
        "versions": {"forger": "0.1.0", "python": "3.11"},
        "git": None,
        "data": {"name": "digits", "fingerprint": "0" * 64, "counts": {"train": 1100}},
        "scores": {"final": {}, "best": {}},
        "weights_sha256": None,
        "alerts": [],
        "parent": None,
    }
    folder.create(Record(**(usual | fields)))
    return folder.read()
