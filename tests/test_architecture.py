"""Floors: an import runs downwards or stays in its package, and there is no circle (docs/design.md)."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import forger

ROOT = Path(forger.__file__).parent

#: From the top down. A part imports parts of lower lines; those of one line do not know each other.
FLOORS = (
    ("__main__",),
    ("cli",),
    ("api", "commands"),
    ("play", "report"),
    ("run", "scoring"),
    ("sources", "sweeps"),
    ("export",),
    ("lifecycle",),
    ("callbacks",),
    ("default_evaluations",),
    ("building", "inversion", "pictures", "watch"),
    ("compilation", "metrics"),
    ("games",),
    ("config", "data", "losses"),
    ("tracking",),
    ("augmentation", "console", "run_folder"),
    ("annealing", "records"),
    (
        "networks",
        "hashing",
        "redaction",
        "trial",
        "files",
        "archives",
        "json_schema",
        "randomness",
        "partials",
        "standard_streams",
        "endings",
        "importing",
        "locking",
        "pages",
    ),
    ("errors", "sizes"),
    ("__init__",),
)
#: The same inside `metrics`.
FLOORS_OF_METRICS = (("evaluations",), ("scores",), ("features",), ("functional", "passport"))
#: Packages that a part never sees.
FOREIGN = {
    "games": {"hydra", "omegaconf", "wandb"},
    "networks": {"hydra", "omegaconf", "wandb", "pytorch_lightning"},
    "augmentation": {"hydra", "omegaconf", "wandb", "pytorch_lightning"},
    "losses": {"hydra", "omegaconf", "wandb", "pytorch_lightning"},
    "data": {"hydra", "omegaconf", "wandb", "pytorch_lightning"},
    "metrics": {"hydra", "omegaconf", "wandb", "pytorch_lightning"},
    "report": {"hydra", "omegaconf", "torch", "pytorch_lightning"},
    "pages": {"hydra", "omegaconf", "torch", "pytorch_lightning"},
}

#: Folders of tests that are of no package: whole runs and commands, pages that tell what to type, `scripts/benchmarks`.
ELSEWHERE = ("system", "docs", "benchmarks")


@cache
def modules() -> dict[str, Path]:
    """Each module's file by its name below `forger`: `games.base`; a package is `games.__init__`."""
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.rglob("*.py")}


@cache
def imports() -> dict[str, set[str]]:
    """What each module imports, wherever in its code: modules of forger by their names here, packages by theirs."""
    found: dict[str, set[str]] = {}
    for module, path in modules().items():
        names = found.setdefault(module, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {_own(alias.name) for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= {_own(name if _own(name) in modules() else node.module) for name in inner}
    return found


def _own(name: str) -> str:
    if name.split(".")[0] != "forger":
        return name
    below = name.removeprefix("forger").removeprefix(".")
    package = f"{below}.__init__".removeprefix(".")
    return package if package in modules() else below


def part(module: str) -> str:
    return module.split(".")[0]


def test_every_part_has_a_floor():
    named = [name for floor in FLOORS for name in floor]
    assert len(named) == len(set(named))
    assert {part(module) for module in modules()} == set(named)


def test_imports_run_downwards():
    level = {name: height for height, floor in enumerate(FLOORS) for name in floor}
    upwards = [
        f"{module} -> {name}"
        for module, names in imports().items()
        for name in names & modules().keys()
        if part(module) != part(name) and level[part(name)] <= level[part(module)]
    ]
    assert not upwards


def test_imports_inside_metrics_run_downwards():
    level = {name: height for height, floor in enumerate(FLOORS_OF_METRICS) for name in floor}
    rooms = {module: module.split(".")[1] for module in modules() if module.startswith("metrics.")}
    upwards = [
        f"{module} -> {name}"
        for module, room in rooms.items()
        for name in imports()[module] & rooms.keys()
        if room != rooms[name] and level[rooms[name]] <= level[room]
    ]
    assert not upwards


def test_no_circle():
    graph = {module: names & modules().keys() for module, names in imports().items()}
    while True:
        ends = {module for module, names in graph.items() if not names - {module}}
        if not ends:
            break
        graph = {module: names - ends for module, names in graph.items() if module not in ends}
    assert not graph, f"each of these imports another of them: {sorted(graph)}"


@pytest.mark.parametrize("name", FOREIGN)
def test_packages_that_a_part_never_sees(name):
    for module, names in imports().items():
        if part(module) == name:
            assert not {package.split(".")[0] for package in names} & FOREIGN[name], module


def test_networks_are_named_by_configs_alone():
    for module, names in imports().items():
        assert part(module) == "networks" or not any(part(name) == "networks" for name in names), module


def test_there_is_one_training_step():
    found = [module for module, path in modules().items() if "def training_step" in path.read_text(encoding="utf-8")]
    assert found == ["games.base"]


def test_tests_mirror_the_package_and_stay_short():
    """What tests one module or package lies where that does; what tests them all, or something else, in `ELSEWHERE`."""
    home = Path(__file__).parent
    for path in home.rglob("*.py"):
        below = path.relative_to(home)
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 350, below
        if path.name.startswith("test_") and below.parts[0] not in (*ELSEWHERE, Path(__file__).name):
            of = below.parent if len(below.parts) > 1 else Path(below.stem.removeprefix("test_") + ".py")
            assert (ROOT / of).exists(), f"{below} tests neither a package nor a module of its name"


def test_the_design_page_opens_with_the_floors():
    page = (Path(__file__).parents[1] / "docs/design.md").read_text(encoding="utf-8").split("```")[1]
    shown = [tuple(re.split(r"\s{2,}", line)[0].removesuffix(", …").split(", ")) for line in page.strip().splitlines()]
    below = {name for floor in FLOORS[len(shown) - 1 :] for name in floor}
    assert shown[:-1] == list(FLOORS[: len(shown) - 1])
    assert set(shown[-1]) <= below
