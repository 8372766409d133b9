"""Secrets among a sweep's arguments: not in the study, files, messages or the list of processes."""

import json
import os
import time

import pytest
import yaml

from forger import cli
from forger.errors import ConfigError
from forger.redaction import HIDDEN
from forger.sweeps.concealing import concealed, revealed
from forger.sweeps.definition import load
from forger.sweeps.wandb_export import export
from sweeps.studies import FILE, begun, done, processes_below, rows_of_steps, started, sweep_file

SECRET = "hush-0123456789"
KEY = f"+logger.comet.api_key={SECRET}"
#: FILE's overrides name loggers as one; a key in them is a key of their group.
TEXT = FILE.replace("logger=none", "logger=csv")


def test_a_study_and_its_files_hold_no_secret_and_nobody_sees_one(tmp_path):
    """Neither does any worker's line in the list of processes, nor what `run` and `status` print."""
    definition, typed = begun(tmp_path, KEY, "sweep.trials=2", "budget.images=20000", text=TEXT)
    command = started("run", [*typed, "-w", "2"], seconds=0.05)
    while not rows_of_steps(tmp_path):
        time.sleep(0.05)
    # The command shows what was typed, and the stand-in what a cold start is given; workers show neither.
    workers = [text for _, text in processes_below(tmp_path) if " sweep worker " in text]
    assert len(workers) == 2
    assert all(f"+logger.comet.api_key={HIDDEN}" in text and SECRET not in text for text in workers)
    out, said = command.communicate(timeout=60)
    assert command.returncode == 0, said
    (record, _) = definition.root.glob("*/*/record.json")
    assert any("api_key" in text for text in json.loads(record.read_text())["overrides"])  # the runs got it
    printed = out + said + done("status", typed) + done("status", [*typed, "--json"])
    assert SECRET not in printed
    kept = [path for path in definition.root.rglob("*") if path.is_file()]
    assert {definition.root / "study.db", definition.root / "workers.txt"} <= set(kept)
    assert [path.name for path in kept if SECRET.encode() in path.read_bytes()] == []


def test_another_secret_is_the_same_study_and_another_key_is_not(tmp_path):
    begun(tmp_path, KEY, text=TEXT)
    begun(tmp_path, KEY.replace("hush", "loud"), text=TEXT)
    with pytest.raises(ConfigError, match=r"other settings \(overrides\)"):
        begun(tmp_path, KEY.replace("api_key", "token"), text=TEXT)
    with pytest.raises(ConfigError, match=r"other settings \(overrides\)"):
        begun(tmp_path, KEY, "seed=3", text=TEXT)


def test_arguments_travel_hidden(monkeypatch):
    monkeypatch.delenv("FORGER_SWEEP_ARGUMENTS", raising=False)
    typed = ["mine", "sweep.storage='postgresql://me:pass@host/db'", "seed=3"]
    shown, environment = concealed(typed)
    assert shown == ["mine", f"sweep.storage='postgresql://{HIDDEN}@host/db'", "seed=3"]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert revealed(shown) == typed
    assert "FORGER_SWEEP_ARGUMENTS" not in os.environ  # runs do not inherit it
    with pytest.raises(ConfigError, match="did not reach this machine"):
        revealed(shown)
    assert concealed(["mine", "seed=3"]) == (["mine", "seed=3"], {})


@pytest.mark.parametrize(
    "storage",
    [
        "postgresql://me:hush/0123456789@127.0.0.1:1/none",
        "postgresql://127.0.0.1:1/none?user=me&password=hush-0123456789",
        "postgresql://me:hush-0123456789@127.0.0.1:port/none",
        "me:hush-0123456789@host/none",
    ],
)
def test_a_password_is_in_no_message(storage, tmp_path, capsys):
    file = sweep_file(tmp_path)
    assert cli.main(["sweep", "status", file, f"run.root={tmp_path}/runs", f"sweep.storage='{storage}'"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("forger: sweep.storage=")
    assert "hush" not in message
    assert len(message.splitlines()) == 1


def test_an_exported_sweep_asks_the_environment_for_secrets(tmp_path):
    out = tmp_path / "exported.yaml"
    definition = load(sweep_file(tmp_path), ["+data.source.token=abc def"])
    export(definition, str(out))
    text = out.read_text()
    assert "abc def" not in text
    assert "+data.source.token=${envvar:DATA_SOURCE_TOKEN}" in yaml.safe_load(text)["command"]
    assert "# Set DATA_SOURCE_TOKEN where the agent runs: the value of +data.source.token=[hidden]" in text


def test_hydras_own_file_of_a_multirun_holds_no_secret(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["forger"])
    assert cli.main(["train", "-m", "seed=0", f"+data.source.token={SECRET} x", f"run.root={tmp_path}"]) == 2
    assert SECRET not in capsys.readouterr().err
    kept = yaml.safe_load((tmp_path / "multirun" / "multirun.yaml").read_text())
    assert kept["data"]["source"]["token"] == HIDDEN
    assert SECRET not in (tmp_path / "multirun" / "multirun.yaml").read_text()
