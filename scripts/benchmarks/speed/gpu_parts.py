"""The parts of `gpu.py`: each measures one thing and hands on its rows as they come."""

import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch import nn
from torch.multiprocessing.spawn import start_processes

from forger.data.downloads import fashion_mnist
from forger.metrics.features.inception import InceptionExtractor, standard_file
from forger.run import train
from forger.run_folder import RunFolder
from scripts.benchmarks.composing import composed
from scripts.benchmarks.faults.disturbing import finish, having, killed, start, wait, wait_for_folder
from scripts.benchmarks.speed.gpu_steps import COMPILED, NETWORKS, SMALL, STEPS, Place, Show, rate, speed
from scripts.benchmarks.speed.playing import Match

#: What whole runs leave out.
LEAN = ("logger=none", "samples.every_images=null", "samples.closing=[]")
#: How a run is to go on after a kill.
MODES = {
    "deterministic, float32": ("trainer.deterministic=true", "trainer.precision=32-true"),
    "deterministic, bf16-mixed": ("trainer.deterministic=true", "trainer.precision=bf16-mixed"),
    "not deterministic, bf16-mixed": ("trainer.deterministic=false", "trainer.precision=bf16-mixed"),
}


def card(place: Place, show: Show) -> None:
    """The card as torch sees it."""
    if place.device == "cpu":
        show({"card": "CPU", "cards": 1})
        return
    about = torch.cuda.get_device_properties(0)
    show({
        "card": about.name, "cards": torch.cuda.device_count(), "GiB": about.total_memory / 2**30,
        "multiprocessors": about.multi_processor_count, "capability": f"{about.major}.{about.minor}",
        "CUDA": torch.version.cuda, "cuDNN": torch.backends.cudnn.version(),
    })  # fmt: skip


def steps(place: Place, show: Show) -> None:
    """Images/s of a game, with one more thing in each row, against a bare loop that has the same.

    The share of the peak counts multiplications and additions of a round (PyTorch's formulas) against the card's dense
    peak in the arithmetic of the row; penalties are in float32 or TF32 in every row. The bare loop trains the same
    networks with fused Adam and nothing else: no average, no signals. GiB is the most that tensors took.
    """
    for network in NETWORKS:
        for step in STEPS[:: 5 if place.smallest else 1]:
            show(speed(place, network, step))


def compiled(place: Place, show: Show) -> None:
    """The last step of before with compiled networks; the bare loop is not compiled."""
    for network in ["DCGAN 64"] if place.smallest else NETWORKS:
        for step in COMPILED[:: 2 if place.smallest else 1]:
            show(speed(place, network, step))


def ddp(place: Place, show: Show) -> None:
    """Several processes, one GPU each, with as many images each as one alone: images/s of all, and their efficiency."""
    world = 2 if place.device == "cpu" else torch.cuda.device_count()
    if world < 2:
        show({"skipped": "one GPU is here, and nothing to share"})
        return
    for network in ["DCGAN 64"] if place.smallest else NETWORKS:
        alone, together = (_shared(place, network, processes) for processes in (1, world))
        show({"network": network, "processes": world, "images/s alone": alone, "images/s together": together,
              "efficiency": together / (world * alone)})  # fmt: skip


def _shared(place: Place, network: str, world: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        how = "spawn" if place.device == "cuda" else "fork"  # which saves the imports
        start_processes(_process, (place, network, world, folder), world, start_method=how)
        return float((Path(folder) / "rate").read_text())


def _process(rank: int, place: Place, network: str, world: int, folder: str) -> None:
    torch.set_num_threads(1)
    device = f"cuda:{rank}" if place.device == "cuda" else "cpu"
    if place.device == "cuda":
        torch.cuda.set_device(rank)
    backend = "nccl" if place.device == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, f"file://{folder}/meeting", rank=rank, world_size=world)
    match = Match(place.overrides(network), device, place.batch, rank, world)
    if place.device == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(match.game)
    # All processes play as many rounds.
    value = rate(place, match.play, place.batch * world, rounds=2 if place.smallest else 30)
    torch.distributed.destroy_process_group()
    if rank == 0:
        (Path(folder) / "rate").write_text(str(value))


def seeds(place: Place, show: Show) -> None:
    """Seeds of a small fully connected GAN as one program, against the same in turn (`many_seeds.py`)."""
    from scripts.benchmarks.speed import many_seeds

    many_seeds.DEVICE = torch.device(place.device)
    cases = [(2, False)] if place.smallest else [(8, False), (32, False), (8, True)]
    for number, compile_them in cases:
        row = many_seeds.row(number, compile_them, 1 if place.smallest else 3)
        milliseconds = {side: 1e3 * statistics.median(cost.wall for cost in costs) for side, costs in row.sides.items()}
        show({"seeds": number, "how": row.against, "times as fast": statistics.median(row.value),
              "ms a round, in turn": milliseconds["in turn"], "together": milliseconds["together"],
              "check": row.note})  # fmt: skip


def fashion(place: Place, show: Show) -> None:
    """Whole runs on Fashion-MNIST with `trainer=gpu`, scored on the test split; half a minute of training at most."""
    root = place.data or os.environ.get("FORGER_DATA", "data") + "/fashion_mnist"
    try:
        fashion_mnist(root, download=False)
    except FileNotFoundError as error:
        show({"skipped": str(error)})
        return
    small = ["budget.images=256", "metrics.n=64", "metrics.every_images=null"] if place.smallest else []
    for experiment in ["fashion_gan"] if place.smallest else ["fashion_gan", "fashion_cgan"]:
        folder = RunFolder(place.folder / "runs" / experiment)
        own = [f"experiment={experiment}", f"trainer={place.trainer}", f"data.root={root}", "run.restart=true"]
        code = train(composed(*own, *LEAN, "budget.minutes=0.5", *small), folder)
        record = folder.read()
        scores = {name: score["value"] for name, score in record.scores["final"].items() if name.startswith("fd_")}
        show({"experiment": experiment, "exit code": code, "images": record.images, "seconds": record.seconds,
              "images/s": record.images / max(record.seconds, 1e-9), **scores})  # fmt: skip


def resume(place: Place, show: Show) -> None:
    """A run killed by SIGKILL, which goes on from its checkpoint, and a second unbroken one, against an unbroken one.

    The largest difference of a weight, and how many tensors of the final checkpoint differ. DCGAN on 32×32 noise.
    Deterministic runs set what they need (CUBLAS_WORKSPACE_CONFIG too) themselves.
    """
    rounds = 24 if place.smallest else 300
    modes = list(MODES)[:: 2 if place.smallest else 1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = np.random.default_rng(0).integers(256, size=(512, 32, 32, 3), dtype=np.uint8)
        np.save(folder / "noise.npy", pixels)
        batch = 4 if place.smallest else 64
        common = [
            "data=files", f"data.root={folder}/noise.npy", "model=dcgan", f"trainer={place.trainer}",
            *LEAN, "metrics=none",
            f"data.batch_size={batch}", f"budget.images={batch * rounds}", "log.every=1", "watch.action=none",
            f"checkpoint.every_images={batch * rounds // 6}", *(SMALL["DCGAN 64"] if place.smallest else ()),
        ]  # fmt: skip
        done = {mode: _three(folder / mode, [*common, *MODES[mode]], rounds * 5 // 12) for mode in modes}
        # Only now: a process that has used the GPU can't be forked.
        for mode, (was_killed, roots) in done.items():
            first, again, resumed = (_weights(root) for root in roots)
            row: dict[str, Any] = {"mode": mode, "killed": str(was_killed)}
            for name, other in (("killed and resumed", resumed), ("second unbroken run", again)):
                different = sum(not torch.equal(first[key], other[key]) for key in first)
                row |= {name: _apart(first, other), f"{name}: tensors": f"{different} of {len(first)}"}
            show(row)


def _three(folder: Path, overrides: list[str], rows: int) -> tuple[bool, list[Path]]:
    """Two unbroken runs and one that is killed after so many rows and goes on; whether it was, and their roots."""
    roots = [folder / name for name in ("first", "again", "killed")]
    configs, logs = [], [folder / f"{root.name}.txt" for root in roots]
    for root in roots:
        root.mkdir(parents=True)
        configs.append(composed(*overrides, f"run.root='{root}'"))
    processes = [start(config, log) for config, log in zip(configs, logs, strict=True)]
    run = wait_for_folder(roots[2], processes[2])
    was_killed = run is not None and killed(processes[2], having(run, rows))
    codes = [wait(process) for process in processes[:2]]
    codes.append(finish(configs[2], logs[2]))
    for code, log in zip(codes, logs, strict=True):
        if code:
            raise RuntimeError(f"a run of {folder.name} ended with {code}: {log.read_text().strip()[-200:]}")
    return was_killed, roots


def _weights(root: Path) -> dict[str, torch.Tensor]:
    (file,) = root.glob("*/*/checkpoints/final.ckpt")
    return torch.load(file, map_location="cpu", weights_only=True)["state_dict"]


def _apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


def inception(place: Place, show: Show) -> None:
    """Inception's features of 32×32 images, forger's extractor against torch-fidelity's own: images/s."""
    file = standard_file()
    if not file.is_file():
        show({"skipped": f"no weights at {file}"})
        return
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    shape = (place.batch, 3, 32, 32)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0)).to(place.device)
    theirs = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(file))
    sides: dict[str, Any] = {"torch-fidelity": theirs.eval().to(place.device)}
    sides |= {f"forger, {kind}": InceptionExtractor(file, precision=kind).to(place.device)
              for kind in ("float32", "bfloat16")}  # fmt: skip
    found: dict[str, tuple[float, torch.Tensor]] = {}
    for name, network in sides.items():

        def again(times: int, network: Callable[[torch.Tensor], Any] = network) -> None:
            for _ in range(times):
                network(images)

        with torch.inference_mode():
            found[name] = rate(place, again, place.batch), network(images)[0]
    their_rate, their_features = found["torch-fidelity"]
    for name, (value, features) in found.items():
        apart = float((features - their_features).abs().max() / their_features.abs().max())
        show({"features": name, "images/s": value, "times torch-fidelity": value / their_rate, "apart": apart})


PARTS: dict[str, Callable[[Place, Show], None]] = {
    part.__name__: part for part in (card, steps, resume, seeds, ddp, inception, fashion, compiled)
}
