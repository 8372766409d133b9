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
#: Dropout of a denoiser that memorises: with 200 digits it halves `held_out_error_ratio`.
_DROPOUT = 0.2
Changes = dict[str, Any]


@dataclass(frozen=True)
class Remedy:
    """Changes of a config, by dotted key, and why.

    Args:
        override: the same for the command line, quoted for a shell.
        changes: key, which begins with ``model.``, to new value.
        why: in a few words.
    """

    override: str
    changes: Changes
    why: str


def remedy(alarm: str, model: Mapping[str, Any]) -> Remedy | None:
    """The first remedy of this alarm that the run does not have yet; None where the config offers none.

    Args:
        alarm: its name.
        model: the model's node in the run's resolved config.
    """
    for why, changes in _ways(alarm, model):
        if changes:
            return Remedy(" ".join(_override(k, v, model) for k, v in changes.items()), changes, why)
    return None


def remedied(model: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The node of the model with these changes."""
    result = copy.deepcopy(dict(model))
    for key, value in changes.items():
        *path, last = key.removeprefix("model.").split(".")
        node = result
        for name in path:
            node = node.setdefault(name, {})
        node[last] = copy.deepcopy(value)
    return result


def _ways(alarm: str, model: Mapping[str, Any]) -> Iterator[tuple[str, Changes]]:
    """Reasons and changes, the most promising first; empty changes are no way in this config."""
    slower = "the steps are too large", _slower(model, 0.25)
    if alarm == "blurred_samples":
        return  # no change of a config that was tried on Fashion-MNIST made a VAE's samples sharper and as varied
    if alarm == "scattered_samples":
        yield "the discriminator moves too seldom", _every_round(model)
    if alarm in ("divergence", "scattered_samples"):
        yield slower
    elif alarm == "posterior_collapse" or (alarm == "mode_collapse" and "beta" in model):
        yield "the KL term outweighs the reconstruction", _scaled(model, "model.beta", 0.25)
    elif alarm == "vanishing_generator_gradient":
        yield "log(1 - D) is flat where D is sure", _other_loss(model, "minimax", "non_saturating")
        yield from _milder_discriminator(model)
    elif alarm == "denoiser_memorises":
        yield "dropout makes single images harder to remember", _with_dropout(model)
    elif _fastest(model) > _FAST:
        yield slower
    elif alarm in ("discriminator_wins", "discriminator_memorises"):
        yield from _milder_discriminator(model)
    elif alarm == "oscillation":
        yield "momentum keeps the swing going", _less_momentum(model)
        yield from _milder_discriminator(model)
        yield slower
    else:
        yield "momentum overshoots in a game", _less_momentum(model)
        yield from _milder_discriminator(model)
        yield slower


def _milder_discriminator(model: Mapping[str, Any]) -> Iterator[tuple[str, Changes]]:
    yield "R1 keeps the discriminator flat around the data", _with_r1(model)
    rate = "model.players.discriminator.optimizer.lr"
    yield "the discriminator runs ahead", _scaled(model, rate, 0.5)


def _with_dropout(model: Mapping[str, Any]) -> Changes:
    """Dropout of 0.2 in a denoiser that has less; one of your own may have no such parameter."""
    dropout = _get(model, "model.denoiser.dropout")
    return {"model.denoiser.dropout": _DROPOUT} if dropout is not None and dropout < _DROPOUT else {}


def _every_round(model: Mapping[str, Any]) -> Changes:
    key = "model.players.discriminator.every"
    return {key: 1} if (_get(model, key) or 1) > 1 else {}


def _with_r1(model: Mapping[str, Any]) -> Changes:
    """R1, or three times as much of the gradient penalty that is there; only where there is a discriminator."""
    if "penalties" not in model:
        return {}
    for name, penalty in (model["penalties"] or {}).items():
        if penalty["_target_"].rpartition(".")[2] in _GRADIENT_PENALTIES:
            return _scaled(model, f"model.penalties.{name}.weight", 3, largest=100)
    return {"model.penalties.r1": _R1}


def _slower(model: Mapping[str, Any], factor: float) -> Changes:
    changes: Changes = {}
    for player in model.get("players", {}):
        changes |= _scaled(model, f"model.players.{player}.optimizer.lr", factor)
    return changes


def _fastest(model: Mapping[str, Any]) -> float:
    """The largest learning rate of a player with Adam."""
    players = model.get("players", {}).values()
    return max((p["optimizer"].get("lr", 0) for p in players if "betas" in p["optimizer"]), default=0.0)


def _less_momentum(model: Mapping[str, Any]) -> Changes:
    """β₁ = 0 for the players whose Adam has more than 0.5; only where there are rivals."""
    changes: Changes = {}
    if len(model.get("players", {})) < 2:
        return changes
    for player, node in model.get("players", {}).items():
        betas = node["optimizer"].get("betas")
        if betas and betas[0] > _ADAM:
            changes[f"model.players.{player}.optimizer.betas"] = [0.0, 0.99]
    return changes


def _other_loss(model: Mapping[str, Any], loss: str, better: str) -> Changes:
    node = model.get("loss", {})
    return {"model.loss._target_": _LOSS + better} if node.get("_target_") == _LOSS + loss else {}


def _scaled(model: Mapping[str, Any], key: str, factor: float, largest: float = float("inf")) -> Changes:
    value = _get(model, key)
    if not isinstance(value, int | float) or not 0 < value * factor <= largest:
        return {}
    return {key: float(f"{value * factor:.3g}")}


def _get(model: Mapping[str, Any], key: str) -> Any:
    node: Any = model
    for name in key.removeprefix("model.").split("."):
        if not isinstance(node, Mapping) or name not in node:
            return None
        node = node[name]
    return node


def _override(key: str, value: Any, model: Mapping[str, Any]) -> str:
    if key == "model.loss._target_":
        return f"model/loss={value.removeprefix(_LOSS)}"
    return shlex.quote(f"{'' if _get(model, key) is not None else '+'}{key}={_text(value)}")


def _text(value: Any) -> str:
    """A value in Hydra's grammar."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_text(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(_text(each) for each in value)}]"
    return str(value)
