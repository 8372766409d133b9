"""Path length regularisation (Karras et al. 2020, StyleGAN2, section 3.2)."""

import math
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Lt
from torch import Tensor

from forger.annealing import Schedule
from forger.losses.objective import Objective, Setting, Turn
from forger.losses.penalty import Every, Weight


class PathLength(Objective):
    """(‖Jᵀy‖ - a)², J the images' derivative by their styles, y Gaussian noise, a the moving average of ‖Jᵀy‖.

    ‖Jᵀy‖ is the root of the mean of its square over the styles of a sample; y has variance 1 / (h · w). As in the
    authors' code, half of the batch is made anew, with other styles mixed in. In float32 with autocast off.

    Args:
        decay: of a, which starts at 0.
    """

    players: ClassVar[tuple[str, ...]] = ("generator",)
    takes_whole_batches: ClassVar[bool] = True
    average: Tensor

    def __init__(
        self, weight: Weight | Schedule = 2.0, every: Every = 8, decay: Annotated[float, Ge(0), Lt(1)] = 0.99
    ) -> None:
        super().__init__(weight, every)
        self.decay = decay
        self.register_buffer("average", torch.zeros(()))

    def prepare(self, setting: Setting) -> None:
        super().prepare(setting)
        if not hasattr(setting.generator, "training_styles"):
            raise ValueError(f"regularises styles; {type(setting.generator).__name__} has none, take model=stylegan2")

    def term(self, turn: Turn) -> Tensor:
        half = (len(turn.z) + 1) // 2
        labels = None if turn.fake_labels is None else turn.fake_labels[:half]
        generator: Any = turn.generator
        with torch.autocast(turn.z.device.type, enabled=False):
            lengths = path_lengths(generator, generator.training_styles(turn.z[:half], labels), turn.noise.normal)
        penalty = (lengths - self.average).square().mean()
        with torch.no_grad():
            self.average.lerp_(lengths.detach().mean(), 1 - self.decay)
        return penalty


def path_lengths(
    generator: Callable[[Tensor], Tensor], styles: Tensor, normal: Callable[[torch.Size], Tensor]
) -> Tensor:
    """‖Jᵀy‖ (N,) of images made from styles (N, layers, style), with a way back to the generator."""
    if not styles.requires_grad:  # of a frozen mapping
        styles = styles.detach().requires_grad_()
    images = generator(styles)
    noise = normal(images.shape).to(images) / math.sqrt(math.prod(images.shape[2:]))
    (gradients,) = torch.autograd.grad((images * noise).sum(), styles, create_graph=True)
    return gradients.square().sum(2).mean(1).sqrt()
