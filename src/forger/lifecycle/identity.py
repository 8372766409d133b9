"""The identity of a run and of a set of weights, by hashes."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from forger.config.former_names import former_name

# Keys of the config that do not determine the result. The data's fingerprint stands for the options of their
# source, such as paths; the evaluations name the extractor, and the budget stands in its own group.
_NOT_IDENTITY = {
    (): {"logger", "run"},
    ("trainer",): {"accelerator", "devices", "num_nodes", "strategy", "threads", "profile", "accumulate", "recompute"},
    ("data",): {"root", "source", "fit", "depth", "range", "splits", "group", "skip_damaged", "extractor", "budget"},
    ("metrics",): {"auto"},
}


def run_id(
    config: Mapping[str, Any], package_version: str, data_fingerprint: str, parent_weights: str | None = None
) -> str:
    """The run's identity: 12 hexadecimal digits of what determines its result.

    That is the resolved config less loggers, paths and placement (accelerator, devices, nodes, strategy, threads, parts
    of batches; precision counts), the package's version, the data's fingerprint, and the hash of the weights that it
    starts from, if those are another run's.
    ``1`` and ``1.0`` are the same value here, and so are the present and the former name of a class.
    """
    document = {
        "config": determining(config),
        "forger": package_version,
        "data": data_fingerprint,
    }
    if parent_weights is not None:
        document["parent"] = parent_weights
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _identity(node: Any, place: tuple[str, ...]) -> Any:
    if isinstance(node, Mapping):
        left_out = _NOT_IDENTITY.get(place, set())
        return {
            str(k): former_name(v) if k == "_target_" and isinstance(v, str) else _identity(v, (*place, str(k)))
            for k, v in node.items()
            if k not in left_out
        }
    if isinstance(node, list | tuple):
        return [_identity(value, (*place, "[]")) for value in node]
    if isinstance(node, float) and node.is_integer():
        return int(node)
    return node


def determining(config: Mapping[str, Any]) -> Any:
    """The part of a resolved config that determines a run's result, in plain containers (see `run_id`)."""
    return _identity(config, ())
