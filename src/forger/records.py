"""A run's record, `record.json`: its fields, from which come what a reader may rely on and the JSON schema.

``python -m forger.records`` writes the schema (`docs/record.schema.json`).
"""

import json
import re
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from annotated_types import Ge, MinLen

from forger.json_schema import problem, schema_of

#: Version of `record.json`.
SCHEMA = 1

Status = Literal["running", "finished", "interrupted", "pruned", "stopped", "diverged", "failed"]

Count = Annotated[int, Ge(0)]
#: NaN and infinity are null in a file.
Number = float | None
Sha256 = Annotated[str, re.compile("^[0-9a-f]{64}$")]


class BrokenRecord(ValueError):
    """A folder without a readable record."""


class Score(TypedDict):
    """A score of a run, of which former versions wrote less."""

    value: Number
    error: NotRequired[Annotated[Annotated[float, Ge(0)] | None, "standard error; null if unknown"]]
    passport: NotRequired[Annotated[dict[str, Any], "what it was measured with; `forger.metrics.passport`"]]
    higher_is_better: NotRequired[bool]
    images: NotRequired[Annotated[Count, "in `best`: real images shown until then"]]
    chosen: NotRequired[Annotated[bool, "in `best`: whether this score chose best.ckpt"]]
    last: NotRequired[Annotated[Number, "in `best`, of the chosen score: its last value"]]
    gap: NotRequired[Annotated[Number, "in `best`, of the chosen score: how much worse the last value is"]]


class RecordedScores(TypedDict):
    """A run's scores by name."""

    final: Annotated[dict[str, Score], "of the final weights, on the test split"]
    best: Annotated[dict[str, Score], "at the best moment, on the validation split"]


class Device(TypedDict):
    """Where a run was trained, and what the bits depend on."""

    accelerator: str
    devices: Annotated[int, Ge(1)]
    threads: NotRequired[Annotated[int, Ge(1)]]
    parts: NotRequired[Annotated[int, Ge(2), "in which each batch passed the networks"]]
    changed: NotRequired[Annotated[list[dict[str, Any]], "from how many images on it was another, and how"]]


class GitState(TypedDict):
    """State of the code."""

    commit: str
    dirty: bool


class DataSummary(TypedDict):
    """The data set of a run."""

    name: str
    fingerprint: Sha256
    counts: Annotated[dict[str, Count], "samples of each split"]
    damaged: NotRequired[Annotated[dict[str, str], "pictures that were left out, and what is wrong with each"]]


class Origin(TypedDict):
    """The run whose weights another one starts from, or a file of weights."""

    id: NotRequired[str]
    path: NotRequired[str]
    checkpoint: NotRequired[str]
    images: NotRequired[Count]
    weights_sha256: NotRequired[Sha256]


@dataclass(frozen=True, kw_only=True)
class Record:
    """A run in one document."""

    # A field that is added later needs a default, since former records lack it; only another value is written.

    schema: Annotated[Literal[1], "version of this schema"]
    name: Annotated[str, MinLen(1), "run.name"]
    id: Annotated[str, re.compile("^[0-9a-f]{12}$"), "hash of what determines the result"]
    command: Annotated[str, "the command that gives this run again"]
    overrides: Annotated[list[str], "Hydra overrides of the command"]
    status: Status
    seed: Count
    images: Annotated[Count, "real images shown"]
    iterations: Annotated[Count, "rounds played"]
    seconds: Annotated[float, Ge(0), "seconds of training, interruptions left out"]
    device: Device
    versions: Annotated[dict[str, str], "package to version; python too"]
    git: Annotated[GitState | None, "null where the code is no git checkout"]
    data: DataSummary
    scores: RecordedScores
    weights_sha256: Annotated[Sha256 | None, "over the final state dict: name-sorted, name, type, shape and raw bytes"]
    alerts: Annotated[list[dict[str, Any]], "what the watch saw"]
    parent: Annotated[Origin | None, "the run whose weights it started from"]
    lost_rows: Annotated[Count, "rows of metrics.jsonl that were gone when the run went on"] = 0

    @classmethod
    def parsed(cls, document: Any) -> "Record":
        """The record in a JSON document; what it has beside the fields of a record is left out.

        Raises:
            BrokenRecord: it is no record; says what is wrong in a few words.
        """
        if (wrong := record_problem(document)) is not None:
            raise BrokenRecord(wrong)
        return cls(**{field.name: document[field.name] for field in fields(cls) if field.name in document})

    def document(self) -> dict[str, Any]:
        """The record as it is written, in plain containers."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) != each.default}


def record_problem(document: Any) -> str | None:
    """What is wrong with a record, in a few words; None if a reader may rely on its fields."""
    if not isinstance(document, dict):
        return "not a JSON object"
    if document.get("schema") != SCHEMA:
        return f"schema {document.get('schema')!r}, but this forger reads {SCHEMA}"
    return problem(document, json_schema())


@cache
def json_schema() -> dict[str, Any]:
    """The JSON schema of `record.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "forger run record",
        **schema_of(Record),
    }


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2))
