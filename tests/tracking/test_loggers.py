"""Loggers: one W&B run per run, no prompt, no waiting, no loss of training; CSV and TensorBoard by choice."""

import atexit
import csv
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import wandb
from omegaconf import OmegaConf
from PIL import Image
from pytorch_lightning.loggers import WandbLogger

from forger.config.targets import Node, checked
from forger.errors import ConfigError
from forger.tracking import wandb_run
from forger.tracking.loggers import RunInfo, csv_logger, finish, log_picture, tensorboard_logger, wandb_logger
from wandb_backend import nobody_logged_in

CONF = Path(__file__).parents[2] / "conf" / "logger"


@pytest.fixture(autouse=True)
def _nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_logged_in(tmp_path, monkeypatch)


def info(folder: Path, run_id: str = "0123456789ab") -> RunInfo:
    folder.mkdir(exist_ok=True)
    return RunInfo(folder, run_id, "digits", {"a": {"b": 1}})


def offline_records(folder: Path) -> list[dict[str, Any]]:
    """What W&B wrote, read by its own client."""
    [directory] = (folder / "wandb").glob("offline-run-*-0123456789ab")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(directory)]
    lines = subprocess.check_output(command, text=True, timeout=60).splitlines()
    return [json.loads(line) for line in lines]


# W&B --------------------------------------------------------------------------------------------------------


def test_an_offline_run_has_its_rows_config_picture_and_axes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    logger = wandb_logger(info(folder), group="digits", tags=["a", "b"])
    assert isinstance(logger, WandbLogger)
    assert not list(folder.iterdir())  # begun when first used
    for i in range(3):
        logger.log_metrics({"iterations": i, "images": 64 * i, "score/fd_digits": 9.5 - i}, step=i)
    Image.new("RGB", (8, 8)).save(tmp_path / "grid.png")
    log_picture([logger], "samples", tmp_path / "grid.png", images=128, iterations=2)
    finish([logger])
    records = offline_records(folder)
    [run] = [record["run"] for record in records if record["type"] == "run"]
    assert (run["run_id"], run["project"], run["run_group"]) == ("0123456789ab", "forger", "digits")
    assert (run["job_type"], run["tags"]) == ("train", ["a", "b"])
    assert run["config"]["update"]["a"] == {"b": 1}
    text = json.dumps(records)
    assert "trainer/global_step" not in text
    rows = [record["history"] for record in records if record["type"] == "history"]
    assert len(rows) == 4
    assert '"images"' in json.dumps([record for record in records if record["type"] == "metric"])
    assert (folder / "wandb" / next(folder.glob("wandb/offline-*")).name / "files/media/images").is_dir()
    assert os.environ["WANDB_DATA_DIR"] == str(folder / "wandb")


def test_two_runs_in_one_process_are_two(tmp_path: Path) -> None:
    loggers = [wandb_logger(info(tmp_path / name, f"0123456789{name}")) for name in ("aa", "bb")]
    ids = []
    for logger in loggers:
        logger.log_metrics({"images": 0})
        ids.append(logger.experiment.id)
    finish(loggers)
    assert ids == ["0123456789aa", "0123456789bb"]
    assert all(list((tmp_path / name).glob(f"wandb/offline-run-*{name}")) for name in ("aa", "bb"))
    assert wandb.run is None


class FakeRun:
    """Stands in for W&B's run where starting one would add nothing."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.rows: list[dict[str, Any]] = []
        self.ended: list[int] = []

    starting_step = 0

    def define_metric(self, *_: Any, **__: Any) -> None: ...

    def log(self, row: dict[str, Any], **_: Any) -> None:
        if len(self.rows) == 1:
            raise BrokenPipeError("the service is gone")
        self.rows.append(row)

    def finish(self, exit_code: int) -> None:
        self.ended.append(exit_code)
        raise RuntimeError("no service")


def test_after_a_signal_uploads_are_waited_for_a_few_seconds_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    released = threading.Event()
    run = FakeRun()
    run.dir = str(tmp_path / "run" / "wandb" / "run-1" / "files")  # type: ignore[attr-defined]
    monkeypatch.setattr(run, "finish", lambda exit_code: released.wait(60))
    monkeypatch.setattr(wandb, "init", lambda **_: run)
    monkeypatch.setattr(wandb_run, "_LAST_SECONDS", 0.1)
    exits: list[tuple[Any, ...]] = []
    monkeypatch.setattr(atexit, "register", lambda *call: exits.append(call))
    logger = wandb_logger(info(tmp_path / "run"))
    logger.log_metrics({"images": 1})
    began = time.monotonic()
    finish([logger], exit_code=143)
    assert time.monotonic() - began < 10
    released.set()
    assert exits == [(os._exit, 143)]
    [said] = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert said.endswith(f"`wandb sync {tmp_path / 'run' / 'wandb' / 'run-1'}` sends the rest")


def test_a_tracker_that_dies_does_not_take_the_run_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = FakeRun()
    monkeypatch.setattr(wandb, "init", lambda **_: run)
    logger = wandb_logger(info(tmp_path / "run"))
    for images in range(4):
        logger.log_metrics({"images": images})
    finish([logger], exit_code=3)
    assert run.rows == [{"images": 0}]
    assert run.ended == [3]
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "W&B: no longer logged (the service is gone); metrics.jsonl has every row",
        "RunLogger did not end well: no service",
    ]


def test_a_server_that_can_not_be_used_means_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started: list[dict[str, Any]] = []

    def init(**settings: Any) -> FakeRun:
        started.append(settings)
        if settings["mode"] == "online":
            raise wandb.errors.CommError("no route\nto host")
        return FakeRun(**settings)

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    logger = wandb_logger(info(tmp_path / "run"), mode="online", init_timeout=3, finish_timeout=4)
    logger.log_metrics({"images": 0})
    assert [settings["mode"] for settings in started] == ["online", "offline"]
    assert started[0]["id"] == "0123456789ab"
    assert started[0]["resume"] == "allow"
    assert (started[0]["settings"].init_timeout, started[0]["settings"].finish_timeout) == (3, 4)
    assert "W&B: offline, the server can't be used (no route to host)" in caplog.text
    assert "0" * 40 not in caplog.text


def test_a_data_folder_of_the_users_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb_logger(info(tmp_path / "a"))
    wandb_logger(info(tmp_path / "b"))
    assert os.environ["WANDB_DATA_DIR"] == str(tmp_path / "b" / "wandb")
    monkeypatch.setenv("WANDB_DATA_DIR", "/of/the/user")
    wandb_logger(info(tmp_path / "c"))
    assert os.environ["WANDB_DATA_DIR"] == "/of/the/user"


# Files ------------------------------------------------------------------------------------------------------


def test_csv_keeps_the_rows_of_an_earlier_session(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for session in range(2):
        logger = csv_logger(info(folder))
        logger.log_metrics({"images": 64, "train/generator/adversarial": 0.5 + session}, step=1)
        finish([logger])
    for session in range(2):
        with (folder / f"csv/version_{session}/metrics.csv").open() as file:
            [row] = csv.DictReader(file)
        assert row == {"images": "64", "step": "1", "train/generator/adversarial": str(0.5 + session)}


def test_tensorboard_has_rows_and_pictures(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = tensorboard_logger(info(tmp_path / "run"))
    logger.log_metrics({"images": 128, "score/fd_digits": 2.5}, step=2)
    Image.new("L", (8, 6)).save(tmp_path / "grid.png")
    log_picture([logger], "samples", tmp_path / "grid.png", images=128, iterations=2)
    finish([logger])
    events = EventAccumulator(str(tmp_path / "run/tensorboard"))
    events.Reload()
    [row] = events.Scalars("score/fd_digits")
    assert (row.step, row.value) == (2, 2.5)
    [picture] = events.Images("samples")
    assert (picture.width, picture.height) == (8, 6)


@pytest.mark.parametrize("name", ["wandb", "csv", "tensorboard", "none"])
def test_shipped_loggers_fit_their_builders(name: str) -> None:
    config = OmegaConf.create({"logger": OmegaConf.load(CONF / f"{name}.yaml"), "run": {"name": "digits"}})
    loggers = OmegaConf.to_container(config, resolve=True)["logger"]  # type: ignore[index]
    assert list(loggers) == ([] if name == "none" else [name])
    assert checked(loggers, dict[str, Node], "logger") == loggers
    if name == "wandb":
        with pytest.raises(ConfigError, match="did you mean 'offline'"):
            checked(loggers["wandb"] | {"mode": "ofline"}, Node, "logger.wandb")
