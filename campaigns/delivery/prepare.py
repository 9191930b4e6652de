"""Fills in claimed deliveries: code, picture, rows saved, message rendered (Q-2, in this order)."""

import uuid
from collections import defaultdict
from dataclasses import dataclass

from campaigns.channels.base import OutgoingEmail, OutgoingSms
from campaigns.content.pictures import Pictures, campaign_pictures
from campaigns.content.placeholders import build_context
from campaigns.content.rendering import CompiledMessages, compile_campaign
from campaigns.content.sms_length import measure_sms
from campaigns.delivery import outbox
from campaigns.delivery.pacing import Lane, provider_limit
from campaigns.delivery.stops import stop_lane
from campaigns.delivery.streaks import MANY_FAILURES, too_many
from campaigns.models import Campaign, Delivery
from config.errors import DomainError, log_unforeseen
from customers.encryption import DecryptionError
from customers.models import Channel, Customer, CustomerTag
from customers.unsubscribe import preferences_url
from qrcodes.issue_codes import IssuedCode, issue_codes
from qrcodes.models import Offer


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
        email_text=campaign.email_text,
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
    """Return the messages of claimed deliveries; what cannot be made is skipped or failed.

    When so many in a row cannot be made that the campaign must stop (D-9), the rest goes back and
    nothing is returned.
    """
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
        if len(without) == len(deliveries) and too_many(len(without)):
            return _stop(lane, deliveries, token)
        outbox.skip_claimed(ids=[row.pk for row in without], token=token, code="qr_failed")
        deliveries = [row for row in deliveries if row.customer_id not in issued.failed]
    # Once for the whole chunk: every message of a campaign shows the same pictures.
    pictures = campaign_pictures(campaign) if lane.channel == Channel.EMAIL else {}
    tags = tags_by_customer([delivery.customer_id for delivery in deliveries])
    prepared: list[Prepared] = []
    failed_in_a_row = 0
    for position, delivery in enumerate(deliveries):
        if too_many(failed_in_a_row):
            waiting = deliveries[position:]
            ready = {message.delivery_id for message in prepared}
            return _stop(lane, [*(row for row in deliveries if row.pk in ready), *waiting], token)
        try:
            message = fill_in(
                campaign=campaign,
                offer=offer,
                customer=delivery.customer,
                channel=lane.channel,
                code=codes.get(delivery.customer_id),
                tags=tags[delivery.customer_id],
                public_id=str(delivery.public_id),
                pictures=pictures,
            )
        except Exception as error:
            reason = _failure_code(error)
            log_unforeseen(f"filling in delivery {delivery.pk}, {reason}", error)
            outbox.fail_claimed(lane=lane, ids=[delivery.pk], token=token, code=reason)
            failed_in_a_row += 1
            continue
        failed_in_a_row = 0
        ready_message = _prepared(delivery.pk, message)
        if 0 < provider_limit(lane.channel) < ready_message.units:
            outbox.fail_claimed(lane=lane, ids=[delivery.pk], token=token, code="longer_than_limit")
        else:
            prepared.append(ready_message)
    return prepared


def _stop(lane: Lane, deliveries: list[Delivery], token: uuid.UUID) -> list[Prepared]:
    """Hand everything back and pause the campaign: it is not one customer's fault (D-9)."""
    outbox.hand_back(ids=[row.pk for row in deliveries], token=token)
    stop_lane(campaign_id=lane.campaign_id, channel=lane.channel, code=MANY_FAILURES)
    return []


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
    pictures: Pictures | None = None,
) -> OutgoingEmail | OutgoingSms:
    """Return one finished message to ``customer``, or to ``address`` when one is given.

    ``pictures`` are the campaign's, which are looked up when they are not given. Raises DomainError
    when the template does not fill in, DecryptionError without its key.
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
    if pictures is None:
        pictures = campaign_pictures(campaign)
    rendered = compiled.render_email(context, pictures=pictures)
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
