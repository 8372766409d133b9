"""The command: what it imports, how arguments reach Hydra, one line and an exit code for whatever fails."""

import json
import logging
import os
import re
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forger import cli
from forger.commands import train as launch
from forger.config import shipped
from forger.errors import ConfigError, Diverged
from forger.run_folder import RunFolder
from recorded import begun

TRAIN = """\
defaults:
  - model: plain
  - _self_
  - experiment: null
  - override hydra/job_logging: none
  - override hydra/hydra_logging: none
seed: 0
trainer: {devices: 1, accelerator: cpu, num_nodes: 1}
run: {root: runs}
again: ${seed}
hydra:
  run: {dir: .}
  sweep: {dir: "${run.root}/multirun", subdir: .}
  output_subdir: null
  job: {chdir: false}
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Hydra's --info logs to the stdout of that moment, for ever."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory beside a folder of configs, which stand in for the shipped ones."""
    folder = tmp_path / "conf"
    for name, text in {
        "train.yaml": TRAIN,
        "model/plain.yaml": "width: 8\nname: plain\n",
        "model/wide.yaml": "width: 64\nname: wide\n",
        "experiment/long.yaml": "# @package _global_\nseed: 7\n",
        "experiment/forgot.yaml": "seed: 7\n",
        "experiment/torn.yaml": "# @package _global_\nseed: [1\nx: 2\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(shipped, "conf_folder", lambda: folder)
    monkeypatch.setattr(launch, "conf_folder", lambda: folder)
    monkeypatch.setattr(sys, "argv", ["forger"])
    for name in ("HYDRA_FULL_ERROR", "FORGER_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def trained(configs: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The configs that reached `forger.run.train`; it does what the test sets as `trained.append`'s kin."""
    seen: list[Any] = []
    return _training(seen, monkeypatch, lambda config: 0)


def _training(seen: list[Any], monkeypatch: pytest.MonkeyPatch, behave: Callable[[Any], int]) -> list[Any]:
    def train(config: Any) -> int:
        seen.append(config)
        return behave(config)

    module = types.ModuleType("forger.run")
    module.train = train  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "forger.run", module)
    return seen


def line_of(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr, without `forger: `."""
    error = capsys.readouterr().err
    assert error.startswith("forger: ")
    assert error.count("\n") == 1
    return error[8:-1]


# What is imported -------------------------------------------------------------------------------------------


def test_help_imports_neither_torch_nor_hydra() -> None:
    code = (
        "import sys; from forger.cli import COMMANDS, main; assert main([]) == 0; "
        "assert [main([name, '--help']) for name in COMMANDS] == [0] * len(COMMANDS); "
        "print(sorted({'torch', 'hydra', 'omegaconf', 'pydantic', 'numpy', 'rich', 'optuna'} & sys.modules.keys()))"
    )
    answer = run("-c", code)
    assert answer.stdout.endswith("[]\n"), answer
    assert "forger reproduce RUN [OPTIONS]" in answer.stdout


def test_runs_needs_no_torch(tmp_path: Path) -> None:
    code = "import sys; from forger.cli import main; main(sys.argv[1:]); assert not {'torch', 'hydra'} & {*sys.modules}"
    assert run("-c", code, "runs", str(tmp_path)).returncode == 0


def test_a_sweep_and_its_workers_need_no_torch() -> None:
    """They start often, and it is their runs that compute."""
    code = "import sys, forger.commands.sweep.execution, forger.sweeps.worker; assert 'torch' not in sys.modules"
    assert run("-c", code).returncode == 0


def test_the_package_runs_as_a_module() -> None:
    answer = run("-m", "forger", "trian")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("forger: 'trian': no such command; did you mean 'train'? (valid: doctor,")
    answer = run("-m", "forger", "--version")
    assert answer.stdout.startswith("forger 0.")


def test_a_reader_that_leaves_is_no_error() -> None:
    command = [sys.executable, "-c", "import sys; from forger.cli import main; sys.exit(main())", "--help"]
    reader, writer = os.pipe()
    os.close(reader)
    answer = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=100)
    os.close(writer)
    assert answer.stderr == b""


# Commands ---------------------------------------------------------------------------------------------------


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert f"forger {command}" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evaluat"], "did you mean 'evaluate'?"),
        (["seed=3"], "an override needs one: forger train seed=3"),
        (["reproduce"], "reproduce: which run? forger reproduce RUN"),
        (["reproduce", "x"], "x: no such folder; `forger runs` lists runs"),
        (["train", "--from", "x"], "x: no such folder; `forger runs` lists runs"),
        (["train", "--from"], "--from: needs a value"),
        (["train", "--trust"], "train --trust: goes with --from"),
        (["train", "--multrun"], "train --multrun: no such option; did you mean '--multirun'?"),
        (["train", "--cfg"], "--cfg: needs a value"),
        (["runs", "--jsn"], "runs --jsn: no such option; did you mean '--json'?"),
        (["runs", "a", "b"], "runs b: one argument too many"),
        (["runs", "/nowhere/at/all"], "/nowhere/at/all: no such folder"),
        (["doctor", "x"], "doctor x: one argument too many"),
    ],
)
def test_a_wrong_command_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    assert said in line_of(capsys)


def test_the_repositorys_configs_win_over_a_stale_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("checkout/conf", "checkout/src/forger/conf", "installed/site-packages/forger/conf"):
        (tmp_path / place).mkdir(parents=True)
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "checkout/src/forger/config/shipped.py"))
    assert shipped.conf_folder() == tmp_path / "checkout/conf"
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "installed/site-packages/forger/config/shipped.py"))
    assert shipped.conf_folder() == tmp_path / "installed/site-packages/forger/conf"


def test_runs_as_a_table_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = RunFolder.of(tmp_path, "[red]evil[/red]", "0123456789ab")
    begun(run, name="[red]evil[/red]", id="0123456789ab", seed=3, device={"accelerator": "cpu", "devices": 2})
    score = {"value": 1.23456, "passport": {}}
    run.update(status="finished", images=12_800, seconds=90.0, scores={"final": {"fd_digits": score}, "best": {}})
    (tmp_path / "broken/x/checkpoints").mkdir(parents=True)
    assert cli.main(["runs", str(tmp_path)]) == 0
    table = capsys.readouterr().out
    for cell in ("[red]evil[/red]", "0123456789ab", "finished", "12,800", "fd_digits 1.235", "1.5", "cpu x2"):
        assert cell in table
    assert "no record.json" in table
    assert cli.main(["runs", str(tmp_path), "--json"]) == 0
    good, broken = json.loads(capsys.readouterr().out)
    assert (good["status"], good["record"]["seed"], good["alive"]) == ("finished", 3, False)
    assert (broken["status"], broken["record"]) == ("broken", None)


def test_runs_marks_scores_that_do_not_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = [(50, "a"), (497, "a"), (497, "a"), (497, "b"), (50, "a"), (497, "a")]
    passports = [
        {"n_fake": n, "split": split, "seed": seed, "versions": {"torch": str(seed)}}
        for seed, (n, split) in enumerate(kinds)
    ]
    for place, passport in enumerate(passports):
        run = RunFolder.of(tmp_path, "run", f"{place:012}")
        begun(run, name="run", id=f"{place:012}", seed=place)
        final = {"fd_digits": {"value": place + 0.5, "error": 0.25, "passport": passport}}
        on_validation = passport | {"split": "v"}
        best = {
            "is_digits": {"value": 9.0, "images": 20, "passport": on_validation},
            "fd_digits": {"value": place, "images": 640, "chosen": True, "passport": on_validation},
        }
        run.update(status="finished", scores={"final": final, "best": best})
    assert cli.main(["runs", str(tmp_path)]) == 0
    rows = capsys.readouterr().out.splitlines()
    cells = [tuple(re.split(r"\s{2,}", row)[5:7]) for row in rows if row.startswith("run")]
    assert cells == [
        ("fd_digits 0 [a] at 640", "fd_digits 0.5 ± 0.25 [a]"),
        ("fd_digits 1 at 640", "fd_digits 1.5 ± 0.25"),
        ("fd_digits 2 at 640", "fd_digits 2.5 ± 0.25"),
        ("fd_digits 3 at 640", "fd_digits 3.5 ± 0.25 [b]"),
        ("fd_digits 4 [a] at 640", "fd_digits 4.5 ± 0.25 [a]"),
        ("fd_digits 5 at 640", "fd_digits 5.5 ± 0.25"),
    ]
    assert [row.strip() for row in rows[-2:]] == [
        "[a] different numbers of fakes: 497 and 50",
        "[b] different reference splits: a and b",
    ]
    assert cli.main(["runs", str(tmp_path), "--json"]) == 0
    reasons = [row["not_comparable"]["final"].get("fd_digits") for row in json.loads(capsys.readouterr().out)]
    few, other = "different numbers of fakes: 497 and 50", "different reference splits: a and b"
    assert reasons == [few, None, None, other, few, None]


def test_runs_without_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["runs"]) == 0
    assert "no runs in runs" in capsys.readouterr().out
    assert cli.main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


# Training ---------------------------------------------------------------------------------------------------


def test_overrides_reach_training_and_nothing_is_left_behind(trained: list[Any]) -> None:
    assert cli.main(["train", "seed=5", "model=wide", "experiment=long"]) == 0
    [config] = trained
    assert (config.seed, config.model.name, config.again) == (5, "wide", 5)
    assert list(Path.cwd().iterdir()) == []


def test_the_command_line_is_whole_while_a_run_starts_its_other_ranks(
    configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    _training([], monkeypatch, lambda _: seen.append(sys.argv) or 0)
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

    _training([], monkeypatch, fail)
    assert cli.main(["train"]) == code
    assert said in line_of(capsys)


def test_debug_shows_the_traceback(
    configs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _training([], monkeypatch, lambda _: 1 // 0)
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


# Multirun ---------------------------------------------------------------------------------------------------


def test_a_sweep_runs_every_job_and_the_worst_code_wins(
    configs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def behave(config: Any) -> int:
        if config.seed == 1:
            raise ConfigError("seed=1: not today")
        return {0: 0, 2: 3, 3: 0}[config.seed]

    seen = _training([], monkeypatch, behave)
    assert cli.main(["train", "seed=0,1,2,3", "-m"]) == 2
    assert [config.seed for config in seen] == [0, 1, 2, 3]
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "forger: job 0: seed=0",
        "forger: job 1: seed=1",
        "forger: seed=1: not today",
        "forger: job 2: seed=2",
        "forger: job 3: seed=3",
    ]
    assert {path.relative_to(Path.cwd()).as_posix() for path in Path.cwd().rglob("*")} == {
        "runs",
        "runs/multirun",
        "runs/multirun/multirun.yaml",
    }


@pytest.mark.parametrize(("codes", "worst"), [((0, 3), 3), ((3, 2), 2), ((2, 1, 3), 1), ((0, 0), 0)])
def test_how_codes_are_ranked(
    configs: Path, monkeypatch: pytest.MonkeyPatch, codes: tuple[int, ...], worst: int
) -> None:
    _training([], monkeypatch, lambda config: codes[config.seed])
    assert cli.main(["train", "-m", f"seed=range(0,{len(codes)})"]) == worst


@pytest.mark.parametrize("code", [130, 143])
def test_an_interrupted_job_ends_the_sweep(configs: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def behave(_: Any) -> int:
        if code == 130:
            raise KeyboardInterrupt
        return code

    seen = _training([], monkeypatch, behave)
    with pytest.raises(SystemExit) as end:
        cli.main(["train", "-m", "seed=0,1"])
    assert end.value.code == code
    assert len(seen) == 1


def test_a_distributed_job_of_a_sweep_is_a_process_of_its_own(
    trained: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []
    start = subprocess.Popen

    def popen(command: list[str], **options: Any) -> Any:
        commands.append(command)
        return start([sys.executable, "-c", f"raise SystemExit({3 if 'seed=1' in command else 0})"], **options)

    monkeypatch.setattr(launch.subprocess, "Popen", popen)
    own = ["--config-dir", str(Path("../conf").resolve())]
    assert cli.main(["train", *own, "-m", "trainer.devices=2", "seed=0,1", "+x='a b'", "hydra.verbose=true"]) == 3
    assert trained == []
    fixed = [sys.executable, "-m", "forger", "train", *own, "hydra.verbose=true", "trainer.devices=2"]
    assert commands == [[*fixed, f"seed={seed}", "+x='a b'"] for seed in (0, 1)]


@pytest.mark.parametrize(
    ("override", "several"),
    [
        ("trainer.devices=1", False),
        ("trainer.devices=2", True),
        ("trainer.devices=-1", True),
        ("trainer.devices=[0]", False),
        ("trainer.devices=[0,1]", True),
        ("trainer.devices=auto", False),
        ("trainer.num_nodes=2", True),
    ],
)
def test_which_jobs_start_further_processes(
    trained: list[Any], monkeypatch: pytest.MonkeyPatch, override: str, several: bool
) -> None:
    monkeypatch.setattr(launch, "_fresh_process", lambda *_: 3)
    assert cli.main(["train", "-m", override]) == (3 if several else 0)
    assert len(trained) == (0 if several else 1)
    # Alone, a run starts its ranks itself.
    assert cli.main(["train", override]) == 0


# Arguments and completion -----------------------------------------------------------------------------------


def test_flags_and_overrides_are_told_apart() -> None:
    given = launch.COMMAND.parse(["a=1", "-m", "b=2", "-cd", "x", "--info", "c=3", "-cn=t", "--config-dir=y"])
    flags = ["--multirun", "--config-dir", "x", "--config-dir", "y", "--info", "all", "--config-name", "t"]
    assert (given.flags(), given.words) == (flags, ["a=1", "b=2", "c=3"])
    assert launch.COMMAND.parse(["--info", "plugins", "a=1"]).flags("multirun") == ["--info", "plugins"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("forger tr", "train"),
        ("forger re", "report reproduce"),
        ("forger train model=", "model=plain model=wide"),
        ("forger train seed=1 trainer.d", "trainer.devices="),
        ("forger runs m", ""),
    ],
)
def test_completion(
    configs: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("COMP_LINE", line)
    assert cli.main(["-sc", "query=bash"]) == 0
    assert capsys.readouterr().out.strip() == expected


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
