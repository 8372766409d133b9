"""Links lead somewhere, and what a user has to read stays short."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
WRITTEN = sorted((REPOSITORY / "docs").glob("*.md"))
PAGES = [*WRITTEN, *sorted((REPOSITORY / "docs" / "results").glob("*.md")), *sorted(REPOSITORY.glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_repository_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', text):
        place, _, anchor = "".join(link).partition("#")
        if place.startswith(("https:", "http:", "mailto:")):
            continue
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), place
        assert not anchor or anchor in anchors(target), f"{place}#{anchor}"


def test_no_page_is_long_and_all_of_them_are_soon_read():
    words = {page.name: len(page.read_text().split()) for page in WRITTEN}
    assert max(words.values()) <= 1_800, words
    assert sum(words.values()) <= 12_000, words
