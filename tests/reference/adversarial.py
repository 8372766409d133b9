"""The adversarial game as a plain PyTorch loop: what `AdversarialGame` must equal, and its readable version."""

from functools import partial

import torch

from forger.data.pixels.ranges import to_float
from forger.losses.penalty import PenaltyInputs
from forger.randomness import Noise, derived_seed, generator
from reference.ema import follow


def train(G, D, loss, optimizer, batches, *, latent, seed=0, penalties=None, decay=0.998, average=None):
    """Alternate one step of D and one of G over uint8 batches; ``average`` follows G."""
    opt_d, opt_g = optimizer(D.parameters()), optimizer(G.parameters())
    for step, batch in enumerate(batches):
        torch.manual_seed(derived_seed(seed, "layers", step, 0))
        real, labels = to_float(batch["image"]), batch.get("label")
        fake = G(torch.randn(len(real), latent, generator=generator(seed, "latents", step)), labels)

        real_logits, fake_logits = D(real, labels), D(fake.detach(), labels)
        terms = loss("discriminator", real_logits, fake_logits)
        for name, penalty in (penalties or {}).items():
            judge, noise = partial(D, labels=labels), Noise(generator(seed, name, step))
            terms[name] = penalty(PenaltyInputs(real, fake.detach(), real_logits, fake_logits, judge, noise))
        opt_d.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        opt_d.step()

        D.requires_grad_(False)
        opt_g.zero_grad()
        sum(loss("generator", D(real, labels), D(fake, labels)).values()).backward()
        opt_g.step()
        D.requires_grad_(True)

        follow(average, G, decay, step)
