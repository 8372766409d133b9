"""What goes into the page: pictures within a budget, settings, importance; safe, small, and without torch."""

import base64
import io
import json
import re
import subprocess
import sys

import pytest
from PIL import Image

from forger.cli import main
from forger.report import alarm_text, pictures
from forger.report.comparison import compare
from forger.report.importance import importance, parameters
from forger.report.page import page, page_data
from forger.report.reading import read
from forger.report.variants import variants
from report.folders import score, write_run


def data_of(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


def test_pictures_come_back_as_they_were(tmp_path):
    write_run(tmp_path, "one", 0, 1.0, frames=3)
    found = page_data(read([tmp_path]))["pictures"]
    frames = found["of"]["training"][0]
    assert [frame["images"] for frame in frames] == [1000, 2000, 3000]
    image = Image.open(io.BytesIO(base64.b64decode(frames[1]["src"].partition(",")[2])))
    assert image.size == (60, 40)
    assert image.convert("L").getpixel((5, 5)) == 127


def test_a_full_page_holds_one_picture_of_each_variant_first(tmp_path, monkeypatch):
    for name in ("one", "other"):
        for seed in (0, 1):
            write_run(tmp_path, name, seed, 1.0, frames=5)
    monkeypatch.setattr(pictures, "MOST_PICTURES", 4)
    data = page_data(read([tmp_path]))
    found = data["pictures"]
    assert (found["shown"], found["wanted"]) == (4, 20)
    # Of the seed that both have: the last moment, and the first.
    assert {data["runs"][run]["seed"] for run in found["of"]["training"]} == {0}
    assert [[f["images"] for f in frames] for frames in found["of"]["training"].values()] == [[1000, 5000]] * 2


def test_other_pictures_have_their_kind(tmp_path):
    folder = write_run(tmp_path, "one", 0, 1.0, frames=1)
    Image.new("RGB", (20, 20)).save(folder / "samples" / "neighbours.png")
    (folder / "samples" / "torn.png").write_bytes(b"\x89PNG\r\n")
    assert page_data(read([tmp_path]))["pictures"]["kinds"] == ["training", "neighbours"]


def test_settings_that_change_together_are_one(tmp_path):
    for width in (64, 128):
        settings = {"generator": {"width": width}, "discriminator": {"width": width}, "same": 1}
        write_run(tmp_path, "one", 0, 1.0, overrides=[f"model.generator.width={width}"], settings=settings)
    (parameter,) = parameters(variants(read([tmp_path]).runs))
    assert (parameter["key"], parameter["also"]) == ("model.generator.width", ["model.discriminator.width"])
    assert sorted(parameter["values"]) == [64, 128]


def test_an_alarm_in_words():
    signals = {"vendi_ratio": {"value": 0.2029, "below": 0.6}, "gap": {"value": 15.2, "above": 10.0}}
    row = {"alarm": "mode_collapse", "confidence": 1, "images": 44, "evidence": {"signals": signals, "checks": 3}}
    assert alarm_text.as_text(row) == {
        "alarm": "mode_collapse",
        "confidence": 1.0,
        "images": 44,
        "evidence": "vendi_ratio 0.203 < 0.6, gap 15.2 > 10, at 3 checks in a row",
        "why": "",
        "remedy": "",
    }
    diverged = {"kind": "weight", "tensor": "a.b", "value": "nan", "saved": True}
    assert alarm_text.as_text({"evidence": diverged})["evidence"] == "kind weight, tensor a.b, value nan, saved True"


def test_importance_finds_the_setting_that_matters(tmp_path):
    for i, lr in enumerate((0.1, 0.2, 0.4)):
        for j, width in enumerate((8, 16)):
            for seed in (0, 1):
                settings = {"lr": lr, "width": width}
                write_run(tmp_path, "one", seed, 10.0 * i + 0.1 * j, settings=settings, overrides=[f"{lr} {width}"])
    found = variants(read([tmp_path]).runs)
    shares, reason = importance(parameters(found), compare(found, "fd_digits"))
    assert reason is None
    assert [label for label, _ in shares] == ["lr", "width"]
    assert shares[0][1] > 0.9


def test_importance_says_why_it_is_not_there(tmp_path):
    write_run(tmp_path, "one", 0, 1.0)
    found = variants(read([tmp_path]).runs)
    assert importance(parameters(found), compare(found, "fd_digits"))[1] == "needs 10 runs with this score; there are 1"


def test_nothing_in_a_record_becomes_markup(tmp_path):
    evil = "</script><script>alert(1)</script><!--"
    write_run(tmp_path, "one", 0, 1.0, extra={"name": evil, "command": evil}, alerts=[{"alarm": evil, "images": 1000}])
    html = page([tmp_path])
    assert html.count("<script") == 3  # data, plotly, ours
    assert data_of(html)["variants"][0]["name"] == evil
    assert "alert(1)</script>" not in html


def test_a_record_may_be_odd_in_every_corner(tmp_path):
    write_run(
        tmp_path, "odd", 0, extra={"git": None, "versions": {}, "overrides": ["", "="], "parent": {"id": ""}},
        scores={"fd_digits": {"value": None}, "is_digits": {"value": 3}, "x": score(float(2**70))},
        rows=[{"images": "many"}, {"images": 5, "score/fd_digits": "nan"}, {"images": 5, "watch/y": None}],
        alerts=[{"alarm": None, "images": "x", "evidence": [1]}],
    )  # fmt: skip
    write_run(tmp_path, "bare", 0, None, status="running", curve=())
    data = data_of(page([tmp_path]))
    assert {run["status"] for run in data["runs"]} == {"finished", "killed"}


@pytest.mark.long
def test_fifty_runs_weigh_less_than_15_megabytes(tmp_path):
    """At their worst: fifty variants, forty noisy curves each, pictures that don't compress."""
    noise = Image.effect_noise((400, 400), 80)
    rows = [
        {"images": 640 * i, "seconds": i / 10, **{f"watch/signal_{k}": (i * (k + 7)) % 9973 / 9973 for k in range(40)}}
        for i in range(400)
    ]
    for k in range(50):
        folder = write_run(tmp_path, f"v{k}", 0, 1.0 + k, rows=rows)
        if k < 5:
            for frame in range(10):
                noise.save(folder / "samples" / f"{frame:09d}.png")
    html = page([tmp_path])
    assert len(html.encode()) < 15e6
    data = data_of(html)
    assert data["pictures"]["shown"] < data["pictures"]["wanted"]


def test_page_without_torch_and_from_the_command_line(tmp_path):
    write_run(tmp_path / "runs", "one", 0, 1.0)
    program = (
        "import sys; from forger.cli import main; code = main(['report', 'runs', '-o', 'out.html']);"
        "print(sorted({'torch', 'pytorch_lightning', 'matplotlib', 'wandb'} & set(sys.modules))); sys.exit(code)"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[0].startswith("out.html (")
    assert ended.stdout.splitlines()[1] == "[]"
    assert "one: fd_digits 1.00." in (tmp_path / "out.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nowhere"], "report nowhere: no such folder"),
        (["runs", "-o", "."], "that is a folder"),
        (["runs", "-o", "missing/x.html"], "missing is not a folder that can be written"),
        (["runs", "--port", "80"], "goes with --serve"),
        (["runs", "--serve", "--wandb"], "not both"),
        (["runs", "--serve", "--port", "x"], "must be a whole number"),
        (["runs", "--outputs", "x"], "no such option"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, line, tmp_path, monkeypatch, capsys):
    write_run(tmp_path / "runs", "one", 0, 1.0)
    monkeypatch.chdir(tmp_path)
    assert main(["report", *arguments]) == 2
    message = capsys.readouterr().err
    assert line in message
    assert message.count("\n") == 1
