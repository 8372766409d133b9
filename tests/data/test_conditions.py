"""Several labels are conditions: rows of attributes and of values, alike in every form that has columns."""

import json

import numpy as np
import pytest
import torch

from data.forms import SIDE, N, folder, named, pixels
from forger.building import load_data
from forger.config.schema import validate
from forger.data.condition_columns import described, rows_of
from forger.data.conditions import (
    Attribute,
    Value,
    asked,
    conditions_of,
    filled,
    in_turn,
    in_words,
    typical,
)
from forger.data.files import files, seen
from forger.data.forms import tables
from running import composed

SMILING = [i % 2 for i in range(N)]
HAIR = ["grey" if i % 3 else "dark" for i in range(N)]
AGE = [20 + i / 2 for i in range(N)]
LABEL = ["Smiling", "hair", "age"]


def csv(root):
    """As Kaggle's CelebA has it: an attribute is 1 or -1."""
    rows = (f"x/{name},{2 * s - 1},{h},{a}" for name, s, h, a in zip(named(), SMILING, HAIR, AGE, strict=True))
    folder(root)
    (root / "t.csv").write_text("\n".join(["path,Smiling,hair,age", *rows]))
    return root / "t.csv"


def json_lines(root):
    columns = zip(named(), map(bool, SMILING), HAIR, AGE, strict=True)
    rows = [{"path": f"x/{name}", "Smiling": s, "hair": h, "age": a} for name, s, h, a in columns]
    folder(root)
    (root / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return root / "t.jsonl"


def parquet(root):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"image": list(named().values()), "age": AGE, "hair": HAIR, "Smiling": list(map(bool, SMILING))}
    parquet.write_table(pyarrow.table(columns), root / "t.parquet", row_group_size=7)
    return root / "t.parquet"


def saved_set(root):
    """`datasets` writes the names of a class once, and numbers in the column."""
    pyarrow = pytest.importorskip("pyarrow")
    features = {"image": {"_type": "Image"}, "hair": {"_type": "ClassLabel", "names": ["grey", "dark"]}}
    columns = {"image": list(named().values()), "age": AGE, "Smiling": list(map(bool, SMILING))}
    table = pyarrow.table(columns | {"hair": [0 if h == "grey" else 1 for h in HAIR]})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    (root / "s").mkdir()
    with pyarrow.ipc.new_stream(str(root / "s" / "data.arrow"), table.schema) as file:
        file.write_table(table)
    (root / "s" / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    return root / "s"


def npz(root):
    np.savez(root / "t.npz", images=pixels(), Smiling=np.array(SMILING) > 0, hair=np.array(HAIR), age=np.array(AGE))
    return root / "t.npz"


@pytest.mark.parametrize("form", [csv, json_lines, parquet, saved_set, npz], ids=lambda form: form.__name__)
def test_columns_are_rows_of_conditions_in_every_form(form, tmp_path):
    place = str(form(tmp_path))
    smiling = {csv: ["-1", "1"], npz: ["false", "true"]}.get(form, ["false", "true"])
    conditions = [
        {"name": "Smiling", "values": smiling},
        {"name": "hair", "values": ["dark", "grey"]},
        {"name": "age", "mean": 34.75, "deviation": 8.65905, "low": 20.0, "high": 49.5},
    ]
    assert seen(place, LABEL)["classes"] == conditions
    data = files(place, SIDE, 1, conditions, LABEL)
    assert data.classes == 0
    assert [condition.name for condition in data.conditions] == LABEL
    row_of = {array.tobytes(): row for row, array in enumerate(pixels())}
    for split in data.splits.values():
        for image, label in zip(split.arrays["image"], split.arrays["label"], strict=True):
            row = row_of[image.numpy().tobytes()]
            assert label.tolist() == [SMILING[row], HAIR[row] == "grey", AGE[row]]
        assert split.arrays["label"].dtype == torch.float32


def test_a_table_is_read_once_however_many_columns_are_asked_for(tmp_path, monkeypatch):
    place, read = csv(tmp_path), []
    lines = tables._lines
    monkeypatch.setattr(tables, "_lines", lambda file: read.append(file) or lines(file))
    data = files(str(place), SIDE, 1, seen(str(place), LABEL)["classes"], LABEL)
    assert read == [place]
    assert data.train.arrays["label"].shape[1] == 3


def test_arrays_of_splits_have_columns_of_their_own(tmp_path):
    age = np.array(AGE)
    np.savez(tmp_path / "t.npz", x_train=pixels()[:50], age_train=age[:50], x_test=pixels()[50:], age_test=age[50:])
    data = files(str(tmp_path / "t.npz"), SIDE, 1, seen(str(tmp_path / "t.npz"), ["age"])["classes"], ["age"])
    assert data.test.arrays["label"].flatten().tolist() == AGE[50:]


@pytest.mark.parametrize(
    ("cells", "label", "kinds"),
    [
        ([1, 2, 3], ["x"], ["1", "2", "3"]),
        ([1.0, 2.0, -1.0], ["x"], ["-1", "1", "2"]),
        (["10", "9", "10"], ["x"], ["9", "10"]),
        (["b", "a", "10"], ["x"], ["10", "a", "b"]),
        ([0.5, 0.0], {"x": "attribute"}, ["0", "0.5"]),
        (list(range(21)), {"x": "attribute"}, list(map(str, range(21)))),
        (list(range(21)), ["x"], None),
        ([1, 0], {"x": "value"}, None),
        (["0.5", "1"], ["x"], None),
    ],
)
def test_few_whole_numbers_are_kinds_and_others_values_unless_it_is_said(cells, label, kinds):
    (found,) = described({"x": cells}, label, str)
    assert found.get("values") == kinds
    if kinds is None:
        numbers = np.array(cells, dtype=float)
        assert (found["mean"], found["deviation"]) == pytest.approx((numbers.mean(), numbers.std()), rel=1e-5)
        assert rows_of(conditions_of([found]), {"x": cells}, str).flatten().tolist() == numbers.tolist()


@pytest.mark.parametrize(
    ("cells", "label", "line"),
    [
        ([1, None, 2], ["x"], "1: x=None is no condition"),
        ([1, float("nan"), 2], ["x"], "1: x=nan is no condition"),
        ([1, [2], 2], ["x"], r"1: x=\[2\] is no condition"),
        (["a", "  ", "b"], ["x"], "1: x='  ' is no condition"),
        ([3, 3, 3], ["x"], "x is 3 for every picture"),
        ([1, 2, "a"], {"x": "value"}, "2: x='a' is no number"),
        (list(map(str, range(1001))), {"x": "attribute"}, "x has 1001 different values"),
    ],
)
def test_a_column_that_is_no_condition_is_one_line(cells, label, line):
    with pytest.raises(ValueError, match=line):
        described({"x": cells}, label, str)


def test_what_is_typed_for_a_condition():
    smiling, age = Attribute("Smiling", ("-1", "1")), Value("age", 30, 10, 1, 99)
    assert [smiling.number(text) for text in ("-1", "1", "0")] == [0, 1, 0]
    assert Attribute("hair", ("dark", "grey")).number("grey") == 1
    assert age.number("30.5") == 30.5
    for condition, text, line in [(smiling, "2", "Smiling=2: .*valid: -1, 1"), (age, "100", "from 1 to 99"),
                                  (age, "old", "must be a number")]:  # fmt: skip
        with pytest.raises(ValueError, match=line):
            condition.number(text)


def test_the_config_has_what_is_seen_and_the_data_are_checked_against_it(tmp_path):
    place = csv(tmp_path)
    given = ("data=files", "model=gan", "data.batch_size=8", f"data.root={place}")
    config = validate(composed(*given, "data.label=[age,Smiling]"))
    data = load_data(config.data)
    assert isinstance(config.data.classes, list)
    assert data.conditions == conditions_of(config.data.classes)
    again = validate(composed(*given, "data.label={age: value, Smiling: attribute}"))
    assert again.data.classes == config.data.classes
    for label, line in [
        ("[Smiling,Mal]", "data.label=Mal: .* has no such column"),
        ("[]", "data.label=.*must be text, a list"),
        ("{age: old}", "one of 'attribute', 'value'|'attribute' or 'value'"),
        ("{hair: value}", "000.png: hair='dark' is no number"),
    ]:
        with pytest.raises(ValueError, match=line):
            validate(composed(*given, f"data.label={label}"))
    with pytest.raises(ValueError, match=r"data.classes lists age, but data.label names none"):
        files(str(place), SIDE, 1, [config.data.classes[0]])
    with pytest.raises(ValueError, match=r"has no columns"):
        seen(str(tmp_path / "x"), ["age"])
    with pytest.raises(ValueError, match=r"the data set t has Smiling \(-1, 1\)"):
        files(str(place), SIDE, 1, config.data.classes[1:], ["Smiling"]).check({"classes": config.data.classes})


THREE = (Attribute("a", ("no", "yes")), Attribute("b", ("x", "y", "z")), Value("v", 50, 20, 0, 99))
#: Every combination of both attributes but no and z, with all numbers from 0 to 99.
TABLE = torch.tensor([[a, b, v] for a in range(2) for b in range(3) for v in range(100) if (a, b) != (0, 2)]).float()


def drawn(given, n=400):
    return filled(THREE, given, lambda: TABLE, n, torch.Generator().manual_seed(0))


def test_what_is_not_given_is_drawn_from_rows_that_fit():
    every = drawn({})
    assert ((every[:, None] == TABLE).all(2).any(1)).all()
    assert every[:, 0].mean() == pytest.approx(3 / 5, abs=0.08)
    fixed = drawn({"a": 0})
    assert fixed[:, 0].unique().tolist() == [0]
    assert fixed[:, 1].unique().tolist() == [0, 1]  # never no and z
    assert fixed[:, 2].unique().numel() > 50
    near = drawn({"v": 30.5, "a": 1})
    assert near[:, 2].unique().tolist() == [30.5]
    assert near[:, 1].unique().tolist() == [0, 1, 2]
    unknown = drawn({"a": 0, "b": 2})
    assert unknown[:, :2].unique(dim=0).tolist() == [[0, 2]]
    assert torch.equal(every, drawn({}))
    whole = filled(THREE, {"v": 7, "a": 1, "b": 2}, lambda: pytest.fail("no row is needed"), 2, torch.Generator())
    assert whole.tolist() == [[1, 2, 7]] * 2


def test_a_number_is_nearest_in_the_rows_that_agree():
    linked = torch.tensor([[v / 1000 > 0.5, 0, v / 10] for v in range(1000)]).float()  # yes above 50
    given = {"v": 20.0}
    found = filled(THREE, given, lambda: linked, 100, torch.Generator().manual_seed(0))
    assert found[:, 0].unique().tolist() == [0]


def test_what_is_typical_and_what_comes_in_turn():
    assert typical(THREE, TABLE) == [{"a": a, "b": b} for a in range(2) for b in range(3) if (a, b) != (0, 2)]
    assert typical(THREE, TABLE[TABLE[:, 0] == 1], most=2) == [{"a": 1, "b": 0}, {"a": 1, "b": 1}]
    sizes = [each["v"] for each in typical(THREE[2:], TABLE[:, 2:])]
    assert sizes == pytest.approx(np.quantile(TABLE[:, 2].numpy(), np.linspace(0.05, 0.95, 10)), abs=1e-3)
    assert in_turn(THREE, 7).tolist() == [[i % 2, i // 2 % 3, 50] for i in range(7)]


def test_conditions_in_words_and_back():
    comma = (*THREE, Attribute("c", ("p, q", "r")))
    assert asked(comma, "a=yes, v=7,c=p, q") == {"a": 1, "v": 7, "c": 0}
    assert in_words(comma, {"a": 1, "c": 0, "v": 7}) == "a=yes,c=p, q,v=7"
    for text, line in [
        ("d=1", "no such condition.*valid: a, b, v"),
        ("a", "write it as NAME=VALUE"),
        ("a=maybe", "a=maybe: .*valid: no, yes"),
        ("v=100", "v=100: must be a number from 0 to 99"),
    ]:
        with pytest.raises(ValueError, match=line):
            asked(THREE, text)
