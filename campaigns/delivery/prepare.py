"""Fills in claimed deliveries: code, picture, rows saved, message rendered (Q-2, in this order)."""

import logging
import uuid
from collections import defaultdict
from dataclasses import dataclass

from campaigns.channels.base import OutgoingEmail, OutgoingSms
from campaigns.content.placeholders import build_context
from campaigns.content.rendering import CompiledMessages, compile_campaign
from campaigns.content.sms_length import measure_sms
from campaigns.delivery import outbox
from campaigns.delivery.pacing import Lane, provider_limit
from campaigns.models import Campaign, Delivery
from config.errors import DomainError
from customers.encryption import DecryptionError
from customers.models import Channel, Customer, CustomerTag
from customers.unsubscribe import preferences_url
from qrcodes.issue_codes import IssuedCode, issue_codes
from qrcodes.models import Offer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """One message ready to be called, and the provider's permits it costs."""

    delivery_id: int
    units: int
    email: OutgoingEmail | None = None
    sms: OutgoingSms | None = None


def compiled_messages(campaign: Campaign) -> CompiledMessages:
    """Return the compiled templates of a campaign. Raises DomainError for a broken one."""
    return compile_campaign(
        subject=campaign.subject,
        email_content=campaign.email_content,
        sms_content=campaign.sms_content,
    )


def tags_by_customer(customer_ids: list[int]) -> dict[int, list[str]]:
    """Return customer id → names of the tags, in one query."""
    tags: dict[int, list[str]] = defaultdict(list)
    rows = CustomerTag.objects.filter(customer__in=customer_ids).order_by("segment__name")
    for customer_id, name in rows.values_list("customer_id", "segment__name"):
        tags[customer_id].append(name)
    return tags


def prepare_chunk(*, lane: Lane, deliveries: list[Delivery], token: uuid.UUID) -> list[Prepared]:
    """Return the messages of claimed deliveries; what cannot be made is skipped or failed."""
    if not deliveries:
        return []
    campaign = Campaign.objects.get(pk=lane.campaign_id)
    offer = Offer.objects.filter(campaign_id=lane.campaign_id).first()
    codes: dict[int, IssuedCode] = {}
    if campaign.has_qr_code and offer is not None:
        issued = issue_codes(
            offer=offer,
            customer_ids=[delivery.customer_id for delivery in deliveries],
            expiration_days=campaign.qr_expiration_days,
            max_usage=campaign.max_usage,
        )
        codes = issued.codes
        without = [row for row in deliveries if row.customer_id in issued.failed]
        outbox.skip_claimed(ids=[row.pk for row in without], token=token, code="qr_failed")
        deliveries = [row for row in deliveries if row.customer_id not in issued.failed]
    tags = tags_by_customer([delivery.customer_id for delivery in deliveries])
    prepared = []
    for delivery in deliveries:
        code = codes.get(delivery.customer_id)
        try:
            message = fill_in(
                campaign=campaign,
                offer=offer,
                customer=delivery.customer,
                channel=lane.channel,
                code=code,
                tags=tags[delivery.customer_id],
                public_id=str(delivery.public_id),
            )
        except Exception as error:
            reason = _failure_code(error)
            logger.error(
                "delivery %s cannot be filled in: %s (%s)",
                delivery.pk,
                reason,
                type(error).__name__,
            )
            outbox.fail_claimed(lane=lane, ids=[delivery.pk], token=token, code=reason)
        else:
            ready = _prepared(delivery.pk, message)
            if 0 < provider_limit(lane.channel) < ready.units:
                outbox.fail_claimed(
                    lane=lane, ids=[delivery.pk], token=token, code="longer_than_limit"
                )
            else:
                prepared.append(ready)
    return prepared


def _failure_code(error: Exception) -> str:
    if isinstance(error, DecryptionError):
        return "address_unreadable"
    return "render_failed"


def _prepared(delivery_id: int, message: OutgoingEmail | OutgoingSms) -> Prepared:
    if isinstance(message, OutgoingEmail):
        return Prepared(delivery_id, 1, email=message)
    return Prepared(delivery_id, measure_sms(message.body).segments, sms=message)


def fill_in(
    *,
    campaign: Campaign,
    offer: Offer | None,
    customer: Customer,
    channel: str,
    code: IssuedCode | None,
    tags: list[str],
    public_id: str,
    address: str = "",
) -> OutgoingEmail | OutgoingSms:
    """Return one finished message to ``customer``, or to ``address`` when one is given.

    Raises DomainError when the template does not fill in, DecryptionError without its key.
    """
    compiled = compiled_messages(campaign)
    preferences = preferences_url(customer.pk, source=f"campaign:{campaign.pk}")
    context = build_context(
        customer=customer,
        segments=tags,
        campaign=campaign,
        offer=offer,
        code=code,
        unsubscribe_url=preferences,
        preferences_url=preferences,
        needed=compiled.placeholders_of(channel),
    )
    to = address or customer.address_for(channel)
    if not to:
        raise DomainError("no_address", "The customer has no address for this channel.")
    if channel == Channel.SMS:
        return OutgoingSms(public_id=public_id, to=to, body=compiled.render_sms(context))
    rendered = compiled.render_email(context)
    return OutgoingEmail(
        public_id=public_id,
        to=to,
        to_name="" if address else customer.full_name,
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        images=rendered.images,
        unsubscribe_url=preferences,
    )
