"""Any exception becomes one line and an exit code."""

import errno
import signal
from typing import Any

import hydra.errors
import pytest
import yaml
from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from forger.config.explain import explain, one_line
from forger.errors import ConfigError, Diverged, ForgerError, Interrupted, RunLocked, closest

CONFIG = OmegaConf.create({"seed": 0, "data": {"size": 8}, "broken": "${nowhere}", "open": "???", "odd": "${f:1}"})
OmegaConf.set_struct(CONFIG, True)


def of_omegaconf(key: str) -> OmegaConfBaseException:
    with pytest.raises(OmegaConfBaseException) as caught:
        OmegaConf.select(CONFIG, key, throw_on_missing=True) if "." not in key else CONFIG.data[key[5:]]
    return caught.value


def raised_by_hydra(target: str, **arguments: Any) -> Exception:
    with pytest.raises(hydra.errors.InstantiationException) as caught:
        instantiate(OmegaConf.create({"data": {"source": {"_target_": target, **arguments}}}))
    return caught.value


def fail_by_user() -> None:
    raise ValueError("no pictures in photos/;\nput some there")


def fail_by_config() -> None:
    raise ConfigError("data.source.root=photos: no pictures there")


def fail_by_bug() -> None:
    raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (ConfigError("seed=x: must be a whole number"), "seed=x: must be a whole number", 2),
        (ForgerError("no"), "no", 1),
        (RunLocked("runs/a/1: process 3 on host is at work"), "runs/a/1: process 3 on host is at work", 1),
        (
            Diverged("generator", "adversarial", float("nan"), 12),
            "diverged: the generator's term 'adversarial' is nan at iteration 12",
            3,
        ),
        (
            Interrupted(signal.SIGTERM),
            "interrupted by signal 15; the same command continues the run",
            143,
        ),
        (KeyboardInterrupt(), "interrupted", 130),
        (ValueError("two\n   lines"), "two lines", 2),
        (FileNotFoundError(errno.ENOENT, "No such file", "x.png"), "x.png: no such file; check the path", 2),
        (PermissionError(errno.EACCES, "Denied", "runs"), "runs: denied; get the permission or name another path", 1),
        (
            RuntimeError("shapes\n differ"),
            "failed: RuntimeError: shapes differ (FORGER_DEBUG=1 shows the traceback)",
            1,
        ),
    ],
)
def test_the_line_and_the_code(error: BaseException, line: str, code: int) -> None:
    assert explain(error) == (line, code)


def test_omegaconf() -> None:
    assert explain(of_omegaconf("data.szie")) == (
        "data.szie: no such key; did you mean 'size'? (valid: size)",
        2,
    )
    assert explain(of_omegaconf("broken")) == (
        "broken=${nowhere}: the config has no nowhere; set it, or give a value here",
        2,
    )
    assert explain(of_omegaconf("odd")) == ("odd=${f:1}: Unsupported interpolation type f; give a value here", 2)
    assert explain(of_omegaconf("open")) == ("open: a value is missing; set open=…", 2)


def test_what_a_constructor_says_comes_with_its_key() -> None:
    assert explain(raised_by_hydra(f"{__name__}.fail_by_user")) == (
        "data.source: no pictures in photos/; put some there",
        2,
    )
    assert explain(raised_by_hydra(f"{__name__}.fail_by_config")) == (
        "data.source.root=photos: no pictures there",
        2,
    )
    line, code = explain(raised_by_hydra(f"{__name__}.fail_by_bug"))
    assert line.startswith("data.source: failed: ZeroDivisionError")
    assert code == 1
    line, code = explain(raised_by_hydra("os.kill"))
    assert line.startswith("data.source: ")
    assert "blocklisted" in line
    assert code == 2


def test_yaml_names_file_and_line() -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.safe_load("seed: 0\nrun: [1\nx: 2\n")
    line, code = explain(caught.value)
    assert "<unicode string>" in line
    assert "line 3: not valid YAML" in line
    assert code == 2


def test_one_line_is_one_line() -> None:
    assert one_line("a\r\n\tb\x1b[31mc\x00 ") == "a b [31mc"
    assert len(one_line("x" * 10_000)) < 1010


def test_the_closest_name() -> None:
    assert closest("widht", ["width", "channels"]) == "did you mean 'width'? (valid: channels, width)"
    assert closest("zzz", ["width"], "available") == "(available: width)"
    assert closest("zzz", []) == "(valid: none)"
    many = [f"name{i}" for i in range(100)]
    assert closest("nam1", many) == "did you mean 'name1'?"
    assert closest("zzz", many).endswith(", …)")


def test_a_parameter_that_the_config_leaves_out_is_added_with_a_plus():
    node = OmegaConf.create({"model": {"_target_": "torch.nn.Linear", "in_features": 3}})
    OmegaConf.set_struct(node, True)
    with pytest.raises(Exception, match="bias") as caught:
        OmegaConf.update(node, "model.bias", False, force_add=False)
    line, code = explain(caught.value)
    assert code == 2
    assert line == "model.bias: this config leaves it out, though torch.nn.Linear takes it; +model.bias adds it"
