"""What the page shows is what the command that it names writes, and what the Python API says of the same pictures."""

import statistics
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import forger
from forger.data.images import digits
from forger.play.answering import check, offered
from forger.play.latents import side
from forger.play.playing import Playing
from play.asking import ask, content, file, obeyed, pixels

DIGITS = digits()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_game_is_asked_for_what_it_can(playing):
    there = {name: " ".join(offered(each)) for name, each in playing.items()}
    assert there == {
        "gan": "samples walk map plane handed drawing",
        "vae": "samples walk map plane handed drawing",
        "autoencoder": "walk map plane handed drawing",
        "cycle": "handed drawing",
        "enlarger": "handed drawing",
        "points": "drawing",
    }


def test_samples_are_to_the_bit_those_of_the_command(playing, runs, here):
    answer = ask(playing["gan"], "samples", n=12, seed=5, labels=[3, 8], truncation=0.7)
    assert answer["command"].startswith(f"forger sample {runs['gan']} --what raw --n 12 --seed 5 --labels 3,8 --trunc")
    obeyed(answer["command"])
    written = sorted((here / "seed-5").iterdir())
    assert [path.name for path in written[:2]] == ["000000_class3.png", "000001_class8.png"]
    for path, picture in zip(written, answer["pictures"], strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), pixels(picture))
    assert [picture["words"] for picture in answer["pictures"]] == ["class 3", "class 8"] * 6
    run = forger.load(runs["gan"].path)
    images = np.stack([pixels(picture) for picture in answer["pictures"]])[:, None]
    opinions = run.discriminate(images, [3, 8] * 6)
    np.testing.assert_allclose([picture["d"] for picture in answer["pictures"]], opinions, rtol=1e-6)
    decoded = run.decode([picture["z"] for picture in answer["pictures"]], [3, 8] * 6)
    np.testing.assert_array_equal(decoded, images)
    other = ask(playing["gan"], "samples", n=12, seed=6, labels=[3, 8], truncation=0.7)
    assert (pixels(other["pictures"][0]) != images[0, 0]).any()


def test_of_other_weights_the_command_names_them(runs, here):
    from forger.lifecycle.restore import restored

    read = restored(runs["gan"].path, "last")
    played = Playing(read, ("--checkpoint", "last", "--raw-weights"))
    with read.game.live_weights():
        answer = ask(played, "samples", n=2, seed=1)
    walk = {"from": [0] * 32, "to": [1] * 32, "from_label": 1, "to_label": 1, "share": 0.5}
    assert "checkpoint='last', raw_weights=True).decode([[" in ask(played, "walk", **walk)["python"]
    obeyed(answer["command"])
    first = np.asarray(Image.open(here / "seed-1" / "000000_class0.png"))
    np.testing.assert_array_equal(first, pixels(answer["pictures"][0]))
    assert (first != pixels(ask(played, "samples", n=2, seed=1)["pictures"][0])).any()  # of the average


def test_an_autoencoder_with_a_mixture_over_its_codes_samples(runs, here):
    from forger.lifecycle.restore import restored

    played = Playing(restored(runs["autoencoder"].path, mixture=3), ("--mixture", "3"))
    answer = ask(played, "samples", n=2, seed=1)
    obeyed(answer["command"])
    first = np.asarray(Image.open(here / "seed-1" / "000000.png"))
    np.testing.assert_array_equal(first, pixels(answer["pictures"][0]))
    walk = ask(played, "walk", **{"from": [0] * 3, "to": [1] * 3, "share": 0.5})
    (again,) = eval(walk["python"], {"forger": forger})
    np.testing.assert_array_equal(again[0], pixels(walk["picture"]))


def test_a_map_shows_the_pictures_of_the_command(playing, here):
    for name, words in (("gan", {"labels": [7], "truncation": 0.5}), ("autoencoder", {})):
        answer = ask(playing[name], "map", plane="usual", seed=3, **words)
        obeyed(answer["command"])
        drawn, n = np.asarray(Image.open(here / "latent-map.png").convert("L")), side(playing[name])
        assert answer["side"] == n
        drawn = drawn[-(50 * n + 2) :]  # below the title; each tile is enlarged six times, with a gap of two
        tiles = [drawn[50 * i + 2 : 50 * i + 50 : 6, 50 * j + 2 : 50 * j + 50 : 6] for i in range(n) for j in range(n)]
        seen = pixels(answer).reshape(n, 8, n, 8).transpose(0, 2, 1, 3).reshape(n * n, 8, 8)
        np.testing.assert_array_equal(np.stack(tiles), seen)
        place = {"across": 1, "down": 0, "plane": "usual", "seed": 3}
        corner = ask(playing[name], "plane", **place, **words)["picture"]
        assert abs(pixels(corner).astype(int) - seen[n - 1]).max() <= 1  # alone, not one of many


def test_a_walk_leads_from_one_picture_to_the_other(playing):
    a, b = ask(playing["gan"], "samples", n=2, seed=1, labels=[2, 9])["pictures"]
    ends = {"from": a["z"], "to": b["z"], "from_label": 2, "to_label": 9}
    for share, end, words in ((0, a, "class 2"), (1, b, "class 9")):
        answer = ask(playing["gan"], "walk", **ends, share=share)
        there = answer["picture"]
        (again,) = eval(answer["python"], {"forger": forger})
        np.testing.assert_array_equal(again[0], pixels(there))
        assert there["words"] == words
        assert abs(pixels(there).astype(int) - pixels(end)).max() <= 1
    middle = np.array(ask(playing["gan"], "walk", **ends, share=0.5)["picture"]["z"])
    lengths = [np.linalg.norm(each["z"]) for each in (a, b)]
    assert np.linalg.norm(middle) == pytest.approx(np.mean(lengths), rel=1e-4)  # on the sphere, not through it
    straight = ask(playing["autoencoder"], "walk", **{"from": [0, 2], "to": [4, 0]}, share=0.25)["picture"]
    assert straight["z"] == [1, 1.5]


def test_a_plane_through_what_is_pinned(playing):
    pins = ask(playing["gan"], "samples", n=3, seed=8, labels=[4])["pictures"]
    corners = [pin["z"] for pin in pins]
    for place, pin in (((0, 0), pins[0]), ((1, 0), pins[1]), ((0, 1), pins[2])):
        asked = dict(zip(("across", "down"), place, strict=True), plane="pinned", corners=corners, labels=[4])
        found = ask(playing["gan"], "plane", **asked)["picture"]
        np.testing.assert_allclose(found["z"], pin["z"], atol=1e-6)
    mosaic = ask(playing["gan"], "map", plane="pinned", corners=corners, labels=[4])
    assert "command" not in mosaic  # no seed gives it
    assert abs(pixels(mosaic)[:8, :8].astype(int) - pixels(pins[0])).max() <= 1


def test_a_plane_of_principal_directions(playing, runs):
    run = forger.load(runs["vae"].path)
    codes = run.encode(DIGITS.validation.arrays["image"].numpy()).astype(float)
    centred = codes - codes.mean(0)
    _, widths, directions = np.linalg.svd(centred, full_matrices=False)
    found = {
        place: np.array(ask(playing["vae"], "plane", plane="principal", across=place[0], down=place[1])["picture"]["z"])
        for place in ((0.5, 0.5), (1, 0.5), (0.5, 0))
    }
    np.testing.assert_allclose(found[0.5, 0.5], codes.mean(0), atol=1e-4)
    for place, component in (((1, 0.5), 0), ((0.5, 0), 1)):
        step = found[place] - found[0.5, 0.5]
        assert np.linalg.norm(step) == pytest.approx(2.5 * widths[component] / (len(codes) - 1) ** 0.5, rel=1e-3)
        assert abs(step @ directions[component]) == pytest.approx(np.linalg.norm(step), rel=1e-3)


def test_a_drawing_is_encoded_and_decoded(playing, runs):
    digit = DIGITS.test.arrays["image"][3].numpy()
    answer = ask(playing["vae"], "handed", file=file(digit[0]), name="your drawing")
    run = forger.load(runs["vae"].path)
    np.testing.assert_array_equal(pixels(answer["given"]), digit[0])
    np.testing.assert_array_equal(pixels(answer["made"]), run.reconstruct(digit[None])[0, 0])
    np.testing.assert_array_equal(np.float32(answer["z"]), run.encode(digit[None])[0])
    assert answer["notes"] == []


def test_a_picture_of_another_shape_is_made_to_fit_and_says_so(playing):
    wide = np.zeros((16, 40, 3), np.uint8)
    wide[:, 12:28] = 255  # its middle
    answer = ask(playing["vae"], "handed", file=file(wide, "JPEG"))
    assert pixels(answer["given"]).min() > 200
    assert answer["notes"] == ["colour reduced to luma", "40×16 made 8×8: its middle cut out and resized"]


def test_translations_there_and_back(playing, runs):
    digit, run = DIGITS.test.arrays["image"][5].numpy(), forger.load(runs["cycle"].path)
    for direction in ("ab", "ba"):
        made = ask(playing["cycle"], "handed", file=file(digit[0]), direction=direction)["made"]
        np.testing.assert_array_equal(pixels(made), run.translate(digit[None], direction)[0, 0])


def test_a_picture_is_enlarged_at_its_own_size(playing, runs):
    noise = np.random.default_rng(0).integers(0, 256, (21, 34, 3), np.uint8)
    answer = ask(playing["enlarger"], "handed", file=file(noise))
    run = forger.load(runs["enlarger"].path, trust=True)
    right = run.enlarge(noise.transpose(2, 0, 1)[None])[0].transpose(1, 2, 0)
    np.testing.assert_array_equal(pixels(answer["made"]), right)
    np.testing.assert_array_equal(pixels(answer["given"]), noise)


def test_the_discriminator_judges_a_drawing_as_each_class(playing, runs):
    digit, run = DIGITS.test.arrays["image"][7].numpy(), forger.load(runs["gan"].path)
    opinions = ask(playing["gan"], "handed", file=file(digit[0]))["opinions"]
    assert [each["words"] for each in opinions] == [f"class {i}" for i in range(10)]
    right = run.discriminate(np.repeat(digit[None], 10, 0), range(10))
    np.testing.assert_allclose([each["d"] for each in opinions], right, rtol=1e-5)
    (one,) = ask(playing["gan"], "handed", file=file(digit[0]), labels=[4])["opinions"]
    assert one == {"words": "class 4", "d": pytest.approx(right[4], rel=1e-5)}


@pytest.mark.parametrize(
    ("name", "picture", "file"),
    [
        ("gan", "walk", "walk.gif"),
        ("cycle", "translations", "translations.png"),
        ("points", "density", "density.png"),
        ("enlarger", "enlargements", "enlargements.png"),
    ],
)
def test_a_picture_is_the_file_of_the_command(playing, here, name, picture, file):
    answer = ask(playing[name], "drawing", picture=picture, n=4, seed=2)
    obeyed(answer["command"])
    assert content(answer["src"]) == (here / file).read_bytes()


def test_points_that_no_picture_shows_are_refused(playing):
    in_space = Playing(replace(playing["points"].read))
    in_space.read.__dict__["data"] = SimpleNamespace(kind="points", shape=(3,))
    with pytest.raises(forger.ConfigError, match=r"points of 3 dimensions can't be shown; `forger sample --what raw`"):
        check(in_space)


def test_an_answer_takes_less_than_a_tenth_of_a_second_of_one_processor(playing):
    """Twenty each of what the page asks for most; three times as long as measured, for other machines."""
    digit = file(DIGITS.test.arrays["image"][0, 0].numpy())
    walk = {"from": [0.1] * 32, "to": [-0.2] * 31 + [1], "from_label": 1, "to_label": 2, "share": 0.4}
    plane = {"plane": "usual", "across": 0.2, "down": 0.7}
    for name, what, fields in (
        ("gan", "samples", {"n": 24}),
        ("gan", "walk", walk),
        ("gan", "plane", plane),
        ("vae", "map", {"plane": "principal"}),
        ("vae", "handed", {"file": digit}),
    ):
        seconds = []
        for _ in range(20):
            before = time.thread_time()
            ask(playing[name], what, **fields)
            seconds.append(time.thread_time() - before)
        assert statistics.median(seconds) < 0.1, what
