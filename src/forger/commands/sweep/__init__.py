"""`forger sweep`."""

from forger.commands.declaring import CONFIG_DIR, Arguments, Command, Option


def _run(given: Arguments) -> int:
    from forger.commands.sweep.execution import sweep
    from forger.sweeps.concealing import revealed

    if given.typed[0] == "worker":
        given = COMMAND.parse(["worker", *revealed(given.typed[1:])])
    action, name, *overrides = given.positionals
    return sweep(action, name, overrides, given.options)


COMMAND = Command(
    name="sweep",
    arguments="run|worker|status|export-wandb SWEEP [OVERRIDES...]",
    summary="search with pruning and crash-proof trials",
    about="""\
  run                        create or continue a sweep, N workers on this machine
  worker                     one worker, on any machine that reaches the storage
  status                     ended, pruned, failed, running, best, time left
  export-wandb               a file for `wandb sweep` and `wandb agent`

SWEEP is a config of the group `sweep`, or a YAML file in a folder of that name. Each trial is a fresh process of
`forger train` in a run folder below runs/SWEEP; what is killed is taken up again by the same command. OVERRIDES:

  sweep.trials=40 …          any key of the sweep: trials, seeds, sampler, pruner, rungs.first, minutes, storage, …
  launcher=slurm, =ray …     where the workers run (default: this machine)
  budget.images=1e5 …        any override of the runs; KEY=VALUE takes KEY out of the space,
                             'KEY=interval(0.1, 1)' puts it in

Exit codes: 0 all trials ended, or the time limit came; 1 too many failed; 2 a fault in the sweep or its config;
130/143 interrupted (the same command continues).
""",
    options=(
        Option("-w, --workers N", "with run (default: one per GPU, or core)", kind=int, least=1, goes_with="run"),
        Option("--json", "with status", goes_with="status"),
        Option("-o, --out FILE", "with export-wandb: where to (default: printed)", goes_with="export-wandb"),
        CONFIG_DIR,
    ),
    run=_run,
)
