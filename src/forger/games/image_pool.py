"""The pool of past fakes that a discriminator is shown besides new ones."""

import torch
from torch import Tensor


class ImagePool:
    """Shrivastava et al. 2017, section 2.3, as CycleGAN uses it (Zhu et al. 2017, section 4): a buffer of fakes.

    Until it is full, each fake is stored and returned. Then, with probability 1/2 each, the fake itself is returned, or
    a random one from the pool, whose place it takes. Fakes of one batch are processed in turn, so that batches may be
    larger than the pool. Its state is its content; every choice comes from the given stream.

    Args:
        size: how many fakes it holds; 0 hands every fake back.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: Tensor | None = None

    @torch.no_grad()
    def exchange(self, fakes: Tensor, stream: torch.Generator) -> Tensor:
        """What the discriminator is shown instead of these fakes (n, c, h, w); `stream` is on the CPU."""
        fakes = fakes.detach()
        if not self.size:
            return fakes
        held = 0 if self.images is None else len(self.images)
        everything = fakes if self.images is None else torch.cat([self.images.to(fakes.device), fakes])
        swaps = torch.randint(2, (len(fakes),), generator=stream).tolist()
        places = torch.randint(self.size, (len(fakes),), generator=stream).tolist()
        # Python moves indices only; the images are moved once, at the end.
        pool, shown = list(range(held)), []
        for fake, swap, place in zip(range(held, held + len(fakes)), swaps, places, strict=True):
            if len(pool) < self.size:
                pool.append(fake)
                shown.append(fake)
            elif swap:
                shown.append(pool[place])
                pool[place] = fake
            else:
                shown.append(fake)
        self.images = _picked(everything, pool)
        return _picked(everything, shown)


def _picked(images: Tensor, indices: list[int]) -> Tensor:
    chosen = torch.tensor(indices)
    if images.device.type == "cuda":  # from pinned memory, so that nobody waits for the copy
        chosen = chosen.pin_memory()
    return images[chosen.to(images.device, non_blocking=True)]
