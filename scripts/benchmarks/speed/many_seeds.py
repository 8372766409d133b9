"""Several seeds of a small game as one program, against the same seeds in turn: is it worth building?

    python -m scripts.benchmarks.speed.many_seeds [--repeats 5] [--publish]

The arithmetic of `model=gan` on 8×8 images and nothing else, on both sides: fused Adam, data on the device, fakes made
once a round, D frozen in G's step. The batched program stacks the seeds' weights in one tensor for each layer
(baddbmm), takes one backward pass through the sum of their losses and one step of one optimiser; its weights must come
out as those of each seed alone. On a GPU where there is one, else on one thread. About a minute.
"""

import math
import platform
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, softplus

from scripts.benchmarks.speed.measuring import Cost, Row, interleaved, options, per, publish, timed

SEEDS = (1, 2, 4, 8)
#: As in `conf/model/gan.yaml`: 2 hidden layers of 256, z of 32, batches of 64.
BATCH, LATENT, PIXELS, WIDTH = 64, 32, 64, 256
WIDTHS = {"generator": (LATENT, WIDTH, WIDTH, PIXELS), "discriminator": (PIXELS, WIDTH, WIDTH, 1)}
#: Rounds that every seed plays in a measurement; fewer for what is compared to the last digits, which chaos takes.
ROUNDS, COMPARED = 40, 10
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Network(nn.Module):
    """One seed's network, or several seeds' with their weights stacked: (S, n, inputs) to (S, n, outputs)."""

    def __init__(self, widths: Sequence[int], seeds: Sequence[int]) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for layer, (a, b) in enumerate(pairwise(widths)):
            drawn = [_drawn(a, b, seed, layer) for seed in seeds]
            self.weights.append(nn.Parameter(torch.stack([weight for weight, _ in drawn]).to(DEVICE)))
            self.biases.append(nn.Parameter(torch.stack([bias for _, bias in drawn])[:, None].to(DEVICE)))

    def forward(self, x: Tensor) -> Tensor:
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                x = leaky_relu(x, 0.2)
            x = torch.addmm(bias[0], x[0], weight[0])[None] if len(x) == 1 else torch.baddbmm(bias, x, weight)
        return x


def _drawn(inputs: int, outputs: int, seed: int, layer: int) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(1000 * seed + layer)
    bound = 1 / math.sqrt(inputs)
    weight, bias = torch.rand(inputs, outputs, generator=stream), torch.rand(outputs, generator=stream)
    return bound * (2 * weight - 1), bound * (2 * bias - 1)


class Program:
    """The game of some seeds, all in one program; each seed has its own data order and noise.

    Args:
        seeds: which.
        compiled: its networks by torch.compile.
    """

    def __init__(self, seeds: Sequence[int], compiled: bool = False) -> None:
        self.G, self.D = (Network(widths, seeds) for widths in WIDTHS.values())
        self.optimizers = [
            torch.optim.Adam(network.parameters(), 1e-3, (0.0, 0.99), fused=True) for network in (self.G, self.D)
        ]
        if compiled:
            self.G.compile(dynamic=False)
            self.D.compile(dynamic=False)
        self.streams = [torch.Generator(device=DEVICE).manual_seed(seed) for seed in seeds]
        pixels = torch.rand(640, PIXELS, generator=torch.Generator().manual_seed(0)).mul_(2).sub_(1)
        self.pixels = pixels.to(DEVICE)

    def play(self, rounds: int) -> None:
        """Each seed's round so many times."""
        opt_g, opt_d = self.optimizers
        for _ in range(rounds):
            drawn = [torch.randint(len(self.pixels), (BATCH,), generator=s, device=DEVICE) for s in self.streams]
            real = self.pixels[torch.stack(drawn)]
            fake = self.G(torch.stack([torch.randn(BATCH, LATENT, generator=s, device=DEVICE) for s in self.streams]))
            # Losses add up over the seeds, so that each seed's gradient is its own.
            loss = softplus(-self.D(real)).mean((1, 2)).sum() + softplus(self.D(fake.detach())).mean((1, 2)).sum()
            opt_d.zero_grad()
            loss.backward()
            opt_d.step()
            for parameter in self.D.parameters():
                parameter.requires_grad_(False)
            opt_g.zero_grad()
            softplus(-self.D(fake)).mean((1, 2)).sum().backward()
            opt_g.step()
            for parameter in self.D.parameters():
                parameter.requires_grad_(True)
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()

    def weights_of(self, place: int) -> Tensor:
        """All weights of one of its seeds, flat."""
        return torch.cat([p[place].detach().flatten() for network in (self.G, self.D) for p in network.parameters()])


def difference(seeds: int, compiled: bool) -> float:
    """Largest difference of a weight from that of its seed alone, after a few rounds."""
    together = Program(range(seeds), compiled)
    together.play(COMPARED)
    worst = 0.0
    for seed in range(seeds):
        alone = Program([seed])
        alone.play(COMPARED)
        worst = max(worst, float((together.weights_of(seed) - alone.weights_of(0)).abs().max()))
    return worst


def played(programs: Sequence[Program]) -> Cost:
    """A round of every seed. Wall time alone counts where a device does the work."""
    cost = per(timed(lambda: [program.play(ROUNDS) for program in programs]), ROUNDS)
    return cost if DEVICE.type == "cpu" else Cost(cost.wall, cost.wall)


def row(seeds: int, compiled: bool, repeats: int) -> Row:
    """How much faster the seeds are together."""
    together = Program(range(seeds), compiled)
    turns = [Program([seed]) for seed in range(seeds)]
    sides = {"in turn": partial(played, turns), "together": partial(played, [together])}
    costs = interleaved(sides, repeats)
    factor = [a.cpu / b.cpu for a, b in zip(costs["in turn"], costs["together"], strict=True)]
    how = "compiled" if compiled else "eager"
    goal = "≥ 4" if seeds == max(SEEDS) and DEVICE.type == "cuda" else ""
    note = f"weights within {difference(seeds, compiled):.0e} of each seed's alone after {COMPARED} rounds"
    return Row(
        f"{seeds} seeds in turn", f"one program, {how}", goal, factor, costs, unit="ms a round of all", note=note
    )


def main() -> None:
    given = options(__doc__, repeats=5).parse_args()
    torch.set_num_threads(1)
    torch._dynamo.config.recompile_limit = 64  # pyright: ignore[reportAttributeAccessIssue]
    print(torch.cuda.get_device_name() if DEVICE.type == "cuda" else platform.processor() or "CPU, one thread")
    rows = [row(seeds, compiled, given.repeats) for compiled in (False, True) for seeds in SEEDS]
    publish("many_seeds", rows, given)


if __name__ == "__main__":
    main()
