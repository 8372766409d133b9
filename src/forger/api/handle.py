"""Runs as objects: what their folders hold and, once something is asked of the game, what it can do."""

from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from forger.errors import ConfigError
from forger.files import read_rows
from forger.lifecycle.listing import Entry, list_runs
from forger.records import Record, RecordedScores
from forger.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from forger.api.answers import Answers
    from forger.config.schema import Config
    from forger.games.abilities import Direction

    Array = NDArray[Any]


class Run:
    """A run folder, and its trained game.

    `load`, `runs` and `train` give it. Pictures in and out are arrays (n, c, h, w) as the data are, uint8 from 0 to 255
    unless they are deeper; points are float32 (n, d). The game answers by the moving average of its weights where it
    has one. A method that it does not offer raises a `ConfigError` that says which games do.
    """

    def __init__(
        self,
        path: str | Path,
        checkpoint: str | None = None,
        *,
        trust: bool = False,
        data_root: str | Path | None = None,
        raw_weights: bool = False,
        mixture: int | None = None,
    ) -> None:
        self.path = Path(path)
        self._checkpoint, self._trust, self._raw = checkpoint, trust, raw_weights
        self._mixture = mixture
        self._places = {} if data_root is None else {"data.root": str(data_root)}

    def __repr__(self) -> str:
        return f"<forger.Run {self.path}: {self.status}>"

    # What the folder holds ------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Of the folder that runs of its kind share: the experiment, or data and model."""
        return self.path.resolve().parent.name if self._entry.record is None else self._entry.record.name

    @property
    def id(self) -> str:
        """The hash of what determines its result."""
        return self.path.resolve().name if self._entry.record is None else self._entry.record.id

    @property
    def status(self) -> str:
        """At this moment: running, finished, interrupted, pruned, stopped, diverged, failed, killed or broken."""
        return self._entry.status

    @property
    def problem(self) -> str | None:
        """Why a broken run can't be read."""
        return self._entry.problem

    @property
    def record(self) -> Record:
        """The whole of `record.json` as it is at this moment.

        Raises:
            BrokenRecord: it can't be read (a ValueError).
        """
        return RunFolder(self.path).read()

    @property
    def scores(self) -> RecordedScores:
        """Scores by name, each with its value, standard error, direction and passport.

        Those in `final` are of the final weights on the test split, those in `best` of the best moment on validation.
        """
        return self.record.scores

    @property
    def config(self) -> "Config":
        """The resolved config, checked: ``run.config.budget.images``.

        Raises:
            ConfigError: it is somebody else's, and names what needs ``trust=True``.
        """
        from forger.api.guarding import guarded
        from forger.lifecycle.finding import config_of

        with guarded():
            return config_of(RunFolder(self.path), trust=self._trust, places=self._places)

    @overload
    def history(self, frame: Literal[False] = False) -> "dict[str, Array]": ...
    @overload
    def history(self, frame: Literal[True]) -> Any: ...
    def history(self, frame: bool = False) -> Any:
        """What `metrics.jsonl` holds, by column: ``images``, ``train/generator/adversarial``, ``score/fd_digits``, …

        Args:
            frame: as a pandas DataFrame; a dictionary of arrays otherwise.

        Returns:
            Columns of the same length, a value for each row. Whole numbers are int64 and others float64, NaN where a
            row has none.

        Raises:
            ConfigError: pandas is not installed.
        """
        rows = read_rows(RunFolder(self.path).metrics_file)
        columns = {
            name: _column([row.get(name) for row in rows]) for name in dict.fromkeys(n for row in rows for n in row)
        }
        if not frame:
            return columns
        try:
            from pandas import DataFrame  # pyright: ignore[reportMissingImports]
        except ModuleNotFoundError:
            raise ConfigError("history(frame=True): needs pandas (pip install pandas); without it, history()") from None
        return DataFrame(columns)

    def _repr_html_(self) -> str:
        """The run in a notebook: its name, its status, its scores and its last picture."""
        from forger.report.pictures import last_picture

        record, picture = self._entry.record, last_picture(self.path)
        scores = [record.scores[moment] for moment in ("final", "best")] if record else []
        names = dict.fromkeys(name for at_a_moment in scores for name in at_a_moment)
        rows = "".join(
            f"<tr><td>{escape(name)}</td>{''.join(f'<td>{_value(each, name)}</td>' for each in scores)}</tr>"
            for name in names
        )
        table = (
            f"<table><tr><th></th><th>final (test)</th><th>best (validation)</th></tr>{rows}</table>" if rows else ""
        )
        about = " · ".join([self.status, *([f"{record.images:,} images"] if record else [str(self.problem)])])
        shown = f'<img src="{picture["src"]}" alt="the last picture of the run">' if picture else ""
        return (
            f"<div><strong>{escape(self.name)}</strong> <code>{escape(self.id)}</code><br>{escape(about)}"
            f"{table}{shown}</div>"
        )

    # What its game can do -------------------------------------------------------------------------------------

    def sample(
        self,
        n: int | None = None,
        *,
        labels: "Sequence[int] | Array | None" = None,
        conditions: "Mapping[str, Any] | Sequence[Mapping[str, Any]]" = (),
        seed: int | None = None,
        truncation: float = 1.0,
    ) -> "Array":
        """New samples, to the bit those of ``forger sample RUN --what raw``: images (n, c, h, w) or points (n, d).

        Args:
            n: how many; those of the run's pictures by default.
            labels: the classes to ask for, in turn; by default all there are.
            conditions: of several labels, what to ask for: ``{"Smiling": 1, "age": 30}``, or several in turn; the
                others are drawn from training images that fit.
            seed: of the latents; by default the run's.
            truncation: factor on the latents, below 1 nearer to the average.
        """
        return self._answers.sample(n, labels, conditions, seed, truncation)

    def encode(self, images: "ArrayLike") -> "Array":
        """Codes of images, float32 (n, latent); of a VAE, the means."""
        return self._answers.encode(images)

    def decode(self, z: "ArrayLike", labels: "ArrayLike | None" = None) -> "Array":
        """Images of latents.

        Args:
            z: float (n, latent).
            labels: where the game has classes, integers (n,); where it has conditions, their numbers (n, k).
        """
        return self._answers.decode(z, labels)

    def reconstruct(self, images: "ArrayLike") -> "Array":
        """What is left of images after encoder and decoder."""
        return self._answers.reconstruct(images)

    def discriminate(self, images: "ArrayLike", labels: "ArrayLike | None" = None) -> "Array":
        """D(x), the probability that each image is real, float32 (n,); labels as of `decode`."""
        return self._answers.discriminate(images, labels)

    def translate(self, images: "ArrayLike", direction: "Direction" = "ab") -> "Array":
        """Images of the first domain as images of the second, or with "ba" the way back."""
        return self._answers.translate(images, direction)

    def enlarge(self, images: "ArrayLike") -> "Array":
        """Images of any height and width, enlarged."""
        return self._answers.enlarge(images)

    # ----------------------------------------------------------------------------------------------------------

    @property
    def _entry(self) -> Entry:
        return list_runs(self.path)[0]

    @cached_property
    def _answers(self) -> "Answers":
        from forger.api.answers import answers

        trust, places, raw, mixture = self._trust, self._places, self._raw, self._mixture
        return answers(self.path, self._checkpoint, trust=trust, places=places, raw_weights=raw, mixture=mixture)


def load(
    run: str | Path,
    checkpoint: Literal["best", "final", "last"] | None = None,
    *,
    trust: bool = False,
    data_root: str | Path | None = None,
    raw_weights: bool = False,
    mixture: int | None = None,
) -> Run:
    """A run with its trained game, finished or still going.

    Args:
        run: its folder, or a folder with just this run in it.
        checkpoint: whose weights; the final one by default, or the last of an unfinished run.
        trust: build and read whatever the run's config names, as for a run of your own.
        data_root: where its data are here, for what the game takes from them.
        raw_weights: answer by the live weights, not by their moving average.
        mixture: of an autoencoder: sample from a mixture of so many Gaussians, fitted on its codes of training images.

    Raises:
        ConfigError: no run there, or several; no such checkpoint (yet); a config that needs ``trust=True``; weights
            that do not fit it.
        ForgerError: the checkpoint is damaged.
    """
    from forger.api.guarding import guarded
    from forger.lifecycle.finding import run_at

    with guarded():
        path = run_at(run).path
    found = Run(path, checkpoint, trust=trust, data_root=data_root, raw_weights=raw_weights, mixture=mixture)
    found._answers  # noqa: B018  (what is wrong with it is said now)
    return found


def runs(folder: str | Path = "runs") -> list[Run]:
    """Every run in a folder of runs, by path; a broken one says so in its `status` and `problem`.

    Raises:
        ConfigError: there is no such folder.
    """
    if not Path(folder).is_dir():
        raise ConfigError(f"{folder}: no such folder")
    return [Run(entry.path) for entry in list_runs(folder)]


def _value(scores: "Mapping[str, Any]", name: str) -> str:
    if name not in scores:
        return ""
    value = scores[name]["value"]
    return "nan" if value is None else f"{value:.4g}"


def _column(values: list[Any]) -> np.ndarray:
    if all(isinstance(value, int) for value in values):
        return np.array(values, dtype=np.int64)
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
