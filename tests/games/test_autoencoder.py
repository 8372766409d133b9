"""AutoencoderGame and VariationalGame against plain PyTorch loops, and what they promise of their own."""

import copy
import itertools
from functools import partial

import pytest
import pytorch_lightning as pl
import torch

from forger.config.schema import validate
from forger.data.images import digits
from forger.data.loader import Batches
from forger.data.pixels.ranges import to_float
from forger.games.abilities import Samples
from forger.games.autoencoder import AutoencoderGame
from forger.games.base import Player
from forger.games.variational import VariationalGame
from forger.losses.reconstruction import l1
from forger.networks.autoencoders import MLP, Convolutional
from games.training import train
from reference import autoencoder as reference
from running import composed

ADAM = partial(torch.optim.Adam, lr=1e-3)


def network(kind="mlp", **options):
    torch.manual_seed(1)
    if kind == "convolutional":
        return Convolutional(8, 1, 4, width=4, norm="batch", **options)
    return MLP([1, 8, 8], 4, [16, 12], **options)


def game(net, kind=AutoencoderGame, **options):
    return kind(net, {"autoencoder": Player(ADAM)}, **options)


def batches(batch_size=32):
    return Batches(digits().train, batch_size=batch_size, seed=0, position=lambda: 0)


def images(n=40):
    return to_float(digits().test.arrays["image"][:n])


def equal(one, other):
    return all((value - other.state_dict()[name]).abs().max() == 0 for name, value in one.state_dict().items())


@pytest.mark.parametrize("kind", ["mlp", "convolutional"])
@pytest.mark.parametrize(
    "options",
    [{}, {"noise": 0.25}, {"sparsity": 0.1, "code": "relu"}, {"noise": 0.1, "sparsity": 0.1, "code": "relu"}],
)
def test_rounds_equal_a_plain_loop_bit_by_bit(kind, options):
    net = network(kind, code=options.pop("code", "identity"))
    other = copy.deepcopy(net)
    train(game(net, **options), batches(), 5)
    few = itertools.islice(batches(), 5)
    reference.train(other, ADAM, few, noise=options.get("noise", 0), weight=options.get("sparsity", 0))
    assert equal(net, other)


def test_stacked_rounds_equal_a_plain_loop_bit_by_bit():
    """Half of 12 rounds, for three stages: two rounds each."""
    net = network()
    other = copy.deepcopy(net)
    train(game(net, pretraining=0.5, budget=12 * 32), batches(), 12)
    reference.train(other, ADAM, itertools.islice(batches(), 12), rounds_per_stage=2)
    assert equal(net, other)


@pytest.mark.parametrize("kind", ["mlp", "convolutional"])
def test_variational_rounds_equal_a_plain_loop_bit_by_bit(kind):
    net = network(kind, variational=True)
    other = copy.deepcopy(net)
    train(game(net, VariationalGame, r_loss_factor=300.0, beta=2.0), batches(), 5)
    reference.train_variational(other, ADAM, itertools.islice(batches(), 5), r_loss_factor=300.0, beta=2.0)
    assert equal(net, other)


@pytest.mark.parametrize("stages", [False, True], ids=["variational", "stacked"])
@pytest.mark.parametrize("kind", ["mlp", "convolutional"])
def test_an_average_equals_a_hand_made_one_of_the_plain_loop(kind, stages):
    net = network(kind, variational=not stages)
    other, average = copy.deepcopy(net), copy.deepcopy(net)
    few = itertools.islice(batches(), 8)
    if stages:
        depth = len(net.encoder)
        played = game(net, pretraining=0.75, budget=8 * 32 * depth // 3, ema=0.9)
        reference.train(other, ADAM, few, rounds_per_stage=2, average=average)
    else:
        played = game(net, VariationalGame, ema=0.9)
        reference.train_variational(other, ADAM, few, average=average)
    train(played, batches(), 8)
    assert equal(net, other)
    assert equal(played.average.network, average)
    with played.live_weights():
        live = played.reconstruct(images())
    assert torch.equal(live, game(other, type(played)).reconstruct(images()))
    assert torch.equal(played.reconstruct(images()), game(average, type(played)).reconstruct(images()))
    assert not torch.equal(live, played.reconstruct(images()))
    assert not any("average" in name for name in game(network(kind)).state_dict())


def test_the_variational_loss_is_the_notes_formula():
    """r_loss_factor × per-pixel mean squared error in [0, 1] + ½ Σ (μ² + eᵛ − v − 1), z = μ + e^{v/2} ε."""
    played = game(network(variational=True), VariationalGame)
    batch = played.prepared({"image": digits().train.arrays["image"][:32]})
    terms = played.objective("autoencoder", batch)
    pixels = digits().train.arrays["image"][:32] / 255
    mean, v = played.autoencoder.encode(2 * pixels - 1)
    z = mean + torch.exp(v / 2) * torch.randn(mean.shape, generator=played.stream("posterior"))
    probabilities = (played.autoencoder.decode(z) + 1) / 2
    error = ((probabilities - pixels) ** 2).mean()
    kl = (0.5 * (mean**2 + torch.exp(v) - v - 1).sum(1)).mean()
    torch.testing.assert_close(terms, {"reconstruction": 1000 * error, "kl": kl}, rtol=1e-5, atol=1e-6)


def test_beta_weighs_the_divergence_alone():
    terms = {}
    for beta in (1.0, 4.0):
        played = game(network(variational=True), VariationalGame, beta=beta)
        batch = played.prepared({"image": digits().train.arrays["image"][:32]})
        terms[beta] = played.objective("autoencoder", batch)
    assert terms[4.0]["reconstruction"] == terms[1.0]["reconstruction"]
    torch.testing.assert_close(terms[4.0]["kl"], 4 * terms[1.0]["kl"])


def test_noise_goes_in_unclipped_and_the_clean_image_is_asked_for():
    played = game(network(), noise=0.25)
    batch = played.prepared({"image": digits().train.arrays["image"][:640]})
    noise = (batch["input"] - batch["image"]) / 2  # on the scale [0, 1]
    assert noise.std() == pytest.approx(0.25, rel=0.02)
    assert batch["input"].abs().max() > 1.5
    again = played.prepared({"image": digits().train.arrays["image"][:640]})
    assert torch.equal(again["input"], batch["input"])
    played.iteration = 1
    later = played.prepared({"image": digits().train.arrays["image"][:640]})
    assert not torch.equal(later["input"], batch["input"])
    clean = played.objective("autoencoder", batch)["reconstruction"]
    decoded = played.autoencoder(batch["input"])
    torch.testing.assert_close(clean, (decoded - batch["image"]).square().mean())


@pytest.mark.parametrize("purpose", ["noise", "posterior"])
def test_ranks_share_the_noise_of_one_process(purpose):
    alone, shape = game(network()), (8, 1, 8, 8)
    whole = alone.noise(purpose).normal(torch.Size(shape))
    for rank in range(2):
        ranked = game(network())
        ranked.rank, ranked.world = rank, 2
        assert torch.equal(ranked.noise(purpose).normal(torch.Size((4, 1, 8, 8))), whole[rank::2])


def test_the_penalty_turns_units_off():
    codes = {}
    for weight in (0.0, 1.0):
        played = train(game(network(code="relu"), sparsity=weight), batches(), 100)
        codes[weight] = played.encode(images())
    assert codes[1.0].mean() < 0.5 * codes[0.0].mean()


def test_the_loss_is_the_one_given():
    played = game(network(), loss=l1)
    batch = played.prepared({"image": digits().train.arrays["image"][:32]})
    term = played.objective("autoencoder", batch)["reconstruction"]
    torch.testing.assert_close(term, (played.autoencoder(batch["image"]) - batch["image"]).abs().mean())


def test_stages_are_told_from_the_images_shown():
    """Three stages in 60 % of 1,000 images: 200 each."""
    played = game(network(), pretraining=0.6, budget=1000)
    turns = {}
    for shown in (0, 199, 200, 399, 400, 599, 600, 999, 2000):
        played.shown = shown
        turns[shown] = played.round()
    assert [turns[shown] for shown in (0, 200, 400, 600)] == [["stage_1"], ["stage_2"], ["stage_3"], ["autoencoder"]]
    assert all(turns[last] == turns[first] for first, last in ((0, 199), (200, 399), (400, 599), (600, 2000)))


def test_a_stage_moves_nothing_but_itself():
    net = network()
    before = copy.deepcopy(net)
    played = game(net, pretraining=1.0, budget=96)
    played.shown = 32
    train(played, batches(), 1)
    moved = [name for name, value in net.state_dict().items() if not torch.equal(value, before.state_dict()[name])]
    assert {name[:9] for name in moved} == {"encoder.1", "decoder.1"}
    assert {name for name in played.observed if name.startswith("train/")} == {"train/stage_2/reconstruction"}


def test_stages_go_on_from_a_checkpoint_bit_by_bit(tmp_path):
    """Cut in the middle of the second of three stages; the loader goes on from the game's clock."""
    whole, first, second = (game(network(), pretraining=0.75, budget=12 * 32) for _ in range(3))
    play(whole, until=12)
    play(first, until=5).save_checkpoint(tmp_path / "cut.ckpt")
    play(second, until=12, ckpt_path=tmp_path / "cut.ckpt", weights_only=True)
    assert equal(whole, second)
    assert not equal(first, second)


def play(played, until, **options):
    """Rounds until the game's clock says so, continuing where it stands."""

    class Stop(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            trainer.should_stop = pl_module.iteration >= until

    silent = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = pl.Trainer(**silent, accelerator="cpu", max_epochs=-1, enable_model_summary=False, callbacks=[Stop()])
    stream = Batches(digits().train, batch_size=32, seed=0, position=lambda: played.iteration)
    trainer.fit(played, stream, **options)
    return trainer


def test_without_pretraining_there_are_no_stages():
    assert list(game(network()).players) == ["autoencoder"]


@pytest.mark.parametrize("kind", ["mlp", "convolutional"])
def test_encoding_decoding_and_reconstructing_leave_the_network_as_it_was(kind):
    played = game(network(kind)).train()
    before = copy.deepcopy(played.autoencoder)
    x = to_float(digits().train.arrays["image"][:600])  # more than are decoded at a time
    codes = played.encode(x)
    assert codes.shape == (600, played.latent) == (600, 4)
    assert torch.equal(played.decode(codes), played.reconstruct(x))
    assert played.autoencoder.training
    assert equal(played.autoencoder, before)
    torch.testing.assert_close(played.encode(x[:3]), codes[:3])
    assert not codes.requires_grad


def test_a_variational_code_is_the_posteriors_mean():
    played = game(network(variational=True), VariationalGame)
    mean, log_variance = played.posterior(images())
    assert mean.shape == log_variance.shape == (40, 4)
    assert torch.equal(played.encode(images()), mean)
    assert torch.equal(played.reconstruct(images()), played.decode(mean))


def test_variational_samples_follow_their_generator_and_are_decoded_normals():
    played = game(network(variational=True), VariationalGame)
    draw = lambda seed, **o: played.sample(20, generator=torch.Generator().manual_seed(seed), **o)  # noqa: E731
    assert draw(0).shape == (20, 1, 8, 8)
    assert draw(0).abs().max() <= 1
    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))
    z = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(draw(0), played.decode(z))
    torch.testing.assert_close(draw(0, only=torch.arange(1, 20, 2)), draw(0)[1::2])


def test_a_plain_autoencoder_can_not_sample():
    assert not isinstance(game(network()), Samples)
    assert isinstance(game(network(variational=True), VariationalGame), Samples)


def test_networks_that_do_not_fit_their_game_are_refused():
    with pytest.raises(ValueError, match=r"variational=true: AutoencoderGame needs false"):
        game(network(variational=True))
    with pytest.raises(ValueError, match=r"variational=false: VariationalGame needs true"):
        game(network(), VariationalGame)
    with pytest.raises(ValueError, match=r"model\.pretraining=0\.5 is a share of model\.budget, which is not set"):
        game(network(), pretraining=0.5)


@pytest.mark.parametrize("name", ["ae", "stacked_ae", "sparse_ae", "denoising_ae", "vae"])
def test_every_experiment_takes_a_convolutional_network(name):
    model = validate(composed(f"experiment=digits_{name}", "model/autoencoder=convolutional")).model
    assert model["autoencoder"]["_target_"] == "forger.networks.autoencoders.Convolutional"
    assert model["autoencoder"]["variational"] == (name == "vae")
    assert model["autoencoder"]["code"] == ("relu" if name == "sparse_ae" else "identity")
