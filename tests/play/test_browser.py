"""The page in a real browser: one visit to a game of each kind, with mouse, touch and keys, for everybody."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.resources import files
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from forger.play.serving import Server

# A machine at work on other tests takes its time.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def addresses(playing) -> Iterator[dict[str, str]]:
    """A server for each game."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(Server(each)) for name, each in playing.items()}
        threads = [threading.Thread(target=server.serve_forever) for server in servers.values()]
        for thread in threads:
            thread.start()
        yield {name: server.address for name, server in servers.items()}
        for server in servers.values():
            server.shutdown()
        for thread in threads:
            thread.join()


@pytest.fixture
def opened(browser: Any, addresses: dict[str, str]) -> Iterator[Callable[..., Any]]:
    """Opens a game's page; whatever the console hears, or another host, fails the test."""
    contexts, heard = [], []

    def open_page(name: str, width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
        contexts.append(context)
        context.set_default_timeout(60_000)
        tab = context.new_page()
        tab.on("console", lambda message: heard.append(message.text) if message.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: heard.append(str(error)))
        tab.on(
            "request",
            lambda request: heard.append(request.url) if "//" in request.url.replace(addresses[name], "") else None,
        )
        tab.goto(addresses[name])
        return tab

    yield open_page
    for context in contexts:
        context.close()
    # A browser also says what a request that was refused got, which the page tells.
    assert [text for text in heard if "400 (Bad Request)" not in text] == []


def says(tab: Any, place: str, text: str) -> None:
    expect(tab.locator(f"#{place}-said")).to_contain_text(text)


def source(tab: Any, place: str) -> str:
    return tab.locator(f"#{place}-shown img").last.get_attribute("src")


def accessible(tab: Any) -> None:
    """axe-core finds nothing serious, and nothing is wider than the window."""
    tab.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []
    assert tab.evaluate("document.documentElement.scrollWidth") == tab.viewport_size["width"]


def test_samples_walks_and_planes_of_a_gan(opened):
    tab = opened("gan", bypass_csp=True)
    says(tab, "samples", "9 samples of seed 0; mean D(x) 0.")
    command = tab.locator("#samples-command code")
    assert command.inner_text().endswith("--what raw --n 9 --seed 0 --out seed-0/ --trust")
    tab.locator("#class").select_option("3")
    expect(command).to_contain_text("--labels 3")
    first = tab.locator("#samples-shown img").first
    assert first.get_attribute("alt").startswith("sample 1 of seed 0, class 3, D(x) 0.")
    tab.locator("#truncation").fill("0.5")
    expect(command).to_contain_text("--labels 3 --truncation 0.5")
    tab.locator("#samples-seed").fill("77")
    tab.keyboard.press("Enter")
    says(tab, "samples", "9 samples of seed 77")
    before = first.get_attribute("src")
    tab.get_by_role("button", name="New samples").click()
    expect(first).not_to_have_attribute("src", before)
    assert "--seed 77" not in command.inner_text()

    # The first three are pinned; another takes the place of the oldest.
    assert tab.locator("#pins li").count() == 3
    says(tab, "walk", "50% of the way, class 1")
    tile = tab.locator("#samples-shown button").nth(4)
    tile.focus()
    tab.keyboard.press("Space")
    expect(tile).to_have_attribute("aria-pressed", "true")
    expect(tab.locator("#pins li").first).to_contain_text("sample 5 of seed")
    before = source(tab, "walk")
    tab.locator("#walk-share").focus()
    tab.keyboard.press("Home")
    says(tab, "walk", "0% of the way, class 3")
    assert tab.locator("#walk-share").get_attribute("aria-valuetext") == "0% of the way"
    assert source(tab, "walk") != before

    # The map follows the keys and the pointer.
    assert "--what latent-map --n 121 --seed 0 --labels 3" in tab.locator("#map-command code").inner_text()
    plane = tab.locator("#plane-map")
    plane.focus()
    for _ in range(3):
        tab.keyboard.press("Shift+ArrowRight")
    tab.keyboard.press("ArrowUp")
    says(tab, "plane", "80% across, 48% down, class 3, D(x)")
    box = plane.bounding_box()
    plane.hover(position={"x": 1, "y": box["height"] - 3})
    says(tab, "plane", "0% across, 100% down")
    tab.get_by_role("button", name="Pin this picture").click()
    expect(tab.locator("#pins")).to_contain_text("0% across, 100% down")
    tab.locator("#plane-kind").select_option("pinned")
    expect(tab.locator("#map-command")).to_be_hidden()
    expect(tab.locator("#plane-seed")).to_be_hidden()
    for name in ("A", "B"):
        tab.get_by_role("button", name=f"Unpin {name}").click()
    says(tab, "walk", "Pin two pictures for a walk.")
    expect(tab.locator("#plane-problem")).to_have_text("Pin three pictures to span this plane.")

    # What is wrong is said, and the page goes on.
    tab.locator("#samples-n").fill("1000")
    tab.keyboard.press("Enter")
    expect(tab.locator("#samples-problem")).to_have_text("n: must be a whole number from 1 to 100")
    tab.locator("#samples-n").fill("2")
    tab.keyboard.press("Enter")
    expect(tab.locator("#samples-problem")).to_be_hidden()
    says(tab, "samples", "2 samples")
    accessible(tab)


def test_drawing_for_an_autoencoder(opened, tmp_path):
    tab = opened("autoencoder", color_scheme="dark", bypass_csp=True)
    assert tab.locator("#plane h2").inner_text() == "Latent map"
    says(tab, "plane", "50% across, 50% down")
    says(tab, "walk", "Pin two pictures for a walk.")
    pad = tab.locator("#pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    tab.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.8, steps=5)
    tab.mouse.up()
    says(tab, "handed", "your drawing")
    figures = tab.locator("#handed-shown figure")
    assert figures.nth(0).locator("img").evaluate("image => image.naturalWidth") == 8
    assert figures.nth(0).locator("figcaption").inner_text() == "as the game gets it"
    drawn = figures.nth(0).locator("img").get_attribute("src")
    pad.focus()
    for key in ("ArrowLeft", "ArrowUp", "Space"):
        tab.keyboard.press(key)
    expect(figures.nth(0).locator("img")).not_to_have_attribute("src", drawn)
    tab.get_by_role("button", name="Pin this picture").last.click()
    expect(tab.locator("#pins")).to_contain_text("your drawing")

    Image.new("RGB", (30, 20), "white").save(tmp_path / "white.png")
    (tmp_path / "notes.txt").write_text("no picture")
    tab.locator("#handed-file").set_input_files(tmp_path / "white.png")
    says(tab, "handed", "white.png; colour reduced to luma; 30×20 made 8×8: its middle cut out and resized")
    tab.locator("#handed-file").set_input_files(tmp_path / "notes.txt")
    expect(tab.locator("#handed-problem")).to_contain_text("notes.txt: no picture that this page reads")
    accessible(tab)


@pytest.mark.parametrize(
    ("name", "said", "drawn"), [("cycle", "photo.png", "translations"), ("enlarger", "photo.png", "enlargements")]
)
def test_a_picture_is_translated_or_enlarged(opened, tmp_path, name, said, drawn):
    tab = opened(name, width=360, color_scheme="dark" if name == "cycle" else "light", bypass_csp=True)
    if name == "enlarger":
        tab.get_by_role("button", name="Draw").click()
    says(tab, "drawing", f"{drawn} of seed 0")
    Image.effect_noise((24, 16), 60).save(tmp_path / "photo.png")
    tab.locator("#handed-file").set_input_files(tmp_path / "photo.png")
    says(tab, "handed", said)
    made = tab.locator("#handed-shown figure").nth(1).locator("img")
    assert made.evaluate("image => image.naturalWidth") == (8 if name == "cycle" else 48)
    if name == "cycle":
        before = made.get_attribute("src")
        tab.locator("#handed-direction").select_option("ba")
        expect(made).not_to_have_attribute("src", before)
    accessible(tab)


def test_a_telephone_and_points(opened):
    tab = opened("vae", width=360, has_touch=True, is_mobile=True, bypass_csp=True)
    says(tab, "samples", "9 samples of seed 0")
    says(tab, "plane", "50% across, 50% down")
    accessible(tab)
    tab = opened("points")
    says(tab, "drawing", "density of seed 0")
    tab.locator("#drawing-seed").fill("4")
    tab.locator("#drawing-new").click()
    says(tab, "drawing", "density of seed 4")
    assert "--what density --n 50 --seed 4" in tab.locator("#drawing-command code").inner_text()


def test_only_the_pages_own_scripts_run(browser, addresses):
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(addresses["points"])
    tab.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hit = 1'}))"
    )
    assert tab.evaluate("window.hit") is None
    context.close()
