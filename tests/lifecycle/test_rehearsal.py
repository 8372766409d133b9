"""A rehearsed round leaves no trace, and tells what does not fit."""

import os
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from forger.building import build_game, load_data
from forger.config.placement import check_launcher, check_placement
from forger.config.schema import Config, TrainerConfig, validate
from forger.data.dataset import Data
from forger.errors import ConfigError
from forger.games.base import Game
from forger.lifecycle.rehearsal import rehearse
from running import composed

PLACED = TrainerConfig(accelerator="cpu")


@pytest.fixture(scope="module")
def parts() -> tuple[Game, Data, Config]:
    config = validate(composed("experiment=digits_dcgan", "model.generator.width=8", "model.discriminator.width=8"))
    return build_game(config), load_data(config.data), config


def test_nothing_of_it_is_left(parts: tuple[Game, Data, Config]) -> None:
    game, data, config = parts
    before = {name: value.clone() for name, value in game.state_dict().items()}
    stream = torch.get_rng_state()
    rehearse(game, data, config)
    assert all(torch.equal(value, before[name]) for name, value in game.state_dict().items())
    assert torch.equal(torch.get_rng_state(), stream)
    assert (game.iteration, game.shown) == (0, 0)
    assert all(parameter.grad is None for parameter in game.parameters())


class Packs(nn.Module):
    """A discriminator that judges three samples at once (PacGAN), so that two are too few."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = nn.Linear(3 * 64, 1)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        return self.judge(x.reshape(-1, 3 * 64)).squeeze(1)


def test_a_network_that_needs_more_than_a_few_gets_its_batch(parts: tuple[Game, Data, Config]) -> None:
    _, data, config = parts
    game = build_game(config)
    game.discriminator = Packs()
    rehearse(game, data, replace(config, data=replace(config.data, batch_size=63)))
    with pytest.raises(
        ConfigError, match=r"model: does not fit data=digits \(images of 1x8x8, 10 classes, 64 a batch\)"
    ):
        rehearse(game, data, replace(config, data=replace(config.data, batch_size=64)))


def test_the_data_lack_what_a_game_needs(parts: tuple[Game, Data, Config]) -> None:
    _, data, _ = parts
    config = validate(composed("experiment=digits_cyclegan"))
    with pytest.raises(ConfigError, match="the data have no 'target', which this game needs"):
        rehearse(build_game(config), data, config)


def test_processes_on_one_machine_and_on_several(monkeypatch: pytest.MonkeyPatch) -> None:
    check_placement(replace(PLACED, devices=2))
    for name in ("SLURM_JOB_ID", "MASTER_ADDR", "NODE_RANK", "GROUP_RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="nobody has started"):
        check_placement(replace(PLACED, num_nodes=2))
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    check_placement(replace(PLACED, num_nodes=2))


def test_gpus_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for devices in (1, 2, -1, "auto", [0], [1, 0]):
        check_placement(replace(PLACED, accelerator="gpu", devices=devices, precision="16-mixed"))
    for devices in (3, [0, 0], [2]):
        with pytest.raises(ConfigError, match=r"trainer\.devices="):
            check_placement(replace(PLACED, accelerator="gpu", devices=devices))


def test_what_a_launcher_says_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_PROCID", "three")
    with pytest.raises(ConfigError, match="SLURM_PROCID=three in the environment"):
        check_launcher()
    assert "SLURM_PROCID" in os.environ
