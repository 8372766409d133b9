"""CycleGAN as a plain PyTorch loop: what `CycleGame` must equal, and its readable version."""

import torch

from forger.data.pixels.ranges import to_float
from forger.randomness import derived_seed, generator
from reference.ema import follow


def train(AB, BA, DA, DB, loss, optimizer, batches, *, seed=0, cycle=10.0, identity=5.0, size=50, averages=None):
    """One step of both generators, then one of both discriminators, on pooled fakes; ``averages`` follow the former."""
    opt_g, opt_d = optimizer([*AB.parameters(), *BA.parameters()]), optimizer([*DA.parameters(), *DB.parameters()])
    pools = {"a": [], "b": []}
    for step, batch in enumerate(batches):
        torch.manual_seed(derived_seed(seed, "layers", step, 0))
        a, b = to_float(batch["image"]), to_float(batch["target"])
        fake_b, fake_a = AB(a), BA(b)

        DA.requires_grad_(False), DB.requires_grad_(False)
        terms = [loss("generator", None, DA(fake_a))["adversarial"], loss("generator", None, DB(fake_b))["adversarial"]]
        terms += [cycle * (BA(fake_b) - a).abs().mean((1, 2, 3)).mean()]
        terms += [cycle * (AB(fake_a) - b).abs().mean((1, 2, 3)).mean()]
        terms += [identity * (BA(a) - a).abs().mean((1, 2, 3)).mean()]
        terms += [identity * (AB(b) - b).abs().mean((1, 2, 3)).mean()]
        opt_g.zero_grad()
        torch.stack(terms).sum().backward()
        opt_g.step()
        for average, network in zip(averages or (), (AB, BA), strict=False):
            follow(average, network, 0.9, step)
        DA.requires_grad_(True), DB.requires_grad_(True)

        terms = []
        for name, D, real, fake in (("a", DA, a, fake_a), ("b", DB, b, fake_b)):
            shown = pooled(pools[name], fake.detach(), size, generator(seed, "pool", name, step))
            terms += loss("discriminator", D(real), D(shown)).values()
        opt_d.zero_grad()
        torch.stack(terms).sum().backward()
        opt_d.step()


def pooled(pool, fakes, size, stream):
    """The image pool, one fake after the other, on a plain list."""
    swaps = torch.randint(2, (len(fakes),), generator=stream)
    places = torch.randint(size, (len(fakes),), generator=stream)
    shown = []
    for fake, swap, place in zip(fakes, swaps, places, strict=True):
        if len(pool) < size:
            pool.append(fake)
        elif swap:
            fake, pool[place] = pool[place], fake
        shown.append(fake)
    return torch.stack(shown)
