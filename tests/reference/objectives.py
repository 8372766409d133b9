"""AC-GAN (Odena et al. 2017) and InfoGAN (Chen et al. 2016) as one plain PyTorch loop over fully connected networks."""

import math

import torch
import torch.nn.functional as F

from forger.data.pixels.ranges import to_float
from forger.randomness import generator


def train(G, D, head, optimizer, batches, *, latent, weight, codes=0, seed=0):
    """With ``codes`` G is told codes of its own, else the labels; ``head`` reads them from D's last hidden layer."""
    opt_d, opt_g = optimizer([*D.parameters(), *head.parameters()]), optimizer(G.parameters())
    for step, batch in enumerate(batches):
        real, labels = to_float(batch["image"]), batch["label"]
        if codes:
            labels = torch.randint(codes, (len(real),), generator=generator(seed, "latents/codes", step))
        fake = G(torch.randn(len(real), latent, generator=generator(seed, "latents", step)), labels)

        features, features_of_fakes = D.blocks(real.flatten(1)), D.blocks(fake.detach().flatten(1))
        loss = F.softplus(-D.output(features)).mean() + F.softplus(D.output(features_of_fakes)).mean()
        told_apart = F.cross_entropy(head(features_of_fakes), labels)
        told_apart = told_apart - math.log(codes) if codes else F.cross_entropy(head(features), labels) + told_apart
        opt_d.zero_grad()
        (loss + weight * told_apart).backward()
        opt_d.step()

        features_of_fakes = D.blocks(fake.flatten(1))
        loss = F.softplus(-D.output(features_of_fakes)).mean()
        opt_g.zero_grad()
        (loss + weight * F.cross_entropy(head(features_of_fakes), labels)).backward()
        opt_g.step()
