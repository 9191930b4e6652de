"""Story 4: at 100 a minute the list shows “Sending: 1,243 / 5,000” and moves by itself."""

import http.client
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests import services
from tests.flows.business import create_campaign, import_customers
from tests.stack import Stack, running_stack
from tests.standins.client import StandIn

pytestmark = [pytest.mark.stack, pytest.mark.browser]
MAKE_PERSON = (
    "from django.contrib.auth.models import Group, User;"
    "user = User.objects.create_user('marie', password='vesuvio', is_staff=True);"
    "user.groups.add(Group.objects.get(name='Marketing'))"
)


@pytest.fixture
def web(sendgrid: StandIn) -> Iterator[tuple[Stack, str]]:
    """An installation with a web server and no worker yet."""
    port = services.free_port()
    address = f"http://127.0.0.1:{port}"
    environment = sendgrid.environment() | {"DEBUG": "true", "PUBLIC_BASE_URL": address}
    with running_stack("sqlite", **environment) as stack:
        stack.manage("shell", "-c", MAKE_PERSON)
        stack.start("web", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--threads=4")

        def answers() -> bool:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request("GET", "/healthz")
                return connection.getresponse().status == 200
            except OSError:
                return False
            finally:
                connection.close()

        stack.wait_for(answers, 60, "the web server answers")
        yield stack, address


def test_the_list_counts_by_itself_and_the_request_sends_nothing(
    web: tuple[Stack, str],
    sendgrid: StandIn,
    page: Page,
) -> None:
    stack, address = web
    import_customers(stack, customers=5000)
    campaign = create_campaign(stack, send_rate_limit_emails=100)
    page.goto(f"{address}/admin/login/")
    page.fill("[name=username]", "marie")
    page.fill("[name=password]", "vesuvio")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/admin/")
    page.goto(f"{address}/admin/campaigns/campaign/{campaign}/send/")
    page.get_by_label("I have looked at it").check()
    page.get_by_role("button", name=re.compile("^Send to")).click()
    expect(page.get_by_text("5,000 emails queued, with QR codes.")).to_be_visible()
    page.wait_for_timeout(2_000)
    assert sendgrid.stats()["requests"] == 0
    assert stack.value("SELECT count(*) FROM campaigns_delivery") == 0

    worker = stack.start_worker()
    beat = stack.start_beat()
    stack.wait_for_status(campaign, "sending", 60)
    stack.kill(worker)
    stack.kill(beat)
    # Twelve minutes of sending in one statement.
    stack.execute(
        "UPDATE campaigns_delivery SET status = 'pending', lease_token = NULL, lease_until = NULL, "
        "call_started_at = NULL"
    )
    stack.execute(
        "UPDATE campaigns_delivery SET status = 'sent' WHERE id IN "
        "(SELECT id FROM campaigns_delivery ORDER BY id LIMIT 1243)"
    )
    stack.execute("UPDATE campaigns_campaign SET emails_sent = 1243")
    page.goto(f"{address}/admin/campaigns/campaign/")
    progress = page.locator(".hb-progress-text")
    expect(progress).to_have_text("1,243 / 5,000 sent")
    expect(page.locator(".hb-status")).to_have_text("Sending")
    page.evaluate("window.sameDocument = true")
    stack.start_worker("second")
    stack.start_beat("second-beat")
    expect(progress).not_to_have_text("1,243 / 5,000 sent", timeout=60_000)
    first = progress.inner_text()
    expect(progress).not_to_have_text(first, timeout=30_000)
    counts = [int(text.split(" /")[0].replace(",", "")) for text in (first, progress.inner_text())]
    assert 1243 < counts[0] < counts[1] < 1500
    assert page.evaluate("window.sameDocument") is True
