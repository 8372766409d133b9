"""Where the shipped configs are."""

from pathlib import Path

import pytest

from forger.config import shipped


def test_the_repositorys_configs_win_over_a_stale_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("checkout/conf", "checkout/src/forger/conf", "installed/site-packages/forger/conf"):
        (tmp_path / place).mkdir(parents=True)
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "checkout/src/forger/config/shipped.py"))
    assert shipped.conf_folder() == tmp_path / "checkout/conf"
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "installed/site-packages/forger/config/shipped.py"))
    assert shipped.conf_folder() == tmp_path / "installed/site-packages/forger/conf"
