"""How a command is declared: its words, options and help in one place, read by one parser."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from forger.errors import ConfigError, closest


@dataclass(frozen=True)
class Option:
    """An option, or a flag, which has no value.

    Args:
        syntax: as the help shows it: ``--n N``, typed ``--n 9`` or ``--n=9``; ``-o, --out FILE``, with a short name;
            ``--info [WHAT]``, whose value is the first of `choices` if none of them follows.
        help: what it does, as one paragraph.
        kind: of the value; a number lies between `least` and `most`, both included.
        choices: the values there are, if these are few.
        repeatable: all of its values count, not only the last.
        goes_with: an option (``--from``) or a first word (``run``) without which it is refused.
    """

    syntax: str
    help: str
    kind: type[str] | type[int] | type[float] = str
    least: int = 0
    most: int = 2**63 - 1
    choices: tuple[str, ...] = ()
    repeatable: bool = False
    goes_with: str = ""

    @property
    def names(self) -> list[str]:
        """Its names with their dashes, the long one last."""
        return [part.rstrip(",") for part in self.syntax.split() if part.startswith("-")]

    @property
    def name(self) -> str:
        """Its long name, without dashes."""
        return self.names[-1].removeprefix("--")

    @property
    def value(self) -> str:
        """What the help calls its value; empty for a flag."""
        return self.syntax.partition(self.names[-1])[2].strip()

    def read(self, text: str) -> str | int | float:
        """The value in what was typed.

        Raises:
            ConfigError: it is none of the choices, no number, or out of range.
        """
        if self.choices and text not in self.choices:
            raise ConfigError(f"--{self.name} {text}: no such {self.name}; {closest(text, self.choices)}")
        if self.kind is str:
            return text
        try:
            value = int(text) if self.kind is int else float(text)
        except ValueError:
            value = float("nan")
        if not self.least <= value <= self.most:
            what = "a whole number" if self.kind is int else "a number"
            end = f" and at most {self.most}" if self.most < 2**63 - 1 else ""
            raise ConfigError(f"--{self.name} {text}: must be {what} of at least {self.least}{end}")
        return value


@dataclass(frozen=True)
class Arguments:
    """What was typed after a command.

    Args:
        positionals: what is neither an option nor a place.
        options: the values of the options that were given, by name: True for a flag, a list for a repeatable one.
        places: the reader's folders and runs, by key of the config.
        typed: all of it, as it was.
    """

    positionals: list[str]
    options: dict[str, Any]
    places: dict[str, str]
    typed: list[str]

    def flags(self, *without: str) -> list[str]:
        """The options as they could be typed, but for some."""
        values = {name: value if isinstance(value, list) else [value] for name, value in self.options.items()}
        pairs = [(f"--{name}", value) for name in values if name not in without for value in values[name]]
        return [part for name, value in pairs for part in ([name] if value is True else [name, str(value)])]


@dataclass(frozen=True)
class Command:
    """A subcommand of `forger`.

    Args:
        name: of the module in `forger.commands` that declares it, which help imports: what is heavy is imported by
            `run`.
        arguments: its words as the help shows them: ``RUN``; ``run|status``, one of these; ``[FOLDER]``, if it may be
            left out; ``[RUNS...]``, any number.
        summary: its line in ``forger --help``.
        about: the help above the options, in lines of at most 120 columns.
        run: does it; its result is the exit code.
        options: all but ``--help``.
        places: what the reader may set in a run's config, like ``data.root=FOLDER``.
        epilog: the help below the options.
    """

    name: str
    arguments: str
    summary: str
    about: str
    run: Callable[[Arguments], int]
    options: tuple[Option, ...] = ()
    places: tuple[str, ...] = ()
    epilog: Callable[[], str] = str

    def __call__(self, typed: Sequence[str]) -> int:
        """Do what was typed, or print the help."""
        if {"--help", "-h"} & {*typed}:
            print(self.help())
            return 0
        return self.run(self.parse(typed))

    def help(self) -> str:
        """The text behind ``--help``."""
        usage = ["forger", self.name, self.arguments, "[OPTIONS]" * bool(self.options)]
        usage += [f"[{place}]" for place in self.places]
        width = max((len(option.syntax) for option in self.options), default=0) + 4
        rows = []
        for option in self.options:
            lines = textwrap.wrap(option.help, 118 - width, break_long_words=False, break_on_hyphens=False)
            rows += [f"{'' if place else f'  {option.syntax}':{width}}{line}" for place, line in enumerate(lines)]
        parts = [" ".join(filter(None, usage)), self.about, "\n".join(rows), self.epilog()]
        return "\n\n".join(part.strip("\n") for part in parts if part)

    def parse(self, typed: Sequence[str]) -> Arguments:
        """Words, options and places apart.

        Raises:
            ConfigError: a word is missing or too many, no such option, or one whose value does not fit.
        """
        known = {name: option for option in self.options for name in option.names}
        keys = {place.partition("=")[0] for place in self.places}
        given, queue = Arguments([], {}, {}, list(typed)), list(typed)
        while queue:
            argument = queue.pop(0)
            name, sign, text = argument.partition("=")
            option = known.get(name)
            if sign and name in keys:
                given.places[name] = text
            elif not argument.startswith("-"):
                given.positionals.append(argument)
            elif option is None:
                long = [f"--{each.name}" for each in self.options]
                raise ConfigError(f"{self.name} {argument}: no such option; {closest(name, long)}")
            elif not option.value:
                if sign:
                    raise ConfigError(f"{self.name} {argument}: takes no value")
                given.options[option.name] = True
            else:
                if not sign and option.value.startswith("[") and not (queue and queue[0] in option.choices):
                    text = option.choices[0]
                elif not sign and not queue:
                    raise ConfigError(f"{self.name} {argument}: needs a value")
                elif not sign:
                    text = queue.pop(0)
                former = given.options.get(option.name, [])
                given.options[option.name] = [*former, text] if option.repeatable else option.read(text)
        self._check(given)
        return given

    def _check(self, given: Arguments) -> None:
        """Refuse words that are missing, unknown or too many, and options without what they go with."""
        named = self.arguments.split()
        for place, name in enumerate(named):
            choices, word = name.split("|"), given.positionals[place] if place < len(given.positionals) else None
            if word is None and not name.startswith("["):
                usage = f"forger {self.name} {self.arguments}"
                raise ConfigError(f"{self.name}: which {name.partition('=')[0].lower()}? {usage} (--help says more)")
            if len(choices) > 1 and word not in choices:
                raise ConfigError(f"{self.name} {word}: no such action; {closest(str(word), choices)}")
        if len(given.positionals) > len(named) and not self.arguments.endswith("...]"):
            extra = given.positionals[len(named)]
            raise ConfigError(f"{self.name} {extra}: one argument too many (forger {self.name} --help)")
        there = {*given.positionals[:1], *(f"--{name}" for name in given.options)}
        for option in self.options:
            if option.name in given.options and option.goes_with and option.goes_with not in there:
                raise ConfigError(f"{self.name} --{option.name}: goes with {option.goes_with}")


def local(path: str) -> str:
    """A path that the user gave.

    Raises:
        ConfigError: it is a URL; nothing is downloaded and then built or unpickled by accident.
    """
    if "://" in path:
        raise ConfigError(f"{path}: a URL, and only local files are read; download it and give its path")
    return path


#: What may be set of how samples are made of noise (models flow and diffusion).
SAMPLING = ("model.steps=N", "model.solver=euler|heun", "model.guidance=G")
#: Options that several commands have.
TRUST = Option("--trust", "build and read whatever the config names: for runs of your own with own classes or data")
MIXTURE = Option(
    "--mixture K",
    "of an autoencoder: samples from a mixture of K Gaussians, fitted on its codes of training images",
    kind=int,
    least=1,
)
CONFIG_DIR = Option(
    "-cd, --config-dir FOLDER", "your own configs before the shipped ones (repeatable)", repeatable=True
)
