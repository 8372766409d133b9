"""The page in a real browser: it ranks, sorts, filters, slides and compares, for everybody."""

import csv
import io
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from forger.report.page import page
from report.folders import score, write_run

EVIL = "<img src=x onerror=window.hit=1><script>window.hit=1</script>"
GOOD, FAIR, POOR = (1.0, 1.2, 1.1), (2.0, 2.3, 2.1), (9.0, 7.0, 8.0)
ALARM = {
    "alarm": "mode_collapse",
    "confidence": 0.9,
    "images": 2000,
    "iterations": 200,
    "evidence": {"vendi_ratio": 0.41},
    "remedy": "model/penalties=r1_r2",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good, fair and poor with three seeds, one that is lost, one with another passport, one with an evil name."""
    root = tmp_path_factory.mktemp("report") / "runs"
    for lr, (name, values) in enumerate({"good": GOOD, "fair": FAIR, "poor": POOR}.items()):
        for seed, value in enumerate(values):
            settings = {"lr": 0.1 + lr, "width": 64}
            curve = (9.0, 5.0 + value, 2.0 + value)
            alarms = [ALARM] if (name, seed) == ("poor", 1) else []
            write_run(root, name, seed, value, settings=settings, curve=curve, alerts=alarms, frames=3)
    write_run(root, "poor", 3, None, settings={"lr": 2.1, "width": 64}, status="diverged")
    write_run(root, "few", 0, scores={"fd_digits": score(0.1, n_fake=50)}, overrides=["special=yes"])
    write_run(root, "named", 0, 30.0, overrides=[EVIL], extra={"name": EVIL, "command": EVIL})
    (root / "torn" / "x").mkdir(parents=True)
    (root / "torn" / "x" / "record.json").write_text("{")
    path = root.parent / "report.html"
    path.write_text(page([root]))
    return path


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page at a fragment; whatever the console or the network hear of it fails the test."""
    contexts, heard = [], []

    def open_page(fragment: str = "", width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        context.set_default_timeout(60_000)
        tab = context.new_page()
        tab.on("console", lambda message: heard.append(message.text) if message.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: heard.append(str(error)))
        tab.on("request", lambda request: heard.append(request.url) if request.url.startswith("http") else None)
        tab.goto(report.as_uri() + fragment)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert heard == []


def names(tab: Any) -> list[str]:
    return tab.locator(".ranking tbody td.variant div > span:last-child").all_inner_texts()


def drawn(tab: Any, section: str) -> Any:
    """A chart of Plotly's once it is drawn."""
    chart = tab.locator(f"{section} .chart").first
    chart.scroll_into_view_if_needed()
    chart.locator(".main-svg").first.wait_for()
    return chart


def test_verdict_and_ranking(opened):
    tab = opened()
    assert tab.locator("h1").inner_text() == "good is better than fair: 1.10 ± 0.25 against 2.13 ± 0.38, p = .004."
    assert names(tab) == ["good", "fair", "poor", EVIL]
    first = tab.locator(".ranking tbody tr").first.locator("td").all_inner_texts()
    assert first[1] == "1.10 ± 0.25"
    assert first[3:] == ["3", "3 of 3", "at its best", "50.0", "1.0", "first"]
    poor = tab.locator(".ranking tbody tr").nth(2).locator("td").all_inner_texts()
    assert poor[4] == "2 of 4"
    assert poor[8].startswith("worse, p = .0")
    assert "different numbers of fakes: 497 and 50" in tab.locator("#apart").inner_text()
    assert "1 of 4 runs of poor (diverged) is missing from its mean." in tab.locator("#detail").inner_text()


def test_interval_lies_where_the_numbers_say(opened):
    tab = opened()
    places = [row.locator(".plot svg line").last.get_attribute("x1") for row in tab.locator(".ranking tbody tr").all()]
    assert sorted(places, key=lambda place: float(place.rstrip("%"))) == places


def test_sorting_by_mouse_and_keyboard(opened):
    tab = opened()
    tab.locator("[data-sort=value]").click()
    assert names(tab) == [EVIL, "poor", "fair", "good"]
    assert tab.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    tab.locator("[data-sort=name]").focus()
    tab.keyboard.press("Enter")
    assert names(tab) == [EVIL, "fair", "good", "poor"]
    assert tab.evaluate("document.activeElement.dataset.sort") == "name"


def test_search_and_status_narrow_everything(opened):
    tab = opened()
    tab.get_by_label("Search").fill("GOOD")
    assert names(tab) == ["good"]
    assert tab.locator("#count").inner_text() == "1 of 5 variants"
    assert tab.locator("details.run:visible").count() == 3
    tab.get_by_label("Search").fill("special=yes")
    assert names(tab) == []
    assert "No variant matches" in tab.locator("#ranking").inner_text()
    tab.get_by_label("Search").fill("")
    tab.locator("#status").select_option("diverged")
    assert names(tab) == ["poor"]
    assert tab.locator("details.run:visible").count() == 1


def test_another_score_and_a_link_to_it(opened):
    tab = opened()
    tab.locator("#score").select_option("is_digits")
    assert tab.locator("h1").inner_text().startswith("good is better than fair: 9.890 ± 0.025 against")
    tab.get_by_label("Search").fill("o")
    fragment = tab.evaluate("location.hash")
    assert fragment == "#score=is_digits&query=o"
    again = opened(fragment)
    assert again.locator("#score").input_value() == "is_digits"
    assert names(again) == ["good", "poor", EVIL]


def test_a_fragment_that_makes_no_sense_is_ignored(opened):
    tab = opened("#score=nothing&at=x&sort=%E0%A4%A&seed=99&one=ZZ&axis=&group=none&__proto__=1")
    assert names(tab) == ["good", "fair", "poor", EVIL]


def test_a_link_to_a_section_changes_no_state(opened):
    tab = opened()
    tab.get_by_label("Search").fill("good")
    tab.get_by_role("link", name="Trust").click()
    assert names(tab) == ["good"]


def test_save_as_csv(opened):
    tab = opened(accept_downloads=True)
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save as CSV").click()
    assert download.value.suggested_filename == "fd_digits.csv"
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert [row["variant"] for row in rows] == ["good", "fair", "poor", EVIL]
    assert float(rows[1]["mean"]) == pytest.approx(6.4 / 3)
    assert float(rows[1]["p_corrected"]) == pytest.approx(0.003681, abs=1e-5)
    assert rows[1]["values"] == "2 2.3 2.1"


def test_curves_hold_means_seeds_and_alarms(opened):
    tab = opened()
    chart = drawn(tab, "#charts")
    traces = chart.evaluate("chart => chart.data.map(t => [t.name || '', t.mode, Array.from(t.y)])")
    means = {name: y for name, mode, y in traces if mode == "lines" and name}
    assert means["A  good"] == pytest.approx([9.0, 6.1, 3.1])
    alarm = next(trace for trace in chart.evaluate("chart => chart.data") if trace.get("name") == "alarm")
    assert alarm["x"] == [2000]
    assert alarm["y"] == pytest.approx([11.0])  # on the mean of 14, 12, 13, and 5 of the lost run
    assert "vendi_ratio 0.41" in alarm["text"][0]
    assert "model/penalties=r1_r2" in alarm["text"][0]
    listed = tab.locator("#alarms").inner_text()
    assert "seed 1: mode_collapse at 2,000 images, confidence 0.90" in listed
    assert "model/penalties=r1_r2" in listed
    tab.get_by_label("Each seed").check()
    names_of_seeds = drawn(tab, "#charts").evaluate("chart => chart.data.map(t => t.hovertemplate || '').join()")
    assert "A  seed 2" in names_of_seeds
    tab.locator("#axis").get_by_role("button", name="Minutes").click()
    assert drawn(tab, "#charts").evaluate("chart => chart.data.at(-2).x.at(-1)") == pytest.approx(1.0)
    tab.locator("#groups").get_by_role("button", name="Losses").click()
    assert tab.locator("#charts figcaption").all_inner_texts() == ["generator · adversarial", "discriminator · real"]


def test_variants_can_be_left_out_of_charts(opened):
    tab = opened()
    tab.locator("#curves [data-legend] button").nth(2).click()
    assert tab.locator("#curves [data-legend] button").nth(2).get_attribute("aria-pressed") == "false"
    names_drawn = drawn(tab, "#charts").evaluate("chart => chart.data.map(t => t.name || '')")
    assert not any("poor" in name for name in names_drawn)
    assert tab.locator("#gallery figcaption").count() == 2
    assert len(names(tab)) == 4  # the ranking keeps everyone


def test_pictures_slide_through_training(opened):
    tab = opened()
    picture = tab.locator("#gallery img").first
    at_the_end = picture.get_attribute("src")
    assert picture.get_attribute("alt") == "samples of good, seed 0, after 3,000 images"
    slider = tab.get_by_label("Training")
    slider.focus()
    tab.keyboard.press("Home")
    assert tab.locator("#gallery img").first.get_attribute("alt").endswith("after 1,000 images")
    assert tab.locator("#gallery img").first.get_attribute("src") != at_the_end
    assert slider.get_attribute("aria-valuetext") == "0% of training"
    tab.locator("#picture-seed").select_option("2")
    assert "seed 2" in tab.locator("#gallery img").first.get_attribute("alt")
    assert tab.locator("#gallery img").first.evaluate("image => image.naturalWidth") == 60


def test_two_variants_and_two_runs_side_by_side(opened):
    tab = opened()
    tab.locator("#one").select_option("B")
    tab.locator("#other").select_option("C")
    row = tab.locator("#comparison tbody tr").first.locator("td").all_inner_texts()
    assert row[:3] == ["fd_digits", "2.13 ± 0.38", "8.0 ± 2.5"]
    assert row[3].startswith("−5.87 ±")
    assert row[4] == "p = .008, corrected = .013"
    settings = tab.locator("#comparison table").nth(1).inner_text()
    assert "model.name_of" in settings
    tab.locator("#one").select_option("r0")
    tab.locator("#other").select_option("r2")
    row = tab.locator("#comparison tbody tr").first.locator("td").all_inner_texts()
    assert row == ["fd_digits", "1.00", "1.10", "−0.100", "single runs: no test"]
    assert "nothing but the seed differs" in tab.locator("#comparison").inner_text()
    assert tab.locator("#comparison img").count() == 2
    assert "one=r0&other=r2" in tab.evaluate("location.hash")


def test_why_shows_what_varies(opened):
    tab = opened()
    chart = drawn(tab, "#reasons")
    labels = chart.evaluate("chart => chart.layout.annotations.map(a => a.text)")
    assert "<b>lr</b>" in labels
    assert "How much of the score" in tab.locator("#reasons").inner_text()


def test_markup_in_a_name_is_text(opened):
    tab = opened()
    drawn(tab, "#charts")
    drawn(tab, "#reasons")
    assert tab.locator(f'text="{EVIL}"').count() > 0
    assert tab.evaluate("window.hit") is None
    assert tab.locator("img[src=x]").count() == 0


def test_only_the_pages_own_scripts_run(browser, report):
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(report.as_uri())
    tab.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hit = 1'}))"
    )
    assert tab.evaluate("window.hit") is None
    context.close()


def test_every_run_says_how_to_repeat_it(opened):
    tab = opened()
    run = tab.locator("details.run").first
    run.locator("summary").click()
    text = run.inner_text()
    for part in (
        "forger train run.name=good seed=0",
        "commit 0123456789ab",
        "sha256 ea8c",
        "39f2",
        "torch" * 0,
        "python 3.11.7",
    ):
        assert part in text
    assert "Left out" in tab.locator("#trust").inner_text()
    assert "not readable" in tab.locator("#trust ul").inner_text()


def test_light_and_dark(opened):
    def paper(tab: Any) -> str:
        return tab.evaluate("getComputedStyle(document.body).backgroundColor")

    assert paper(opened(color_scheme="light")) == "rgb(251, 250, 247)"
    dark = opened(color_scheme="dark")
    assert paper(dark) == "rgb(19, 21, 25)"
    assert "rgb(235, 233, 228)" in drawn(dark, "#charts").evaluate("c => getComputedStyle(c.closest('figure')).color")
    dark.locator("#theme").click()
    assert paper(dark) == "rgb(251, 250, 247)"
    assert paper(opened("#theme=dark", color_scheme="light")) == "rgb(19, 21, 25)"


def test_a_telephone_never_scrolls_sideways(opened):
    tab = opened("#group=losses&query=", width=360, has_touch=True, is_mobile=True)
    for section in ("#charts", "#reasons"):
        drawn(tab, section)
    for details in tab.locator("details.run").all():
        details.evaluate("d => { d.open = true }")
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    tab.mouse.wheel(500, 0)
    assert tab.evaluate("scrollX") == 0


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_accessible(opened, scheme, width):
    tab = opened(color_scheme=scheme, width=width, bypass_csp=True)
    for section in ("#charts", "#reasons"):
        drawn(tab, section)
    tab.locator("details.run summary").first.click()
    tab.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    serious = [
        (each["id"], each["nodes"][0]["html"][:200]) for each in found if each["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_without_scripts_the_verdict_is_there(opened):
    tab = opened(java_script_enabled=False)
    assert tab.locator("h1").inner_text().startswith("good is better than fair")
    assert tab.locator("details.run").count() == 12
