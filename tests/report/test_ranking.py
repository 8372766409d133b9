"""Which runs are a variant, who leads, what can't be compared, and how the verdict words it."""

import pytest

from forger.errors import ConfigError
from forger.report.comparison import compare, score_names
from forger.report.reading import read
from forger.report.variants import short_labels, variants
from forger.report.verdict import number, p_value, verdict, with_half_width
from report.folders import score, write_run

GOOD, FAIR, POOR = (1.0, 1.2, 1.1), (2.0, 2.3, 2.1), (9.0, 7.0, 8.0)


def family(root, **by_name):
    for name, values in by_name.items():
        for seed, value in enumerate(values):
            write_run(root, name, seed, value)
    return variants(read([root]).runs)


def test_runs_that_differ_in_seed_alone_are_one_variant(tmp_path):
    for seed in (0, 1, 2):
        write_run(tmp_path, "gan", seed, 3.0, overrides=["model.lr=0.1"], settings={"lr": 0.1})
    write_run(tmp_path, "gan", 0, 3.0, overrides=["model.lr=0.2"], settings={"lr": 0.2})
    found = variants(read([tmp_path]).runs)
    assert [(variant.name, [run.seed for run in variant.runs]) for variant in found] == [
        ("lr=0.1", [0, 1, 2]),
        ("lr=0.2", [0]),
    ]


def test_a_seed_that_ran_twice_counts_once_and_the_newest(tmp_path):
    import os

    old = write_run(tmp_path, "gan", 0, 5.0)
    new = write_run(tmp_path / "again", "gan", 0, 3.0)
    os.utime(old / "record.json", (1, 1))
    (variant,) = variants(read([tmp_path]).runs)
    assert [run.path for run in variant.runs] == [new]
    assert [run.path for run in variant.repeated] == [old]


def test_what_only_observes_makes_no_variant(tmp_path):
    import json

    for seed, every in ((0, 100), (1, 200)):
        folder = write_run(tmp_path, "gan", seed, 3.0)
        config = json.loads((folder / "config.yaml").read_text())
        config |= {"samples": {"every_images": every}, "log": {"every": every}, "trainer": {"threads": every}}
        (folder / "config.yaml").write_text(json.dumps(config))
    assert len(variants(read([tmp_path]).runs)) == 1


def test_names_hold_the_name_where_it_tells_something(tmp_path):
    for name in ("small", "large"):
        write_run(tmp_path, name, 0, 3.0)
        write_run(tmp_path, name, 0, 3.0, overrides=["model/loss=hinge"], settings={"loss": "hinge"})
    assert [variant.name for variant in variants(read([tmp_path]).runs)] == [
        "large",
        "large loss=hinge",
        "small",
        "small loss=hinge",
    ]


def test_trials_of_a_sweep_are_told_apart_by_what_they_tried(tmp_path):
    for trial, lr in enumerate((0.00010586267488, 0.0017580486713)):
        for seed in (0, 1):
            overrides = [f"model.players.generator.optimizer.lr={lr}"]
            write_run(
                tmp_path, f"search/{trial:04}", seed, 3.0, overrides=overrides, settings={"lr": lr, "name_of": ""}
            )
    found = variants(read([tmp_path]).runs)
    assert [(variant.name, len(variant.runs)) for variant in found] == [("lr=0.0001059", 2), ("lr=0.001758", 2)]


def test_an_experiment_that_no_other_has_names_a_variant(tmp_path):
    for trial, (experiment, images) in enumerate({"digits_cgan": 500, "digits_flow": 900}.items()):
        overrides = [f"experiment={experiment}", f"budget.images={images}"]
        write_run(tmp_path, f"compare/{trial:04}", 0, 3.0, overrides=overrides, settings={"of": experiment})
    names = [variant.name for variant in variants(read([tmp_path]).runs)]
    assert names == ["experiment=digits_cgan", "experiment=digits_flow"]
    write_run(tmp_path, "compare/0002", 0, 3.0, overrides=["experiment=digits_flow"], settings={"of": "flow again"})
    assert "experiment=digits_flow, images=900" in [v.name for v in variants(read([tmp_path]).runs)]


def test_labels_are_as_short_as_they_may_be():
    keys = ["model.players.generator.optimizer.lr", "model.players.discriminator.optimizer.lr", "model.loss._target_"]
    assert list(short_labels(keys).values()) == ["generator.lr", "discriminator.lr", "loss"]
    assert list(short_labels(["a.b.c"], least=2).values()) == ["b.c"]


def test_ranking_and_verdict_of_known_numbers(tmp_path):
    found = family(tmp_path, poor=POOR, good=GOOD, fair=FAIR)
    comparison = compare(found, "fd_digits")
    assert [found[standing.variant].name for standing in comparison.standings] == ["good", "fair", "poor"]
    assert comparison.standings[0].summary.mean == pytest.approx(1.1)
    # By hand: −1.0333 over √((0.01 + 0.02333) / 3) is t = −9.80 with 3.45 degrees.
    pair = comparison.pair(comparison.standings[0].variant, comparison.standings[1].variant)
    assert pair.difference.p == pytest.approx(0.001227, abs=1e-6)
    assert pair.corrected == pytest.approx(3 * 0.001227, abs=1e-5)
    headline, detail = verdict(comparison, found)
    assert headline == "good is better than fair: 1.10 ± 0.25 against 2.13 ± 0.38, p = .004."
    assert detail == "It is clearly better than poor. fd_digits: lower is better."


def test_higher_is_better_turns_the_ranking(tmp_path):
    found = family(tmp_path, good=GOOD, fair=FAIR)
    comparison = compare(found, "is_digits")
    assert comparison.higher_is_better
    assert found[comparison.standings[0].variant].name == "good"


def test_a_difference_that_chance_explains_is_not_called_one(tmp_path):
    found = family(tmp_path, one=(1.0, 3.0, 2.0), other=(2.5, 1.5, 2.3))
    headline, _ = verdict(compare(found, "fd_digits"), found)
    assert headline == "one is ahead of other, but 3 seeds can’t tell them apart: 2.0 ± 2.5 against 2.1 ± 1.3, p = .89."


def test_single_seeds_decide_nothing(tmp_path):
    found = family(tmp_path, one=(1.0,), other=(2.0,))
    headline, detail = verdict(compare(found, "fd_digits"), found)
    assert headline == "one is ahead of other: 1.00 against 2.00, on too few seeds to be sure."
    assert "three seeds" in detail


def test_lost_runs_are_told_since_they_flatter_the_mean(tmp_path):
    write_run(tmp_path, "one", 3, None, status="diverged")
    found = family(tmp_path, one=GOOD, other=POOR)
    _, detail = verdict(compare(found, "fd_digits"), found)
    assert "1 of 4 runs of one (diverged) is missing from its mean." in detail
    assert found[0].healthy == (3, 4)


def test_other_passports_are_set_apart_with_the_reason(tmp_path):
    found = family(tmp_path, one=GOOD, other=FAIR)
    write_run(tmp_path, "few", 0, scores={"fd_digits": score(0.1, n_fake=50)})
    found = variants(read([tmp_path]).runs)
    comparison = compare(found, "fd_digits")
    assert {found[s.variant].name for s in comparison.standings} == {"one", "other"}
    (apart,) = comparison.apart
    assert apart.reason == "different numbers of fakes: 497 and 50"
    assert "can’t be ranked with these: different numbers of fakes: 497 and 50." in verdict(comparison, found)[1]


def test_another_seed_or_version_of_the_score_is_no_other_score(tmp_path):
    write_run(tmp_path, "one", 0, scores={"fd_digits": score(1.0, seed=7, versions={"torch": "9"})})
    found = family(tmp_path, other=FAIR)
    assert len(compare(found, "fd_digits").standings) == 2


def test_gap_between_the_end_and_the_best(tmp_path):
    write_run(tmp_path, "one", 0, 3.0, curve=(9.0, 4.0, None, 6.0))
    write_run(tmp_path, "one", 1, 3.0, curve=(9.0, 5.0, 4.0))
    found = variants(read([tmp_path]).runs)
    (standing,) = compare(found, "fd_digits").standings
    assert standing.gap == pytest.approx(1.0)  # 2 and 0
    assert standing.relative_gap == pytest.approx(0.25)


def test_the_score_that_chose_the_checkpoints_comes_first(tmp_path):
    found = family(tmp_path, one=GOOD)
    assert score_names(found[0].runs) == ["fd_digits", "is_digits"]


def test_unfinished_and_scoreless(tmp_path):
    write_run(tmp_path, "one", 0, None, status="interrupted")
    found = variants(read([tmp_path]).runs)
    comparison = compare(found, "fd_digits")
    assert comparison.without == [0]
    assert verdict(comparison, found)[0] == "No run has a final fd_digits yet."


def test_folders_that_are_no_runs(tmp_path):
    write_run(tmp_path, "one", 0, 1.0)
    (tmp_path / "foreign" / "x").mkdir(parents=True)
    (tmp_path / "foreign" / "x" / "notes.txt").write_text("hello")
    broken = write_run(tmp_path, "broken", 0, 1.0)
    (broken / "record.json").write_text("{")
    torn = write_run(tmp_path, "torn", 0, 1.0)
    (torn / "config.yaml").write_text("a: [")
    (write_run(tmp_path, "bare", 0, 1.0) / "config.yaml").unlink()
    collection = read([tmp_path])
    assert {run.name for run in collection.runs} == {"one", "bare"}
    assert [run.notes for run in collection.runs if run.name == "bare"] == [("config.yaml is missing",)]
    assert {entry.path.name for entry in collection.problems} == {"x", broken.name, torn.name}
    assert all(entry.problem for entry in collection.problems)
    with pytest.raises(ConfigError, match="no such folder"):
        read([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no runs in there"):
        read([tmp_path / "empty"])


@pytest.mark.parametrize(
    ("mean", "half", "text"),
    [
        (1.634, 0.2234, "1.63 ± 0.22"),
        (230.4, 163.2, "230 ± 160"),
        (12345.6, 1234.0, "12,300 ± 1,200"),
        (0.000479, 0.00018, "0.00048 ± 0.00018"),
        (3.14159, None, "3.14"),
    ],
)
def test_numbers_have_the_digits_they_deserve(mean, half, text):
    assert with_half_width(mean, half) == text


def test_small_and_large_numbers():
    assert [number(x) for x in (0, 1234567, 1e-9, float("nan"), None)] == ["0", "1,230,000", "1.00e-09", "–", "–"]
    assert [p_value(p) for p in (0.0004, 0.0034, 0.034, 0.47, 1.0)] == [
        "p < .001", "p = .003", "p = .034", "p = .47", "p = 1",
    ]  # fmt: skip
