"""Ten people press Send at the same instant, against a real web server (M-2)."""

import http.client
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests import services
from tests.faults.invariants import check_invariants
from tests.flows.business import create_campaign, import_customers
from tests.stack import Stack
from tests.standins.client import StandIn

pytestmark = [pytest.mark.stack, pytest.mark.slow]
PEOPLE = 10
MAKE_PEOPLE = """
from django.contrib.auth.models import Group, User
for number in range({people}):
    user = User.objects.create_user(f"marie{{number}}", password="vesuvio", is_staff=True)
    user.groups.add(Group.objects.get(name="Marketing"))
"""


def hidden_fields(page: str) -> dict[str, str]:
    """Return what the Send button's form posts."""
    form = page[page.index('data-fresh="decide"') :]
    return {
        name: re.search(rf'name="{name}" value="([^"]*)"', form)[1]
        for name in ("csrfmiddlewaretoken", "shown", "counted")
    }


def press_send(address: str, campaign: int, number: int, together: threading.Barrier) -> str:
    """Sign in, look at the confirm page, wait for the others, press; return the page after it."""
    session = requests.Session()
    session.trust_env = False
    sign_in = f"{address}/admin/login/"
    session.get(sign_in, timeout=30)
    person = {"username": f"marie{number}", "password": "vesuvio"}
    token = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
    session.post(sign_in, data=person | token, timeout=30)
    page = f"{address}/admin/campaigns/campaign/{campaign}/send/"
    fields = hidden_fields(session.get(page, timeout=30).text)
    together.wait(60)
    return session.post(page, data=fields, timeout=30).text


def test_ten_people_pressing_send_start_one_campaign(
    make_stack: Callable[..., Stack],
    database: services.PrivatePostgres,
    broker: services.PrivateRedis,
    sendgrid: StandIn,
) -> None:
    port = services.free_port()
    address = f"http://127.0.0.1:{port}"
    stack = make_stack(
        "postgresql",
        postgres_url=database.url,
        redis_url=broker.url,
        DEBUG="true",
        PUBLIC_BASE_URL=address,
    )
    stack.manage("shell", "-c", MAKE_PEOPLE.format(people=PEOPLE))
    import_customers(stack, customers=300)
    campaign = create_campaign(stack)
    stack.start("web", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}",
                *("--workers", "2", "--threads", "5"))  # fmt: skip
    stack.start_workers("first", "second")
    stack.start_beat()
    stack.wait_for(lambda: answers(port), 60, "the web server answers")
    together = threading.Barrier(PEOPLE)
    with ThreadPoolExecutor(PEOPLE) as people:
        pages = [
            people.submit(press_send, address, campaign, number, together)
            for number in range(PEOPLE)
        ]
        said = Counter(verdict(page.result()) for page in pages)
    pressed = time.monotonic()
    assert said == {"queued": 1, "refused": PEOPLE - 1}
    stack.wait_for_status(campaign, "completed", 60)
    figures = check_invariants(stack, campaign, customers=300, sendgrid=sendgrid)
    assert figures.arrived["email"] == 300
    assert figures.twice["email"] == 0
    print(f"{PEOPLE} people, done {time.monotonic() - pressed:.0f} s after: {figures}")


def verdict(page: str) -> str:
    if "300 emails queued, with QR codes." in page:
        return "queued"
    return "refused" if "it cannot be sent now." in page else page


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
