"""A business in the middle of its day: something of every kind, in every state that has a page."""

from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from campaigns.channels import open_email_channel, open_sms_channel
from campaigns.channels.capture import captured_names
from campaigns.groups import ensure_groups
from campaigns.health import BEAT, SWEEPER, beat_heart
from campaigns.models import Campaign, Delivery, Image, MessageTemplate, Pace, Series
from campaigns.series.change_series import pause_series
from campaigns.series.make_series import make_series
from campaigns.series.rules import Repetition
from campaigns.starters import find_starter
from customers.consent import record_consent
from customers.imports.moves import discard_import, start_check, start_import
from customers.models import CustomerImport
from qrcodes.models import Offer, Source
from qrcodes.redeem import redeem_code
from tests.contract.messages import a_text, an_email
from tests.customers.lists import checked, imported, uploaded
from tests.factories import (
    CustomerFactory,
    DeliveryFactory,
    LocationFactory,
    QRCodeFactory,
    UserFactory,
    now,
)
from tests.pictures import a_file, an_image

LIST = (
    "First name,Last name,Email,Mobile,Favourite\n"
    "Anna,Meier,anna{n}@example.org,0151 2345678{n},Funghi\n"
    "Bert,Huber,nonsense,,Margherita\n"
    "Cleo,Busch,cleo{n}@example.org,,Marinara\n"
)
STATES = ("draft", "scheduled", "queued", "sending", "paused", "completed", "failed", "cancelled")


@dataclass
class World:
    """What the pages are about."""

    people: dict[str, Any]
    campaigns: dict[str, Campaign]
    customer: Any
    stranger: Any
    deliveries: dict[str, Delivery]
    codes: dict[str, Any]
    redemption: Any
    attempts: list[Any]
    template: MessageTemplate
    image: Image
    series: dict[str, Series]
    imports: dict[str, CustomerImport]
    location: Any
    captured: list[str]


def make_world() -> World:
    """Build it."""
    ensure_groups()
    beat_heart(SWEEPER)
    beat_heart(BEAT)
    people = {
        "marketing": UserFactory(username="mia", first_name="Mia", groups=["Marketing"]),
        "analyst": UserFactory(username="noor", first_name="Noor", groups=["Analyst"]),
        "till": UserFactory(username="tom", groups=["Till staff"], is_staff=False),
        "nobody": UserFactory(username="new"),
        "boss": UserFactory(username="boss", is_superuser=True),
    }
    customers = [
        CustomerFactory(tags=["regulars", "lunch"] if n % 3 else ["inactive-6months"])
        for n in range(12)
    ]
    record_consent(customer_ids=[customers[3].pk], channel="email", action="opt_out", source="page")
    campaigns = {state: _campaign(state) for state in STATES}
    deliveries = _deliveries(campaigns, customers)
    location = LocationFactory(name="Harbour")
    LocationFactory(name="Old town")
    codes, redemption, attempts = _till(campaigns["completed"], customers, location, people["till"])
    return World(
        people=people,
        campaigns=campaigns,
        customer=customers[0],
        stranger=customers[3],
        deliveries=deliveries,
        codes=codes,
        redemption=redemption,
        attempts=attempts,
        template=_template(people["marketing"]),
        image=an_image("pizza", alt="A Margherita pizza", file=a_file(size=(900, 400))),
        series={"active": _series("Lunch"), "paused": _series("Month's end", paused=True)},
        imports=_imports(people["marketing"]),
        location=location,
        captured=_captured(),
    )


def _campaign(state: str) -> Campaign:
    starter = find_starter("percent_off")
    started = {} if state in {"draft", "scheduled"} else {"sent_at": now() - timedelta(hours=2)}
    over = {"completed_at": now()} if state in {"completed", "cancelled"} else {}
    campaign = Campaign.objects.create(
        name=f"Pizza week, {state}",
        subject=starter.subject,
        email_content=starter.email_content,
        sms_content=starter.sms_content,
        target_all=state != "draft",
        status=state,
        scheduled_for=now() + timedelta(days=2) if state == "scheduled" else None,
        total_targeted=12 if started else 0,
        status_reason={
            "paused": "Paused by itself: 20 messages in a row failed.",
            "failed": "The sender's address is not set up.",
        }.get(state, ""),
        **started,
        **over,
    )
    Offer.objects.create(campaign=campaign, title="20% off every pizza", value="20%", terms="Once.")
    if state == "paused":
        Pace.objects.create(campaign=campaign, channel="email", stop_code="many_failures")
    return campaign


def _deliveries(campaigns: dict[str, Campaign], customers: list[Any]) -> dict[str, Delivery]:
    outcomes = ["sent"] * 6 + ["failed", "skipped", "unconfirmed", "cancelled", "sent", "sent"]
    found: dict[str, Delivery] = {}
    for state in ("sending", "paused", "completed", "cancelled"):
        waits = state in {"sending", "paused"}
        for n, (customer, outcome) in enumerate(zip(customers, outcomes, strict=True)):
            status = "pending" if waits and n > 8 else outcome
            found[status] = DeliveryFactory(
                campaign=campaigns[state],
                customer=customer,
                channel="sms" if n == 8 else "email",
                status=status,
                code={"failed": "invalid_address", "skipped": "unsubscribed"}.get(status, ""),
                attempts=int(status in {"sent", "failed"}),
                sent_at=now() - timedelta(hours=1) if status == "sent" else None,
                matched_segments=["lunch", "regulars"],
                bounced_at=now() if n == 5 else None,
                bounce_code="invalid_address" if n == 5 else "",
            )
        Campaign.objects.filter(pk=campaigns[state].pk).update(emails_sent=8, emails_failed=1)
    return found


def _till(campaign: Campaign, customers: list[Any], location: Any, till: Any) -> tuple[Any, ...]:
    offer = Offer.objects.get(campaign=campaign)
    past = now() - timedelta(days=40)
    later = Offer.objects.create(
        campaign=Campaign.objects.create(name="Next month", sms_content="Soon"),
        title="Free dessert",
        starts_at=now() + timedelta(days=9),
        minimum_amount=Decimal("15.00"),
    )
    codes = {
        "valid": QRCodeFactory(offer=offer, customer=customers[0]),
        "several": QRCodeFactory(offer=offer, customer=customers[1], max_usage=3),
        "used": QRCodeFactory(offer=offer, customer=customers[2]),
        "expired": QRCodeFactory(
            offer=offer, customer=customers[3], created_at=past, expires_at=past + timedelta(1)
        ),
        "withdrawn": QRCodeFactory(offer=offer, customer=customers[4], withdrawn_at=now()),
        "test": QRCodeFactory(offer=offer, customer=customers[5], is_test=True),
        "waiting": QRCodeFactory(offer=later, customer=customers[6]),
    }
    verdicts = [
        redeem_code(text=text, source=Source.SCAN_PAGE, nonce=str(n), location=location, staff=till)
        for n, text in enumerate((codes["used"].token, codes["used"].token, "WRONG23456"))
    ]
    return codes, verdicts[0].redemption_id, [verdict.attempt_id for verdict in verdicts]


def _template(user: Any) -> MessageTemplate:
    starter = find_starter("monday_special")
    return MessageTemplate.objects.create(
        name="Our Monday",
        subject=starter.subject,
        email_content=starter.email_content,
        offer_title="Half price",
        created_by=user,
    )


def _series(name: str, *, paused: bool = False) -> Series:
    """A series with a run that was sent, one that was not, and trouble with the last."""
    days = {"month_day": 31} if paused else {"weekdays": [1, 4]}
    series = make_series(
        campaign_id=_campaign("draft").pk,
        name=name,
        repetition=Repetition(at=time(10), starts_on=date(2026, 1, 1), **days),
    )
    runs = [_campaign("completed"), _campaign("draft")]
    for days_ago, run in enumerate(runs, start=1):
        Campaign.objects.filter(pk=run.pk).update(
            series=series, run_at=now() - timedelta(days=days_ago), name=f"{name}, run {days_ago}"
        )
    Campaign.objects.filter(pk=runs[1].pk).update(status_reason="Nobody can be reached.")
    Series.objects.filter(pk=series.pk).update(
        trouble="missed", last_error="The run of Monday was missed.", last_run_at=now()
    )
    if paused:
        pause_series(series_id=series.pk, reason="Paused by mia.")
    return series


def _imports(user: Any) -> dict[str, CustomerImport]:
    lists = iter([LIST.replace("{n}", str(n)) for n in range(9)])
    found = {
        "columns": uploaded(next(lists)),
        "checked": checked(next(lists), tags=("fair",)),
        "result": imported(next(lists), consent=("email",)),
        "checking": uploaded(next(lists)),
        "working": uploaded(next(lists)),
        "failed": uploaded(next(lists)),
        "discarded": uploaded(next(lists)),
    }
    start_check(import_id=found["checking"].pk)
    start_import(import_id=found["working"].pk)
    discard_import(import_id=found["discarded"].pk)
    CustomerImport.objects.filter(pk=found["failed"].pk).update(
        status="failed", error="The file ends in the middle of a row: export it again."
    )
    CustomerImport.objects.update(created_by=user)
    return found


def _captured() -> list[str]:
    """Their names, emails first."""
    open_email_channel().send(an_email())
    open_sms_channel().send(a_text())
    return [*captured_names(kind="email"), *captured_names(kind="sms")]
