"""What W&B is asked for: who is logged in, which mode, which names; all of it told before training begins."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import servers
from forger.config.targets import Node, checked
from forger.errors import ConfigError
from forger.tracking import wandb_account
from forger.tracking.loggers import RunInfo, wandb_logger
from forger.tracking.wandb_account import answers, chosen_mode, login, server
from forger.trial import Membership
from running import composed, trained
from wandb_backend import nobody_logged_in


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home where nobody is logged in."""
    return nobody_logged_in(tmp_path, monkeypatch)


@pytest.fixture
def web() -> Iterator[str]:
    """A server on loopback that answers everything with 404."""

    with servers.serving() as address:
        yield address


def test_credentials_are_found_where_wandb_keeps_them(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert login() is None
    netrc = nobody / ".netrc"
    netrc.write_text("machine example.org login user password secret\n")
    assert login() is None
    netrc.write_text("machine api.wandb.ai login user password secret\n")
    assert login() == str(netrc)
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert (login(), server()) == (None, "https://wandb.example.org")
    netrc.write_text("machine wandb.example.org login user password secret\n")
    assert login() == str(netrc)
    netrc.write_text("no netrc at all")
    assert login() is None
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    assert login() == "WANDB_API_KEY"


def test_settings_files_of_wandb_count(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = nobody / ".config/wandb/settings"
    settings.parent.mkdir(parents=True)
    settings.write_text("[default]\nbase_url = https://own.example.org\napi_key = 50%secret\n")
    assert server() == "https://own.example.org"
    assert login() == "W&B's settings file"
    settings.write_text("nonsense")
    assert login() is None


def test_which_mode_is_chosen(monkeypatch: pytest.MonkeyPatch, web: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert chosen_mode("auto") == "offline"
    assert "nobody is logged in" in caplog.text
    assert chosen_mode("offline") == "offline"
    assert chosen_mode("disabled") == "disabled"
    with pytest.raises(ConfigError, match=r"logger\.wandb\.mode=online: nobody is logged in"):
        chosen_mode("online")
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    monkeypatch.setenv("WANDB_BASE_URL", web)
    assert chosen_mode("auto") == "online"
    assert chosen_mode("online") == "online"
    monkeypatch.setattr(wandb_account, "answers", lambda _: False)
    assert chosen_mode("auto") == "offline"
    assert f"{web} does not answer" in caplog.text
    assert "secret" not in caplog.text
    for mode in ("auto", "online", "offline"):
        monkeypatch.setenv("WANDB_MODE", "disabled")
        assert chosen_mode(mode) is None


def test_a_preflight_is_short(web: str) -> None:
    assert answers(web)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        start = time.monotonic()
        assert not answers(f"http://127.0.0.1:{port}", seconds=0.3)
        assert time.monotonic() - start < 5
    assert not answers(f"http://127.0.0.1:{port}")
    assert not answers("nonsense")


# Names ------------------------------------------------------------------------------------------------------

#: W&B's variable, the key it stands for, and what it is without either.
NAMES = [
    ("WANDB_PROJECT", "project", "forger"),
    ("WANDB_NAME", "name", "digits 012345"),
    ("WANDB_RUN_GROUP", "group", "digits"),
    ("WANDB_JOB_TYPE", "job_type", "train"),
]


def asked_for(tmp_path: Path, **options: Any) -> dict[str, Any]:
    """What W&B's client will be called with."""
    return wandb_logger(RunInfo(tmp_path, "0123456789ab", "digits", {}), mode="offline", **options)._wandb_init


@pytest.mark.parametrize(("variable", "key", "default"), NAMES)
def test_the_environment_wins_over_a_default_and_a_key_over_the_environment(
    variable: str, key: str, default: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    override = f"logger.wandb.{key}=of_the_key"
    assert asked_for(tmp_path)[key] == default
    assert asked_for(tmp_path, **logger_keys())[key] == default
    monkeypatch.setenv(variable, "of_the_environment")
    assert asked_for(tmp_path, **logger_keys())[key] == "of_the_environment"
    assert asked_for(tmp_path, **logger_keys(override))[key] == "of_the_key"
    monkeypatch.setenv(variable, "")
    assert asked_for(tmp_path, **logger_keys())[key] == default


def logger_keys(*overrides: str) -> dict[str, Any]:
    """The keys of `logger=wandb`, and overrides of them, as they reach its builder."""
    keys = dict(composed("logger=wandb", "run.name=digits", *overrides).logger.wandb)
    return {key: value for key, value in keys.items() if not key.startswith("_") and key != "mode"}


def test_tags_and_ids_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_for(tmp_path)["id"] == "0123456789ab"
    monkeypatch.setenv("WANDB_TAGS", "a,b")
    monkeypatch.setenv("WANDB_RUN_ID", "mine")
    assert (asked_for(tmp_path)["tags"], asked_for(tmp_path)["id"]) == (["a", "b"], "mine")
    assert asked_for(tmp_path, tags=["c"])["tags"] == ["c"]
    # The trials of a sweep are runs of their own, and its own group.
    monkeypatch.setenv("WANDB_RUN_GROUP", "another")
    for name, value in Membership("stability", 7, str(tmp_path), {}).environment().items():
        monkeypatch.setenv(name, value)
    asked = asked_for(tmp_path)
    assert (asked["id"], asked["group"], asked["tags"]) == ("0123456789ab", "stability", ["a", "b", "sweep"])


@pytest.mark.parametrize(
    ("logger", "own"),
    [("wandb", {"folder", "run_id", "config"}), ("csv", {"folder", "run_id", "config", "name"}),
     ("tensorboard", {"folder", "run_id", "config", "name"})],
)  # fmt: skip
def test_what_the_run_says_itself_is_no_option(logger: str, own: set[str]) -> None:
    node = dict(composed(f"logger={logger}", "run.name=digits").logger[logger])
    for key in own:
        for given in (key, f"{key}s"):
            with pytest.raises(ConfigError, match=f"{given}=x: no such key") as caught:
                checked({**node, given: "x"}, Node, f"logger.{logger}")
            proposed = str(caught.value).partition("; ")[2]
            assert not any(f"{quote}{name}" in proposed for name in own for quote in ("'", ": ", ", "))


@pytest.mark.parametrize(
    ("environment", "overrides", "said"),
    [
        ({"WANDB_MODE": "online"}, (), "WANDB_MODE=online in the environment: nobody is logged in"),
        ({"WANDB_MODE": "shared"}, (), "WANDB_MODE=shared in the environment: nobody is logged in"),
        ({}, ("logger.wandb.project=a/b",), "Invalid project name 'a/b'"),
        ({"WANDB_PROJECT": "a:b"}, (), "Invalid project name 'a:b'"),
        ({"WANDB_RUN_ID": "a/b"}, (), "Run ID cannot contain"),
        ({}, ("logger.wandb.tags=['']", f"logger.wandb.tags=[{'a' * 65}]"), "tags"),
    ],
)
def test_what_wandb_would_not_take_is_told_before_training(
    environment: dict[str, str],
    overrides: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=said) as caught:
        trained(tmp_path, "metrics=none", "logger=wandb", *overrides)
    assert "\n" not in str(caught.value)
    assert "training" not in capsys.readouterr().err
    assert not list(tmp_path.glob("*/*/record.json"))


def test_an_empty_mode_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "")
    run = trained(tmp_path, "metrics=none", "logger=wandb")
    assert run.read().status == "finished"
    assert list(run.path.glob("wandb/offline-run-*"))
    assert "WANDB_MODE" not in os.environ
