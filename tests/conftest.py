"""What every test can ask for."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests import services
from tests.settings import TEST_DATABASE
from tests.standins.client import StandIn

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium: the one on this machine, or Playwright's own."""
    # Playwright runs an event loop in this thread, where Django refuses to use the database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    installed = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        try:
            running = playwright.chromium.launch(executable_path=installed, args=FLAGS)
        except Error:
            if services.CI:
                raise
            pytest.skip("no Chromium was found")
        yield running
        running.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page at desktop width."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def sendgrid() -> Iterator[StandIn]:
    """A SendGrid of its own, in a process of its own."""
    with StandIn("sendgrid") as standin:
        yield standin


@pytest.fixture
def twilio() -> Iterator[StandIn]:
    """A Twilio of its own, in a process of its own."""
    with StandIn("twilio") as standin:
        yield standin


def pytest_configure() -> None:
    if _lacks_postgres() and services.CI:
        raise pytest.UsageError("CI=true, and no PostgreSQL was found")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if _lacks_postgres():
        for item in items:
            item.add_marker(pytest.mark.skip(reason="no PostgreSQL was found"))


def _lacks_postgres() -> bool:
    return TEST_DATABASE == "postgresql" and not services.postgres_url()
