import pytest
from django.test import Client
from playwright.sync_api import Page

from campaigns.groups import ensure_groups
from tests.factories import UserFactory


@pytest.fixture
def signed_in(page: Page, live_server) -> Page:
    """A Marketing person's browser."""
    ensure_groups()
    client = Client()
    client.force_login(UserFactory(groups=["Marketing"]))
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    # A page that was loaded again has lost this mark.
    page.add_init_script("window.loads = Number(sessionStorage.loads || 0) + 1")
    page.add_init_script("sessionStorage.loads = window.loads")
    return page
