"""Random override lists at the config layer: a valid config, or one line that explains; never a traceback."""

from dataclasses import asdict
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from forger.config.explain import explain
from forger.config.schema import validate
from forger.config.shipped import conf_folder, config_groups
from running import composed

GROUPS = config_groups()


def keys_of(node: Any, place: str = "") -> list[str]:
    """Every key of a config, inner ones too."""
    found = [place] if place else []
    for key in node if isinstance(node, DictConfig) else ():
        found += keys_of(node._get_node(key), f"{place}.{key}" if place else str(key))
    return found


KEYS = sorted(keys_of(composed()))
_NUMBERS = st.one_of(st.integers(-(10**20), 10**20), st.floats(), st.sampled_from([0, 1, -1, 0.5, 1e300, 1e-300]))
_TEXTS = st.sampled_from(
    [
        "", "null", "true", "auto", "inf", "nan", "none", "gpu", "cpu", "ddp", "abc", "'a b'", "a/b", "../x", "é", "☑",
        "[]", "[1,2]", "[[1]]", "{}", "{a:1}", "{_target_:os.system}", "forger.games.adversarial.AdversarialGame",
        "torch.optim.Adam", "torch", "os.system", "not.there", "forger.networks.mlp.Generator", "???",
        "${seed}", "${nothing}", "${oc.env:NOTHING}", "${budget.images}", "${model}", "${x", "1e", "1,2", "0x10", "-",
    ]
)  # fmt: skip
_VALUES = st.one_of(_NUMBERS.map(str), _TEXTS, st.text(max_size=6))
_GROUP = st.sampled_from(sorted(GROUPS)).flatmap(
    lambda group: st.sampled_from([*GROUPS[group], "nothing", "null"]).map(lambda option: f"{group}={option}")
)
_NESTED = st.builds(
    "{}={}".format,
    st.sampled_from(["model/loss", "model/generator_ab", "model/content", "hydra/launcher", "model/x"]),
    st.sampled_from(["hinge", "minimax", "basic", "mlp", "x"]),
)
_KEY = st.builds(
    "{}{}{}={}".format,
    st.sampled_from(["", "", "", "+", "++", "~"]),
    st.sampled_from(KEYS),
    st.sampled_from(["", "", "", "x", ".x", "._target_", "[0]"]),
    _VALUES,
)
_DELETED = st.sampled_from(KEYS).map("~{}".format)
_OVERRIDES = st.lists(st.one_of(_KEY, _KEY, _GROUP, _NESTED, _DELETED, st.text(max_size=8)), min_size=1, max_size=4)


@pytest.fixture(scope="module", autouse=True)
def configs():
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        yield


def outcome(overrides: list[str]) -> tuple[Any, str, int]:
    """The valid config, or the line and the exit code of what was raised."""
    try:
        return validate(compose("train", overrides)), "", 0
    except Exception as error:  # whatever it is, it must have an explanation
        return None, *explain(error, groups=GROUPS)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(overrides=_OVERRIDES)
def test_any_list_of_overrides_is_a_config_or_one_line(overrides):
    config, line, code = outcome([text for text in overrides if not text.startswith(("-", "hydra"))])
    if config is None:
        assert code == 2, line
        assert line
        assert "\n" not in line
        assert not line.startswith("failed"), line
    else:
        # What passes is plain: it can be written down, read again, and is the same config.
        assert (
            validate(OmegaConf.to_container(OmegaConf.create(OmegaConf.to_yaml(OmegaConf.create(asdict(config))))))
            == config
        )
