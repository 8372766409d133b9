"""A remedy is valid for the model that it is for, and does what its override says."""

import shlex

import pytest

from forger.config.schema import validate
from forger.config.targets import Node
from forger.watch.alarms import PATTERNS
from forger.watch.remedies import remedied, remedy
from running import composed

MODELS = ("dcgan", "dcgan_r1", "gan", "cgan", "vae", "autoencoder", "cyclegan", "flow")
DATA = {"cyclegan": ("data=digits_inverted", "metrics=translation")}


def model_of(*overrides: str) -> Node:
    return validate(composed(*overrides)).model


@pytest.mark.parametrize("model", MODELS)
def test_the_override_gives_the_changed_config(model):
    base = (f"model={model}", *DATA.get(model, ("data=digits", "metrics=none")))
    before = model_of(*base)
    for alarm in PATTERNS:
        found = remedy(alarm, before)
        if found is not None:
            assert found.changes
            assert model_of(*base, *shlex.split(found.override)) == remedied(before, found.changes), alarm


@pytest.mark.parametrize(
    ("alarm", "overrides", "wanted"),
    [
        ("vanishing_generator_gradient", ["model=gan", "model/loss=minimax"], "model/loss=non_saturating"),
        ("discriminator_memorises", ["model=gan"], "+model.penalties.r1="),
        ("discriminator_wins", ["model=gan_r1"], "model.penalties.r1.weight=0.9"),
        ("mode_collapse", ["model=gan", "model.players.generator.optimizer.betas=[0.9,0.99]"], "betas=[0.0, 0.99]"),
        ("mode_collapse", ["model=gan", "model.players.generator.optimizer.lr=0.02"], "optimizer.lr=0.005"),
        ("divergence", ["model=gan"], "model.players.generator.optimizer.lr=0.00025"),
        ("posterior_collapse", ["model=vae", "model.beta=100"], "model.beta=25.0"),
        ("mode_collapse", ["model=vae"], "model.beta=0.25"),
        ("denoiser_memorises", ["model=flow"], "model.denoiser.dropout=0.2"),
        ("oscillation", ["model=vae"], "model.players.autoencoder.optimizer.lr=0.0005"),
        ("oscillation", ["model=gan"], "+model.penalties.r1="),
        ("scattered_samples", ["model=gan", "+model.players.discriminator.every=20"], "discriminator.every=1"),
        ("scattered_samples", ["model=gan"], "model.players.generator.optimizer.lr=0.00025"),
    ],
)
def test_what_is_prescribed(alarm, overrides, wanted):
    found = remedy(alarm, model_of("data=digits", "metrics=none", *overrides))
    assert found is not None
    assert wanted in found.override


@pytest.mark.parametrize("model", ["vae", "gan"])
def test_nothing_is_prescribed_against_blur(model):
    assert remedy("blurred_samples", model_of("data=digits", "metrics=none", f"model={model}")) is None


def test_after_one_remedy_comes_the_next():
    model = model_of("data=digits", "metrics=none", "model=gan", "model.players.generator.optimizer.lr=0.02")
    seen = []
    for _ in range(3):
        found = remedy("mode_collapse", model)
        assert found is not None
        seen.append(found.override)
        model = remedied(model, found.changes)
    assert len(set(seen)) == 3


def test_the_config_itself_is_left_alone():
    model = model_of("data=digits", "metrics=none", "model=gan_r1")
    found = remedy("discriminator_wins", model)
    assert found is not None
    assert remedied(model, found.changes)["penalties"]["r1"]["weight"] == pytest.approx(0.9)
    assert model["penalties"]["r1"]["weight"] == pytest.approx(0.3)
