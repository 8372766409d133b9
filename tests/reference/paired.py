"""pix2pix as a plain PyTorch loop: what `PairedGame` must equal, and its readable version."""

import torch

from forger.data.pixels.ranges import to_float
from forger.randomness import derived_seed


def train(G, D, loss, optimizer, batches, *, seed=0, weight=100.0):
    """One step of D on what stands beside the input, then one of G, which must fool it and be near the truth."""
    opt_g, opt_d = optimizer(G.parameters()), optimizer(D.parameters())
    for step, batch in enumerate(batches):
        torch.manual_seed(derived_seed(seed, "layers", step, 0))  # of dropout
        x, y = to_float(batch["image"]), to_float(batch["truth"])
        fake = G(x)

        real_pair, fake_pair = torch.cat([x, y], 1), torch.cat([x, fake.detach()], 1)
        terms = loss("discriminator", D(real_pair), D(fake_pair))
        opt_d.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        opt_d.step()

        D.requires_grad_(False)
        near = weight * (fake - y).abs().mean((1, 2, 3)).mean()
        fooled = loss("generator", None, D(torch.cat([x, fake], 1)))["adversarial"]
        opt_g.zero_grad()
        torch.stack([near, fooled]).sum().backward()
        opt_g.step()
        D.requires_grad_(True)
