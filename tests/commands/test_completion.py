"""What a shell is told to complete a command line with."""

from pathlib import Path

import pytest

from forger import cli


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
