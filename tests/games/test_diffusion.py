"""Flow matching and diffusion against plain loops, EDM's algorithm 1, and what is known of a Gaussian mixture."""

import copy
import itertools
from functools import partial

import pytest
import torch
from torch import nn

from forger.data.images import digits
from forger.data.loader import Batches
from forger.games.abilities import Denoises, Discriminates
from forger.games.base import Player
from forger.games.diffusion import DiffusionGame
from forger.games.processes import Karras, Straight
from forger.games.sampling.sampler import Sampler
from forger.networks.denoisers import MLP, UNet
from forger.randomness import Noise, generator
from games.ddp_worker import CONDITIONS
from games.test_autoencoder import equal, play
from games.training import train
from reference import diffusion as reference
from reference.diffusion import ExactDenoiser, ExactVelocity, GaussianMixture

PROCESSES = {"flow": Straight, "edm": Karras}
LOOPS = {"flow": reference.train_flow, "edm": reference.train_edm}
ADAM = partial(torch.optim.Adam, lr=1e-3)


def network(classes=10, dropout=0.1):
    torch.manual_seed(1)
    return MLP([1, 8, 8], 16, 2, classes, dropout)


def game(net=None, process="edm", classes=10, optimizer=ADAM, **options):
    players = {"denoiser": Player(optimizer)}
    return DiffusionGame(net or network(classes), PROCESSES[process](), players, classes=classes, **options)


def batches(batch_size=32):
    return Batches(digits().train, batch_size=batch_size, seed=0, position=lambda: 0)


def moved(played):
    """With weights that are none of the zeros with which a network begins."""
    stream = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in played.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=stream))
    return played


# Training -------------------------------------------------------------------------------------------------------


def small_u_net():
    torch.manual_seed(1)
    return UNet(8, 1, width=8, levels=2, classes=10, dropout=0.1)


@pytest.mark.parametrize("build", [network, small_u_net])
@pytest.mark.parametrize("process", PROCESSES)
def test_rounds_equal_a_plain_loop(process, build):
    net = build()
    other = copy.deepcopy(net)
    train(game(net, process), batches(), 5)
    LOOPS[process](other, ADAM, itertools.islice(batches(), 5))
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], rtol=1e-4, atol=2e-6)


def test_they_go_on_from_a_checkpoint_bit_by_bit(tmp_path):
    whole, first, second = (game(ema=0.9) for _ in range(3))
    play(whole, until=8)
    play(first, until=3).save_checkpoint(tmp_path / "cut.ckpt")
    play(second, until=8, ckpt_path=tmp_path / "cut.ckpt", weights_only=True)
    assert equal(whole, second)
    assert not equal(first, second)


@pytest.mark.parametrize("process", PROCESSES)
def test_two_ranks_and_two_parts_have_the_gradient_of_one_process(process):
    batch = next(iter(batches()))

    def gradient(*places):
        played = moved(game(network(dropout=0.0), process))
        for rank, part in places:
            played.rank, played.world, played.accumulate, played.part = rank, 2, 2, part
            share = {name: value[rank::2].chunk(2)[part] for name, value in batch.items()}
            (played.objective("denoiser", played.prepared(share))["error"] / len(places)).backward()
        if not places:
            played.objective("denoiser", played.prepared(batch))["error"].backward()
        return torch.cat([parameter.grad.flatten() for parameter in played.parameters()])

    torch.testing.assert_close(gradient(*itertools.product(range(2), range(2))), gradient(), rtol=1e-4, atol=1e-6)


def test_the_loss_is_known_by_how_much_noise_there_is():
    """Of a network that answers 0: flow matching's target x - ε has E‖x‖² + 1; EDM's own has 1 where σ is small."""
    played = game(process="flow")
    played.observing = True
    batch = played.prepared({name: value.repeat(20, *[1] * (value.ndim - 1)) for name, value in
                             next(iter(batches())).items()})  # fmt: skip
    played.objective("denoiser", batch)
    for name in ("low", "medium", "high"):
        wanted = float(batch["image"].square().mean()) + 1
        assert played.observed[f"watch/loss_{name}_noise"] == pytest.approx(wanted, rel=0.05)
    played = game(process="edm")
    played.observing = True
    played.objective("denoiser", batch)
    losses = [float(played.observed[f"watch/loss_{name}_noise"]) for name in ("low", "medium", "high")]
    assert losses[0] == pytest.approx(1, rel=0.1)
    assert losses[2] > 1.2  # σ_data is 0.5, and the digits' deviation about 0.7


@pytest.mark.parametrize("process", PROCESSES)
def test_the_error_on_given_images_is_that_of_training_with_the_same_noise(process):
    played = moved(game(process=process, ema=0.9, label_dropout=0.0))
    batch = played.prepared(next(iter(batches())))
    found = played.denoising_error(batch["image"], batch["label"])
    assert found == played.denoising_error(batch["image"], batch["label"])
    noise = Noise(generator(0, "denoising_error"))
    with torch.no_grad():
        wanted = PROCESSES[process]().errors(played.average.network.eval(), *batch.values(), None, noise)[0].mean()
    assert found == pytest.approx(float(wanted))
    with played.live_weights():
        assert played.denoising_error(batch["image"], batch["label"]) != found


def test_they_are_told_several_labels():
    """Even or odd, and which digit: what each row of labels asks for is another picture."""
    played = moved(game(MLP([1, 8, 8], 16, 2, CONDITIONS), classes=CONDITIONS, steps=3))
    batch = next(iter(batches()))
    digit = batch["label"]
    batch["label"] = torch.stack([(digit % 2 == 0).float(), digit.float()], 1)
    played.objective("denoiser", played.prepared(batch))["error"].backward()
    assert played.denoiser.condition.embedding.weight.grad.abs().sum(1).min() > 0
    asked = torch.tensor([[0.0, 3], [1, 3], [0, 5]])
    made = played.decode(torch.randn(1, 64).expand(3, -1), asked)
    assert played.classes == 0
    assert min((made[0] - made[1]).abs().max(), (made[0] - made[2]).abs().max()) > 1e-3


# Samples --------------------------------------------------------------------------------------------------------

START = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]


@pytest.mark.parametrize("steps", [1, 2, 18])
def test_the_preconditioned_denoiser_and_its_sampler_are_those_of_the_paper(steps):
    process, mixture = Karras(sigma_data=0.7), GaussianMixture()
    sigma = torch.logspace(-3, 2, len(START), dtype=torch.float64)
    found = process.denoised(ExactDenoiser(0.7), START, sigma)
    torch.testing.assert_close(found, mixture.expected(START, 1, sigma[:, None]), rtol=1e-6, atol=1e-9)
    if steps == 1:
        return
    made = Sampler(process, (1,), steps, "heun")(ExactDenoiser(0.7), START)
    wanted = reference.algorithm_1(lambda x, t: mixture.expected(x, 1, t), START, steps, 0.002, 80.0, 7.0)
    torch.testing.assert_close(made, wanted, rtol=1e-6, atol=0)


EXACT = {
    "edm": (Karras(sigma_min=1e-4, sigma_max=20.0), ExactDenoiser(0.5), (1, 20.0)),
    "flow": (Straight(), ExactVelocity(), (0, 1.0)),
}


@pytest.mark.parametrize("kind", EXACT)
def test_fine_steps_lead_to_the_quantile_of_the_data_that_the_noise_has(kind):
    """On a line dx/dt keeps the order of samples: where a sample ends its data have as much below as its start had."""
    process, exact, start = EXACT[kind]
    mixture, begun = GaussianMixture(), process.start(START)
    wanted = mixture.cumulative(begun, *start)
    made = {
        (solver, steps): mixture.cumulative(Sampler(process, (1,), steps, solver)(exact, START), 1, 0)
        for solver, steps in (("heun", 60), ("heun", 120), ("heun", 250), ("heun", 500), ("euler", 60), ("euler", 120))
    }
    errors = {which: float((found - wanted).abs().max()) for which, found in made.items()}
    assert 3.5 < errors["heun", 60] / errors["heun", 120] < 4.5  # of second order
    assert 1.8 < errors["euler", 60] / errors["euler", 120] < 2.3  # of first
    finest = (4 * made["heun", 500] - made["heun", 250]) / 3  # as if the steps were infinitely fine
    torch.testing.assert_close(finest, wanted, rtol=1e-6, atol=1e-6)


class Counting(nn.Module):
    """dx/dt is 1 for the samples of class 1, 0.5 for others, and 0 without a label."""

    shape = (2,)
    calls = 0

    def forward(self, x, noise, labels=None, told=None):
        self.calls += 1
        rate = 0.0 if labels is None else torch.where(labels == 1, 1.0, 0.5)[:, None]
        return rate + torch.zeros_like(x)


@pytest.mark.parametrize(
    ("solver", "steps", "guidance", "calls"),
    [("euler", 7, 1.0, 7), ("heun", 7, 1.0, 13), ("heun", 1, 1.0, 1), ("heun", 7, 3.0, 26), ("euler", 4, 0.0, 4)],
)
def test_guidance_goes_on_from_no_label_past_the_label(solver, steps, guidance, calls):
    played = game(net := Counting(), "flow", steps=steps, solver=solver, guidance=guidance)
    assert (played.nfe, played.latent) == (calls, 2)
    z = torch.randn(4, 2)
    made = played.decode(z, torch.tensor([0, 1, 2, 1]))
    assert net.calls == calls
    torch.testing.assert_close(made - z, guidance * torch.tensor([0.5, 1, 0.5, 1])[:, None].expand(4, 2))


@pytest.mark.parametrize(("classes", "dropout"), [(0, 0.1), (10, 0.0)])
def test_guidance_needs_what_it_is_learned_by(classes, dropout):
    with pytest.raises(ValueError, match=r"model\.guidance=2: needs labels"):
        game(classes=classes, label_dropout=dropout, guidance=2)
    assert game(classes=0, guidance=1).decode(torch.zeros(2, 64)).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("process", PROCESSES)
def test_samples_are_functions_of_their_noise(process):
    played = moved(game(process=process, ema=0.9, steps=4))
    assert isinstance(played, Denoises)
    assert not isinstance(played, Discriminates)
    z, labels = played.latents(6, torch.Generator().manual_seed(0)), torch.arange(6)
    made = played.sample(6, labels, torch.Generator().manual_seed(0))
    assert torch.equal(made, played.decode(z, labels))
    some = played.sample(6, labels, torch.Generator().manual_seed(0), only=torch.tensor([1, 4]))
    torch.testing.assert_close(some, made[[1, 4]])
    states = played.trajectory(z, labels)
    assert len(states) == 5
    torch.testing.assert_close(states[-1].clamp(-1, 1), made)
    spread = 1.0 if process == "flow" else 0.5  # of EDM what data of σ_data have, times 80 / √(80² + 0.5²)
    torch.testing.assert_close(states[0], spread * z.unflatten(1, (1, 8, 8)), rtol=1e-4, atol=1e-6)
    with played.live_weights():
        assert not torch.equal(made, played.decode(z, labels))


@pytest.mark.parametrize("size", [[7, 12], [9, 10]])
def test_a_u_net_takes_pictures_of_any_size(size):
    torch.manual_seed(0)
    net = moved(UNet(size, 3, width=8, levels=3, patch=2, classes=4))
    x, noise, labels = torch.randn(5, 3, *size), torch.rand(5), torch.arange(5) % 4
    assert net(x, noise, labels).shape == x.shape
    told = torch.tensor([True, False, True, False, True])
    mixed = net(x, noise, labels, told)
    torch.testing.assert_close(mixed[told], net(x, noise, labels)[told], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(mixed[~told], net(x, noise)[~told], rtol=1e-4, atol=1e-5)
    assert (net(x, noise, labels) - net(x, noise)).abs().max() > 1e-3
    assert net(x, noise + 0.1, labels).sub(net(x, noise, labels)).abs().max() > 1e-3
