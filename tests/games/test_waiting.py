"""On rounds that nobody observes the host never waits for the device: no value is read, nothing is sent over blocking.

The meta device stands in for the accelerator: torch itself refuses to read a value from it (`item`, `bool`, `cpu`).
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from forger.building import build_game
from forger.config.schema import validate
from forger.games import base
from forger.games.base import Batch, Game
from forger.games.super_resolution import SuperResolutionGame
from running import composed

META = torch.device("meta")
NARROW = ("model.generator.width=8", "model.discriminator.width=8")


class OnDevice(torch.Generator):
    """A generator that says it is on the device, as `forger.randomness.generator` makes it there."""

    device = META  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


class NoTransfers(TorchDispatchMode):
    """Refuses copies between host and device that the host waits for, and host tensors among an operation's inputs."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = tensors_in((args, kwargs))
        places = {tensor.device.type for tensor in tensors}
        # A number may travel with the operation that takes it.
        large = {tensor.device.type for tensor in tensors if tensor.ndim}
        sent = kwargs.get("device") == META and "cpu" in places and not kwargs.get("non_blocking")
        copied = func in (torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default) and len(places) > 1
        if sent or copied or len(large) > 1:
            raise AssertionError(f"{func} on {sorted(places)}: the host waits for the device")
        return func(*args, **kwargs)


class NoPythonValues(TorchFunctionMode):
    """Refuses what sends Python's numbers to the device where `NoTransfers` does not see it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__) and args[0].device == META:
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            host = [part for part in index if isinstance(part, list) or any(t.device != META for t in tensors_in(part))]
            assert not host, "an index from the host: the host waits for the device"
        result = func(*args, **kwargs)
        if func in (torch.Tensor.new_tensor, torch.tensor, torch.as_tensor):
            assert result.device != META, f"{func.__name__}: the host waits for the device"
        return result


def tensors_in(tree: Any) -> list[Tensor]:
    return [value for value in torch.utils._pytree.tree_leaves(tree) if isinstance(value, Tensor)]


def on_device(monkeypatch: pytest.MonkeyPatch, *overrides: str) -> tuple[Game, Batch]:
    """A game of a config and a batch for it, on the device."""
    monkeypatch.setattr(base, "generator", lambda seed, *purpose, device="cpu": OnDevice())
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # which it does not have
    config = validate(composed(*overrides, "data.batch_size=8"))
    game = build_game(config).to(META).train()
    if isinstance(game, SuperResolutionGame):
        game._content[0].to(META)  # as `on_fit_start` does
    optimizers: Any = game.configure_optimizers()
    for optimizer in optimizers:  # torch's own, whose fused kernels don't know the meta device
        monkeypatch.setattr(optimizer, "step", lambda: None)
    monkeypatch.setattr(game, "_optimizers", lambda: optimizers)
    about = config.data
    shape = (about.dimension,) if about.dimension else (about.channels, about.size, about.size)
    kind = torch.float32 if about.dimension else torch.uint8
    batch = {name: torch.zeros(8, *shape, dtype=kind, device=META) for name in ("image", "target", "truth")}
    if about.classes:
        batch["label"] = torch.zeros(8, dtype=torch.int64, device=META)
    game.observe_every = 10**6
    return game, batch


CASES = [
    ("model=gan", "model.ema=0.9", "+model.flip_labels=0.1"),
    ("model=cgan",),
    ("experiment=digits_dcgan", *NARROW),
    ("model=sngan", *NARROW),
    ("model=r3gan", *NARROW),
    ("model=wgan_gp",),
    ("model=wgan",),
    ("model=lsgan", "+model/augmentations=[instance_noise,diffaugment]"),
    ("model=rpgan", "+model/augmentations=ada", "+model/penalties=lecam"),
    ("model=gan", "+model/penalties=bcr"),
    ("model=gan", "+model/penalties=dragan"),
    ("experiment=ring8",),
    ("experiment=digits_cyclegan",),
    ("experiment=photos_srgan", *NARROW, "model.generator.blocks=1", "model.first_share=0.0"),
    ("experiment=digits_denoising_ae",),
    ("experiment=digits_vae",),
]


@pytest.mark.parametrize("overrides", CASES, ids=lambda overrides: " ".join(overrides)[:60])
def test_no_round_waits(monkeypatch: pytest.MonkeyPatch, overrides: tuple[str, ...]) -> None:
    game, batch = on_device(monkeypatch, *overrides)
    with NoTransfers(), NoPythonValues():
        for _ in range(2):
            game.play(dict(batch))
    assert game.iteration == 2


def test_an_observed_round_does(monkeypatch: pytest.MonkeyPatch) -> None:
    game, batch = on_device(monkeypatch, "model=gan")
    game.observe_every = 1
    with pytest.raises(RuntimeError, match="meta"):
        game.play(batch)


TRANSFERS: dict[str, Callable[[Tensor], object]] = {
    "to": lambda there: torch.zeros(4).to(META),
    "new_tensor": lambda there: there.new_tensor(1.0),
    "index": lambda there: there[[0, 1]],
    "mixed": lambda there: there.index_select(0, torch.zeros(2, dtype=torch.int64)),
}


@pytest.mark.parametrize("kind", TRANSFERS)
def test_transfers_are_seen(kind: str) -> None:
    there = torch.zeros(4, device=META)
    with NoTransfers(), NoPythonValues(), pytest.raises(AssertionError, match="waits"):
        TRANSFERS[kind](there)
