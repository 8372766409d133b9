"""A command's declaration gives its help, its options and what is refused; so for each of forger's commands."""

import importlib
import re

import pytest

from forger import cli
from forger.commands.declaring import Command, Option

TOY = """
from forger.commands.declaring import Command, Option

COMMAND = Command(
    name="toy",
    arguments="take|drop THING [MORE...]",
    summary="what toys do",
    about="Takes a thing, or drops it.",
    places=("data.root=FOLDER",),
    options=(
        Option("-n, --times N", "how often, " + "again and again, " * 10 + "in all", kind=int, least=1, most=9),
        Option("--weight W", "in kilograms", kind=float),
        Option("-c, --colour [NAME]", "red or blue", choices=("red", "blue")),
        Option("--tag T", "may be given again", repeatable=True),
        Option("--softly", "with drop", goes_with="drop"),
        Option("--where PLACE", "with --softly", goes_with="--softly"),
    ),
    run=lambda given: print(given.positionals, given.options, given.places) or 7,
)
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A command more, in a module of its own: one file, and its name."""
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setattr(
        "forger.commands.__path__", [*importlib.import_module("forger.commands").__path__, str(tmp_path)]
    )
    monkeypatch.setattr(cli, "COMMANDS", (*cli.COMMANDS, "toy"))
    yield
    monkeypatch.delitem(importlib.sys.modules, "forger.commands.toy", raising=False)


@pytest.mark.parametrize(
    ("typed", "words", "options", "places"),
    [
        ("take ball", ["take", "ball"], {}, {}),
        ("take ball a=b c --times 3", ["take", "ball", "a=b", "c"], {"times": 3}, {}),
        ("-n=3 take --weight=0.5 ball", ["take", "ball"], {"times": 3, "weight": 0.5}, {}),
        ("take ball -n 3 -n 4", ["take", "ball"], {"times": 4}, {}),
        ("take ball --tag a --tag=b=c", ["take", "ball"], {"tag": ["a", "b=c"]}, {}),
        ("take ball -c blue", ["take", "ball"], {"colour": "blue"}, {}),
        ("take -c ball", ["take", "ball"], {"colour": "red"}, {}),
        ("take ball --colour", ["take", "ball"], {"colour": "red"}, {}),
        ("drop ball --softly --where -x", ["drop", "ball"], {"softly": True, "where": "-x"}, {}),
        ("data.root=x take data.size=3", ["take", "data.size=3"], {}, {"data.root": "x"}),
    ],
)
def test_what_is_typed_arrives(toy, typed, words, options, places, capsys):
    assert cli.main(["toy", *typed.split()]) == 7
    assert capsys.readouterr().out == f"{words} {options} {places}\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "toy: which take|drop? forger toy take|drop THING [MORE...] (--help says more)"),
        ("take", "toy: which thing? forger toy take|drop THING [MORE...] (--help says more)"),
        ("tak ball", "toy tak: no such action; did you mean 'take'? (valid: drop, take)"),
        ("take ball --time 3", "toy --time: no such option; did you mean '--times'? (valid: --colour, --softly, --tag, "
         "--times, --weight, --where)"),
        ("take ball -t", "toy -t: no such option; (valid: --colour, --softly, --tag, --times, --weight, --where)"),
        ("take ball --times", "toy --times: needs a value"),
        ("take ball --softly=1", "toy --softly=1: takes no value"),
        ("take ball -n 0", "--times 0: must be a whole number of at least 1 and at most 9"),
        ("take ball -n 2.5", "--times 2.5: must be a whole number of at least 1 and at most 9"),
        ("take ball --weight=nan", "--weight nan: must be a number of at least 0"),
        ("take ball --weight -1", "--weight -1: must be a number of at least 0"),
        ("take ball --colour=green", "--colour green: no such colour; (valid: blue, red)"),
        ("take ball --softly", "toy --softly: goes with drop"),
        ("drop ball --where here", "toy --where: goes with --softly"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(toy, typed, said, capsys):
    assert cli.main(["toy", *typed.split()]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"forger: {said}\n")


def test_help_comes_from_the_declaration(toy, capsys):
    assert cli.main(["--help"]) == 0
    assert re.search(r"^  forger toy take\|drop THING \[MORE\.\.\.\]  +what toys do$", capsys.readouterr().out, re.M)
    assert cli.main(["toy", "take", "-h"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("forger toy take|drop THING [MORE...] [OPTIONS] [data.root=FOLDER]\n\nTakes a thing, or ")
    assert "\n  -n, --times N        how often, again and again, again" in text
    assert "\n                       again" in text
    assert text.endswith("\n  --where PLACE        with --softly\n")
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("words", "code"), [("[A]", (0, 0, 2)), ("A", (2, 0, 2)), ("", (0, 2, 2)), ("[A...]", (0, 0, 0))]
)
def test_how_many_words(words, code):
    command = Command("toy", words, "", "", run=lambda given: len(given.positionals) * 0)
    for number, expected in enumerate(code):
        if expected:
            with pytest.raises(ValueError, match=r"toy: which a|one argument too many"):
                command(["x"] * number)
        else:
            assert command(["x"] * number) == 0


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_of_forger(name, capsys):
    command = importlib.import_module(f"forger.commands.{name}").COMMAND
    assert command.name == name
    assert len({name for option in command.options for name in option.names}) == sum(
        len(option.names) for option in command.options
    )
    assert cli.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"forger {name}")
    for option in command.options:
        assert isinstance(option, Option)
        assert re.search(rf"^  {re.escape(option.syntax)}  +\S", text, re.M)
        assert option.syntax == ", ".join(option.names) + (f" {option.value}" if option.value else "")
    for place in command.places:
        assert f"[{place}]" in text
    about = text.partition("Config groups")[0]
    assert max(map(len, about.splitlines())) <= 120
