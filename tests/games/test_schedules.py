"""Schedules, and everything that follows one: values, what is done with them, rows, and runs that go on."""

import json
import math
import re
from functools import partial

import pytest
import torch

from forger.augmentation.adaptive import Adaptive
from forger.cli import main
from forger.games.adversarial import AdversarialGame
from forger.games.base import Player
from forger.games.ema import HalfLife
from forger.games.schedules import constant, cosine, exponential, linear, piecewise
from forger.games.training.steering import steer
from forger.losses import adversarial as losses
from forger.losses.penalties import R1
from forger.networks import mlp
from games.training import train
from running import composed, interrupted, trained


def test_schedules_by_hand():
    assert [linear(i, budget=100, start=0.5) for i in (0, 50, 75, 100, 200)] == [1, 1, 0.5, 0, 0]
    assert [linear(i, budget=100, final=0.2) for i in (0, 50, 100)] == pytest.approx([1, 0.6, 0.2])
    assert [linear(i, budget=100, start=0.2, end=0.6) for i in (20, 40, 60, 90)] == pytest.approx([1, 0.5, 0, 0])
    assert [linear(i, budget=100, initial=3, final=5) for i in (0, 25, 100)] == [3, 3.5, 5]
    assert [cosine(i, budget=100) for i in (0, 50, 100, 200)] == pytest.approx([1, 0.5, 0, 0])
    assert cosine(100 / 3, budget=100, final=0.2) == pytest.approx(0.2 + 0.8 * 0.75)
    falling = [exponential(i, budget=100, start=0.2, end=0.8, final=0.01) for i in (0, 20, 50, 80, 100)]
    assert falling == pytest.approx([1, 1, 0.1, 0.01, 0.01])
    assert [exponential(i, budget=100, initial=8, final=2) for i in (0, 50, 100)] == [8, 4, 2]
    assert [constant(i, value=0.3) for i in (0, 9)] == [0.3, 0.3]
    bent = [(0.2, 1.0), (0.4, 3.0), (0.8, 2.0)]
    assert [piecewise(i, budget=100, points=bent) for i in (0, 20, 30, 40, 60, 80, 100)] == pytest.approx(
        [1, 1, 2, 3, 2.5, 2, 2]
    )
    stairs = [piecewise(i, budget=100, points=bent, steps=True) for i in (0, 20, 39, 40, 79, 80)]
    assert stairs == [1, 1, 1, 3, 3, 2]
    with pytest.raises(ValueError, match=r"points: their shares of the budget must rise"):
        piecewise(0, budget=100, points=[(0.5, 1.0), (0.5, 2.0)])


def published(images, base, final, total, warm=0.0, warm_images=0, hold=0):
    """Huang et al. 2024 in their code's terms: a line from `warm`, then `base`, then half a cosine to `final`."""
    if images < warm_images:
        return warm + images * (base - warm) / warm_images
    if images <= warm_images + hold:
        return base
    return base + (final - base) * (
        1 - 0.5 * (1 + math.cos(math.pi * (images - warm_images - hold) / (total - warm_images - hold)))
    )


@pytest.mark.parametrize(("base", "final"), [(0.05, 0.005), (2e-4, 5e-5), (0.9, 0.99), (0, 5e6), (0, 0.55), (150, 15)])
def test_the_cosine_is_that_of_r3gan(base, final):
    """Every annealed number of the published presets, over their burn-in of 20 million images; constant after it."""
    for share in (0, 0.25, 0.5, 1):
        images = round(share * 2e7)
        value = cosine(images, budget=20_000_000, initial=base, final=final)
        assert value == pytest.approx(published(images, base, final, 2e7), rel=1e-12, abs=1e-12)
    assert cosine(10**9, budget=20_000_000, initial=base, final=final) == final
    for images in (0, 1_000_000, 2_000_000, 3_500_000, 4_000_000, 11_000_000, 20_000_000):
        value = cosine(images, budget=20_000_000, initial=base, final=final, warm_up=0.1, cold=1.0, start=0.2)
        theirs = published(images, base, final, 2e7, 1.0, 2_000_000, 2_000_000)
        assert value == pytest.approx(theirs, rel=1e-12, abs=1e-12)


# A run with everything annealed ---------------------------------------------------------------------------------

#: Images of the schedules; a run has five rounds of 32 more.
BUDGET = 1152


def node(kind, **options):
    texts = [f"{name}:{value}".replace(" ", "") for name, value in options.items()]
    return f"{{{','.join([f'_target_:forger.games.schedules.{kind},_partial_:true,budget:{BUDGET}', *texts])}}}"


ANNEALED = (
    "model=gan", "data.batch_size=32", f"budget.images={BUDGET + 160}", "metrics=none", "samples.every_images=null",
    f"+model.penalties={{r1:{{_target_:forger.losses.penalties.R1,"
    f"weight:{node('cosine', initial=0.05, final=0.005)}}}}}",
    "+model.augmentations={ada:{_target_:forger.augmentation.adaptive.Adaptive,target:null,"
    f"p:{node('cosine', initial=0, final=0.55)}}},"
    f"noise:{{_target_:forger.augmentation.noise.InstanceNoise,std:{node('linear', initial=0.2, final=0.1)}}}}}",
    *(f"+model.players.{name}.schedules={{beta2:{node('cosine', initial=0.9, final=0.99)}}}"
      for name in ("discriminator", "generator")),
    f"++model.players.generator.schedule={node('exponential', final=0.25, start=0)}",
    f"+model.players.discriminator.schedules.eps={node('piecewise', points=[[0, 1e-8], [0.5, 3e-8], [1, 2e-8]])}",
    "model.players.discriminator.schedule=null",
    f"++model.ema={{_target_:forger.games.ema.HalfLife,images:{node('cosine', initial=0, final=500)}}}",
    f"+model.flip_labels={node('piecewise', points=[[0, 0.1], [0.5, 0.0]], steps='true')}",
)  # fmt: skip


def written(folder):
    return [json.loads(line) | {"seconds": 0} for line in folder.metrics_file.read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("whole"), *ANNEALED)


def test_rows_tell_what_every_number_was(whole):
    lr = 2e-4 if "lr" not in (config := composed(*ANNEALED).model.players.generator.optimizer) else config.lr

    def half_cosine(share, base, final):
        return base + (final - base) * (1 - math.cos(math.pi * share)) / 2

    rows = {row["images"] - 32: row for row in written(whole) if "schedule/flip_labels" in row}
    for share in (0, 0.25, 0.5, 1):
        found = {k: v for k, v in rows[round(share * BUDGET)].items() if k.startswith("schedule/")}
        assert found == pytest.approx(
            {
                "schedule/penalties/r1/weight": half_cosine(share, 0.05, 0.005),
                "schedule/augmentations/ada/p": half_cosine(share, 0, 0.55),
                "schedule/augmentations/noise/std": 0.2 - 0.1 * share,
                "schedule/players/discriminator/beta2": half_cosine(share, 0.9, 0.99),
                "schedule/players/generator/beta2": half_cosine(share, 0.9, 0.99),
                "schedule/players/generator/lr": lr * 0.25**share,
                "schedule/players/discriminator/eps": 1e-8 * (1 + 4 * share if share <= 0.5 else 4 - 2 * share),
                "schedule/ema/images": half_cosine(share, 0, 500),
                "schedule/flip_labels": 0.1 if share < 0.5 else 0.0,
            },
            rel=1e-12,
            abs=1e-12,
        )


def test_a_run_killed_while_everything_is_annealed_goes_on_with_the_same_bits(whole, tmp_path):
    interrupted(tmp_path, *ANNEALED, after=17)
    again = trained(tmp_path, *ANNEALED)
    assert again.read().weights_sha256 == whole.read().weights_sha256
    one, two = (torch.load(r.checkpoints / "final.ckpt", weights_only=True)["state_dict"] for r in (whole, again))
    assert max((one[name].double() - two[name].double()).abs().max().item() for name in one) == 0.0
    assert written(again) == written(whole)


# What is done with the numbers ----------------------------------------------------------------------------------


ADAM = partial(torch.optim.Adam, lr=1e-3, betas=(0.0, 0.99))


def game(**options):
    torch.manual_seed(1)
    G, D = mlp.Generator(8, [1, 8, 8], 32), mlp.Discriminator([1, 8, 8], 32)
    players = {name: Player(ADAM) for name in ("discriminator", "generator")}
    return AdversarialGame(G, D, losses.hinge, players, latent=8, **options)


def batches(n=32):
    while True:
        yield {"image": torch.randint(256, (n, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(n))}


def test_an_optimiser_steps_by_the_betas_of_its_schedule():
    """Adam by hand: m = g where β₁ = 0, v by β₂ of 0.5 and then 0.75, both corrected for their start."""
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    player = Player(partial(torch.optim.Adam, lr=0.1, betas=(0.0, 0.9), eps=1e-12),
                    schedules={"beta2": partial(linear, budget=100, initial=0.5, final=1 - 1e-9)})  # fmt: skip
    optimizer = player.optimizer([weight])
    expected, v = 1.0, 0.0
    for step, (shown, gradient, beta2) in enumerate([(0, 2.0, 0.5), (50, 1.0, 0.75)], 1):
        steer(optimizer, None, player.schedules, shown)
        weight.grad = torch.tensor([gradient])
        optimizer.step()
        v = beta2 * v + (1 - beta2) * gradient**2
        expected -= 0.1 * gradient / math.sqrt(v / (1 - beta2**step))
        assert weight.item() == pytest.approx(expected, rel=1e-5)


def test_a_penalty_weighs_what_its_schedule_says():
    penalty = partial(linear, budget=64, initial=4.0, final=0.0)
    fixed, annealed = game(penalties={"r1": R1(2.0)}), game(penalties={"r1": R1(penalty)})
    terms = []
    for played in (fixed, annealed):
        played.shown, played.observe_every = 32, 1
        terms.append(train(played, batches(), 1).observed["train/discriminator/r1"])
    assert terms[0] == terms[1] > 0


def test_the_average_follows_by_its_half_life():
    """32 images a round, half of the distance left after 64: each round leaves 2^(−1/2); 0 leaves nothing."""
    played = game(ema=HalfLife(64))
    start = played.average.network.output.weight.clone()
    train(played, batches(), 1)
    moved = start.lerp(played.generator.output.weight, 1 - 0.5**0.5)
    torch.testing.assert_close(played.average.network.output.weight, moved)
    at_once = train(game(ema=HalfLife(partial(linear, budget=10**6, initial=0.0, final=1.0))), batches(), 1)
    assert torch.equal(at_once.average.network.output.weight, at_once.generator.output.weight)


def test_a_player_that_moves_seldom_averages_as_many_images():
    played = game(ema=HalfLife(64))
    played.players["generator"].every = 2
    start = played.average.network.output.weight.clone()
    train(played, batches(), 1)
    moved = start.lerp(played.generator.output.weight, 0.5)
    torch.testing.assert_close(played.average.network.output.weight, moved)


def test_a_fixed_probability_stays_and_an_annealed_one_follows():
    fixed = Adaptive(target=None, p=0.3)
    rising = Adaptive(target=None, p=partial(linear, budget=128, initial=0.0, final=1.0))
    train(game(augmentations={"fixed": fixed, "rising": rising}), batches(), 3)
    assert fixed.p.item() == pytest.approx(0.3)
    assert rising.p.item() == 0.5


# What is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (f"+model.penalties={{r1:{{_target_:forger.losses.penalties.R1,weight:{node('linear', final=-1)}}}}}",
         r"model.penalties.r1: weight: its schedule is -0.00\d* after \d+ images; must be at least 0"),
        ("+model.penalties={r1:{_target_:forger.losses.penalties.R1,weight:-1}}", r"r1.weight=-1: must be at least 0"),
        (f"+model.penalties={{r1:{{_target_:forger.losses.penalties.R1,every:{node('linear')}}}}}",
         r"r1.every=forger.games.schedules.linear: must be a number; no schedule can take its place"),
        ("+model.penalties={r1:{_target_:forger.losses.penalties.R1,weight:{_target_:forger.losses.reconstruction.mse,"
         "_partial_:true}}}", r"r1: weight: must be a number or a schedule of the images shown"),
        (f"+model.players.generator.schedules.beta2={node('linear', initial=0.9, final=1)}",
         r"players.generator: schedules.beta2: its schedule is 1 after 1152 images; must be less than 1"),
        (f"+model.players.generator.schedules.beta3={node('linear')}",
         r"players.generator: schedules.beta3: the optimiser has no such number; did you mean 'beta2'"),
        (f"+model.players.generator.schedules.lr={node('linear')}", r"follows the player's schedule, which is"),
        (f"++model.players.generator.schedule={node('linear', final=-0.5)}", r"generator: schedule: its schedule is -"),
        (f"++model.ema={{_target_:forger.games.ema.HalfLife,images:{node('linear', final=-9)}}}", r"ema: images: its"),
        ("++model.ema={_target_:forger.games.ema.HalfLife,images:-1}", r"model.ema.images=-1: must be at least 0"),
        (f"+model.augmentations={{ada:{{_target_:forger.augmentation.adaptive.Adaptive,p:{node('linear')}}}}}",
         r"augmentations.ada: p: follows a schedule; set target to null"),
        (f"+model.augmentations={{n:{{_target_:forger.augmentation.noise.InstanceNoise,std:{node('linear')},"
         f"schedule:{node('linear')}}}}}", r"augmentations.n: std: follows a schedule of its own"),
        (f"+model.flip_labels={node('linear', initial=2)}", r"flip_labels: its schedule is 2 after 0 images; must be"),
        (f"+model.flip_labels={node('piecewise', points=[[0.5, 0], [0.2, 1]])}", r"points: their shares of the budget"),
        (f"+model.flip_labels={node('piecewise', points=[])}", r"flip_labels.points=\[\]: must have at least 1 items"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused_before_work_begins(override, said, tmp_path, capsys):
    typed = ["train", "model=gan", override, "metrics=none", "logger=none", f"run.root={tmp_path}"]
    assert main(typed) == 2
    line = capsys.readouterr().err
    assert re.search(said, line), line
    assert line.count("\n") == 1
    assert not list(tmp_path.glob("*/*/record.json"))
