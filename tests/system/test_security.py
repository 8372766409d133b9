"""A stranger's run folder runs no code, archives stay in their folder, and secrets stay out of what a run leaves."""

import io
import json
import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torchvision.datasets import CIFAR10

from forger import cli
from forger.config.schema import validate
from forger.data.downloads import cifar10
from forger.errors import ConfigError
from forger.redaction import HIDDEN, redacted
from running import composed
from system.scenes import TINY, tiny_run

SECRET = "hush-0123456789abcdef"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run, as a stranger might hand it over."""
    return tiny_run(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["forger"])
    return tmp_path


# Run folders of strangers -------------------------------------------------------------------------------------

#: A module of the stranger's that tells when it is imported, beside a function that tells when it is called.
EVIL = "from pathlib import Path\nPath('ran').touch()\ndef build(*_, **__):\n    Path('ran').touch()\n"
TOUCH = {"_target_": "os.system", "_args_": ["touch ran"]}
ADAM = "model.players.generator.optimizer"
QUALITY = {"_target_": "forger.metrics.evaluations.sample_quality.SampleQuality"}
FRECHET = {"_target_": "torchmetrics.image.fid.FrechetInceptionDistance"}

ATTACKS: dict[str, tuple[str, Any]] = {
    "os.system": ("model.generator", {"_target_": "os.system", "command": "touch ran"}),
    "eval": ("model.generator", {"_target_": "builtins.eval", "_args_": ["open('ran', 'w')"]}),
    "exec": ("model.generator", {"_target_": "builtins.exec", "_args_": ["open('ran', 'w')"]}),
    "Popen": ("model.generator", {"_target_": "subprocess.Popen", "args": ["touch", "ran"]}),
    "torch.load": ("model.generator", {"_target_": "torch.load", "f": "evil.pt", "weights_only": False}),
    "torch.hub.load": (
        "model.generator",
        {"_target_": "torch.hub.load", "repo_or_dir": ".", "model": "build", "source": "local"},
    ),
    "Hydra's get_method": ("model.loss", {"_target_": "hydra.utils.get_method", "path": "os.system"}),
    "Hydra's instantiate": ("model.generator", {"_target_": "hydra.utils.instantiate", "config": TOUCH}),
    "a module of the stranger's": ("model.generator", {"_target_": "evil.build"}),
    "an entry by way of a trusted module": ("model.loss", {"_target_": "forger.data.images.torch.hub.load"}),
    "a way through torch.nn": ("model.loss", {"_target_": "torch.nn.modules.module.functools.partial"}),
    "a bare package": ("model.generator", {"_target_": "torch.nn"}),
    "nested in an argument": (f"{ADAM}.lr", TOUCH),
    "nested in a list": ("model.generator.shape", [1, {"a": [TOUCH]}]),
    "partial": ("model.loss", {**TOUCH, "_partial_": True}),
    "in positional arguments": ("model.generator", {"_target_": "torch.nn.Sequential", "_args_": [TOUCH]}),
    "not recursive": ("model.generator", {"_target_": "torch.nn.Identity", "x": TOUCH, "_recursive_": False}),
    "the data": ("data.source", TOUCH),
    "a Lightning command line": ("model", {"_target_": "pytorch_lightning.cli.LightningCLI"}),
    "an extractor by name": ("metrics.evaluations", {"quality": {**QUALITY, "extractor": "evil.build"}}),
    "an extractor by place": ("metrics.evaluations", {"quality": {**QUALITY, "_args_": ["evil.build"]}}),
    "an exported extractor": ("metrics.evaluations", {"quality": {**QUALITY, "extractor": "evil.pt2"}}),
    "a metric's pickle": ("metrics.evaluations", {"fid": {**FRECHET, "feature_extractor_weights_path": "evil.pt"}}),
    "an environment's secret": ("run.name", "${oc.env:SECRET_TOKEN}"),
    "an interpolation in disguise": ("run.name", "\\${oc.env:SECRET_TOKEN}"),
    "an interpolation in a key": ("callbacks", {"${oc.env:SECRET_TOKEN}": {"_target_": "torch.nn.ReLU"}}),
    "a resolver": ("seed", "${oc.decode:'1'}"),
}


def placed(config: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    *parents, last = key.split(".")
    node = config
    for parent in parents:
        node = node[parent]
    node[last] = value
    return config


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("arguments", [("sample", "foreign"), ("evaluate", "foreign"), ("evaluate", "ckpt")])
def test_a_strangers_config_runs_no_code(
    name: str, arguments: tuple[str, str], run: Path, here: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("SECRET_TOKEN", SECRET)
    monkeypatch.syspath_prepend(here)
    Path("evil.py").write_text(EVIL)
    Path("hubconf.py").write_text(EVIL)
    torch.save(Code(), "evil.pt")
    shutil.copytree(run, "foreign")
    config = yaml.safe_load(Path("foreign/config.yaml").read_text())
    Path("foreign/config.yaml").write_text(yaml.safe_dump(placed(config, *ATTACKS[name])))
    command, what = arguments
    code = cli.main([command, what if what == "foreign" else "foreign/checkpoints/final.ckpt"])
    error = capsys.readouterr().err
    assert code == 2, error
    assert error.count("\n") == 1
    assert "config.yaml" in error
    assert SECRET not in error
    assert not Path("ran").exists()
    assert "evil" not in sys.modules


def test_a_config_with_pythons_tags_is_no_config(run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(run, "foreign")
    Path("foreign/config.yaml").write_text("model: !!python/object/apply:os.system ['touch ran']\n")
    assert cli.main(["sample", "foreign"]) == 2
    assert "config.yaml" in capsys.readouterr().err
    assert not Path("ran").exists()


def test_whoever_trusts_a_run_may_build_it(
    run: Path, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(here)
    Path("ours.py").write_text("from forger.losses.adversarial import non_saturating as loss\n")
    shutil.copytree(run, "foreign")
    file = Path("foreign/config.yaml")
    config = placed(yaml.safe_load(file.read_text()), "model.loss._target_", "ours.loss")
    file.write_text(yaml.safe_dump(config))
    assert cli.main(["sample", "foreign"]) == 2
    assert "add --trust" in capsys.readouterr().err
    assert cli.main(["sample", "foreign", "--trust"]) == 0


class Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran",)


# Archives -----------------------------------------------------------------------------------------------------


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "members",
    [
        [member("../outside")],
        [member("cifar-10-batches-py/../../outside")],
        [member("/tmp/forger-test-outside")],
        [member("link", tarfile.SYMTYPE, ".."), member("link/outside")],
        [member("link", tarfile.SYMTYPE, "/"), member("link/tmp/forger-test-outside")],
        [member("link", tarfile.LNKTYPE, "../secret")],
    ],
    ids=["parent", "hidden parent", "absolute", "link", "absolute link", "hard link"],
)
def test_archives_cannot_leave_their_folder(
    members: list[tarfile.TarInfo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one that has the published checksum, and torchvision's own care left aside."""
    (tmp_path / "secret").write_text(SECRET)
    root = tmp_path / "data"
    root.mkdir()
    with tarfile.open(root / CIFAR10.filename, "w:gz") as archive:
        for info in members:
            archive.addfile(info, io.BytesIO())

    def extracted(self: CIFAR10) -> None:
        with tarfile.open(root / CIFAR10.filename) as archive:
            archive.extractall(root)  # as torchvision before 0.27, on Python before 3.14

    monkeypatch.setattr(CIFAR10, "download", extracted)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        cifar10(str(root))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "outside").exists()
    assert not Path("/tmp/forger-test-outside").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "secret"]
    assert all(SECRET not in path.read_text(errors="replace") for path in root.rglob("*") if path.is_file())


# Secrets ------------------------------------------------------------------------------------------------------


def files_with(folder: Path, text: str) -> list[str]:
    """Files below a folder in which the text stands, in a file's name too, in archives too."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                content += b"".join(archive.read(name) for name in archive.namelist())
        if text.encode() in content or text in path.name:
            found.append(str(path.relative_to(folder)))
    return found


def test_no_secret_is_left_in_a_run_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the environment, of overrides, of URLs: not in the record, config, log, checkpoints or W&B's files."""
    monkeypatch.syspath_prepend(here)
    Path("mine.py").write_text(
        "from forger.tracking.loggers import csv_logger\n"
        "import logging\n"
        "def keyed(run, /, *, api_key: str, server: str):\n"
        "    assert api_key.startswith('key-') and 'url-' in server\n"
        "    logging.getLogger('forger').info('%s at %s', api_key, server)\n"
        "    logging.getLogger('forger').info('api_key=%s', api_key)\n"
        "    return csv_logger(run)\n"
    )
    environment = {
        "WANDB_API_KEY": f"{SECRET}-wandb-0123456789abcdef", "HF_TOKEN": f"{SECRET}-hf",
        "DATABASE_PASSWORD": f"{SECRET}-db", "AWS_SECRET_ACCESS_KEY": f"{SECRET}-aws",
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANDB_MODE", "offline")
    overrides = [
        "logger=[wandb,tensorboard]",
        "+logger.mine={_target_: mine.keyed, _partial_: true, api_key: key-0123456789, server: '${oc.env:SERVER}'}",
        "logger.wandb.group='${oc.env:HF_TOKEN}'",
        "+logger.mine.password=pass word-0123456789",
    ]
    monkeypatch.setenv("SERVER", "https://user:url-0123456789@example.org/?token=query-0123456789")
    monkeypatch.setattr(sys, "argv", ["forger", "train", *overrides])
    assert cli.main(["train", *[o for o in TINY if not o.startswith("logger")], *overrides]) == 2  # no password there
    assert "word-0123456789" not in capsys.readouterr().err
    assert cli.main(["train", *[o for o in TINY if not o.startswith("logger")], *overrides[:-1]]) == 0
    run = next(here.glob("runs/*/*"))
    assert list(run.rglob("*.wandb"))
    assert list(run.glob("csv/*/metrics.csv"))
    secrets = (SECRET, "key-0123456789", "url-0123456789", "query-0123456789", "word-0123456789")
    assert {secret: files_with(run, secret) for secret in secrets} == {secret: [] for secret in secrets}
    record = json.loads((run / "record.json").read_text())
    assert any("api_key: " + HIDDEN in override for override in record["overrides"])
    assert f"api_key: '{HIDDEN}'" in (run / "config.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+logger.comet.api_key=abc def", f"+logger.comet.api_key={HIDDEN}"),
        ("+logger={x: {api_key: abc, n: 3}}", f"+logger={{x: {{api_key: {HIDDEN}, n: 3}}}}"),
        ("data.root=https://me:pw@host/x", f"data.root=https://{HIDDEN}@host/x"),
        ("sweep.storage='postgresql://me:p/w@host/x'", f"sweep.storage='postgresql://{HIDDEN}@host/x'"),
        ("https://host/?a=1&access_token=abc&b=2", f"https://host/?a=1&access_token={HIDDEN}&b=2"),
        ("logger.x.apiKey=abc", f"logger.x.apiKey={HIDDEN}"),
        ("model.tokens=5 max_tokens=7 model.token=3", "model.tokens=5 max_tokens=7 model.token=3"),
        ("seed=-1: must be at least 0", "seed=-1: must be at least 0"),
        ("+logger.x.password=83920174655", f"+logger.x.password={HIDDEN}"),
        ("db.password=1234 n=5", f"db.password={HIDDEN}"),
        ("max_tokens=100000 n_tokens=1000000", "max_tokens=100000 n_tokens=1000000"),
        ("postgresql://me:p@ss/wo@rd@host/db", f"postgresql://{HIDDEN}@host/db"),
        ("django.secret_key=abc", f"django.secret_key={HIDDEN}"),
        ("+logger.x.tokens=[abc,def]", f"+logger.x.tokens={HIDDEN}"),
        ("+l.headers={Authorization: Bearer abc.def, A: b}", f"+l.headers={{Authorization: {HIDDEN}, A: b}}"),
        ("sent Bearer abc.def to it", f"sent Bearer {HIDDEN} to it"),
        ("https://hooks.slack.com/services/T0/B0/xyz", f"https://hooks.slack.com/{HIDDEN}"),
        ("url=https://discord.com/api/webhooks/1/tok", f"url=https://discord.com/api/webhooks/{HIDDEN}"),
        ("x '+l.m={_target_:a.B,password:Zx9qW1}' n=1", f"x '+l.m={{_target_:a.B,password:{HIDDEN}}}' n=1"),
        ("db.password=${oc.env:PGPASSWORD}", "db.password=${oc.env:PGPASSWORD}"),
        ("db.password=${oc.env:PGPASSWORD,abc}", f"db.password={HIDDEN}"),
        ("data.image_key=image data.label_key=label", "data.image_key=image data.label_key=label"),
        ("author=me key=a", "author=me key=a"),
    ],
)
def test_what_is_hidden_and_what_is_not(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert redacted(shown) == shown


def test_values_of_the_environment_are_hidden_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", SECRET)
    monkeypatch.setenv("SHORT_TOKEN", "x")
    monkeypatch.setenv("HARMLESS", "harmless value")
    values = {"a": [f"x {SECRET} y", 3, None], "b": "harmless value", "token": "z", "password": None, "secret": 3}
    assert redacted(values) == {
        "a": [f"x {HIDDEN} y", 3, None], "b": "harmless value", "token": HIDDEN, "password": None, "secret": 3,
    }  # fmt: skip


def test_a_shells_working_directory_is_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PWD", "OLDPWD"):
        monkeypatch.setenv(name, f"/home/me/{name.lower()}")
    monkeypatch.setenv("DB_PWD", "/home/me/secret")
    for place in ("run.root=/home/me/pwd/runs", "data.root=/home/me/oldpwd/pictures"):
        assert redacted(place) == place
    assert redacted("at /home/me/secret/runs") == f"at {HIDDEN}/runs"


def test_all_that_stands_under_a_telling_key_is_hidden() -> None:
    node = {"_target_": "a.B", "user": "me", "n": 1}
    given = {"password": 83920174655, "tokens": ["abc", "def"], "credentials": node, "max_tokens": 100000, "auth": True}
    assert redacted(given) == {
        "password": HIDDEN, "tokens": [HIDDEN, HIDDEN], "credentials": {"_target_": "a.B", "user": HIDDEN, "n": 1},
        "max_tokens": 100000, "auth": True,
    }  # fmt: skip


def test_short_values_of_secret_variables_are_hidden_where_a_config_asks_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are too short to be looked for in every text, as longer ones are."""
    monkeypatch.setattr("forger.redaction._short", set())
    monkeypatch.setenv("PGPASSWORD", "hunt2")
    monkeypatch.setenv("DJANGO_SECRET_KEY", SECRET)
    monkeypatch.setenv("EDITOR", "vi")
    assert redacted(["hunt2", f"x {SECRET}"]) == ["hunt2", f"x {HIDDEN}"]
    config = composed(
        "run.name=vi", "data.name=hunt2", "+logger={a: {_target_: torch.nn.ReLU, x: '${oc.env:PGPASSWORD}'}}"
    )
    with pytest.raises(ConfigError, match="no such key"):
        validate(config)
    assert redacted({"x": "hunt2", "y": "vi", "z": "hunt2 and more"}) == {"x": HIDDEN, "y": "vi", "z": "hunt2 and more"}


ESCAPES = "\x1b[2J\x1b]0;owned\x07 \u202egnp.exe\r\x9b1m"


def test_no_escape_sequence_reaches_the_terminal(run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(run, f"runs/a\x1b[31m/{run.name}")
    shutil.copytree(run, "runs/broken/b\x1b[31m")
    file = next(Path("runs").glob("a*/*/record.json"))
    record = json.loads(file.read_text())
    record["name"] = record["device"]["accelerator"] = ESCAPES
    record["scores"]["final"] = {ESCAPES: {"value": 1.0, "passport": {"split": ESCAPES}}}
    file.write_text(json.dumps(record))
    Path("runs/broken/b\x1b[31m/record.json").write_text(json.dumps({**record, "status": ESCAPES}))
    for arguments in (["runs"], ["sample", str(file.parent), "--checkpoint", ESCAPES], ["reproduce", f"no{ESCAPES}"]):
        cli.main(arguments)
        said = "".join(capsys.readouterr())
        assert "owned" in said
        assert all(letter.isprintable() or letter == "\n" for letter in said), arguments
