"""Customers and campaigns for the flows, made the way people make them: from files."""

import csv
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from qrcodes import codes
from tests.stack import Stack
from tests.standins.client import StandIn
from tests.standins.ledger import LedgerEntry

EMAIL_HTML = """<html><head><style>p { color: #333333; }</style></head><body>
<p>Hello {{ customer.first_name }}, {{ offer.title }}.</p>
{% if qr_code_base64 %}<img src="data:image/png;base64,{{ qr_code_base64 }}" alt="Your code">
<p>{{ short_code }}</p>{% endif %}
<a href="{{ unsubscribe_url }}">Unsubscribe</a></body></html>"""


def email_of(number: int) -> str:
    return f"customer{number}@example.com"


def phone_of(number: int) -> str:
    return f"+4915112{number:06d}"


def write_customers(
    path: Path, *, customers: int, with_phone: int = 0, tagged: int = 0, tag: str = ""
) -> Path:
    """A list of customers; the first ``with_phone`` have a phone, the first ``tagged`` a tag."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["first_name", "last_name", "email", "phone", "tags"])
        for number in range(customers):
            phone = phone_of(number) if number < with_phone else ""
            tags = tag if number < tagged else ""
            rows.writerow([f"Ada{number}", "Lovelace", email_of(number), phone, tags])
    return path


def import_customers(stack: Stack, **counts: Any) -> dict[str, int]:
    path = write_customers(stack.folder / "customers.csv", **counts)
    figures: dict[str, int] = stack.json("import_customers", path, "--consent", "email,sms")
    assert figures["created"] == counts["customers"]
    return figures


def create_campaign(stack: Stack, *, sms: str = "", targets: str = '"ALL"', **fields: Any) -> int:
    """A draft from a TOML file; without limits unless ``fields`` set them."""
    fields = {
        "name": "20% off pizza",
        "subject": "20% off pizza, {{ customer.first_name }}",
        "send_rate_limit_emails": 0,
        "send_rate_limit_sms": 0,
    } | fields
    lines = [f"{key} = {value!r}" for key, value in fields.items()]
    lines += [f"sms_content = {sms!r}"] if sms else []
    lines += [f"target_segments = {targets}", f"email_content = '''{EMAIL_HTML}'''"]
    lines += ["[offer]", "title = '20% off every pizza'"]
    path = stack.folder / "campaign.toml"
    path.write_text("\n".join(lines))
    created = stack.json("create_campaign", path)
    assert created["status"] == "draft"
    return int(created["id"])


def compare(stack: Stack, campaign: int, sendgrid: StandIn, twilio: StandIn | None = None) -> None:
    """The ledger and the database tell the same story: nothing missing, doubled or mixed up."""
    assert sendgrid.violations() == []
    emails = check_channel(stack, campaign, "email", sendgrid.ledger())
    assert all(entry.token for entry in emails)
    issued = f"SELECT customer_id, token FROM qrcodes_qrcode WHERE campaign_id = {campaign}"
    tokens = dict(stack.rows(issued))
    owner = delivery_owners(stack, campaign)
    for entry in emails:
        assert entry.token == tokens[owner[entry.delivery_id]]
    if twilio is not None:
        assert twilio.violations() == []
        texts = check_channel(stack, campaign, "sms", twilio.ledger())
        for entry in texts:
            assert entry.short_code == short_code_of(tokens[owner[entry.delivery_id]])


def short_code_of(token: str) -> str:
    return codes.short_code_of(token)


def delivery_owners(stack: Stack, campaign: int) -> dict[str, int]:
    """Public id, in the form it travels in, → customer."""
    query = f"SELECT public_id, customer_id FROM campaigns_delivery WHERE campaign_id = {campaign}"
    return {str(uuid.UUID(str(public_id))): customer for public_id, customer in stack.rows(query)}


def check_channel(
    stack: Stack, campaign: int, channel: str, ledger: list[LedgerEntry]
) -> list[LedgerEntry]:
    """Each sent delivery is in the ledger exactly once, and the counters equal the ledger."""
    times = Counter(entry.delivery_id for entry in ledger)
    assert [public_id for public_id, count in times.items() if count > 1] == []
    assert len({entry.recipient for entry in ledger}) == len(ledger)
    sent = stack.rows(
        "SELECT public_id FROM campaigns_delivery WHERE status = 'sent' "
        f"AND campaign_id = {campaign} AND channel = '{channel}'"
    )
    assert {str(uuid.UUID(str(row[0]))) for row in sent} == set(times)
    column = {"email": "emails_sent", "sms": "sms_sent"}[channel]
    counter = stack.value(f"SELECT {column} FROM campaigns_campaign WHERE id = {campaign}")
    assert counter == len(ledger)
    return ledger


def most_in_a_window(times: list[float], window: float) -> int:
    """Return the largest number of arrivals in any rolling window of this many seconds."""
    ordered = sorted(times)
    most = start = 0
    for end, time in enumerate(ordered):
        while time - ordered[start] >= window:
            start += 1
        most = max(most, end - start + 1)
    return most
