"""Sweep files: what overrides reach, and every fault as one line before the first trial."""

import pytest

from forger.config.explain import explain
from forger.config.shipped import config_groups
from forger.errors import ConfigError
from forger.sweeps.checking import check
from forger.sweeps.composing import configs
from forger.sweeps.definition import load
from forger.sweeps.study import TrialQueue
from sweeps.studies import ARMS, FILE, LR, begun, done, sweep_file


@pytest.mark.parametrize("name", config_groups()["sweep"])
def test_every_shipped_sweep_loads(name):
    definition = load(name, [])
    assert definition.name == name
    assert definition.trials >= 5
    assert definition.root.as_posix() == f"runs/{name}"


def test_overrides_reach_the_sweep_or_its_runs(tmp_path):
    definition = load(sweep_file(tmp_path), ["sweep.trials=7", "seed=3", f"run.root={tmp_path}"])
    assert definition.trials == 7
    assert definition.overrides[-2:] == ("seed=3", f"run.root={tmp_path}")
    assert definition.root == tmp_path / "mine"
    assert definition.run_config.seed == 3


def test_a_value_leaves_the_space_and_a_range_enters_it(tmp_path):
    file = sweep_file(tmp_path)
    definition = load(file, [f"{LR}=1e-3", "data.batch_size=choice(32, 64)"])
    assert [parameter.name for parameter in definition.space] == ["data.batch_size"]
    assert definition.overrides[-1] == f"{LR}=1e-3"
    assert load(file, [f"{LR}=interval(1e-3, 1e-2)"]).space[0].low == 1e-3
    with pytest.raises(ConfigError, match="nothing is left to vary"):
        load(file, [f"{LR}=1e-3"])


def test_a_folder_of_ones_own_comes_first_and_reaches_the_runs(tmp_path):
    sweep_file(tmp_path)
    (tmp_path / "conf" / "model").mkdir()
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("defaults: [gan]\n")
    definition = load("mine", ["model=mine"], [str(tmp_path / "conf")])
    assert definition.run_config.model._target_ == "forger.games.adversarial.AdversarialGame"
    with configs([str(tmp_path / "conf")]) as composed:
        assert composed("train", ["experiment=digits_gan"]).budget.images == 120_000
    assert "stability" in config_groups()["sweep"]
    assert load("stability", [], [str(tmp_path / "conf")]).name == "stability"


def test_the_grid_is_every_point():
    definition = load("compare_vae_gan", ["experiment=choice(digits_gan,digits_vae)"])
    assert definition.trials == 6
    points = [(point["experiment"], point["seed"]) for point in definition.grid]
    assert points[:3] == [("digits_gan", 0), ("digits_gan", 1), ("digits_gan", 2)]
    assert len(set(points)) == 6


def test_arms_are_chosen_among_and_what_is_typed_counts_more(tmp_path):
    file = sweep_file(tmp_path, ARMS)
    arm, seed = load(file, []).space
    assert [arm.overrides(name) for name in arm.points] == [
        [f"{LR}=1e-3", "budget.images=3000"],
        [f"{LR}=1e-1", "budget.images=6000"],
    ]
    assert seed.name == "seed"
    assert load(file, ["arm=long"]).grid == [{"arm": "long", "seed": 0}, {"arm": "long", "seed": 1}]
    assert load(file, ["arm=choice(long, short)", "seed=1"]).grid == [{"arm": "long"}, {"arm": "short"}]
    typed = load(file, ["budget.images=500"])
    assert typed.space[0].overrides("long") == [f"{LR}=1e-1"]
    assert typed.overrides[-1] == "budget.images=500"


ARM_FAULTS = {
    "arm=shrt": "arm=shrt: no such arm; did you mean 'short'",
    "sweep.arms.long=[]": "sweep.arms.long: no overrides",
    "sweep.arms.long=['seed=0,1']": "that belongs in sweep.space",
    "sweep.arms.long=['run.name=x']": "run.name=x: not in a sweep",
}


@pytest.mark.parametrize("typed", ARM_FAULTS)
def test_faults_of_arms_are_told_at_once(typed, tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(sweep_file(tmp_path, ARMS), [typed])
    assert ARM_FAULTS[typed] in str(caught.value)


def test_the_arms_of_a_sweep_are_checked_before_the_first_trial(tmp_path):
    runs = ["experiment=digits_gan", "metrics.every_images=1000", "metrics.n=64"]
    check(load(sweep_file(tmp_path, ARMS), runs))
    with pytest.raises(ConfigError, match=r"sweep\.space\.arm: model\.lrr=1: no such key"):
        check(load(sweep_file(tmp_path, ARMS), [*runs, "sweep.arms.long=['+model.lrr=1']"]))


def test_a_search_begins_with_the_config_as_it_is(tmp_path):
    file = sweep_file(tmp_path)
    latent = "model.latent=choice(16, 32)"
    assert load(file, [latent]).as_it_is == {LR: 2e-3, "model.latent": 32}
    assert load(file, [latent, "model.latent=choice(16, 64)"]).as_it_is == {}
    assert load(file, [f"{LR}=interval(3e-3, 1e-2)"]).as_it_is == {}
    assert load(file, ["model/loss=choice(minimax, relativistic)"]).as_it_is == {}
    assert load(file, ["data.batch_size=range(32, 129, 32)"]).as_it_is["data.batch_size"] == 64
    assert load(file, ["data.batch_size=range(30, 129, 32)"]).as_it_is == {}


@pytest.mark.parametrize(("sampler", "first"), [("tpe", 2e-3), ("random", None)])
def test_only_a_search_is_given_its_first_candidate(tmp_path, sampler, first):
    definition, _ = begun(tmp_path, f"sweep.sampler={sampler}")
    queue = TrialQueue(definition)
    queue.fill()
    given = [row.system_attrs.get("fixed_params", {}).get(LR) for row in queue.trials()]
    assert given == [first, None, None, None]


def test_rungs_climb_to_the_budget(tmp_path):
    definition = load(sweep_file(tmp_path), ["sweep.pruner=asha", "sweep.rungs.first=1000"])
    assert definition.rungs == [1000, 3000]


FAULTS = {
    "no such sweep": (["stabilty"], "did you mean 'stability'"),
    "no such key": (["FILE", "sweep.trails=3"], "did you mean 'trials'"),
    "wrong type": (["FILE", "sweep.trials=many"], "sweep.trials=many: must be a whole number"),
    "no such sampler": (["FILE", "sweep.sampler=tp"], "did you mean 'tpe'"),
    "several objectives, pruner": (
        ["FILE", "sweep.objective.is_digits=maximize", "sweep.pruner=asha", "sweep.rungs.first=2000"],
        "several objectives can't be pruned by",
    ),
    "nsga2 for one": (["FILE", "sweep.sampler=nsga2"], "made for several objectives"),
    "pruner without rungs": (["FILE", "sweep.pruner=median"], "needs sweep.rungs.first"),
    "rung above the budget": (["FILE", "sweep.pruner=asha", "sweep.rungs.first=9000"], "not below the budget"),
    "rung without a score": (
        ["FILE", "sweep.pruner=asha", "sweep.rungs.first=500"],
        "no score by then, metrics.every_images=1000",
    ),
    "grid of an interval": (["FILE", "sweep.sampler=grid"], "an interval has no grid"),
    "larger than the grid": (["seeds", "sweep.trials=9"], "the grid has 5 points"),
    "empty range": (["FILE", f"{LR}=interval(2, 1)"], "an empty interval"),
    "unknown parameter": (["FILE", "model.lrr=interval(0, 1)"], "model.lrr=0.0: no such key"),
    "out of range at one end": (["FILE", f"{LR}=interval(0.1, 100)"], "must be at most 10"),
    "choice that does not exist": (["FILE", "model/loss=choice(hinge, hing)"], "did you mean 'hinge'"),
    "overrides that vary": (["FILE", "sweep.overrides=['seed=0,1']"], "that belongs in sweep.space"),
    "unknown override": (["FILE", "modle=gan"], "did you mean 'model'"),
    "set by the sweep": (["FILE", "trainer.threads=range(1, 3)"], "the sweep itself sets it"),
    "a path as its name": (["FILE", "sweep.name=a/b"], "sweep.name=a/b: must be text that matches ^[^/]*$"),
    "set for all runs": (["FILE", "run.restart=true"], "run.restart=true: not in a sweep"),
    "seeds twice": (["seeds", "sweep.seeds=2"], "the space varies the seed itself"),
    "no score": (["FILE", "metrics.every_images=null"], "a run reports no score"),
    "objective that no run reports": (["FILE", "sweep.objective={fd_digts: minimize}"], "did you mean 'fd_digits'"),
    "no such launcher": (["FILE", "launcher=slrm"], "launcher=slrm: no such config"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_and_exit_code_2(fault, tmp_path):
    (name, *overrides), said = FAULTS[fault]
    runs = ["experiment=digits_gan", "metrics.every_images=1000", "metrics.n=64"] if name == "FILE" else []
    name = sweep_file(tmp_path) if name == "FILE" else name
    error: Exception | None = None
    try:
        check(load(name, [*runs, f"run.root={tmp_path}/runs", *overrides]))
    except Exception as caught:
        error = caught
    assert error is not None
    line, code = explain(error)
    assert code == 2
    assert said in line
    assert "\n" not in line
    assert not (tmp_path / "runs").exists()


def test_devices_are_checked_here_but_not_for_the_machines_of_a_cluster(tmp_path, monkeypatch):
    file, runs = sweep_file(tmp_path), ["experiment=digits_gan", "metrics.every_images=1000", "metrics.n=64"]
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(ConfigError, match="torch sees no such GPU here"):
        check(load(file, [*runs, "trainer=gpu"]))
    with pytest.raises(ConfigError, match=r"sweep\.space\.trainer: .* torch sees no such GPU here"):
        check(load(file, [*runs, "trainer=choice(cpu, gpu)"]))
    check(load(file, [*runs, "trainer=gpu", "launcher=slurm"]))
    with pytest.raises(ConfigError, match=r"trainer\.devices=2: a trial has sweep\.gpus=1; set sweep\.gpus=2"):
        check(load(file, [*runs, "trainer=gpu", "trainer.devices=2", "launcher=ray"]))
    with pytest.raises(ConfigError, match=r"sweep\.gpus=2: a run takes trainer\.devices=1 of them"):
        check(load(file, [*runs, "trainer=gpu", "sweep.gpus=2", "launcher=slurm"]))


def test_a_sound_sweep_passes(tmp_path):
    check(load(sweep_file(tmp_path), ["experiment=digits_gan", "metrics.every_images=1000", "metrics.n=64"]))


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("postgresql://nobody:secret@127.0.0.1:1/none", "can't be used"),
        ("sqlite:////proc/nowhere/study.db", "can't be used"),
        ("study.db", "must be a URL"),
        ("oracle9://x/y", "can't be used"),
    ],
)
def test_a_storage_out_of_reach_is_one_line(storage, said, tmp_path):
    with pytest.raises(ConfigError, match=r"sweep\.storage") as caught:
        begun(tmp_path, f"sweep.storage='{storage}'")
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_study_goes_on_with_more_trials_but_not_with_another_space(tmp_path):
    begun(tmp_path)
    begun(tmp_path, "sweep.trials=9", "sweep.minutes=3")
    with pytest.raises(ConfigError, match=r"other settings \(overrides, space\); sweep.name=OTHER"):
        begun(tmp_path, f"{LR}=interval(0.1, 0.2)", "seed=1")
    definition, _ = begun(tmp_path, "seed=1", "sweep.name=other")
    assert definition.root == tmp_path / "runs" / "other"


def test_status_of_a_sweep_that_has_not_begun(tmp_path):
    typed = [sweep_file(tmp_path, FILE), f"run.root={tmp_path}/runs"]
    assert "not begun yet" in done("status", typed, code=2)
    assert not (tmp_path / "runs").exists()
    assert "did you mean 'status'" in done("statu", typed, code=2)
