"""Samples by integrating dx/dt from noise to data."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

from annotated_types import Ge
from torch import Tensor

from forger.games.processes import Process

#: dx/dt of samples at a time.
Field = Callable[[Tensor, float], Tensor]
Solver = Literal["euler", "heun"]
Steps = Annotated[int, Ge(1)]
Guidance = Annotated[float, Ge(0)]


def euler(field: Field, x: Tensor, times: Sequence[float]) -> Iterator[Tensor]:
    """Samples after each step of Euler's method: one evaluation of the field a step."""
    for now, then in pairwise(times):
        x = x + (then - now) * field(x, now)
        yield x


def heun(field: Field, x: Tensor, times: Sequence[float]) -> Iterator[Tensor]:
    """Samples after each step of Heun's method (Karras et al., 2022, algorithm 1): two evaluations a step.

    One in the last step, after which no noise is left and the field may have no value.
    """
    for now, then in pairwise(times):
        slope = field(x, now)
        ahead = x + (then - now) * slope
        if then != times[-1]:
            ahead = x + (then - now) / 2 * (slope + field(ahead, then))
        x = ahead
        yield x


@dataclass(frozen=True)
class Sampler:
    """Calls a network as often as it takes to make samples of noise.

    Args:
        process: what is integrated.
        shape: of a sample.
        steps: of the solver.
        solver: Euler's method, of first order, or Heun's, of second.
        guidance: g of v(x) + g · (v(x, label) - v(x)) (Ho & Salimans, 2022), v being dx/dt: 1 for labels as they are.
    """

    process: Process
    shape: tuple[int, ...]
    steps: int
    solver: Solver
    guidance: float = 1.0

    def __call__(self, network: Any, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images in [-1, 1], or points, of noise (n, latent) and labels (n,) or (n, k)."""
        *_, x = self.states(network, z, labels)
        return x.clamp(-1, 1) if len(self.shape) == 3 else x

    def states(self, network: Any, z: Tensor, labels: Tensor | None = None) -> Iterator[Tensor]:
        """The samples at each of the ``steps`` + 1 times."""
        x = self.process.start(z.unflatten(1, self.shape))
        yield x
        solve = euler if self.solver == "euler" else heun
        yield from solve(lambda x, time: self._velocity(network, x, time, labels), x, self.process.times(self.steps))

    def evaluations(self, told: bool) -> int:
        """How often the network is called for a sample, of a game that tells it labels or not."""
        fields = self.steps if self.solver == "euler" else 2 * self.steps - 1
        return fields * (2 if told and self.guidance not in (0, 1) else 1)

    def _velocity(self, network: Any, x: Tensor, time: float, labels: Tensor | None) -> Tensor:
        def velocity(labels: Tensor | None) -> Tensor:
            return self.process.velocity(network, x, time, labels)

        if labels is None or self.guidance in (0, 1):
            return velocity(labels if self.guidance else None)
        without = velocity(None)
        return without + self.guidance * (velocity(labels) - without)
