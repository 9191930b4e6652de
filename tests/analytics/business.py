"""One campaign with a story whose every figure is known."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from campaigns.models import Campaign, Delivery
from customers.consent import record_consent
from tests.factories import (
    CampaignFactory,
    CustomerFactory,
    DeliveryFactory,
    LocationFactory,
    OfferFactory,
    QRCodeFactory,
    RedemptionFactory,
    UserFactory,
)

# A Monday, 12:00 in Berlin.
START = datetime(2026, 11, 16, 11, 0, tzinfo=UTC)


@dataclass
class Story:
    campaign: Campaign
    customers: list


def tell_story() -> Story:
    """Ten customers. Email: 6 sent over 10 minutes (1 bounced), 1 failed, 1 skipped, 1 waiting, 1
    unconfirmed. SMS: 2 sent, 8 without a number. Three come back, one of them twice.
    """
    campaign = CampaignFactory(
        name="Pizza week", status="sending", sent_at=START, total_targeted=10
    )
    customers = [CustomerFactory(first_name=f"C{n}", last_name="Test") for n in range(10)]
    outcomes = [("sent", "")] * 6
    outcomes += [("failed", "invalid_address"), ("skipped", "unsubscribed")]
    outcomes += [("pending", ""), ("unconfirmed", "no_answer")]
    for n, (customer, (status, code)) in enumerate(zip(customers, outcomes, strict=True)):
        sent_at = START + timedelta(minutes=2 * n) if status == "sent" else None
        DeliveryFactory(
            campaign=campaign,
            customer=customer,
            status=status,
            code=code,
            attempts=1 if status != "skipped" else 0,
            sent_at=sent_at,
            delivered_at=sent_at if n in {0, 1, 2} else None,
            opened_at=sent_at if n in {0, 1} else None,
            clicked_at=sent_at if n == 0 else None,
            bounced_at=sent_at if n == 5 else None,
            bounce_code="invalid_address" if n == 5 else "",
            matched_segments=["lunch", "regulars"] if n < 4 else ["lunch"],
        )
        texted = n in {0, 6}
        DeliveryFactory(
            campaign=campaign,
            customer=customer,
            channel="sms",
            status="sent" if texted else "skipped",
            code="" if texted else "no_address",
            sent_at=START + timedelta(minutes=n) if texted else None,
            # The database that froze the other channel may have listed them the other way round.
            matched_segments=["regulars", "lunch"] if n < 4 else ["lunch"],
        )
    _redeem(campaign, customers)
    record_consent(
        customer_ids=[customers[1].pk],
        channel="email",
        action="opt_out",
        source=f"one-click:campaign:{campaign.pk}",
    )
    record_consent(
        customer_ids=[customers[2].pk],
        channel="email",
        action="opt_out",
        source=f"page:campaign:{campaign.pk}7",
    )
    return Story(campaign, customers)


def _redeem(campaign: Campaign, customers: list) -> None:
    offer = OfferFactory(campaign=campaign)
    codes = [
        QRCodeFactory(offer=offer, customer=customer, max_usage=2) for customer in customers[:7]
    ]
    test_code = QRCodeFactory(offer=offer, customer=customers[8], is_test=True)
    harbour = LocationFactory(name="Harbour")
    ada = UserFactory(username="ada", first_name="Ada", last_name="Till")
    bob = UserFactory(username="bob")
    # C0's first message left at 0 minutes, C1's at 2, C6's (a text) at 6.
    for code, after, amount, where, who in [
        (codes[0], timedelta(minutes=30), "20.00", harbour, ada),
        (codes[0], timedelta(days=3), "10.50", None, ada),
        (codes[1], timedelta(hours=2, minutes=2), "30.00", harbour, bob),
        (codes[6], timedelta(days=2, minutes=6), None, None, None),
        (test_code, timedelta(days=1), "99.00", harbour, ada),
    ]:
        RedemptionFactory(
            qr_code=code,
            redeemed_at=START + after,
            amount=amount and Decimal(amount),
            discount=amount and Decimal("4.00"),
            location=where,
            staff=who,
        )


def settle(campaign: Campaign) -> None:
    """Let the last messages go."""
    Delivery.objects.filter(campaign=campaign, status="pending").update(
        status="sent", sent_at=START + timedelta(minutes=20)
    )
