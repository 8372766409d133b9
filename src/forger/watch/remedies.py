"""Remedies: what to change in a run's config against an alarm, as overrides to paste."""

import copy
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: R1's weight where a run has none: forger's recipes for small pictures use it.
_R1 = {"_target_": "forger.losses.penalties.R1", "weight": 0.3}
_GRADIENT_PENALTIES = ("R1", "R2", "GradientPenalty", "ZeroCentered", "DRAGAN")
_LOSS = "forger.losses.adversarial."
_ADAM = 0.5
#: Adam's learning rate above which the first remedy is a lower rate.
_FAST = 4e-3
Changes = dict[str, Any]


@dataclass(frozen=True)
class Remedy:
    """Changes of a config, by dotted key, and why.

    Args:
        override: the same for the command line, quoted for a shell.
        changes: key to new value.
        why: in a few words.
    """

    override: str
    changes: Changes
    why: str


def remedy(alarm: str, settings: Mapping[str, Any]) -> Remedy | None:
    """The first remedy of this alarm that the run does not have yet; None where the config offers none.

    Args:
        alarm: its name.
        settings: the run's resolved config.
    """
    for why, changes in _ways(alarm, settings):
        if changes:
            return Remedy(" ".join(_override(k, v, settings) for k, v in changes.items()), changes, why)
    return None


def remedied(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The config with these changes."""
    result = copy.deepcopy(dict(settings))
    for key, value in changes.items():
        *path, last = key.split(".")
        node = result
        for name in path:
            node = node.setdefault(name, {})
        node[last] = copy.deepcopy(value)
    return result


def _ways(alarm: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, Changes]]:
    """Reasons and changes, the most promising first; empty changes are no way in this config."""
    slower = "the steps are too large", _slower(settings, 0.25)
    if alarm == "divergence":
        yield slower
    elif alarm == "posterior_collapse":
        yield "the KL term outweighs the reconstruction", _scaled(settings, "model.beta", 0.25)
    elif alarm == "vanishing_generator_gradient":
        yield "log(1 - D) is flat where D is sure", _other_loss(settings, "minimax", "non_saturating")
        yield from _milder_discriminator(settings)
    elif _fastest(settings) > _FAST:
        yield slower
    elif alarm in ("discriminator_wins", "discriminator_memorises"):
        yield from _milder_discriminator(settings)
    elif alarm == "oscillation":
        yield "momentum keeps the swing going", _less_momentum(settings)
        yield from _milder_discriminator(settings)
    else:
        yield "momentum overshoots in a game", _less_momentum(settings)
        yield from _milder_discriminator(settings)
        yield slower


def _milder_discriminator(settings: Mapping[str, Any]) -> Iterator[tuple[str, Changes]]:
    yield "R1 keeps the discriminator flat around the data", _with_r1(settings)
    rate = "model.players.discriminator.optimizer.lr"
    yield "the discriminator runs ahead", _scaled(settings, rate, 0.5)


def _with_r1(settings: Mapping[str, Any]) -> Changes:
    """R1, or three times as much of the gradient penalty that is there; only where there is a discriminator."""
    if "penalties" not in settings["model"]:
        return {}
    for name, penalty in (settings["model"]["penalties"] or {}).items():
        if penalty["_target_"].rpartition(".")[2] in _GRADIENT_PENALTIES:
            return _scaled(settings, f"model.penalties.{name}.weight", 3, largest=100)
    return {"model.penalties.r1": _R1}


def _slower(settings: Mapping[str, Any], factor: float) -> Changes:
    changes: Changes = {}
    for player in settings["model"].get("players", {}):
        changes |= _scaled(settings, f"model.players.{player}.optimizer.lr", factor)
    return changes


def _fastest(settings: Mapping[str, Any]) -> float:
    """The largest learning rate of a player with Adam."""
    players = settings["model"].get("players", {}).values()
    return max((p["optimizer"].get("lr", 0) for p in players if "betas" in p["optimizer"]), default=0.0)


def _less_momentum(settings: Mapping[str, Any]) -> Changes:
    """β₁ = 0 for the players whose Adam has more than 0.5."""
    changes: Changes = {}
    for player, node in settings["model"].get("players", {}).items():
        betas = node["optimizer"].get("betas")
        if betas and betas[0] > _ADAM:
            changes[f"model.players.{player}.optimizer.betas"] = [0.0, 0.99]
    return changes


def _other_loss(settings: Mapping[str, Any], loss: str, better: str) -> Changes:
    node = settings["model"].get("loss", {})
    return {"model.loss._target_": _LOSS + better} if node.get("_target_") == _LOSS + loss else {}


def _scaled(settings: Mapping[str, Any], key: str, factor: float, largest: float = float("inf")) -> Changes:
    value = _get(settings, key)
    if not isinstance(value, int | float) or not 0 < value * factor <= largest:
        return {}
    return {key: float(f"{value * factor:.3g}")}


def _get(settings: Mapping[str, Any], key: str) -> Any:
    node: Any = settings
    for name in key.split("."):
        if not isinstance(node, Mapping) or name not in node:
            return None
        node = node[name]
    return node


def _override(key: str, value: Any, settings: Mapping[str, Any]) -> str:
    if key == "model.loss._target_":
        return f"model/loss={value.removeprefix(_LOSS)}"
    return shlex.quote(f"{'' if _get(settings, key) is not None else '+'}{key}={_text(value)}")


def _text(value: Any) -> str:
    """A value in Hydra's grammar."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_text(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(_text(each) for each in value)}]"
    return str(value)
