"""What `forger --help` and `forger COMMAND --help` print: no imports here, so that they answer at once."""

OVERVIEW = """\
forger: an experiment pipeline for generative adversarial networks and autoencoders

  forger train [OVERRIDES]       one run; with -m, a sweep (Hydra's own syntax, all of it)
  forger sweep run|worker|status|export-wandb SWEEP   search with pruning and crash-proof trials
  forger evaluate SOURCE         score a run, a checkpoint or a folder of images against a reference
  forger sample RUN              samples, interpolations, class grids: whatever the game can draw
  forger report RUNS...          one self-contained HTML page that compares variants
  forger reproduce RUN           train again from the record, compare bit by bit
  forger runs [FOLDER]           a table of runs and their state
  forger extractor data=D        train and write an extractor for scores on one's own data
  forger doctor                  what this machine has, and what to do about the rest

`forger COMMAND --help` says more; FORGER_DEBUG=1 shows tracebacks.
Exit codes: 0 finished, 1 failed, 2 input or config wrong, 3 diverged or stopped by the watch,
130/143 interrupted (state saved; the same command continues)."""

#: By command.
COMMANDS = {
    "reproduce": """\
forger reproduce RUN [data.root=FOLDER] [run.parent=RUN] [--trust]

Train RUN again from its record alone (config, seed, threads) and compare bit by bit: every row of metrics.jsonl
but its times, scores, weights. Identical: says so and ends with 0. Different: names where the two part, and what
was not as it was (versions, code, hardware, threads; other data end it at once), ends with 1, and keeps what was
made in RUN/reproduction. Interrupted, the same command goes on. Places are yours: without --trust, a folder of data
elsewhere than `forger train` would look for it, and the run that a fork started from, are to be named.

  --trust           build and read whatever the config names: for runs of your own with classes or data of your own""",
    "runs": """\
forger runs [FOLDER] [--json]

A table of the runs in FOLDER (default: runs) and their state. `killed` is a run whose process is gone
without a word, `broken` a folder whose record can't be read. Scores of which the passports differ (extractor,
reference, number of images, …) are marked: they don't compare, and a line below says why.
--json: path, status, alive, problem, not_comparable (score to reason), record.""",
    "report": """\
forger report [RUNS...] [-o FILE] | --serve | --wandb

One HTML page that compares variants: who is better and how sure that is, curves, pictures, settings, and what
each run was. RUNS are folders of runs, or runs (default: runs). The file needs no network.

  -o FILE           where to write it (default: report.html)
  --serve           show it on this machine instead, anew whenever a run writes something
  --port N          with --serve (default: a free one)
  --wandb           save the comparison as a report of Weights & Biases instead (needs wandb-workspaces)
  --project P       with --wandb (default: the runs' own); --entity E likewise""",
    "extractor": """\
forger extractor data=D [OVERRIDES] [-o FILE]

Train a classifier on a labelled set of square pictures (minutes on a processor), print how many of the test images it
puts into their class and what its Fréchet distance says of known damage, and write one file without code, which
`forger evaluate --extractor FILE` and `extractor: FILE` in conf/metrics take.

  data=D …            any override of the config's data, as data.size=64 data.root=pictures data.classes=5; and seed=1
  -o FILE             NAME.safetensors; its scores are fd_NAME, is_NAME, … (default: the name of the data)
  --config-dir FOLDER your own configs in front of the shipped ones""",
    "doctor": """\
forger doctor [--json]

What this machine has (Python, packages, devices, W&B login, extractor weights, disk), and what to do
about the rest. Ends with 1 if something that training needs is missing.""",
    "sweep": """\
forger sweep run SWEEP [-w N] [OVERRIDES]          create or continue a sweep, N workers on this machine
forger sweep worker SWEEP [OVERRIDES]              one worker, on any machine that reaches the storage
forger sweep status SWEEP [OVERRIDES] [--json]     ended, pruned, failed, running, best, time left
forger sweep export-wandb SWEEP [-o FILE]          a file for `wandb sweep` and `wandb agent`

SWEEP is a config of the group `sweep`, or a YAML file in a folder of that name. Each trial is a fresh process of
`forger train` in a run folder below runs/SWEEP; what is killed is taken up again by the same command.

  -w N                       workers (default: one per GPU, else one per core)
  --config-dir FOLDER        your own configs in front of the shipped ones
  sweep.trials=40 …          any key of the sweep: trials, seeds, sampler, pruner, rungs.first, minutes, storage, …
  launcher=slurm, =ray …     where the workers run (default: this machine)
  budget.images=1e5 …        any override of the runs; KEY=VALUE takes KEY out of the space,
                             'KEY=interval(0.1, 1)' puts it in

Exit codes: 0 all trials ended, or the time limit came; 1 too many failed; 2 a fault in the sweep or its config;
130/143 interrupted (the same command continues).""",
    "sample": """\
forger sample RUN [OPTIONS] [data.root=FOLDER]

Pictures and samples of a run, finished or still going; the path of what was written is printed.

  --what PICTURE    grid, classes, walk, latent-map, density, neighbours, reconstructions, codes, translations,
                    cycles, enlargements, raw (default: the run's natural picture)
  --n N             how many samples, frames or tiles
  --seed S          of the latents (default: the run's own)
  --labels 0,1,…    the classes to ask for (default: all)
  --truncation PSI  factor on the latents: below 1 for samples nearer to the average (default: 1)
  --input PATH      enlarge, translate or reconstruct a picture, or each of a folder, into a file of its own name
  --out PATH        FILE.png, FILE.gif, FILE.npz (raw: arrays `samples` and `labels`) or FOLDER/ for single
                    images (default: in the run's samples/). The natural picture as a .gif is shown through training.
  --checkpoint C    final, last or best (default: final, or the last one of an unfinished run)
  --raw-weights     the live weights instead of their moving average
  --trust           build and read whatever the config names: for runs of your own with classes or data of your own""",
    "evaluate": """\
forger evaluate SOURCE [OPTIONS] [data.root=FOLDER]

Scores of a run folder, a checkpoint in one, a folder of images, an .npz (array `samples`, uint8 n×h×w×c, as
`forger sample` writes it) or an exported generator (.pt2) against real images, each with its standard error.

  --reference R     a data set (digits, digits/train, mnist/test; by itself its test split), a folder of images,
                    an .npz or a run, for its data; ./digits is the folder (default: the test split of a run's own data)
  --extractor E     digits, fashion, inception, dinov2, random, a .safetensors file of forger extractor, or a
                    torch.nn.Module by import path (package.module.Class) or .pt2 file
                    (default: the run's own; digits for grey 8×8 images, else inception)
  --weights FILE    of the extractor
  --preprocess P    what a module of yours gets, as size=224,antialias=true,channels=3,range=-1:1 (or mean=…:…:…,
                    std=…); by default 3 channels in [0, 1], not resized; grey is repeated. Part of the passport
  --scores A,B,…    fd (fid), fd_infinity, is, kd (kid), precision, recall, density, coverage, memorisation, vendi,
                    accuracy (default: the run's own; fd, is, kd, precision, recall)
  --n N             how many images are scored (default: the run's metrics.n; all of a folder)
  --seed S          of the latents, or of the subset (default: the run's metrics.seed, 0)
  --json            scores with their whole passports
  --trust           build and read whatever the config names: for runs of your own with classes or data of your own""",
}
