"""The page of what happens to runs that are killed, damaged and starved, from the results."""

from typing import Any

from scripts.benchmarks.markdown import table

ABOUT = """# Faults, and what became of the runs

Every experiment, and every game and objective that none has, runs small with everything it does (scores every 7 rounds,
the watch every 4, pictures every 10, checkpoints every 3), is disturbed, taken to its end and compared with an
undisturbed run: the whole record, every row, picture and alert, and everything in `final.ckpt` and `best.ckpt`. Each
run is a process that gets a real SIGKILL, at a random moment or while a checkpoint's temporary file exists
(`scripts/benchmarks/faults/runs.py`). The last row is `scripts/benchmarks/faults/sweeps.py`: trials of `digits_gan` of
300 rounds; the command is killed as well, and given again at once.
"""


def page(findings: dict[str, Any]) -> str:
    """What was done to runs and sweeps, how often, and what became of them."""
    kills = findings["kills"]
    total, torn = sum(k["kills"] for k in kills), sum(k["in_a_save"] for k in kills)
    wrong = sum(k["kills"] for k in kills if k["different"])
    damages, fine = findings["damages"], [d for d in findings["damages"] if d["outcome"] != "lost"]
    recovered = sum(d["outcome"].startswith("recovered") for d in fine)
    disks = [disk for disk in findings["disk"] if disk]
    rank = findings["rank"]
    rows = [
        (
            f"SIGKILL at a random moment, {len({k['experiment'] for k in kills})} experiments and games, up to "
            f"{max(k['kills'] for k in kills)} in one run",
            f"{total}",
            f"{total - wrong} of {total} identical",
        ),
        ("of these while a checkpoint was being written", f"{torn}", "all of the above"),
        (
            "checkpoint cut short or with one bit turned",
            f"{len(damages)}",
            f"{len(fine)} of {len(damages)}: {recovered} recovered and identical, "
            f"{len(fine) - recovered} refused by name",
        ),
        (
            f"disk full ({' or '.join(dict.fromkeys(disk['limit'] for disk in disks))})",
            f"{len(disks)}",
            f"{sum(disk['kept'] for disk in disks)} of {len(disks)}: one line, exit code 1, nothing lost, identical",
        ),
    ]
    if rank:
        rows.append(
            (
                "one of two processes killed",
                "1",
                f"the other ended after {rank['seconds']} s with exit code {rank['code']}; {rank['saved']:,} images "
                f"saved; taken up by one process: {rank['status_after']}",
            )
        )
    if sweeps := findings.get("sweep"):
        rows.append(_row_of_sweeps(sweeps))
    return f"{ABOUT}\n{table(('fault', 'times', 'outcome'), rows)}"


def _row_of_sweeps(sweeps: list[dict[str, Any]]) -> tuple[str, str, str]:
    kills = [
        f"{sum(s['kills'].get(kind, 0) for s in sweeps)} {kind}s" for kind in ("run", "worker", "server", "command")
    ]
    trials, ended = sum(s["trials"] for s in sweeps), sum(s["ended"] for s in sweeps)
    faults = sum(s["ended_twice"] + s["left_running"] + s["set_aside"] + s["other_parameters"] for s in sweeps)
    left = sum(len(s["processes_left"]) for s in sweeps)
    again = [images for s in sweeps for images in s["trained_again"]]
    compared = [names for s in sweeps for names in s["compared"].values()]
    return (
        f"SIGKILL to processes of a sweep, {len(sweeps)} sweeps of {sweeps[0]['trials']} trials, two workers: "
        f"{', '.join(kills)}",
        f"{sum(sum(s['kills'].values()) for s in sweeps)}",
        f"{ended} of {trials} trials ended; "
        f"twice, left over, or with other parameters: {faults}; processes left: {left}; of the runs hit after a "
        f"checkpoint at most {max(again, default=0):,} images trained again (checkpoints every "
        f"{sweeps[0]['checkpoint_every']:,}); {sum(not names for names in compared)} of {len(compared)} compared "
        "identical",
    )
