"""`forger reproduce`."""

from forger.commands.declaring import TRUST, Arguments, Command


def _run(given: Arguments) -> int:
    from forger.commands.reproduce.execution import reproduce

    return reproduce(given.positionals[0], trust="trust" in given.options, places=given.places)


COMMAND = Command(
    name="reproduce",
    arguments="RUN",
    summary="train again from the record, compare bit by bit",
    about="""\
Train RUN again from its record alone (config, seed, threads) and compare bit by bit: every row of metrics.jsonl
but its times, scores, weights. Identical: says so and ends with 0. Different: names where the two part, and what
was not as it was (versions, code, hardware, threads; other data end it at once), ends with 1, and keeps what was
made in RUN/reproduction. Interrupted, the same command goes on. Places are yours: without --trust, a folder of data
elsewhere than `forger train` would look for it, and the run that a fork started from, are to be named.
""",
    places=("data.root=FOLDER", "run.parent=RUN"),
    options=(TRUST,),
    run=_run,
)
