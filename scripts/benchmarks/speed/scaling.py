"""How well a run shares its rounds among 8 and 64 GPUs: on paper, from what its networks really send and compute.

    python -m scripts.benchmarks.speed.scaling [--publish]

Counted on the real games: arithmetic of a round (every operation of `Game.play`), the messages of a round (on two
processes, which must send what the parameters' number says), and batch norm's own (one message forward and one back for
each layer and call: on GPUs it sees the whole batch). Assumed: what stands below `Assumptions`. What is sent is not
hidden behind arithmetic: forger averages a player's gradients in one message after its backward pass. Half a minute.
"""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from scripts.benchmarks.speed.measuring import Row, options, publish
from scripts.benchmarks.speed.playing import Match

CASES = {
    "DCGAN 64×64×3": ("model=dcgan", "data.size=64", "data.channels=3"),
    "R3GAN 64×64×3": ("model=r3gan", "data.size=64", "data.channels=3"),
}
#: Images of a counted round; arithmetic grows in proportion.
COUNTED = 4

# Assumptions -------------------------------------------------------------------------------------------------

#: Images of a round on each GPU, however many there are.
PER_GPU = (64, 512)
#: Dense bf16 arithmetic of an H100 (SXM), operations a second, and the share of it that small convolutions may reach.
PEAK, SHARE = 989e12, 0.2
#: Bytes a second of its memory.
MEMORY = 3.35e12


@dataclass(frozen=True)
class Links:
    """GPUs on a ring: bytes a second through its slowest link, and seconds until a small message has gone around."""

    gpus: int
    bandwidth: float
    latency: float


#: NVLink 4, two thirds of 450 GB/s each way; NDR InfiniBand, four fifths of one port of 50 GB/s for each GPU.
NODE, CLUSTER = Links(8, 300e9, 20e-6), Links(64, 40e9, 60e-6)

# Counting ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Round:
    """What one round is: operations for an image, bytes of each message, and calls of batch norm (bytes of each)."""

    operations: float
    messages: list[int]
    batch_norms: list[int]


class Operations(TorchDispatchMode):
    """Counts multiplications and additions; torch's own formula for a convolution's backward pass forgets groups."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        kind = func.overloadpacket
        if kind is torch.ops.aten.convolution_backward:
            gradient, inputs, weight, transposed, mask = args[0], args[1], args[2], args[7], args[10]
            places = inputs if transposed else gradient
            self.total += 2 * sum(mask[:2]) * weight.numel() * len(places) * math.prod(places.shape[2:])
        elif kind in flop_registry:
            self.total += flop_registry[kind](*args, **(kwargs or {}), out_val=result)
        return result


def counted(overrides: Sequence[str]) -> Round:
    """A round of the game in this process, and the messages that it would send: from parameters and buffers alone."""
    match = Match(overrides)
    game, batch = match.game, few(match)
    norms: list[int] = []

    def called(layer: Any, *_: Any) -> None:
        norms.append(4 * (2 * layer.num_features + 1))  # mean, variance and count

    for module in game.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(called)
    with Operations() as operations:
        game.play(batch)
    messages = [sizes(game.trained_by(name)) + statistics(game.remembering(name)) for name in game.round()]
    everything = statistics([network for name in game.players for network in game.networks_of(name)])
    return Round(operations.total / COUNTED, [*messages, *([everything] if everything else [])], norms)


def few(match: Match) -> dict[str, Tensor]:
    """A batch of a few images."""
    return {name: value[:COUNTED] for name, value in next(match.stream).items()}


def sizes(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def statistics(modules: Sequence[nn.Module]) -> int:
    return sizes([buffer for module in modules for buffer in module.buffers() if buffer.is_floating_point()])


def sent(overrides: Sequence[str]) -> list[int]:
    """Bytes of each message in a round of two processes, which really exchange them."""
    with tempfile.TemporaryDirectory() as place:
        spawn(_process, (tuple(overrides), place), nprocs=2)
        return [int(line) for line in (Path(place) / "sent").read_text().split()]


def _process(rank: int, overrides: Sequence[str], place: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{place}/meeting", rank=rank, world_size=2)
    match = Match(overrides)
    game, all_reduce, messages = match.game, torch.distributed.all_reduce, []

    def counting(tensor: Tensor, *arguments: Any, **options: Any) -> Any:
        messages.append(sizes([tensor]))
        return all_reduce(tensor, *arguments, **options)

    torch.distributed.all_reduce = counting
    game.rank, game.world = rank, 2
    game.play(few(match))
    torch.distributed.destroy_process_group()
    if rank == 0:
        (Path(place) / "sent").write_text("\n".join(map(str, messages)))


# Paper -------------------------------------------------------------------------------------------------------


def all_reduce(size: float, links: Links) -> float:
    """Seconds of a ring all-reduce: each GPU sends 2 (N − 1) / N of the message."""
    return 2 * (links.gpus - 1) / links.gpus * size / links.bandwidth + links.latency


def communication(one: Round, links: Links) -> float:
    """Seconds that a round waits for others."""
    # Packing, dividing and unpacking read and write the message three times.
    packing = sum(6 * size / MEMORY for size in one.messages)
    norms = sum(2 * all_reduce(size, links) for size in one.batch_norms)
    return packing + norms + sum(all_reduce(size, links) for size in one.messages)


def rows(name: str, one: Round) -> list[Row]:
    """Efficiency for each cluster and each batch."""
    found = []
    for links in (NODE, CLUSTER):
        waiting = communication(one, links)
        for images in PER_GPU:
            arithmetic = images * one.operations / (PEAK * SHARE)
            note = (
                f"{one.operations / 1e9:.2f} GFLOP an image, {arithmetic * 1e3:.2f} ms of arithmetic; "
                f"{waiting * 1e3:.2f} ms for {sum(one.messages) / 1e6:.1f} MB in {len(one.messages)} messages "
                f"and {2 * len(one.batch_norms)} of batch norm"
            )
            efficiency = arithmetic / (arithmetic + waiting)
            found.append(
                Row(
                    f"{name}, {links.gpus} GPUs, {images} images each",
                    "one GPU",
                    "",
                    [efficiency],
                    note=note,
                    percent=True,
                )
            )
    return found


def main() -> None:
    given = options(__doc__, repeats=1).parse_args()
    torch.set_num_threads(1)
    found = []
    for name, overrides in CASES.items():
        one, real = counted(overrides), sent(overrides)
        assert one.messages == real, f"{name}: {one.messages} bytes expected, {real} sent"
        found += rows(name, one)
    publish("scaling", found, given)


if __name__ == "__main__":
    main()
