"""Numbers of optimisers that follow schedules: the learning rate by a factor, others in their place."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Lt
from torch import nn
from torch.optim import Optimizer

from forger.annealing import Following, Schedule, following
from forger.errors import closest

_Fraction = Annotated[float, Ge(0), Lt(1)]
_RANGES: dict[str, Any] = {
    "beta1": _Fraction,
    "beta2": _Fraction,
    "momentum": _Fraction,
    "weight_decay": Annotated[float, Ge(0)],
    "eps": Annotated[float, Gt(0)],
}


def rate_of(schedule: Schedule | None) -> Following | None:
    """The factor on a player's learning rates.

    Raises:
        ValueError: it is negative somewhere.
    """
    return None if schedule is None else following("schedule", schedule, Annotated[float, Ge(0)])


def numbers_of(
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer], schedules: Mapping[str, Schedule] | None
) -> dict[str, Following]:
    """Schedules of a player's optimiser by the names of its numbers; those of ``betas`` are beta1, beta2.

    Raises:
        ValueError: a name that is none of its numbers, or the learning rate; values out of range.
    """
    if not schedules:
        return {}
    group = optimizer([nn.Parameter(torch.zeros(1))]).param_groups[0]
    plain = [name for name, value in group.items() if type(value) in (int, float) and name != "lr"]
    names = [*(f"beta{place}" for place, _ in enumerate(group.get("betas", ()), 1)), *plain]
    for name in schedules:
        if name == "lr":
            raise ValueError("schedules.lr: a learning rate follows the player's schedule, which is a factor on it")
        if name not in names:
            raise ValueError(f"schedules.{name}: the optimiser has no such number; {closest(name, names)}")
    return {
        name: following(name, schedule, _RANGES.get(name, float), f"schedules.{name}")
        for name, schedule in schedules.items()
    }


def steer(optimizer: Any, rate: Following | None, numbers: Mapping[str, Following], shown: int) -> None:
    """Set an optimiser's numbers for a step after so many images; ``rate`` is the factor on its learning rates."""
    for group in optimizer.param_groups:
        if rate is not None:
            group["lr"] = group["initial_lr"] * rate(shown)
        for name, number in numbers.items():
            place = _beta(name)
            if place is None:
                group[name] = number(shown)
            else:
                group["betas"] = (*group["betas"][:place], number(shown), *group["betas"][place + 1 :])


def steered(
    optimizer: Any, rate: Following | None, numbers: Mapping[str, Following], shown: int
) -> Iterator[tuple[str, float]]:
    """Names and values of what `steer` sets; the learning rate is that of the first group."""
    if rate is not None:
        yield "lr", optimizer.param_groups[0]["initial_lr"] * rate(shown)
    for name, number in numbers.items():
        yield name, number(shown)


def _beta(name: str) -> int | None:
    """Place in ``betas`` of a name; None for other numbers."""
    return int(name[4:]) - 1 if name.startswith("beta") and name[4:].isdigit() else None
