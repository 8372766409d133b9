"""`trainer=slurm` under a stand-in for srun: two tasks with SLURM's environment, on the CPU."""

import socket

from forger.files import read_rows
from running import SMALL, Begun


def test_two_tasks_are_one_run(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    overrides = [
        "trainer=slurm", "trainer.accelerator=cpu", "trainer.precision=32-true", "model=gan", "metrics=none", *SMALL,
    ]  # fmt: skip
    job = {
        "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_NNODES": "2", "SLURM_NODELIST": "127.0.0.1", "SLURM_LOCALID": "0", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }  # fmt: skip
    tasks = [
        Begun("train", *overrides, cwd=tmp_path, **job, SLURM_PROCID=str(rank), SLURM_NODEID=str(rank))
        for rank in range(2)
    ]
    done = [task.ended() for task in tasks]
    errors = [task.stderr for task in done]
    assert [task.returncode for task in done] == [0, 0], errors
    (folder,) = tmp_path.glob("runs/*/*")
    rows = read_rows(folder / "metrics.jsonl")
    training = [row for row in rows if "train/generator/adversarial" in row]
    assert [row["iterations"] for row in training] == list(range(1, 11))
    assert rows[-1]["images"] == 640
    assert "finished" in errors[0]
    assert "finished" not in errors[1]
