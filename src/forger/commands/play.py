"""`forger play`: a page to get to know a trained game."""

from forger.commands.declaring import MIXTURE, TRUST, Arguments, Command, Option, local


def _run(given: Arguments) -> int:
    from contextlib import nullcontext

    from forger.lifecycle.restore import restored
    from forger.play.answering import check
    from forger.play.playing import Playing
    from forger.play.serving import Server

    options, run = given.options, local(given.positionals[0])
    trust, mixture = "trust" in options, options.get("mixture")
    read = restored(run, options.get("checkpoint"), trust=trust, places=given.places, mixture=mixture)
    places = [f"{key}={value}" for key, value in given.places.items()]
    playing = Playing(read, (*given.flags("port"), *places))
    check(playing)
    with read.game.live_weights() if "raw-weights" in options else nullcontext():
        Server(playing, options.get("port", 0)).until_interrupted()
    return 0


COMMAND = Command(
    name="play",
    arguments="RUN",
    summary="a page on this machine to play with a trained game",
    about="""\
A local page to get to know a trained game: new samples by seed, class and truncation, each with D's opinion; walks
between pictures, planes through latents; your own picture encoded and decoded, translated or enlarged, as far as the
game can. Whatever is seen has the `forger sample` command that writes it. Only this machine can open the page.
""",
    places=("data.root=FOLDER",),
    options=(
        Option("--port N", "of the page (default: a free one)", kind=int, least=1, most=65535),
        Option("--checkpoint C", "final, last or best (default: final, else last)", choices=("final", "last", "best")),
        Option("--raw-weights", "the live weights instead of their moving average"),
        MIXTURE,
        TRUST,
    ),
    run=_run,
)
