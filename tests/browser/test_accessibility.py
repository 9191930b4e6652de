"""Every page for everybody: nothing that axe calls serious, nothing too wide, nothing too small."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page

from tests.browser.pages import NO_PAGES, PAGES, OurPage, names_in_urls
from tests.browser.world import World, make_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SCREENS = {"desk": (1280, 900, "light"), "phone": (390, 844, "dark")}
SERIOUS = {"serious", "critical"}
# Not serious by axe's own measure, and still how a screen reader finds its way.
ALSO = {"heading-order", "page-has-heading-one", "landmark-one-main", "region", "empty-heading"}
AXE_OPTIONS = {
    "desk": {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}},
    # What else a narrow and dark screen can break.
    "phone": {
        "resultTypes": ["violations"],
        "runOnly": [
            "aria-hidden-focus",
            "button-name",
            "color-contrast",
            "label",
            "link-name",
            "scrollable-region-focusable",
            "target-size",
        ],
    },
}
RUN_AXE = """options => axe.run(document, options).then(results =>
  results.violations.map(({id, impact, nodes}) => ({id, impact, count: nodes.length, nodes:
    nodes.slice(0, 3).map(node => node.html.slice(0, 260) + ': ' +
      [...node.any, ...node.all, ...node.none].map(check => check.message).join(' '))})))"""
SET_SCHEME = "scheme => document.documentElement.classList.toggle('dark', scheme === 'dark')"
TOO_WIDE = "document.scrollingElement.scrollWidth - innerWidth"
WORDS_OF_PROGRAMMERS = """(document.body.innerText.match(
  /JSON|E\\.164|blind index|UUID|object|to change|No results|Are you sure/g) || []).join(', ')"""
# What a page is there for must be hit with a thumb.
TOO_SMALL = """[...document.querySelectorAll('.hb-button, .button, #submit-row button')]
  .filter(e => e.offsetHeight && e.offsetHeight < 44)
  .map(e => `“${e.textContent.trim()}” is ${e.offsetHeight} px high`)"""


# One page under two addresses: the QR code's and the short one.
SAME_PAGE = {"qrcodes:code till": "qrcodes:confirm", "qrcodes:code customer": "qrcodes:coupon"}


class Visitor:
    """The browsers of everybody."""

    def __init__(self, browser: Browser, address: str, world: World) -> None:
        self.browser, self.address, self.world = browser, address, world
        self.pages: dict[str, Page] = {}

    def page_of(self, who: str) -> Page:
        """The one tab of this person."""
        if who not in self.pages:
            context = self.browser.new_context(reduced_motion="reduce")
            context.set_default_timeout(15_000)
            if who in self.world.people:
                client = Client()
                client.force_login(self.world.people[who])
                cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
                context.add_cookies([{**cookie, "url": self.address}])
            self.pages[who] = context.new_page()
        return self.pages[who]

    def open(self, ours: OurPage) -> Page:
        """Open a page and see that it is the one that was asked for."""
        page = self.page_of(ours.who)
        address = self.address + ours.path(self.world)
        answer = page.goto(address)
        assert answer.status == ours.status, f"{ours}: {answer.status}"
        assert page.url == address, f"{ours} led to {page.url}"
        if ours.tick:
            page.locator("input[name=_selected_action]").first.check(force=True)
            page.locator("select[name=action]").select_option(ours.tick, force=True)
            with page.expect_navigation():
                page.locator("#changelist-form").evaluate("form => form.submit()")
        return page

    def close(self) -> None:
        for page in self.pages.values():
            page.context.close()


def show_on(page: Page, screen: str) -> None:
    """Lay the page out on this screen, in its colours."""
    width, height, scheme = SCREENS[screen]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    # The admin follows the system only when it loads.
    page.evaluate(SET_SCHEME, scheme)


def violations(page: Page, screen: str) -> list[dict[str, Any]]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(RUN_AXE, AXE_OPTIONS[screen])
    return [each for each in found if each["impact"] in SERIOUS or each["id"] in ALSO]


def problems_of(page: Page, screen: str) -> Iterator[str]:
    show_on(page, screen)
    for each in violations(page, screen):
        nodes = "\n      ".join(each["nodes"])
        yield f"{each['id']} ({each['impact']}, {each['count']}):\n      {nodes}"
    too_wide = page.evaluate(TOO_WIDE)
    if too_wide > 0:
        yield f"{too_wide} px wider than the screen"
    if words := page.evaluate(WORDS_OF_PROGRAMMERS):
        yield f"words of programmers: {words}"
    if screen == "phone":
        yield from page.evaluate(TOO_SMALL)


@pytest.fixture
def world(settings, tmp_path) -> World:
    settings.CAPTURE_DIR = tmp_path / "captured"
    settings.EMAIL_BACKEND = "campaigns.channels.capture.CaptureEmailBackend"
    return make_world()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_page_can_be_used_by_everybody(browser, live_server, world) -> None:
    visitor = Visitor(browser, live_server.url, world)
    found: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    for ours in PAGES:
        page = visitor.open(ours)
        for screen in SCREENS:
            for problem in problems_of(page, screen):
                found.setdefault(f"{ours}, {screen}", []).append(problem)
        title, name = page.title(), SAME_PAGE.get(str(ours), ours.name)
        if titles.setdefault(title, name) != name:
            also = f"the title “{title}” is also that of {titles[title]}"
            found.setdefault(str(ours), []).append(also)
    visitor.close()
    told = [f"{name}\n   " + "\n   ".join(each) for name, each in found.items()]
    assert not told, "\n".join(["", *told])


def test_the_page_that_says_something_broke_can_be_used_too(browser) -> None:
    page = browser.new_page()
    page.set_content(render_to_string("500.html"))
    for screen in SCREENS:
        assert not list(problems_of(page, screen))
    page.close()


def test_the_page_of_a_name_that_is_taken_can_be_used_too(browser, live_server, world) -> None:
    visitor = Visitor(browser, live_server.url, world)
    page = visitor.page_of("marketing")
    draft = world.campaigns["draft"]
    draft.name = world.template.name
    draft.save(update_fields=["name"])
    page.goto(live_server.url + reverse("admin:campaigns_campaign_change", args=[draft.pk]))
    with page.expect_navigation():
        page.get_by_role("button", name="Save as template").click()
    assert "choose another name" in page.inner_text("main")
    for screen in SCREENS:
        assert not list(problems_of(page, screen))
    visitor.close()


def test_no_page_is_forgotten() -> None:
    names = names_in_urls()
    listed = {page.name for page in PAGES}
    assert not names - listed - NO_PAGES, "add them to PAGES in tests/browser/pages.py"
    assert not (listed | NO_PAGES) - names
    assert not listed & NO_PAGES
