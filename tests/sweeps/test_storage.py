"""A study that is kept elsewhere, removed or damaged: the sweep begins, or one line says what has become of it."""

import random
import time
from pathlib import Path

import optuna
import pytest

from forger.errors import ForgerError
from forger.sweeps import status, storage
from forger.sweeps.definition import Definition
from forger.sweeps.storage import diagnosed
from forger.sweeps.study import TrialQueue
from sweeps.studies import begun, done, rows_of_steps, started


def elsewhere(tmp_path: Path, *overrides: str) -> tuple[Definition, list[str]]:
    return begun(tmp_path, f"sweep.storage=sqlite:///{tmp_path}/elsewhere/study.db", *overrides)


@pytest.mark.long
def test_a_study_elsewhere_begins_in_a_fresh_folder(tmp_path):
    definition, typed = elsewhere(tmp_path, "sweep.trials=2")
    assert not definition.root.exists()
    assert "2 of 2 trials ended" in done("run", [*typed, "-w", "1"])
    assert (definition.root / "workers.txt").exists()
    assert not (definition.root / "study.db").exists()


def _remove_study(definition: Definition) -> None:
    optuna.delete_study(study_name=definition.name, storage=definition.storage)


def _remove_file(definition: Definition) -> None:
    Path(definition.storage.removeprefix("sqlite:///")).unlink()


@pytest.mark.parametrize(
    ("removes", "said"),
    [(_remove_study, "the study is gone"), (_remove_file, "the database is gone")],
)
@pytest.mark.long
def test_a_study_that_is_removed_ends_the_sweep_with_a_line(tmp_path, removes, said):
    definition, typed = elsewhere(tmp_path, "budget.images=60000")
    command = started("run", [*typed, "-w", "1"], seconds=0.05)
    while not rows_of_steps(tmp_path):
        assert command.poll() is None
        time.sleep(0.05)
    removes(definition)
    began = time.monotonic()
    _, err = command.communicate(timeout=60)
    assert command.returncode == 1
    assert time.monotonic() - began < 30
    last = err.splitlines()[-1]
    assert last.startswith(f"forger: sweep mine: sweep.storage=sqlite:///{tmp_path}/elsewhere/study.db: {said}; ")
    assert "Traceback" not in err + (definition.root / "workers.txt").read_text()


def test_damage_names_the_database(tmp_path, monkeypatch):
    """Bytes that are flipped anywhere: the sweep is shown, or one error names the file at once."""
    monkeypatch.setattr(storage, "_BUSY_SECONDS", 1)
    definition, _ = elsewhere(tmp_path)
    TrialQueue(definition).fill()
    file = Path(definition.storage.removeprefix("sqlite:///"))
    whole = file.read_bytes()
    chance, refused = random.Random(0), []
    places = [at for at in range(len(whole)) if whole[at]]
    for _ in range(40):
        damaged = bytearray(whole)
        for at in chance.sample(places, 30):
            damaged[at] ^= chance.randrange(1, 256)
        file.write_bytes(damaged)
        try:
            with diagnosed(definition):
                status.snapshot(TrialQueue(definition, create=False, only_look=True))
        except ForgerError as error:
            refused.append(str(error))
    assert len(refused) > 10
    assert all(str(file) in line or "not begun yet" in line for line in refused)
    file.write_bytes(whole.replace(b"fd_digits", b"fd_digit\xff"))
    with (
        pytest.raises(ForgerError, match=r"elsewhere/study\.db: can't be used \(.*decode to UTF-8"),
        diagnosed(definition),
    ):
        status.snapshot(TrialQueue(definition, create=False, only_look=True))
