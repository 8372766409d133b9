"""Data flows one way: who may import whom (docs/design.md)."""

import ast
from pathlib import Path

import pytest

import forger

ROOT = Path(forger.__file__).parent

#: A part and the parts it must never import.
FORBIDDEN = {
    "data": {"networks", "losses", "games", "metrics", "callbacks", "pictures", "run", "schema", "records", "commands"},
    "networks": {"data", "losses", "games", "metrics", "callbacks", "pictures", "run", "schema", "records", "commands"},
    "augmentation": {
        "data",
        "networks",
        "losses",
        "games",
        "metrics",
        "callbacks",
        "pictures",
        "run",
        "schema",
        "commands",
    },
    "losses": {"data", "networks", "games", "metrics", "callbacks", "pictures", "run", "schema", "records", "commands"},
    "games": {"networks", "metrics", "callbacks", "pictures", "run", "schema", "records", "tracking", "commands"},
    "metrics": {"networks", "games", "callbacks", "pictures", "run", "schema", "records", "tracking", "commands"},
    "watch": {
        "networks",
        "losses",
        "games",
        "callbacks",
        "pictures",
        "run",
        "schema",
        "records",
        "tracking",
        "commands",
    },
    "pictures": {"networks", "callbacks", "run", "schema", "records", "tracking", "commands"},
    "sweeps": {"data", "networks", "losses", "games", "metrics", "callbacks", "pictures", "tracking"},
    "callbacks": {"networks", "run", "schema", "cli", "commands"},
    "config": {"networks", "games", "metrics", "callbacks", "pictures", "run", "commands", "sweeps", "report"},
    "runs": {"networks", "metrics", "pictures", "commands", "sweeps", "report"},
    "tracking": {"networks", "games", "metrics", "callbacks", "pictures", "run", "commands", "sweeps", "report"},
    "report": {"data", "networks", "losses", "games", "callbacks", "pictures", "run", "schema", "watch"},
    "records": {"data", "networks", "losses", "games", "metrics", "callbacks", "pictures", "run", "schema"},
}
#: Packages that a part never sees.
FOREIGN = {
    "games": {"hydra", "omegaconf", "wandb"},
    "networks": {"hydra", "omegaconf", "wandb", "pytorch_lightning"},
    "augmentation": {"hydra", "omegaconf", "wandb", "pytorch_lightning"},
    "losses": {"hydra", "omegaconf", "wandb", "pytorch_lightning"},
    "data": {"hydra", "omegaconf", "wandb", "pytorch_lightning"},
    "metrics": {"hydra", "omegaconf", "wandb", "pytorch_lightning"},
    "report": {"hydra", "omegaconf", "torch", "pytorch_lightning"},
}


def imports(part: str) -> dict[str, set[str]]:
    """Top-level names imported by each file of a part; forger's own as ``forger.PART``."""
    files = (ROOT / part).rglob("*.py") if (ROOT / part).is_dir() else [ROOT / f"{part}.py"]
    found = {}
    for file in files:
        names: set[str] = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inside = [f"forger.{alias.name}" for alias in node.names] if node.module == "forger" else []
                names |= {node.module, *inside}
        found[str(file.relative_to(ROOT))] = names
    return found


@pytest.mark.parametrize("part", FORBIDDEN)
def test_nobody_imports_what_is_to_the_right(part):
    for file, names in imports(part).items():
        parts = {name.split(".")[1] for name in names if name.startswith("forger.")}
        assert not parts & FORBIDDEN[part], file
        packages = {name.split(".")[0] for name in names}
        assert not packages & FOREIGN.get(part, set()), file


def test_networks_are_named_by_configs_alone():
    parts = [path.name for path in ROOT.iterdir() if path.is_dir() and path.name not in ("networks", "__pycache__")]
    for part in parts:
        for file, names in imports(part).items():
            assert not any(name.startswith("forger.networks") for name in names), file


def test_there_is_one_training_step():
    found = [path for path in ROOT.rglob("*.py") if "def training_step" in path.read_text()]
    assert [path.name for path in found] == ["base.py"]
