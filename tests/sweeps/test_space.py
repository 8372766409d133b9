"""Hydra's sweep syntax as a search space."""

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from forger.errors import ConfigError
from forger.sweeps.space import parsed


def drawn(key: str, text: str, n: int = 200) -> list:
    parameter = parsed(key, text)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [parameter.suggest(study.ask()) for _ in range(n)]


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_an_interval_is_uniform_and_a_logarithmic_one_in_its_logarithm():
    plain, log = drawn("lr", "interval(1, 100)"), drawn("lr", "tag(log, interval(1, 100))")
    assert all(isinstance(value, float) and 1 <= value <= 100 for value in plain + log)
    assert 0.4 < sum(value < 50.5 for value in plain) / 200 < 0.6
    assert 0.4 < sum(value < 10 for value in log) / 200 < 0.6


def test_whole_numbers_stay_whole():
    assert set(drawn("n", "int(interval(1, 3))")) == {1, 2, 3}
    assert set(drawn("n", "tag(int, log, interval(1, 3))")) == {1, 2, 3}
    assert set(drawn("n", "range(0, 10, 4)")) == {0, 4, 8}
    assert set(drawn("n", "range(3, 0, -1)")) == {1, 2, 3}
    assert all(isinstance(value, int) for value in drawn("n", "range(0, 10, 4)"))


def test_a_range_of_fractions_ends_before_its_end_as_in_hydra():
    assert set(drawn("p", "range(0, 1, 0.25)")) == {0, 0.25, 0.5, 0.75}
    assert parsed("p", "range(0, 1, 0.25)").points == [0, 0.25, 0.5, 0.75]


def test_choices_keep_their_types_and_give_back_the_text_that_hydra_reads():
    parameter = parsed("model/loss", "choice(hinge, 2, 0.5, true)")
    assert parameter.bounds == ["hinge", 2, 0.5, True]
    assert [parameter.overrides(value) for value in parameter.bounds] == [
        ["model/loss=hinge"],
        ["model/loss=2"],
        ["model/loss=0.5"],
        ["model/loss=True"],
    ]
    lists = parsed("betas", "choice([0, 0.9], [0.5, 0.99])")
    assert [lists.overrides(value) for value in lists.points] == [["betas=[0,0.9]"], ["betas=[0.5,0.99]"]]
    assert parsed("model", "dcgan,gan").points == ["dcgan", "gan"]
    quoted = parsed("k", """choice("one","two, three",'q"r',"5")""")
    texts = [text for value in quoted.points for text in quoted.overrides(value)]
    assert texts == ["k=one", 'k="two, three"', 'k="q\\"r"', 'k="5"']
    read = [OverridesParser.create().parse_override(text).value() for text in texts]
    assert read == quoted.points == ["one", "two, three", 'q"r', "5"]


def test_an_added_key_keeps_its_plus():
    parameter = parsed("+model.x", "interval(0, 1)")
    assert (parameter.name, parameter.overrides(0.5)) == ("model.x", ["+model.x=0.5"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("interval(3, 1)", "an empty interval"),
        ("interval(1, 1)", "an empty interval"),
        ("range(5, 1)", "an empty range"),
        ("tag(log, interval(0, 1))", "begins above 0"),
        ("tag(log, range(0, 9))", "from 1 up"),
        ("tag(lgo, interval(1, 2))", "did you mean 'log'"),
        ("choice(a, a)", "the same choice twice"),
        ("0.1", "nothing to vary"),
        ("glob(*)", "nothing to vary"),
        ("interval(1", "not Hydra's syntax"),
    ],
)
def test_faults_are_one_line_that_quotes_them(text, said):
    with pytest.raises(ConfigError, match=r"sweep\.space\.lr") as caught:
        parsed("lr", text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert text in str(caught.value)


def test_an_interval_has_no_grid():
    with pytest.raises(ConfigError, match="has no grid"):
        parsed("lr", "interval(0, 1)").points  # noqa: B018
