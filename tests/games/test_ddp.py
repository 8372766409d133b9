"""Two processes against one with the double batch: every loss with every penalty, and the other techniques."""

import socket

import pytest
import torch
import torch.multiprocessing as mp

from forking import serve
from games.ddp_worker import LOSSES, PENALTIES, TECHNIQUES, work

#: Pairs of loss and penalty. Their gradients add, so each loss once and each penalty once show most of it.
COMBINATIONS = [
    pytest.param(loss, penalty, marks=() if loss == "hinge" or penalty == "none" else pytest.mark.long)
    for loss in LOSSES
    for penalty in PENALTIES
]


def play(path, world, combinations):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve()
    mp.start_processes(work, args=(path, world, port, combinations), nprocs=world, start_method="forkserver")
    return torch.load(path)


@pytest.fixture(scope="module")
def played(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ddp")
    asked = [item.callspec.params for item in request.session.items if item.originalname.endswith("loss_and_penalty")]
    combinations = [(params["loss"], params["penalty"]) for params in asked]
    return play(folder / "one.pt", 1, combinations), play(folder / "two.pt", 2, combinations)


def difference(one, two, prefix):
    """‖a − b‖ / ‖a‖ over all tensors of a network."""
    names = [name for name in one if name.startswith(prefix)]
    a, b = (torch.cat([tensors[name].flatten() for name in names]) for tensors in (one, two))
    return float((a - b).norm() / a.norm())


@pytest.mark.parametrize(("loss", "penalty"), COMBINATIONS)
def test_gradients_of_every_loss_and_penalty(played, loss, penalty):
    one, two = (found[f"{loss}/{penalty}"] for found in played)
    assert one["shown"] == two["shown"] == 3 * 64
    for player in ("discriminator", "generator"):
        assert difference(one["gradients"], two["gradients"], player) <= 1e-5, player
    for name, value in one["buffers"].items():
        torch.testing.assert_close(two["buffers"][name], value, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("technique", [*TECHNIQUES, "conditions", "codes", "styles", "accumulate", "pairs"])
def test_gradients_of_every_other_technique(played, technique):
    one, two = (found[f"hinge/{technique}"] for found in played)
    for part in {name.partition(".")[0] for name in one["gradients"]}:  # players, and heads of objectives
        assert difference(one["gradients"], two["gradients"], part) <= 1e-5, part
    for name, value in one["buffers"].items():
        torch.testing.assert_close(two["buffers"][name], value, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "kind", ["conditional", "total_correlation", "wasserstein", "adversarial", "vae_gan", "codebook"]
)
def test_gradients_of_autoencoders(played, kind):
    one, two = (found[f"autoencoder/{kind}"] for found in played)
    for part in {name.partition(".")[0] for name in one["gradients"]}:
        assert difference(one["gradients"], two["gradients"], part) <= 1e-5, part
    for name, value in one["buffers"].items():
        assert torch.equal(two["buffers"][name], value), name


def test_weights_after_a_dozen_rounds_of_adam(played):
    one, two = (found["adam"] for found in played)
    for name, value in one["weights"].items():
        assert (two["weights"][name] - value).norm() / value.norm() <= 1e-5, name
