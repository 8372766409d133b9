"""Rounds of a game on a GPU with one more thing after another, and the bare loop that has the same."""

import gc
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import Tensor

from forger.building import prepare_torch
from forger.compilation import Mode, compile_networks
from forger.config.schema import TrainerConfig
from forger.data import loader
from forger.data.pixels.ranges import to_float
from forger.losses.adversarial import is_paired
from forger.losses.penalty import PenaltyInputs
from forger.randomness import Noise
from scripts.benchmarks.speed.playing import Match
from scripts.benchmarks.speed.scaling import counted

#: Takes a row, by its columns.
Show = Callable[[dict[str, Any]], None]

NETWORKS = {
    "DCGAN 64": ("model=dcgan", "data.size=64", "data.channels=3"),
    "R3GAN 32": ("model=r3gan", "data.size=32", "data.channels=3"),
    "R3GAN 64": ("model=r3gan", "data.size=64", "data.channels=3"),
}
SMALL = dict.fromkeys(NETWORKS, ("model.generator.width=16", "model.discriminator.width=16"))

#: Dense peaks in TFLOP/s: float32, TF32 and bfloat16 (NVIDIA's data sheets). The first name that a card's contains.
PEAKS = {
    "H100 PCIe": (51.2, 378.0, 756.0),
    "H100 NVL": (60.0, 417.5, 835.0),
    "H200 NVL": (60.0, 417.5, 835.0),
    "H100": (66.9, 494.7, 989.4),
    "H200": (66.9, 494.7, 989.4),
    "GH200": (66.9, 494.7, 989.4),
    "A100": (19.5, 156.0, 312.0),
    "L40S": (91.6, 183.0, 362.0),
}


@dataclass(frozen=True)
class Place:
    """Where and how large: a device, whether everything is as small as can be, the results' folder, Fashion-MNIST's."""

    device: str
    smallest: bool
    folder: Path
    data: str | None = None

    @property
    def batch(self) -> int:
        """Images of a batch."""
        return 2 if self.smallest else 256

    @property
    def trainer(self) -> str:
        """The config of whole runs."""
        return "gpu" if self.device == "cuda" else "cpu"

    def overrides(self, network: str) -> tuple[str, ...]:
        """The config of a network."""
        return (*NETWORKS[network], *(SMALL[network] if self.smallest else ()))


@dataclass(frozen=True)
class Step:
    """What a row has. `tuned` has cuDNN try its algorithms, which forger leaves as torch has it."""

    name: str
    tf32: bool = True
    half: bool = True
    channels_last: bool = True
    resident: bool = True
    tuned: bool = False
    compile: Mode | None = None


STEPS = (
    Step("float32", tf32=False, half=False, channels_last=False, resident=False),
    Step("+ TF32", half=False, channels_last=False, resident=False),
    Step("+ bf16-mixed", channels_last=False, resident=False),
    Step("+ channels last", resident=False),
    Step("+ resident data"),
    Step("+ cudnn.benchmark", tuned=True),
)
COMPILED = (Step("+ compile=reduce-overhead", compile="reduce-overhead"), Step("+ compile=default", compile="default"))


def peak(card: str, step: Step) -> float | None:
    """A card's peak for a step in operations a second; None where it is unknown, as for a part of a card (MIG)."""
    if "MIG" in card:
        return None
    known = next((peaks for name, peaks in PEAKS.items() if name in card), None)
    return known and 1e12 * known[2 if step.half else 1 if step.tf32 else 0]


def wait_for(device: str) -> None:
    """Until the GPU has done what it was told."""
    if device != "cpu":
        torch.cuda.synchronize()


def rate(place: Place, play: Callable[[int], Any], images: int, rounds: int | None = None) -> float:
    """Images a second of rounds of so many images: the median of three turns of half a second, or of so many rounds."""

    def seconds(number: int) -> float:
        wait_for(place.device)
        began = time.perf_counter()
        play(number)
        wait_for(place.device)
        return time.perf_counter() - began

    if place.smallest:
        return images / seconds(1)
    seconds(8)  # algorithms are chosen, memory laid out, graphs recorded
    number = rounds or max(4, round(0.5 / (seconds(4) / 4)))
    return images * number / statistics.median(seconds(number) for _ in range(3))


class Bare:
    """The loop that one writes by hand, tuned: fakes made once, D frozen in G's step, and nothing that looks on."""

    def __init__(self, match: Match, half: bool) -> None:
        self.game, self.stream = match.game, match.stream
        networks = (self.game.generator, self.game.discriminator)
        self.opt_g, self.opt_d = (
            torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999), fused=True) for net in networks
        )
        # Of one move alone: what autocast keeps of the weights is wrong after a step.
        self.autocast = partial(torch.autocast, self.game.device.type, torch.bfloat16, enabled=half)
        self.parameters = list(self.game.discriminator.parameters())
        self.channels_last = True

    def play(self, rounds: int) -> None:
        """So many rounds."""
        for _ in range(rounds):
            self._round(next(self.stream)["image"])

    def _round(self, pixels: Tensor) -> None:
        game, D = self.game, self.game.discriminator
        real = to_float(pixels) if self.channels_last else to_float(pixels).contiguous()
        with self.autocast():
            fake = game.generator(torch.randn(len(real), game.latent, device=real.device))
            detached = fake.detach()
            logits = D(real).float(), D(detached).float()
            terms = game.loss("discriminator", *logits)
            inputs = PenaltyInputs(real, detached, *logits, D, Noise(lambda: torch.Generator(real.device)), 0)
            for name, penalty in game.penalties.items():
                terms[name] = penalty(inputs)
        self.opt_d.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        self.opt_d.step()
        for parameter in self.parameters:
            parameter.requires_grad_(False)
        with self.autocast():
            paired = D(real).float() if is_paired(game.loss) else None
            terms = game.loss("generator", paired, D(fake).float())
        self.opt_g.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        self.opt_g.step()
        for parameter in self.parameters:
            parameter.requires_grad_(True)


def built(place: Place, network: str, step: Step) -> Match:
    """The game of a row."""
    with patch.object(loader, "_fits", lambda *_: step.resident or place.device == "cpu"):
        match = Match(place.overrides(network), place.device, place.batch)
    if not step.channels_last:
        match.game.to(memory_format=torch.contiguous_format)
        prepared = match.game.prepared
        match.game.prepared = lambda batch: {name: value.contiguous() for name, value in prepared(batch).items()}
    return match


def speed(place: Place, network: str, step: Step) -> dict[str, Any]:
    """A row: forger's rate, the bare loop's, and what they are of the card's peak."""
    prepare_torch(TrainerConfig())
    torch.set_float32_matmul_precision("high" if step.tf32 else "highest")
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = step.tf32, step.tuned
    precision = MixedPrecision("bf16-mixed", place.device).forward_context if step.half else None
    ours, memory, seconds = _forger(place, network, step, precision)
    row: dict[str, Any] = {"network": network, "step": step.name, "images/s": ours}
    if step.compile:
        row["s until it ran"] = seconds
    loop = Bare(built(place, network, step), step.half)
    loop.channels_last = step.channels_last
    row["bare loop"] = rate(place, loop.play, place.batch)
    row["÷ bare loop"] = ours / row["bare loop"]
    operations = _operations(place.overrides(network))
    row["TFLOP/s"] = ours * operations / 1e12
    most = peak(torch.cuda.get_device_name(), step) if place.device == "cuda" else None
    row["% of the peak"] = 100 * ours * operations / most if most else None
    row["GiB"] = memory
    return row


def _forger(
    place: Place, network: str, step: Step, precision: Callable[[], AbstractContextManager[Any]] | None
) -> tuple[float, float | None, float]:
    """Images a second, GiB, and the seconds of the first rounds."""
    gc.collect()
    if place.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    match = built(place, network, step)
    if step.compile:
        torch.compiler.reset()
        compile_networks(match.game, step.compile, torch.device(place.device))

    def play(rounds: int) -> None:
        if precision is None:
            match.play(rounds)
        else:
            with precision():
                match.play(rounds)

    began = time.perf_counter()
    play(1 if place.smallest else 5)
    wait_for(place.device)
    seconds = time.perf_counter() - began
    found = rate(place, play, place.batch)
    torch.compiler.set_stance("default")
    return found, torch.cuda.max_memory_allocated() / 2**30 if place.device == "cuda" else None, seconds


@cache
def _operations(overrides: tuple[str, ...]) -> float:
    """Multiplications and additions for an image of a round."""
    return counted(overrides).operations
