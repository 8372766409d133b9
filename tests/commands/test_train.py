"""`forger train`: how arguments reach Hydra and training, and one line for whatever fails."""

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.reaching import line_of, reaching
from forger import cli
from forger.commands import train as launch
from forger.errors import ConfigError, Diverged


def test_overrides_reach_training_and_nothing_is_left_behind(trained: list[Any]) -> None:
    assert cli.main(["train", "seed=5", "model=wide", "experiment=long"]) == 0
    [config] = trained
    assert (config.seed, config.model.name, config.again) == (5, "wide", 5)
    assert list(Path.cwd().iterdir()) == []


def test_the_command_line_is_whole_while_a_run_starts_its_other_ranks(
    configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    reaching([], monkeypatch, lambda _: seen.append(sys.argv) or 0)
    assert cli.main(["train", "seed=5", "--config-name", "train"]) == 0
    assert seen == [["forger", "train", "seed=5", "--config-name", "train"]]
    # As Lightning appends them for the other ranks, after everything else.
    appended = ['hydra.run.dir="."', "hydra.job.name=train_ddp_process_1", "hydra.output_subdir=null"]
    assert cli.main(["train", "seed=5", "--config-name", "train", *appended]) == 0


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["sedd=3"],
            "sedd=3: no such key; did you mean 'seed'? (valid: again, experiment, model, run, seed,",
        ),
        (["experimnt=long"], "experimnt=long: no such key; did you mean 'experiment'?"),
        (["model.widht=3"], "model.widht=3: no such key; did you mean 'width'? (valid: name, width)"),
        (["model=wdie"], "model=wdie: no such config; did you mean 'wide'? (available: plain, wide)"),
        (["seed.x=3"], "seed.x=3: no such key"),
        (["seed=[1"], "seed=[1: not an override"),
        (["seed"], "seed: not an override"),
        (["~nothing"], "Could not delete from config. 'nothing' does not exist."),
        (["+seed=3"], "Could not append to config. An item is already at 'seed'."),
        (["experiment=torn"], "experiment/torn.yaml, line 3: not valid YAML"),
        (["-cn", "other"], "Cannot find primary config 'other'. Check that it's in your config search path."),
        (["--config-dir", "nowhere"], "--config-dir nowhere: no such folder"),
        (["-m", "seed=choice("], "seed=choice(: not an override"),
        (["-m", "seed=0,1", "model=wdie,plain"], "model=wdie: no such config; did you mean 'wide'?"),
    ],
)
def test_what_hydra_refuses_is_one_line(
    trained: list[Any], overrides: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", *overrides]) == 2
    assert said in line_of(capsys)
    assert trained == []


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("seed=-1: must be at least 0"), 2, "seed=-1: must be at least 0"),
        (Diverged("generator", "adversarial", float("inf"), 7), 3, "diverged: the generator's term"),
        (RuntimeError("a\nb"), 1, "failed: RuntimeError: a b (FORGER_DEBUG=1 shows the traceback)"),
    ],
)
def test_what_training_raises_is_one_line(
    configs: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def fail(_: Any) -> int:
        raise error

    reaching([], monkeypatch, fail)
    assert cli.main(["train"]) == code
    assert said in line_of(capsys)


def test_debug_shows_the_traceback(
    configs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reaching([], monkeypatch, lambda _: 1 // 0)
    monkeypatch.setenv("FORGER_DEBUG", "1")
    assert cli.main(["train"]) == 1
    error = capsys.readouterr().err
    assert "Traceback (most recent call last)" in error
    assert error.endswith("forger: failed: ZeroDivisionError: integer division or modulo by zero "
                          "(FORGER_DEBUG=1 shows the traceback)\n")  # fmt: skip


def test_show_the_config_and_train_nothing(trained: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "seed=4", "--cfg", "job", "--resolve"]) == 0
    assert "again: 4" in capsys.readouterr().out
    assert cli.main(["train", "seed=4", "--info", "model=wide"]) == 0
    assert "Config search path" in capsys.readouterr().out
    assert trained == []
    assert list(Path.cwd().iterdir()) == []


def test_a_folder_of_ones_own_comes_first(trained: list[Any], tmp_path: Path) -> None:
    own = tmp_path / "own"
    for name, text in {
        "model/plain.yaml": "width: 3\nname: mine\n",
        "experiment/mine.yaml": "# @package _global_\ndefaults:\n  - override /model: wide\nseed: 9\n",
    }.items():
        (own / name).parent.mkdir(parents=True)
        (own / name).write_text(text)
    assert cli.main(["train", "--config-dir", "../own"]) == 0
    assert cli.main(["train", "experiment=mine", "-cd=../own"]) == 0
    assert [config.model.name for config in trained] == ["mine", "wide"]
    assert [config.seed for config in trained] == [0, 9]


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_of_several_folders_of_ones_own_the_first_wins(trained: list[Any], tmp_path: Path) -> None:
    written(tmp_path / "a", {"model/both.yaml": "name: a\n", "model/only_a.yaml": "defaults: [wide]\nname: only_a\n"})
    written(tmp_path / "b", {"model/both.yaml": "name: b\n", "experiment/of_b.yaml": "# @package _global_\nseed: 4\n"})
    both = ["--config-dir", "../a", "-cd=../b"]
    assert cli.main(["train", *both, "model=both", "experiment=of_b"]) == 0
    assert cli.main(["train", *both, "model=only_a"]) == 0
    assert cli.main(["train", "-cd=../b", "-cd=../a", "model=both"]) == 0
    assert [(config.model.name, config.seed) for config in trained] == [("a", 4), ("only_a", 0), ("b", 0)]
    assert trained[1].model.width == 64


def test_a_file_of_ones_own_builds_on_the_shipped_one_of_its_name(trained: list[Any], tmp_path: Path) -> None:
    written(tmp_path / "a", {"model/plain.yaml": "defaults: [plain, _self_]\nname: mine\n"})
    written(
        tmp_path / "b",
        {
            "model/plain.yaml": "defaults:\n  - /model/plain@_here_\n  - _self_\ndepth: 2\nname: under\n",
            "model/wide.yaml": "defaults: [plain]\nwidth: 65\n",
            "experiment/long.yaml": "# @package _global_\ndefaults: [long, _self_]\nrun: {root: elsewhere}\n",
        },
    )
    assert cli.main(["train", "-cd=../a"]) == 0
    assert cli.main(["train", "-cd=../a", "-cd=../b", "experiment=long"]) == 0
    assert cli.main(["train", "-cd=../a", "-cd=../b", "model=wide"]) == 0
    first, second, third = trained
    assert first.model == {"width": 8, "name": "mine"}
    assert second.model == {"width": 8, "depth": 2, "name": "mine"}
    assert (second.seed, second.run.root) == (7, "elsewhere")
    assert third.model == {"width": 65, "depth": 2, "name": "mine"}


def test_a_config_that_names_itself_and_nothing_else_of_its_name_is_one_line(
    trained: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path / "a", {"model/new.yaml": "defaults: [new]\nname: mine\n"})
    assert cli.main(["train", "-cd=../a", "model=new"]) == 2
    assert line_of(capsys) == (
        f"{tmp_path}/a/model/new.yaml: builds on a config of its own name, and no folder behind it has one"
    )


def test_forgetting_the_package_lands_under_experiment(trained: list[Any]) -> None:
    # The schema refuses it with a hint; here only that Hydra lets it through.
    assert cli.main(["train", "experiment=forgot"]) == 0
    assert "experiment" in trained[0]


def test_flags_and_overrides_are_told_apart() -> None:
    given = launch.COMMAND.parse(["a=1", "-m", "b=2", "-cd", "x", "--info", "c=3", "-cn=t", "--config-dir=y"])
    flags = ["--multirun", "--config-dir", "x", "--config-dir", "y", "--info", "all", "--config-name", "t"]
    assert (given.flags(), given.positionals) == (flags, ["a=1", "b=2", "c=3"])
    assert launch.COMMAND.parse(["--info", "plugins", "a=1"]).flags("multirun") == ["--info", "plugins"]


_WORD = st.text(alphabet="abseedmolwithr01.,=+~[]{}()'\"$ -/\\:@é\n", max_size=12)
_OVERRIDE = st.one_of(
    _WORD,
    st.builds("{}={}".format, st.sampled_from(["seed", "model", "model.width", "+x", "~seed", "trainer"]), _WORD),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(overrides=st.lists(_OVERRIDE, max_size=3))
def test_no_override_list_ends_in_a_traceback(
    trained: list[Any], overrides: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    try:
        code = cli.main(["train", *(text for text in overrides if not text.startswith("-"))])
    except SystemExit as end:
        code = end.code
    error = capsys.readouterr().err
    assert code in (0, 2), error
    assert error.count("\n") == (1 if code else 0)
    assert "Traceback" not in error
