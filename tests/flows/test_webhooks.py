"""Providers call back while a campaign is being sent: real web server, worker, beat and broker."""

import http.client
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests import services
from tests.flows.business import create_campaign, email_of, import_customers, phone_of
from tests.stack import Stack
from tests.standins import events
from tests.standins.client import StandIn
from tests.standins.ledger import LedgerEntry

pytestmark = pytest.mark.stack

PEOPLE = 30
BOUNCED, COMPLAINED, UNSUBSCRIBED, OPENED, CLICKED = (
    [3, 4],
    [5],
    [6, 7],
    [1, 2, 8, 9],
    [1, 8],
)
UNKNOWN_NUMBER, STOPPED, LOST = 10, 29, 11
POISON = [7, None, {}, {"event": "bounce", "email": email_of(1), "timestamp": "yesterday"}]


@pytest.fixture
def web(stack: Stack) -> Iterator[str]:
    """The address of a web server, which is not the one the providers know."""
    stack.environment |= {
        "SENDGRID_WEBHOOK_VERIFICATION_KEY": events.verification_key(),
        # Only an event settles in time what may or may not have arrived.
        "UNCONFIRMED_GRACE_SECONDS": "300",
    }
    port = services.free_port()
    stack.start("web", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--threads=4")

    def answers() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("HEAD", events.SENDGRID_PATH)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    stack.wait_for(answers, 60, "the web server answers")
    yield f"http://127.0.0.1:{port}"


def events_for(emails: list[LedgerEntry]) -> list[Any]:
    """What SendGrid would tell about these emails."""
    told: list[Any] = []
    for entry in emails:
        number = int(entry.recipient.removeprefix("customer").partition("@")[0])
        kinds = ["processed", "bounce" if number in BOUNCED else "delivered"]
        kinds += ["open"] if number in OPENED else []
        kinds += ["click"] if number in CLICKED else []
        kinds += ["spamreport"] if number in COMPLAINED else []
        kinds += ["unsubscribe"] if number in UNSUBSCRIBED else []
        told += [
            events.sendgrid_event(kind, email=entry.recipient, delivery=entry.delivery_id)
            for kind in kinds
        ]
    return told


def post_all(web: str, calls: list[events.Call]) -> set[int]:
    with ThreadPoolExecutor(4) as pool:
        return set(pool.map(lambda call: call.post(web), calls))


def consent(stack: Stack, channel: str) -> dict[str, int]:
    """How many customers have which flag."""
    column = f"{channel}_consent_action"
    query = f"SELECT {column}, count(*) FROM customers_customer GROUP BY {column}"
    return dict(stack.rows(query))


def test_what_providers_tell_in_mid_campaign_counts_at_once(
    stack: Stack, web: str, sendgrid: StandIn, twilio: StandIn
) -> None:
    public_url = stack.environment["PUBLIC_BASE_URL"]
    assert public_url != web
    import_customers(stack, customers=PEOPLE, with_phone=PEOPLE)
    campaign = create_campaign(
        stack, sms="{{ offer.title }} {{ coupon_url }}", send_rate_limit_sms=120
    )
    sendgrid.behave("drop", accept=True, recipients=[email_of(LOST)], times=1)
    stack.start_worker(concurrency=2)
    stack.start_beat()
    stack.manage("send_campaign", campaign)

    # STOP before the sender comes to this customer.
    twilio.wait_for(lambda standin: standin.stats()["accepted"] >= 2)
    stop = events.inbound_call("Stop!", sender=phone_of(STOPPED), public_url=public_url)
    assert phone_of(STOPPED) not in {entry.recipient for entry in twilio.ledger()}
    assert stop.post(web) == 200
    assert stop.post(web) == 200
    stopped_at = twilio.stats()["accepted"]

    # SendGrid's events: doubled, out of order, with nonsense between them, four calls at a time.
    sendgrid.wait_for(lambda standin: standin.stats()["accepted"] >= PEOPLE)
    told = events_for(sendgrid.ledger())
    shuffled = told * 2
    random.Random(7).shuffle(shuffled)
    batches = [[*shuffled[n : n + 20], *POISON] for n in range(0, len(shuffled), 20)]
    assert post_all(web, [events.sendgrid_call(batch) for batch in batches]) == {200}
    forged = events.sendgrid_call([events.sendgrid_event("bounce", email=email_of(12))])
    forged.headers["X-Twilio-Email-Event-Webhook-Signature"] = "AAAA"
    assert forged.post(web) == 403

    stack.wait_for_status(campaign, "completed", 60)
    texts = twilio.ledger()
    assert stopped_at < len(texts) == PEOPLE - 1
    assert phone_of(STOPPED) not in {entry.recipient for entry in texts}
    calls = []
    for entry in texts:
        last = "undelivered" if entry.recipient == phone_of(UNKNOWN_NUMBER) else "delivered"
        code = "30005" if last == "undelivered" else ""
        facts = {"to": entry.recipient, "public_url": public_url, "MessageSid": entry.provider_id}
        calls += [
            events.status_call(entry.delivery_id, status, code=reason, **facts)
            for status, reason in ((last, code), ("sent", ""), (last, code))
        ]
    assert post_all(web, calls) == {204}

    unprocessed = "SELECT count(*) FROM campaigns_providerevent WHERE processed_at IS NULL"
    stack.wait_for(lambda: stack.value(unprocessed) == 0, 20, "every event is acted on")
    stored = stack.value("SELECT count(*) FROM campaigns_providerevent")
    assert stored == len(told) + 2 * len(texts) + 1
    check_figures(stack, campaign)
    check_privacy(stack)


def check_figures(stack: Stack, campaign: int) -> None:
    report = json.loads(stack.manage("campaign_report", campaign, "--format", "json").stdout)
    emails = {name: report[f"emails_{name}"] for name in FIGURES}
    texts = {name: report[f"sms_{name}"] for name in FIGURES}
    assert emails == {
        "sent": PEOPLE,
        "failed": 0,
        "skipped": 0,
        "unconfirmed": 0,
        "delivered": PEOPLE - len(BOUNCED),
        "bounced": len(BOUNCED),
        "opened": len(OPENED),
        "clicked": len(CLICKED),
        "unsubscribed": len(UNSUBSCRIBED),
    }
    assert texts == dict.fromkeys(FIGURES, 0) | {
        "sent": PEOPLE - 1,
        "skipped": 1,
        "delivered": PEOPLE - 2,
        "bounced": 1,
    }
    assert consent(stack, "email") == {
        "opt_in": PEOPLE - len(BOUNCED) - len(COMPLAINED) - len(UNSUBSCRIBED),
        "bounce": len(BOUNCED),
        "complaint": len(COMPLAINED),
        "opt_out": len(UNSUBSCRIBED),
    }
    assert consent(stack, "sms") == {"opt_in": PEOPLE - 2, "bounce": 1, "opt_out": 1}
    # Each doubled event has left one line of history.
    changes = "SELECT count(*) FROM customers_consentevent WHERE action <> 'opt_in'"
    assert stack.value(changes) == len(BOUNCED + COMPLAINED + UNSUBSCRIBED) + 2
    doctor = json.loads(stack.manage("doctor", "--json").stdout)
    checks = {check["name"]: check["status"] for check in doctor["checks"]}
    assert (checks["webhooks"], checks["counters"]) == ("ok", "ok")


FIGURES = (
    *("sent", "failed", "skipped", "unconfirmed"),
    *("delivered", "bounced", "opened", "clicked", "unsubscribed"),
)


def check_privacy(stack: Stack) -> None:
    dump = stack.dump()
    for number in range(PEOPLE):
        assert email_of(number).encode() not in dump
        assert phone_of(number)[1:].encode() not in dump
    for secret in (events.IP, "SecretBrowser", "secret-signed-link"):
        assert secret.encode() not in dump
    for name in ("web", "worker", "beat"):
        log = stack.log(name)
        assert "@example.com" not in log
        assert "4915112" not in log
        assert events.IP not in log
