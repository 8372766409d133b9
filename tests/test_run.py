"""One run from its config to its folder."""

import json
import time

import jsonschema
import pytest
import torch
from PIL import Image

from forger.files import read_rows
from forger.records import json_schema
from forger.run import train
from forger.run_folder import RunFolder
from running import SMALL, Begun, command, composed, trained

CHECKPOINTS = {"last.ckpt", "previous.ckpt", "best.ckpt", "final.ckpt"}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"))


def test_the_folder_holds_what_the_contract_says(run):
    record = run.read()
    assert record.status == "finished"
    assert (record.images, record.iterations) == (640, 10)
    assert record.data["counts"] == {"train": 1100, "validation": 200, "test": 497}
    assert len(record.weights_sha256) == 64
    assert {path.name for path in run.checkpoints.iterdir()} == CHECKPOINTS
    assert [path.name for path in sorted(run.samples.iterdir())] == ["000000320.png", "000000640.png"]
    assert "fd_digits" in run.log_file.read_text()
    jsonschema.validate(json.loads(run.record_file.read_text()), json_schema())


def test_scores_carry_their_passport(run):
    final = run.read().scores["final"]
    assert {"fd_digits", "is_digits", "neighbour_ratio_digits", "agreement_digits", "train_on_fake"} <= set(final)
    passport = final["fd_digits"]["passport"]
    assert (passport["extractor"], passport["n_real"], passport["n_fake"]) == ("digits", 497, 128)
    assert (passport["split"], passport["weights"]) == ("digits/test", "ema")
    assert final["fd_digits"]["higher_is_better"] is False
    assert final["is_digits"]["higher_is_better"] is True
    assert all(0 < final[name]["error"] < final[name]["value"] for name in ("fd_digits", "is_digits"))
    best = run.read().scores["best"]
    assert [name for name, score in best.items() if score["chosen"]] == ["fd_digits"]
    assert all(score["passport"]["split"] == "digits/validation" for score in best.values())


def test_rows_count_images_and_rounds(run):
    rows = read_rows(run.metrics_file)
    training = [row for row in rows if "train/generator/adversarial" in row]
    assert [row["iterations"] for row in training] == list(range(1, 11))
    assert all(row["images"] == 64 * row["iterations"] for row in training)
    assert {row["images"] for row in rows if "score/fd_digits" in row} == {320, 640}
    assert all(0 < row["watch/d_real"] < 1 for row in training)


def test_samples_are_pictures_of_the_same_latents(run):
    first, last = (Image.open(path) for path in sorted(run.samples.iterdir()))
    assert first.size == last.size
    assert first.getextrema() != last.getextrema() or first.tobytes() != last.tobytes()


def test_checkpoints_hold_plain_containers_that_torch_reads(run):
    checkpoint = torch.load(run.checkpoints / "final.ckpt", weights_only=True)
    assert checkpoint["clock"] == {"iteration": 10, "images": 640}
    assert any(name.startswith("average.") for name in checkpoint["state_dict"])


def test_the_same_command_trains_once(run, capsys):
    before = run.read()
    again = trained(run.path.parents[1])
    assert again.path == run.path
    assert again.read() == before
    assert "already finished" in capsys.readouterr().err


def test_a_seed_is_a_result(run, tmp_path):
    once_more, another = trained(tmp_path), trained(tmp_path, "seed=1")
    assert once_more.read().weights_sha256 == run.read().weights_sha256
    assert another.read().weights_sha256 != run.read().weights_sha256
    assert (once_more.path.name, another.path.name != run.path.name) == (run.path.name, True)


def test_restart_starts_over(tmp_path):
    run = trained(tmp_path)
    (run.samples / "mine.txt").write_text("mine")
    assert trained(tmp_path, "run.restart=true").read().status == "finished"
    assert not (run.samples / "mine.txt").exists()


def rows_without_time(run: RunFolder) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in read_rows(run.metrics_file)]


def test_an_interrupted_run_continues_to_the_same_end(tmp_path):
    """SIGTERM saves and exits 143; the same command goes on to the weights and rows of an undisturbed run."""
    length = ("run.name=mine", "budget.images=3200", "metrics.every_images=1600", "model.generator.width=8")
    root = tmp_path / "disturbed" / "runs"
    root.parent.mkdir()
    begun = Begun("train", *SMALL, *length, cwd=root.parent)
    while not any(len(path.read_bytes()) > 2000 for path in root.glob("*/*/metrics.jsonl")):
        assert begun.process.is_alive()
        time.sleep(0.02)
    begun.process.terminate()
    assert begun.ended(timeout=30).returncode == 143
    stopped = RunFolder(next(root.glob("*/*")))
    assert stopped.read().status == "interrupted"
    assert 0 < stopped.read().images < 3200

    whole = trained(tmp_path / "undisturbed", *length)
    continued = trained(root, *length)
    assert continued.path == stopped.path
    assert continued.read().weights_sha256 == whole.read().weights_sha256
    assert rows_without_time(continued) == rows_without_time(whole)


def test_divergence_is_a_status_and_an_exit_code(tmp_path):
    descent = "model.players.discriminator.optimizer"
    run = trained(
        tmp_path,
        *(
            "model.loss._target_=forger.losses.adversarial.least_squares",
            f"{descent}._target_=torch.optim.SGD",
        ),
        *(f"{descent}.lr=10", f"~{descent}.betas", f"~{descent}.fused"),
        code=3,
    )
    assert run.read().status == "diverged"
    assert "iteration" in run.log_file.read_text()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.batch_size=5000", "larger than the data"),
        ("data.size=16", "data.size=16"),
        ("+model.lrr=3", "lrr"),
        ("model.players.generator.optimizer.lr=inf", "lr"),
        ("metrics.best=fd_digts", "fd_digits"),
        ("trainer.accelerator=gpu", "no such GPU"),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, override, said):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=said) as caught:
        train(composed(*SMALL, f"run.root={tmp_path}", override))
    assert "\n" not in str(caught.value)


@pytest.mark.long
def test_two_processes_share_one_run_folder(tmp_path):
    """DDP over gloo, in a job whose name has Lightning leave SLURM aside: one folder, one W&B run, both counted."""
    overrides = ["budget.images=640", "metrics.every_images=320", "metrics.n=128", "trainer=ddp_cpu"]
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "interactive", "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}
    done = command("train", *overrides, cwd=tmp_path, WANDB_MODE="offline", **job)
    assert done.returncode == 0, done.stderr
    (record,) = tmp_path.glob("runs/*/*/record.json")
    run = RunFolder(record.parent).read()
    assert (run.status, run.images, run.device["devices"]) == ("finished", 640, 2)
    assert len(list(tmp_path.rglob("run-*.wandb"))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_locked_folder_names_its_holder(run):
    with run.lock(), pytest.raises(Exception, match="process"):
        trained(run.path.parents[1])
