"""What an exported file says of itself: a JSON document, which needs no forger to be read."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from forger import __version__
from forger.data.pixels.ranges import ValueRange
from forger.export.detaching import Detached
from forger.export.programs import tensors_of
from forger.export.publishing import publishable
from forger.files import finite
from forger.games.abilities import SamplesLatents
from forger.games.base import Game
from forger.hashing import weights_sha256
from forger.lifecycle.restore import Restored
from forger.metrics.evaluations.base import weights_of
from forger.metrics.features.extractors import NAMES

QUALITY = "forger.metrics.evaluations.sample_quality.SampleQuality"


def about_run(read: Restored, *, raw_weights: bool) -> dict[str, Any]:
    """What all files of a run have in common: where their weights are from, and what scores they had.

    Args:
        read: the run.
        raw_weights: whether they are the live weights, not their moving average.
    """
    record, game = read.folder.read(), read.game
    return {
        "forger": __version__,
        "game": type(game).__name__,
        "run": {
            "name": record.name,
            "id": record.id,
            "checkpoint": read.checkpoint.stem,
            "images": game.shown,
            "weights": "raw" if raw_weights and game.averaged else weights_of(game),
        },
        "data": {"name": read.data.name, "fingerprint": record.data["fingerprint"]},
        "evaluation": _evaluation(read),
        "scores": record.scores,
    }


def about_part(part: Detached, game: Game) -> dict[str, Any]:
    """Inputs and outputs of a part: names, types, shapes, ranges, and what else there is to know."""
    inputs = [_described(name, example, part, game) for name, example in part.inputs.items()]
    outputs = [_described(name, made, part, game) for name, made in part.outputs.items()]
    return {"part": part.name, "inputs": inputs, "outputs": outputs}


def about_network(part: Detached, read: Restored) -> dict[str, Any]:
    """The network of a part: its node in the run's config, if it is of there, and the hash of its weights."""
    name = part.part.network
    return {
        "network": {"name": name, "config": read.config.model.get(name)},
        "weights_sha256": weights_sha256(tensors_of(part.network)),
    }


def as_text(*documents: Mapping[str, Any]) -> str:
    """The documents as one, in JSON, without places of this machine and secrets."""
    together = {key: value for each in documents for key, value in each.items()}
    return json.dumps(finite(publishable(together)), allow_nan=False)


def _evaluation(read: Restored) -> dict[str, Any]:
    """How the run scores its samples, but for what lies on its own machine."""
    metrics = read.config.metrics
    nodes = [node for node in metrics.evaluations.values() if node["_target_"] == QUALITY]
    known = ("extractor", "scores", "splits", "preprocessing")
    node = nodes[0] if nodes and nodes[0]["extractor"] in NAMES else {}
    return {"n": metrics.n, "seed": metrics.seed, **{key: node[key] for key in known if key in node}}


def _described(name: str, tensor: Tensor, part: Detached, game: Any) -> dict[str, Any]:
    """One input or output."""
    shape: list[Any] = ["batch", *tensor.shape[1:]]
    found = {"name": name, "dtype": str(tensor.dtype).removeprefix("torch."), "shape": shape}
    if name == "labels":
        return found | {"classes": game.classes}
    if name == "conditions":
        return found | {"columns": [asdict(condition) for condition in game.conditions]}
    if name == "z" and name in part.inputs:
        return found | {"prior": game.prior if isinstance(game, SamplesLatents) else None}
    if tensor.ndim < 4:
        return found
    if part.part.any_size:
        factor = tensor.shape[2] // next(iter(part.inputs.values())).shape[2]
        found["shape"] = ["batch", tensor.shape[1], *(_times(factor, side) for side in ("height", "width"))]
    return found | {"range": [-1, 1], "pixels": _pixels(game.values)}


def _times(factor: int, side: str) -> str:
    return side if factor == 1 else f"{factor} * {side}"


def _pixels(values: ValueRange) -> dict[str, Any]:
    """What -1 and 1 are in the unit of the data."""
    return {"dtype": values.depth, "low": values.low, "high": values.high}
