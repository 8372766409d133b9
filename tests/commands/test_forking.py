"""`forger train --from`: a run, or a file of weights, as the beginning of another run."""

import sys

import pytest
import torch
from safetensors.torch import save_file

from forger import cli
from forger.building import build_game
from forger.commands.reproduce.execution import reproduce
from forger.config.schema import validate
from forger.errors import ConfigError
from forger.games.adversarial import AdversarialGame
from forger.hashing import weights_sha256
from forger.lifecycle.finding import checkpoint_of, config_of
from forger.lifecycle.inheriting import Parent, parent_at
from forger.run_folder import RunFolder
from running import SMALL, composed, trained

NARROW = ("model.generator.width=4", "model.discriminator.width=4")


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("original"), *NARROW)


@pytest.fixture
def fork(tmp_path, monkeypatch):
    """The newest run after `forger train --from …`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["forger"])

    def train(*arguments: str) -> RunFolder:
        assert cli.main(["train", *arguments, "run.root=forks"]) == 0
        return RunFolder(max(tmp_path.glob("forks/*/*"), key=lambda path: path.stat().st_mtime_ns))

    return train


def test_a_fork_begins_with_its_parents_weights_on_a_clock_of_its_own(original, fork, capsys):
    rate = "model.players.generator.optimizer.lr=1e-5"
    child = fork("--from", str(original.path), "budget.images=320", rate)
    record, parent = child.read(), original.read()
    assert (record.status, record.images, record.name) == ("finished", 320, parent.name)
    assert record.id != parent.id
    assert record.parent == {
        "id": parent.id,
        "path": str(original.path),
        "checkpoint": "final.ckpt",
        "images": 640,
        "weights_sha256": parent.weights_sha256,
    }
    config = config_of(child)
    assert config.model["players"]["generator"]["optimizer"]["lr"] == 1e-5
    # What was tied to the budget still is.
    assert config.model["players"]["generator"]["schedule"]["budget"] == 320
    assert record.command == f"forger train --from={original.path} budget.images=320 {rate} run.root=forks"
    # The same command is the same run, and the record's own command is that command.
    capsys.readouterr()
    assert cli.main(record.command.split()[1:]) == 0
    assert f"already finished: forks/{record.name}/{record.id}" in capsys.readouterr().err


def test_a_fork_can_start_from_any_checkpoint_and_change_whole_groups(original, fork):
    best = original.checkpoints / "best.ckpt"
    child = fork("--from", str(best), "budget.images=128", "model/loss=hinge", "metrics=none")
    record = child.read()
    assert record.parent["checkpoint"] == "best.ckpt"
    assert record.parent["weights_sha256"] == weights_sha256(parent_at(best).weights)
    assert config_of(child).model["loss"]["_target_"].endswith(".hinge")
    assert record.scores["final"] == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["model.generator.width=5"],
            "its weights don't fit this model; --partial takes what fits (of another shape: gen",
        ),
        (["--partial", "model=autoencoder", "metrics=none"], "none of its weights fits this model"),
        (["experiment=digits_gan"], "experiment=digits_gan: --from takes the config of"),
        (["sedd=1"], "did you mean 'seed'?"),
        (["model/loss=hinje"], "did you mean 'hinge'?"),
    ],
)
def test_what_a_fork_can_not_be(original, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["forger"])
    assert cli.main(["train", "--from", str(original.path), *arguments, "run.root=forks"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("forger: ")]
    assert len(lines) == 1
    assert said in lines[0]


def test_a_fork_is_reproduced_too(original, fork):
    child = fork("--from", str(original.path), "budget.images=128", *[s for s in SMALL if s.startswith("log")])
    with pytest.raises(ConfigError, match=r"run\.parent=RUN"):
        reproduce(str(child.path))
    assert reproduce(str(child.path), places={"run.parent": str(original.path)}) == 0


# Transfer ---------------------------------------------------------------------------------------------------


def test_what_fits_is_taken_and_the_rest_is_named(original, fork, capsys):
    """On data of other classes and another size the shapes of what meets pictures and labels differ."""
    data = ("data=stacked_digits", "metrics=none", "budget.images=64")
    child = fork("--from", str(original.path), "--partial", *data)
    config = config_of(child)
    assert config.model["discriminator"]["shape"] == [3, 8, 8]
    assert config.model["classes"] == config.model["generator"]["classes"] == 1000
    said = capsys.readouterr().err
    assert f"tensors are those of {original.path}; of another shape: " in said
    assert "discriminator.blocks.0.0.weight 4×64, here 4×192" in said
    assert "--from=" in child.read().command
    assert "run.partial=true" in child.read().command


def test_partial_loading_tensor_by_tensor(original):
    """What fits has the parent's bits, what does not its own, and averages without a parent begin at the weights."""
    parent = parent_at(original.path)
    own = {name: value.clone() for name, value in _game().state_dict().items()}
    odd = "generator.blocks.0.0.weight"
    weights = {n: v for n, v in parent.weights.items() if not n.startswith("average.")} | {odd: torch.zeros(3, 3)}
    game = _game()
    Parent(parent.about, weights).give(game, partial=True)
    for name, value in game.state_dict().items():
        live = name.replace("average.network", "generator")
        assert torch.equal(value, own[odd] if live == odd else parent.weights[live]), name


def test_weights_from_a_file(original, tmp_path, fork):
    """They are a part of the run's identity, and the record has their hash."""
    weights = parent_at(original.path).weights
    file = tmp_path / "its weights.safetensors"
    save_file({name: value.contiguous() for name, value in weights.items()}, file)
    child = fork("--from", str(file), "budget.images=64", *NARROW, *[s for s in SMALL if s.startswith(("log", "met"))])
    assert child.read().parent == {"path": str(file), "weights_sha256": original.read().weights_sha256}
    assert cli.main(["export", str(original.path), "--format", "safetensors", "-o", str(tmp_path / "out")]) == 0
    exported = parent_at(tmp_path / "out" / "generator.safetensors")
    game = _game()
    exported.give(game, partial=True)
    # It holds the averaged weights, with which both the generator and its average begin.
    for name, value in game.generator.state_dict().items():
        assert torch.equal(value, weights[f"average.network.{name}"]), name
        assert torch.equal(value, game.state_dict()[f"average.network.{name}"]), name
    file.write_bytes(b"not weights")
    with pytest.raises(ConfigError, match=r"its weights\.safetensors: not read as safetensors"):
        parent_at(file)


# Frozen layers ----------------------------------------------------------------------------------------------


def test_frozen_layers_keep_their_bits(tmp_path):
    """Weights, the statistics of batch norm and the vectors of spectral norm (FreezeD: Mo et al., 2020)."""
    frozen = "+model.players.discriminator.freeze=[discriminator.blocks.1.*]"
    shape = ("model=dcgan", "model.generator.width=4", "model.discriminator.width=4", "+model.discriminator.smallest=2")
    for norm in ("batch", "spectral"):
        config = (*shape, f"++model.discriminator.norm={norm}", "metrics=none", frozen)
        before = build_game(validate(composed(*config))).state_dict()
        after = checkpoint_of(trained(tmp_path / norm, *config))[1]["state_dict"]
        changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
        kept = {name for name in after if name.startswith("discriminator.blocks.1.")}
        assert len(kept) > 1
        assert not changed & kept
        assert {
            name for name in after if name.startswith("discriminator.") and name.endswith(("weight", "original"))
        } - kept <= changed


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (
            "discriminator.block.*",
            r"freeze=discriminator\.block\.\*: no parameter of this name; there are discriminator\.",
        ),
        ("*", "model.players.discriminator.freeze: leaves no parameter to train"),
    ],
)
def test_patterns_that_can_not_be(pattern, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        trained(tmp_path, f"+model.players.discriminator.freeze=['{pattern}']")


def _game() -> AdversarialGame:
    game = build_game(validate(composed(*NARROW, "seed=7", "model.ema=0.9")))
    assert isinstance(game, AdversarialGame)
    return game
