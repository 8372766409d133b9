"""Bad input of every kind: a command, and what the one line that it ends with must say."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from system.scenes import (
    ADAM,
    OWN,
    PICTURES,
    RUN,
    TINY,
    Code,
    Prepare,
    Scene,
    arrays,
    checkpoint,
    corrupt_picture,
    cut_picture,
    deep_picture,
    experiment,
    flipped_bit,
    mixed_sizes,
    of_run,
    pictures,
    read_only,
    record,
    written,
)


@dataclass(frozen=True)
class Case:
    """Arguments of the command, what the line must say, and what is prepared before."""

    name: str
    arguments: tuple[str, ...]
    said: tuple[str, ...]
    prepare: Prepare = lambda _: None
    code: int = 2
    environment: dict[str, str] = field(default_factory=dict)


def train(name: str, *overrides: str, said: tuple[str, ...], base: tuple[str, ...] = TINY, **more: object) -> Case:
    return Case(name, ("train", *base, *overrides), said, **more)  # type: ignore[arg-type]


def image_folder(name: str, *overrides: str, said: tuple[str, ...], prepare: Prepare) -> Case:
    return train(name, *PICTURES, *overrides, said=said, prepare=prepare)


def own_file(name: str, content: bytes | str, *said: str) -> Case:
    return train(name, said=said, base=OWN, prepare=experiment(content))


def sample(name: str, *options: str, said: tuple[str, ...], prepare: Prepare = Scene.run, **more: object) -> Case:
    return Case(name, ("sample", RUN, *options), said, prepare, **more)  # type: ignore[arg-type]


def evaluate(name: str, *arguments: str, said: tuple[str, ...], prepare: Prepare = lambda _: None) -> Case:
    return Case(name, ("evaluate", *arguments), said, prepare)


FLOATS = np.random.default_rng(0).random((20, 8, 8, 1), dtype=np.float32)
HOLED = np.where(FLOATS > 0.99, np.nan, FLOATS).astype(np.float32)
AGAINST = ("--reference", "digits")

DATA = [
    train("batch larger than the data", "data.batch_size=5000", said=("data.batch_size=5000", "1100", "or less")),
    train(
        "batch of one with batch norm", "model=dcgan", "model.generator.width=8", "data.batch_size=1",
        base=("experiment=digits_dcgan", *TINY[1:-3], "watch.action=none"),
        said=("data.batch_size", "batch norm (model.generator", "raise it"),
    ),
    image_folder("corrupt picture", said=("pictures/03.png", "can't be read", "remove it"), prepare=corrupt_picture),
    image_folder("cut picture", said=("pictures/03.png", "can't be read"), prepare=cut_picture),
    image_folder("16-bit picture", said=("pictures/03.png", "8 bits"), prepare=deep_picture),
    image_folder("empty folder", said=("no pictures in pictures", ".png"), prepare=lambda _: Path("pictures").mkdir()),
    image_folder("no folder", said=("data.source", "no folder pictures"), prepare=lambda _: None),
    image_folder("a file for a folder", said=("neither a folder of",), prepare=lambda _: written("pictures")),
    image_folder("too few pictures", said=("has 2 pictures", "at least one each"), prepare=lambda _: pictures(2)),
    image_folder("other classes", "data.classes=3", said=("no class subfolder", "data.classes=0"),
                 prepare=lambda _: pictures()),
    image_folder("image size that no network takes", "model=dcgan", "data.size=5",
                 said=("model.generator.size=5", "at least 8"), prepare=lambda _: pictures()),
    train("image size of other data", "data.size=16", said=("data.size=16", "digits has size 8")),
    train("network of another image size", "model.discriminator.shape=[1,16,16]",
          said=("model: does not fit data=digits (images of 1x8x8", "batch")),
    train("points for a network of images", "data=ring8", said=("model.generator.shape", "no data.channels", "choose")),
    train("mirrored points", "data.flip=true", base=("experiment=gaussian_gan", *TINY[1:7]),
          said=("data.flip=true", "points")),
    train("patch larger than a picture", "data=photo_folder", "data.root=pictures",
          said=("pictures/00.png is 8 x 8", "patch of 48", "data.size"), prepare=lambda _: pictures()),
    train("damaged data set", "data=mnist", "data.root=here", said=("train-images-idx3-ubyte is damaged", "replace"),
          prepare=lambda _: [written(f"here/MNIST/raw/{part}-{kind}-ubyte", b"\0\0\x08\x03\0") for part in
                             ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]),
    train("data set that is not there", "data=cifar10", "data.root=here", "data.source.download=false",
          said=("not in here", "put data_batch_1", "here/cifar-10-batches-py")),
    train("domains in one folder", "data=unpaired_folders", "data.source.root_a=pictures",
          "data.source.root_b=pictures", said=("same folder", "two domains"), prepare=lambda _: pictures()),
    evaluate("NaN in images", "samples.npz", *AGAINST, said=("samples.npz", "NaN"), prepare=arrays(HOLED)),
    evaluate("floats for bytes", "samples.npz", *AGAINST, said=("float32", "save uint8"), prepare=arrays(FLOATS)),
    evaluate("zeros and ones", "samples.npz", *AGAINST, said=("only 0 and 1", "multiply by 255"),
             prepare=arrays((FLOATS > 0.5).astype(np.uint8))),
    evaluate("pickled arrays", "samples.npz", *AGAINST, said=("samples.npz", "can't be read"),
             prepare=arrays(np.array([Code()], dtype=object))),
    evaluate("more than there are", "samples.npz", *AGAINST, "--n", "50", said=("--n 50", "20 images"),
             prepare=arrays((FLOATS * 255).astype(np.uint8))),
    evaluate("mixed sizes", "pictures", *AGAINST, said=("larger/00.png is 9x9", "8x8", "one size"),
             prepare=mixed_sizes),
    evaluate("no exported program", "g.pt2", *AGAINST, said=("g.pt2", "torch.export.save"),
             prepare=lambda _: written("g.pt2", b"nothing")),
    evaluate("data set that nobody has", "pictures", "--reference", "digts", said=("--reference digts", "no data set"),
             prepare=lambda _: pictures()),
]  # fmt: skip

CONFIG = [
    train("unknown key", "sedd=3", said=("sedd=3", "did you mean 'seed'?")),
    train("added key that nothing takes", "+model.lrr=3", said=("model.lrr=3", "no such key of", "valid: ")),
    train("unknown logger", "logger=wanbd", said=("logger=wanbd", "did you mean 'wandb'?")),
    train("unknown experiment", "experiment=digits_gna", base=(), said=("digits_gna", "did you mean 'digits_gan'?")),
    train("infinite rate", f"{ADAM}.lr=inf", said=(f"{ADAM}.lr", "finite")),
    train("rate of zero", f"{ADAM}.lr=0", said=(f"{ADAM}.lr=0", "greater than 0")),
    train("huge rate", f"{ADAM}.lr=1e10", said=(f"{ADAM}.lr", "at most 10")),
    train("rate that is no number", f"{ADAM}.lr=fast", said=(f"{ADAM}.lr=fast", "a number")),
    train("half a pair", f"{ADAM}.betas=[0.5]", said=(f"{ADAM}.betas=[0.5]", "item 1", "missing")),
    train("epochs", "+trainer.max_epochs=0", said=("trainer.max_epochs=0", "valid: accelerator")),
    train("budget of zero", "budget.images=0", said=("budget.images=0", "at least 1")),
    train("negative budget", "budget.images=-5", said=("budget.images=-5", "at least 1")),
    train("no budget", "budget.images=null", said=("budget.images", "budget.minutes", "never end")),
    train("negative seed", "seed=-1", said=("seed=-1", "at least 0")),
    train("seed out of range", "seed=9223372036854775808", said=("seed=9223372036854775808", "less than")),
    train("seed that is no whole number", "seed=1.5", said=("seed=1.5", "whole number")),
    train("unknown best score", "metrics=digits", "metrics.best=fd_digts", said=("metrics.best=fd_digts", "fd_digits")),
    train("best of no scores", "metrics.best=fid", said=("metrics.best=fid", "null")),
    train("unknown score", "metrics=digits", "metrics.evaluations.quality.scores=[fdd]",
          said=("metrics.evaluations.quality", "no score fdd", "fd")),
    train("unknown extractor", "metrics=digits", "metrics.evaluations.quality.extractor=inceptio",
          said=("metrics.evaluations.quality", "inceptio", "inception")),
    train("class that is not there", "model.generator._target_=forger.networks.mlp.Generatr",
          said=("Generatr", "did you mean 'Generator'?")),
    train("module that is not there", "model.generator._target_=nowhere.Thing", said=("nowhere", "installed?")),
    train("what is no network", "model.generator=3", said=("model.generator=3", "_target_")),
    train("latents that differ", "model.generator.latent=16", said=("model: does not fit", "shapes")),
    train("nobody trains it", "~model.players.generator", said=("model.generator", "model.players.generator")),
    train("player without a network", "+model.players.critic=${model.players.generator}",
          said=("model.players.critic", "no network 'critic'")),
    train("callback that is none", "+callbacks.mine={_target_: torch.nn.ReLU}", said=("callbacks.mine", "ReLU")),
    train("logger that is none", "+logger.mine={_target_: torch.nn.ReLU}", said=("logger.mine", "Logger")),
    train("a way out of the folder", "run.name=../elsewhere", said=("run.name=../elsewhere", "must")),
    train("several values without -m", "seed=0,1", said=("seed=0,1", "-m")),
    train("no override", "seed=[1", said=("seed=[1", "key=value")),
    train("flag that Hydra would unpickle for", "--experimental-rerun", "x", said=("no such option",)),
    own_file("wrong YAML", "# @package _global_\nseed: [1\nx: 2\n", "own.yaml", "line 3", "YAML"),
    own_file("not UTF-8", b"# @package _global_\nrun: {name: gr\xfcn}\n", "own.yaml", "UTF-8"),
    own_file("forgotten package", "seed: 3\n", "experiment", "# @package _global_"),
    own_file("no such model", "# @package _global_\ndefaults: [override /model: gann]\n", "model=gann", "'gan'"),
    own_file("interpolation to nowhere", "# @package _global_\nseed: ${nowhere}\n", "seed", "nowhere"),
    own_file("variable not set", "# @package _global_\nrun: {root: '${oc.env:NOT_SET}'}\n", "NOT_SET", "set it"),
    train("no config folder", "--config-dir", "nowhere", said=("--config-dir nowhere", "no such folder")),
]  # fmt: skip

HARDWARE = [
    train("unknown device", "trainer.accelerator=tpu", said=("trainer.accelerator=tpu", "valid: auto, cpu")),
    train("no GPU", "trainer=gpu", said=("torch sees no", "forger doctor", "trainer=cpu"),
          prepare=lambda scene: scene.gpus(0)),
    train("no Apple GPU", "trainer.accelerator=mps", said=("trainer.accelerator=mps", "trainer=cpu"),
          prepare=lambda scene: scene.gpus(0)),
    train("more GPUs than there are", "trainer=gpu", "trainer.devices=4", said=("trainer.devices=4", "1 GPU here"),
          prepare=lambda scene: scene.gpus(1)),
    train("a GPU that is not there", "trainer=gpu", "trainer.devices=[7]", said=("trainer.devices=[7]", "0 to 1"),
          prepare=lambda scene: scene.gpus(2)),
    train("more processes than make sense", "trainer.devices=5000", said=("trainer.devices=5000", "cores")),
    train("GPUs by number on the CPU", "trainer.devices=[0]", said=("trainer.devices=[0]", "give a number")),
    train("no device", "trainer.devices=0", said=("trainer.devices=0", "at least 1")),
    train("machines that nobody started", "trainer.num_nodes=2", said=("trainer.num_nodes=2", "srun")),
    train("half precision on the CPU", "trainer.precision=16-mixed", said=("16-mixed", "bf16-mixed")),
    train("unknown precision", "trainer.precision=fp8", said=("trainer.precision=fp8", "valid: 16-mixed")),
    train("unknown strategy", "trainer.strategy=dpp", said=("trainer.strategy=dpp", "ddp")),
    train("too many threads", "trainer.threads=100000", said=("trainer.threads=100000", "at most 1024")),
    train("batch that ranks can't share", "trainer=ddp_cpu", "data.batch_size=63", said=("batch_size=63", "2 proc")),
]  # fmt: skip

CHECKPOINT = [
    sample("flipped bit", "--checkpoint", "final", said=("final.ckpt", "damaged"), prepare=flipped_bit),
    sample("empty file", said=("final.ckpt", "damaged"), prepare=checkpoint(b"")),
    sample("code in a checkpoint", said=("final.ckpt", "could run code"), prepare=checkpoint({"state_dict": Code()})),
    sample("code, and a shell that allows it", said=("could run code",), prepare=checkpoint({"state_dict": Code()}),
           environment={"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}),
    sample("no checkpoint of ours", said=("final.ckpt", "not a checkpoint of forger"), prepare=checkpoint({"x": 1})),
    sample("weights of another model", said=("final.ckpt", "don't fit the run's config"),
           prepare=checkpoint({"state_dict": {"a": torch.zeros(1)}, "clock": {"iteration": 0, "images": 0}})),
    sample("no checkpoint yet", said=("no checkpoint yet",), prepare=lambda s: shutil.rmtree(s.run() / "checkpoints")),
    sample("unknown checkpoint", "--checkpoint", "frist", said=("--checkpoint frist", "best, final, last")),
    sample("torn record", said=("record.json", "not readable"), prepare=of_run("record.json", "{")),
    sample("record of the future", said=("record.json", "schema 99"), prepare=record(schema=99)),
    sample("torn config", said=("config.yaml", "YAML"), prepare=of_run("config.yaml", "seed: [1")),
    sample("config that is none", said=("config.yaml",), prepare=of_run("config.yaml", "- 1")),
    sample("config that is not UTF-8", said=("config.yaml", "UTF-8"), prepare=of_run("config.yaml", b"a: \xfc")),
    sample("config without a model", said=("config.yaml", "missing"), prepare=of_run("config.yaml", "seed: 3")),
    sample("unknown picture", "--what", "grdi", said=("--what grdi", "did you mean 'grid'?")),
    sample("no samples", "--n", "0", said=("--n 0", "at least 1")),
    sample("more samples than memory", "--n", "99999999999", said=("out of memory", "--n"), code=1),
    sample("truncation that is no number", "--truncation", "nan", said=("--truncation nan", "a number")),
    Case("no run there", ("sample", "nowhere"), ("nowhere", "no such folder", "forger runs")),
    Case("a run on the web", ("sample", "https://example.org/run"), ("https://example.org/run", "download")),
    Case("a checkpoint on the web", ("evaluate", "http://example.org/x.ckpt"), ("URL", "download")),
    evaluate("a checkpoint alone", "x.ckpt", said=("x.ckpt", "RUN/checkpoints"),
             prepare=lambda _: written("x.ckpt", b"x")),
    evaluate("weights that are none", RUN, "--extractor", "inception", "--weights", "w.pth", "--scores", "fid",
             said=("w.pth", "no Inception weights"), prepare=lambda s: [s.run(), written("w.pth", b"x" * 99)]),
    train("parent that is not there", "--from", "nowhere", said=("nowhere",)),
]  # fmt: skip

ENVIRONMENT = [
    train("a file for the runs' folder", "run.root=here", code=1, said=("here/digits_gan", "not a directory", "name"),
          prepare=lambda _: written("here")),
    train("read-only folder", code=1, said=("runs/digits_gan", "permission denied", "name another"), prepare=read_only),
    train("rank that is no number", said=("RANK=abc", "unset it"), environment={"RANK": "abc"}),
    train("tasks that are no number", said=("SLURM_NTASKS=abc",), environment={"SLURM_NTASKS": "abc"}),
    train("unknown W&B mode", "logger=wandb", said=("=maybe", "offline"), environment={"WANDB_MODE": "maybe"}),
    train("nobody is logged in", "logger=wandb", "logger.wandb.mode=online", said=("logger.wandb.mode=online", "login"),
          environment={"WANDB_MODE": "", "NETRC": "none", "WANDB_CONFIG_DIR": "none", "WANDB_API_KEY": ""}),
    train("data that the environment misplaces", "data=image_folder", said=("/nowhere/image_folder",),
          environment={"FORGER_DATA": "/nowhere"}),
    Case("unknown command", ("trian",), ("trian", "did you mean 'train'?")),
    Case("override without a command", ("seed=3",), ("forger train seed=3",)),
    Case("runs that are not there", ("runs", "nowhere"), ("nowhere", "no such folder")),
]  # fmt: skip

CASES = [*DATA, *CONFIG, *HARDWARE, *CHECKPOINT, *ENVIRONMENT]
