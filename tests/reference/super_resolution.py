"""SRGAN as a plain PyTorch loop: what `SuperResolutionGame` must equal, and its readable version."""

import torch.nn.functional as F
from torch import manual_seed, stack

from forger.data.pixels.ranges import to_float, to_uint8
from forger.randomness import derived_seed
from reference.ema import follow


def train(G, D, content, loss, optimizer, batches, *, first, weights, seed=0, average=None):
    """`first` rounds on pixels, then against D; `weights` of pixel, content, adversarial; ``average`` follows G."""
    opt_d, opt_g = optimizer(D.parameters()), optimizer(G.parameters())
    pixel, features, adversarial = weights
    for step, batch in enumerate(batches):
        manual_seed(derived_seed(seed, "layers", step, 0))
        real = to_float(batch["image"])
        small = F.interpolate(real, scale_factor=1 / G.scale, mode="bicubic", align_corners=False, antialias=True)
        fake = G(to_float(to_uint8(small)))
        error = (fake - real).square().mean((1, 2, 3)).mean()
        if step < first:
            total = error
        else:
            opt_d.zero_grad()
            stack(list(loss("discriminator", D(real), D(fake.detach())).values())).sum().backward()
            opt_d.step()
            D.requires_grad_(False)
            seen = (content(fake) - content(real)).square().flatten(1).mean(1).mean()
            fooled = loss("generator", None, D(fake))["adversarial"]
            total = stack([pixel * error, features * seen, adversarial * fooled]).sum()
        opt_g.zero_grad()
        total.backward()
        opt_g.step()
        follow(average, G, 0.9, step)
        D.requires_grad_(True)
