"""VQ-VAE against a plain loop, its codebook, and the prior that samples are drawn by."""

import copy
import itertools
from functools import partial

import torch
from torch.nn.functional import log_softmax

from forger.data.images import digits
from forger.data.loader import Batches
from forger.data.pixels.ranges import to_float
from forger.games.abilities import Quantises, Reconstructs, Samples, SamplesLatents
from forger.games.base import Player
from forger.games.quantised import QuantisedGame
from forger.metrics.evaluations.quantisation import CodeUse
from forger.networks.quantised import Autoencoder, Prior
from games.training import train
from running import trained

SGD = partial(torch.optim.SGD, lr=0.05)


def networks():
    torch.manual_seed(0)
    return Autoencoder(8, 1, codes=5, dimension=3, width=8), Prior(5, 8)


def game(nets, **options):
    return QuantisedGame(*nets, {"autoencoder": Player(SGD), "prior": Player(SGD)}, **options)


def batches():
    return Batches(digits().train, batch_size=16, seed=0, position=int)


def test_rounds_equal_a_plain_loop():
    """The nearest code is looked for one by one; the gradient of the decoder's input is given to the encoder."""
    nets = networks()
    A, P = copy.deepcopy(nets)
    played = train(game(nets), batches(), 3)
    of_a, of_p = SGD(A.parameters()), SGD(P.parameters())
    for batch in itertools.islice(batches(), 3):
        x = to_float(batch["image"])
        vectors = A.norm(A.encoder(x))
        book, places = A.codebook.detach(), vectors.detach().permute(0, 2, 3, 1).flatten(1, 2)
        codes = [
            [min(range(5), key=lambda k, v=v: float((book[k] - v).square().sum())) for v in image] for image in places
        ]
        codes = torch.tensor(codes)
        e = A.codebook[codes].reshape(16, 4, 4, 3).permute(0, 3, 1, 2)
        given = e.detach().requires_grad_()
        error = (A.decoder(given) - x).square().mean()
        of_a.zero_grad()
        error.backward()
        apart = (vectors - e.detach()).square().mean() * 0.25 + (e - vectors.detach()).square().mean()
        (apart + (vectors * given.grad).sum()).backward()
        of_a.step()
        with torch.no_grad():
            codes = A.nearest(A.norm(A.encoder(x)))
        log_p = log_softmax(P(codes), 2)
        nats = -sum(log_p[i, j, codes[i, j]] for i in range(16) for j in range(16)) / 256
        of_p.zero_grad()
        nats.backward()
        of_p.step()
    assert nets[0].used.sum() == 3 * 16 * 16
    nets[0].used.zero_()
    for mine, theirs in zip(nets, (A, P), strict=True):
        for name, value in mine.state_dict().items():
            torch.testing.assert_close(value, theirs.state_dict()[name], rtol=1e-4, atol=1e-5)
    assert "watch/code_perplexity" in played.observed


def test_the_prior_draws_what_its_probabilities_say():
    """Of sequences of two codes of three, as often as the product of both conditional probabilities says."""
    torch.manual_seed(3)
    prior = Prior(3, 4)
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter)
    with torch.no_grad():
        drawn = prior.drawn(torch.rand(20_000, 2, generator=torch.Generator().manual_seed(0)))
        pairs = torch.cartesian_prod(torch.arange(3), torch.arange(3))
        p = log_softmax(prior(pairs), 2).gather(2, pairs[:, :, None]).sum((1, 2)).exp()
    assert abs(float(p.sum()) - 1) < 1e-5
    found = torch.bincount(drawn[:, 0] * 3 + drawn[:, 1], minlength=9) / 20_000
    torch.testing.assert_close(found, p, atol=0.015, rtol=0)


def test_samples_are_made_of_codes_alone_and_a_share_of_them_is_the_same():
    played = game(networks(), ema=0.9)
    assert all(isinstance(played, kind) for kind in (Samples, Reconstructs, Quantises))
    assert not isinstance(played, SamplesLatents)
    every = played.sample(6, generator=torch.Generator().manual_seed(1))
    some = played.sample(6, generator=torch.Generator().manual_seed(1), only=torch.tensor([1, 4]))
    torch.testing.assert_close(some, every[[1, 4]])
    images = to_float(digits().test.arrays["image"][:7])
    z, indices = played.encode(images), played.indices(images)
    assert z.shape == (7, played.latent) == (7, 48)
    book = played.answering("autoencoder").codebook
    assert torch.equal(z.unflatten(1, (3, 16)).transpose(1, 2), book[indices])
    torch.testing.assert_close(played.reconstruct(images), played.decode(z))
    scores = CodeUse().evaluate(played, digits(), "test", n=497, seed=0)
    every = played.indices(to_float(digits().test.arrays["image"]))
    assert scores["codes_used"] == len(every.unique()) / 5
    assert 1 <= scores["code_perplexity"] <= 5


def test_a_run_ends_with_scores_of_its_samples_and_of_its_codes(tmp_path):
    run = trained(
        tmp_path, "model=vqvae", "model.autoencoder.width=8", "model.prior.width=8", "budget.images=128",
        "metrics.every_images=64", "samples.every_images=128", "checkpoint.every_images=64",
    )  # fmt: skip
    assert {"fd_digits", "is_digits", "mse", "codes_used", "code_perplexity"} <= run.read().scores["final"].keys()
    assert [path.name for path in run.samples.glob("*.png")] == ["000000128.png"]


def test_codes_that_nobody_has_move_to_vectors_of_the_batch():
    nets = networks()
    nets[0].codebook.data[3:] = 100.0  # no vector is near
    played = game(nets, revive=2)
    train(played, batches(), 1)
    assert (nets[0].codebook[3:] > 99).all()
    assert (nets[0].used[:3] > 0).all()
    assert not nets[0].used[3:].any()
    nets = networks()
    nets[0].codebook.data[3:] = 100.0
    train(game(nets, revive=2), batches(), 2)
    assert (nets[0].codebook[3:].abs() < 10).all()
    assert not nets[0].used.any()
