"""Every preset with an override is told a class or several labels, or says in one line why not."""

import numpy as np
import pytest
import torch

from forger import cli
from forger.building import build_game, check_declared, load_data
from forger.config.schema import validate
from forger.config.shipped import config_groups
from forger.data.images import digits
from forger.data.loader import Batches
from forger.errors import ConfigError
from games.training import train
from running import composed

SMALL = ("++model.generator.width=8", "++model.discriminator.width=8", "data.batch_size=8", "metrics=none")
PRESETS = config_groups()["model"]
OF_POINTS = ("gan_1d", "gan_2d")
ADVERSARIAL = [
    preset for preset in PRESETS
    if composed(f"model={preset}").model._target_ == "forger.games.adversarial.AdversarialGame"
]  # fmt: skip
TOLD = ("cgan", "cdcgan", "biggan", "flow", "diffusion")
#: Told a class, and no several labels.
TOLD_CLASSES = ("cvae",)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Digits with an attribute of two values, one of ten, and a number."""
    images, label = digits().train.arrays["image"][:200].numpy(), digits().train.arrays["label"][:200].numpy()
    path = tmp_path_factory.mktemp("labelled") / "labelled.npz"
    np.savez(path, images=images, even=label % 2 == 0, digit=label, ink=images.mean((1, 2, 3)))
    return ("data=files", f"data.root={path}", "data.label=[even,digit,ink]")


def conditional(preset, how="projection"):
    if preset in TOLD:
        return (f"model={preset}", *([] if how == "projection" else [f"model.discriminator.condition={how}"]))
    return (f"model={preset}", f"+model/conditional={how}")


def played(*overrides):
    """The game of a config before and after a few rounds."""
    config = validate(composed(*overrides, *SMALL))
    check_declared(config)
    data, game, before = load_data(config.data), build_game(config), build_game(config)
    batches = Batches(data.train, batch_size=config.data.batch_size, flip=False, seed=0, position=lambda: game.shown)
    return before, train(game, batches, 2)


def moved(before, game):
    """The rows of each label embedding that training has changed."""
    then, now = (dict(each.named_parameters()) for each in (before, game))
    found = {name: now[name] != then[name] for name in then if "embedding.weight" in name or
             "embedding.parametrizations.weight.original" in name}  # fmt: skip
    return {name: rows.any(1) for name, rows in found.items() if not name.startswith("average")}


OF_IMAGES = [preset for preset in ADVERSARIAL if preset not in OF_POINTS]


@pytest.mark.parametrize(
    ("preset", "how"),
    [*((preset, "projection") for preset in OF_IMAGES), *((p, "embedding") for p in ("gan", "dcgan", "sngan"))],
)
def test_every_adversarial_preset_is_told_several_labels(preset, how, labelled):
    before, game = played(*conditional(preset, how), *labelled)
    assert [condition.name for condition in game.conditions] == ["even", "digit", "ink"]
    rows = moved(before, game)
    assert {name.partition(".")[0] for name in rows} == {"generator", "discriminator"}
    for changed in rows.values():
        assert len(changed) == 2 + 10 + 1
        assert changed[:2].all()
        assert changed[2:12].sum() >= 5
        assert changed[12]
    asked = torch.tensor([[0.0, 3, 70], [1, 3, 70], [0, 4, 70], [0, 3, 90]])
    made = game.decode(torch.randn(1, game.latent).expand(4, -1), asked)
    assert all(not torch.equal(made[0], other) for other in made[1:])


@pytest.mark.parametrize("preset", ADVERSARIAL)
def test_every_adversarial_preset_is_told_a_class(preset):
    before, game = played(*conditional(preset), "data=ring8" if preset in OF_POINTS else "data=digits")
    assert game.classes == (8 if preset in OF_POINTS else 10)
    rows = moved(before, game)
    assert {name.partition(".")[0] for name in rows} == {"generator", "discriminator"}
    assert all(changed.sum() >= 3 for changed in rows.values())


def refusal(*overrides):
    with pytest.raises(ConfigError) as error:
        check_declared(validate(composed(*overrides)))
    return str(error.value)


ADDS = "add +model/conditional=projection, which tells all of its networks"


@pytest.mark.parametrize("preset", [preset for preset in PRESETS if preset not in (*OF_POINTS, *TOLD, *TOLD_CLASSES)])
def test_what_is_told_nothing_says_what_tells_it(preset, labelled):
    line = refusal(f"model={preset}", *labelled)
    if preset in ADVERSARIAL:
        assert line == f"data.label: the model is told no conditions: {ADDS}, or leave data.label out"
    elif preset in ("cyclegan", "pix2pix"):
        assert "it translates between two domains, and data=files has one" in line
    else:
        assert line == "data.label: the model takes no conditions: choose model=cgan or cdcgan, or leave data.label out"
        assert "no such key of forger.games" in refusal(f"model={preset}", "+model/conditional=projection", *labelled)


@pytest.mark.parametrize("preset", TOLD_CLASSES)
def test_what_is_told_a_class_takes_no_several_labels(preset, labelled):
    assert "must be a whole number" in refusal(f"model={preset}", *labelled)


@pytest.mark.parametrize("data", [("data=digits",), None], ids=["class", "conditions"])
@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_networks_that_are_told_less_than_the_game_are_refused(data, network, labelled):
    line = refusal(*conditional("sngan"), f"model.{network}.classes=0", *(data or labelled))
    assert line == f"model.{network}.classes: not model.classes, of which the game tells it: {ADDS}"


def test_a_refusal_is_one_line_before_data_are_read(labelled, monkeypatch, capsys):
    monkeypatch.setattr("forger.run.load_data", lambda _: pytest.fail("the data were read"))
    for model in ("hinge", "vae"):
        assert cli.main(["train", f"model={model}", *labelled, "logger=none"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("forger: data.label: the model ")
