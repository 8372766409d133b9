"""Nodes against the signatures of what they name: keys, types, ranges, names, nesting."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import pytest
import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from forger.config.targets import Node, checked
from forger.errors import ConfigError

if TYPE_CHECKING:
    from nowhere import Unknown

HERE = __name__


@dataclass
class Side:
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    networks: list[str]
    every: Annotated[int, Ge(1)] = 1


class Everything(nn.Module):
    def __init__(
        self,
        width: Annotated[int, Ge(1)],
        dropout: Annotated[float, Ge(0), Le(1)] = 0.0,
        kind: Literal["plain", "wide"] = "plain",
        network: nn.Module | None = None,
        act: Callable[[Tensor], Tensor] | None = None,
        sides: Mapping[str, Side] | None = None,
        layers: Sequence[nn.Module] = (),
        sizes: Sequence[int] = (),
        pair: tuple[float, float] = (0.0, 0.0),
        either: "int | Tensor" = 0,
        mixed: Optional["tuple[float | Tensor, float | Tensor]"] = None,
        nothing: Tensor | None = None,
        path: Path | None = None,
        flag: bool = False,
        table: dict[str, float] | None = None,
        free: Any = None,
        bare=None,
    ) -> None:
        super().__init__()


class Unresolvable:
    def __init__(self, size: int, other: "Unknown | None" = None) -> None: ...


class Open:
    def __init__(self, size: Annotated[int, Ge(1)], **options: Any) -> None: ...


class Scaled(torch.optim.SGD):
    pass


def positional(first: int, second: int, /, third: int = 3) -> None: ...


def many(*layers: nn.Module, scale: float = 1.0) -> None: ...


def node(target: object, **arguments: Any) -> dict[str, Any]:
    path = target if isinstance(target, str) else f"{HERE}.{target.__name__}"  # type: ignore[attr-defined]
    return {"_target_": path, **arguments}


def refusal(value: Any, key: str = "model", **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        checked(value, Node, key, **options)
    line = str(caught.value)
    assert "\n" not in line
    return line


def adam(**arguments: Any) -> dict[str, Any]:
    return node("torch.optim.Adam", _partial_=True, **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"dropout": 0},
        {"dropout": 1},
        {"kind": "wide"},
        {"network": None},
        {"network": {"_target_": "torch.nn.ReLU"}},
        {"act": {"_target_": "torch.nn.functional.relu", "_partial_": True}},
        {"layers": [{"_target_": "torch.nn.ReLU"}, {"_target_": "torch.nn.Linear", "_args_": [3, 4]}]},
        {"sizes": [1, 2]},
        {"sizes": []},
        {"pair": [0.5, 1]},
        {"either": 3},
        {"mixed": [0.1, 0.2]},
        {"mixed": None},
        {"path": "somewhere"},
        {"flag": True},
        {"table": {"a": 1, "b": 2.5}},
        {"free": [1, {"a": "b"}]},
        {"bare": "anything"},
        {"_convert_": "all", "_recursive_": False},
    ],
)
def test_right_arguments_pass_unchanged(arguments: dict[str, Any]) -> None:
    value = node(Everything, width=8, **arguments)
    assert checked(value, Node, "model") == value


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"widht": 64}, f"model.widht=64: no such key of {HERE}.Everything; did you mean 'width'? ("),
        ({"width": 0}, "model.width=0: must be at least 1"),
        ({"width": "8"}, "model.width=8: must be a whole number"),
        ({"width": 8.5}, "model.width=8.5: must be a whole number"),
        ({"width": True}, "model.width=true: must be a whole number"),
        ({"width": None}, "model.width=null: must be a whole number"),
        ({"dropout": 1.5}, "model.dropout=1.5: must be at most 1"),
        ({"dropout": float("nan")}, "model.dropout=NaN: must be a finite number"),
        ({"kind": "wied"}, "model.kind=wied: no such choice; did you mean 'wide'? (valid: plain, wide)"),
        ({"kind": 3}, "model.kind=3: must be one of 'plain' or 'wide'"),
        ({"network": "resnet"}, "model.network=resnet: must be a group of keys with _target_"),
        ({"act": "relu"}, "model.act=relu: must be a group of keys with _target_"),
        ({"sizes": 3}, "model.sizes=3: must be"),
        ({"sizes": [1, 2.5]}, "model.sizes=[1, 2.5]: item 1 must be a whole number"),
        ({"pair": [1]}, "model.pair=[1]: too short a list; item 1 (counted from 0) is missing"),
        ({"either": "x"}, "model.either=x: must be a whole number"),
        ({"mixed": [0.1, "x"]}, "model.mixed=[0.1, \"x\"]: item 1 must be a number"),
        ({"flag": 1}, "model.flag=1: must be true or false"),
        ({"table": {"a": "x"}}, "model.table.a=x: must be a number"),
        ({"free": [float("inf")]}, "model.free.0=Infinity: must be a finite number"),
        ({"_partial_": "yes"}, "model._partial_=yes: must be true or false"),
        ({"_targte_": "x"}, "model._targte_=x: no such key"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_in_one_line(arguments: dict[str, Any], said: str) -> None:
    assert said in refusal({**node(Everything, width=8), **arguments})


def test_whole_floats_become_integers() -> None:
    result = checked(node(Everything, width=1e2), Node, "model")
    assert result["width"] == 100
    assert isinstance(result["width"], int)


def test_required_arguments_are_asked_for_unless_they_can_still_come() -> None:
    assert refusal(node(Everything)) == f"model.width: missing; {HERE}.Everything needs it"
    checked(node(Everything, _partial_=True), Node, "model")
    checked(node(Everything, _args_=[3]), Node, "model")
    assert "model.out_features: missing" in refusal(node("torch.nn.Linear", _args_=[3]))
    checked(node(many, _args_=[{"_target_": "torch.nn.ReLU"}]), Node, "model")
    assert "torch.nn.Relu" in refusal(node(many, _args_=[{"_target_": "torch.nn.Relu"}]))


def test_nested_nodes_are_checked_wherever_they_are() -> None:
    deep = {"_target_": "torch.nn.Linear", "in_features": 3, "out_featurs": 4}
    expected = "out_featurs=4: no such key of torch.nn.Linear; did you mean 'out_features'?"
    assert refusal(node(Everything, width=1, network=deep)).startswith(f"model.network.{expected}")
    assert refusal(node(Everything, width=1, layers=[deep])).startswith(f"model.layers.0.{expected}")
    assert refusal(node(Everything, width=1, free={"a": [deep]})).startswith(f"model.free.a.0.{expected}")
    assert refusal(node(Everything, width=1, bare={"a": deep})).startswith(f"model.bare.a.{expected}")


def test_plain_groups_are_checked_against_the_dataclass_they_stand_for() -> None:
    side = {"optimizer": adam(lr=1e-3), "networks": ["g"], "every": 2}
    value = node(Everything, width=1, sides={"generator": side})
    assert checked(value, Node, "model") == value
    for change, said in (
        ({"evry": 3}, "evry=3: no such key of model.sides.generator; did you mean 'every'?"),
        ({"every": 0}, "every=0: must be at least 1"),
        ({"networks": "g"}, "networks=g: must be a list"),
        ({"optimizer": adam(lr=0)}, "optimizer.lr=0: must be greater than 0"),
        ({"optimizer": "adam"}, "optimizer=adam: must be a group of keys with _target_"),
    ):
        line = refusal(node(Everything, width=1, sides={"generator": side | change}))
        assert line.startswith(f"model.sides.generator.{said}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"lr": 0}, "lr=0: must be greater than 0"),
        ({"lr": -1e-3}, "lr=-0.001: must be greater than 0"),
        ({"lr": 1e10}, "lr=10000000000.0: must be at most 10"),
        ({"lr": float("inf")}, "lr=Infinity: must be a finite number"),
        ({"lr": "fast"}, "lr=fast: must be a number"),
        ({"betas": [0.5, 1.0]}, "betas=[0.5, 1.0]: item 1 must be less than 1"),
        ({"betas": [-0.1, 0.9]}, "betas=[-0.1, 0.9]: item 0 must be at least 0"),
        ({"betas": 0.5}, "betas=0.5: must be a list"),
        ({"eps": 0}, "eps=0: must be greater than 0"),
        ({"weight_decay": -1}, "weight_decay=-1: must be at least 0"),
        ({"fused": "yes"}, "fused=yes: must be true or false"),
        ({"l": 1}, "l=1: no such key of torch.optim.Adam;"),
        ({"beats": [0, 0.9]}, "beats=[0, 0.9]: no such key of torch.optim.Adam; did you mean 'betas'?"),
    ],
)
def test_optimisers_have_ranges_that_torch_does_not_tell(arguments: dict[str, Any], said: str) -> None:
    assert f"model.{said}" in refusal(adam(**arguments))


def test_ranges_hold_for_every_optimiser() -> None:
    checked(adam(lr=2e-4, betas=[0.0, 0.99], eps=1e-8, fused=True), Node, "o")
    for optimizer in ("torch.optim.RMSprop", f"{HERE}.Scaled"):
        good = node(optimizer, _partial_=True, lr=1e-3, momentum=0.9)
        checked(good, Node, "o")
        assert "o.lr=100: must be at most 10" in refusal(good | {"lr": 100}, "o")
        assert "o.momentum=1: must be less than 1" in refusal(good | {"momentum": 1}, "o")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("torch.nn.Lineer", "nothing called 'Lineer' in torch.nn; did you mean 'Linear'?"),
        ("torch.optm.Adam", "nothing called 'optm' in torch; did you mean 'optim'?"),
        ("forger.networks.dcgna.Generator", "'dcgna' in forger.networks; did you mean 'dcgan'?"),
        ("nowhere.Thing", "nothing called 'nowhere' to import; is its package installed?"),
        ("torch", "neither a class nor a function"),
        ("math.pi", "neither a class nor a function"),
        ("", "must be the dotted name of a class or function"),
        ("..", "must be the dotted name of a class or function"),
        ("os.system()", "must be the dotted name of a class or function"),
        (3, "must be the dotted name of a class or function"),
        (None, "must be the dotted name of a class or function"),
        ("os.system", "refused by Hydra"),
        ("builtins.eval", "refused by Hydra"),
    ],
)
def test_a_target_that_is_none_is_refused(target: Any, said: str) -> None:
    line = refusal({"_target_": target})
    assert line.startswith("model._target_=")
    assert said in line


def test_a_module_that_fails_to_import_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "needs_other.py").write_text("import not_installed_anywhere")
    (tmp_path / "needs_name.py").write_text("from math import no_such_name")
    assert "needs the package 'not_installed_anywhere', not installed" in refusal(node("needs_other.A"))
    assert "can't be imported (ImportError: cannot import name 'no_such_name'" in refusal(node("needs_name.A"))


def test_where_python_can_not_tell_anything_goes() -> None:
    checked(node("builtins.dict", whatever=3), Node, "x")
    checked(node(Open, size=1, whatever=3), Node, "x")
    assert "x.size=0: must be at least 1" in refusal(node(Open, size=0), "x")
    checked(node(Unresolvable, size=3, other="z"), Node, "x")
    assert "x.siez=3: no such key" in refusal(node(Unresolvable, siez=3), "x")
    checked(node(positional, _args_=[1, 2], third=3), Node, "x")


def test_a_stranger_can_not_hide_a_target_in_a_value() -> None:
    evil = {"_target_": "os.system", "command": "true"}
    for value in (
        evil,
        node("torch.nn.Sequential", _args_=[evil]),
        node("torch.nn.Linear", in_features=evil, out_features=1),
        node("torch.nn.Linear", in_features=[{"a": [evil]}], out_features=1),
        node("torch.nn.Linear", in_features=1, out_features=1, bias={"_target_": "torch.hub.load"}),
    ):
        assert "not allowed in a config that is not your own" in refusal(value, untrusted=True)
    fid = "torchmetrics.image.fid.FrechetInceptionDistance"
    assert "a file's name is not allowed" in refusal(
        node(fid, feature_extractor_weights_path="evil.pth"), untrusted=True
    )


def test_lightnings_own_signatures_are_understood() -> None:
    trainer = node("pytorch_lightning.Trainer", accelerator="cpu", devices=1, max_epochs=-1, logger=False)
    assert checked(trainer, Node, "t") == trainer
    assert "t.precision=31: " in refusal(trainer | {"precision": 31}, "t")
    assert "did you mean 'accelerator'?" in refusal(trainer | {"acelerator": "cpu"}, "t")


def test_bounds_that_are_open_are_open() -> None:
    with pytest.raises(ConfigError, match=r"x=0: must be greater than 0"):
        checked(0, Annotated[float, Gt(0)], "x")
    assert checked(1e-9, Annotated[float, Gt(0)], "x") == 1e-9


def test_a_module_in_the_current_folder_is_found_for_ones_own_config_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `forger` is installed, without the entry for the current folder that `python -m` makes."""
    (tmp_path / "lies_here.py").write_text("class Piece:\n    def __init__(self, width: int):\n        pass\n")
    (tmp_path / "timm.py").write_text("raise SystemExit('the current folder was searched first')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(tmp_path))])
    piece = node("lies_here.Piece", width=3)
    assert "not allowed in a config that is not your own" in refusal(piece, untrusted=True)
    checked(node("forger.metrics.features.dinov2.DINOv2Extractor"), Node, "x", untrusted=True)
    # A stranger's config leaves the way shut for whatever is imported later, too.
    assert str(tmp_path) not in sys.path
    assert "lies_here" not in sys.modules
    assert checked(piece, Node, "model") == piece
    assert sys.path[-1] == str(tmp_path)
    del sys.modules["lies_here"]
