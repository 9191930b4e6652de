"""What follows from one provider event: the delivery's reports, the customer's consent, a stop."""

import functools
from collections.abc import Callable
from datetime import datetime, timedelta

from campaigns.delivery import outbox, stops
from campaigns.delivery.outbox import Report
from campaigns.models import Delivery, ProviderEvent
from customers.consent import record_consent
from customers.models import ADDRESS_FIELD, Channel, ConsentAction, Customer

Kind = ProviderEvent.Kind

REPORTS = {
    Kind.ACCEPTED: Report.ACCEPTED,
    Kind.DELIVERED: Report.DELIVERED,
    Kind.BOUNCED: Report.BOUNCED,
    Kind.OPENED: Report.OPENED,
    Kind.CLICKED: Report.CLICKED,
    # Whoever complains or unsubscribes has got the message; when is not known.
    Kind.COMPLAINED: Report.ACCEPTED,
    Kind.OPTED_OUT: Report.ACCEPTED,
}
ACTIONS = {
    Kind.COMPLAINED: ConsentAction.COMPLAINT,
    Kind.OPTED_OUT: ConsentAction.OPT_OUT,
    Kind.OPTED_IN: ConsentAction.OPT_IN,
}
# Why a message came back decides whether the next one may be tried.
ACTIONS_BY_CODE = {
    "hard_bounce": ConsentAction.BOUNCE,
    "bounced_before": ConsentAction.BOUNCE,
    "invalid_address": ConsentAction.BOUNCE,
    "unknown_number": ConsentAction.BOUNCE,
    "landline": ConsentAction.BOUNCE,
    "spam_complaint": ConsentAction.COMPLAINT,
    "unsubscribed_at_provider": ConsentAction.OPT_OUT,
}
# A weaker reason not to write never takes the place of a stronger one.
_STRENGTH = {
    ConsentAction.BOUNCE: 1,
    ConsentAction.OPT_OUT: 2,
    ConsentAction.COMPLAINT: 3,
    ConsentAction.ERASED: 4,
}


def act_on_event(event: ProviderEvent) -> Callable[[], None] | None:
    """Do what follows from ``event`` inside the caller's transaction; any number of times is safe.

    Returns what has to be called after that transaction, because it locks what senders lock.
    """
    action = _action_of(event)
    if action is not None and event.address_index:
        # Customers are locked before deliveries, here as everywhere.
        _change_consent(event, action)
    if event.public_id is None or event.kind not in REPORTS:
        return None
    delivery = outbox.note_report(
        public_id=event.public_id,
        report=REPORTS[Kind(event.kind)],
        at=event.occurred_at,
        code=event.code if event.kind == Kind.BOUNCED else "",
    )
    if delivery is None or event.kind != Kind.BOUNCED or event.channel != Channel.SMS:
        return None
    return _stop_after(event.code, delivery.campaign_id)


def _action_of(event: ProviderEvent) -> ConsentAction | None:
    if event.kind == Kind.BOUNCED:
        return ACTIONS_BY_CODE.get(event.code)
    return ACTIONS.get(Kind(event.kind))


def _stop_after(code: str, campaign_id: int) -> Callable[[], None] | None:
    if code == "filtered":
        return functools.partial(stops.note_filtered, campaign_id=campaign_id)
    if code == "account_suspended":
        return functools.partial(
            stops.stop_lane, campaign_id=campaign_id, channel=Channel.SMS.value, code=code
        )
    return None


def _change_consent(event: ProviderEvent, action: ConsentAction) -> None:
    """Record what the event says about the address, for the customer who has it now."""
    column = f"{ADDRESS_FIELD[event.channel]}_index"
    customer = Customer.objects.select_for_update().filter(**{column: event.address_index}).first()
    if customer is None:
        return
    delivery = _message_behind(event, customer)
    if not _changes(customer, event, action, delivery):
        return
    record_consent(
        customer_ids=[customer.pk],
        channel=event.channel,
        action=action,
        source=_source(event, action, delivery, customer),
    )


def _message_behind(event: ProviderEvent, customer: Customer) -> Delivery | None:
    """Return the message an event is about; a STOP names none and answers the last text."""
    if event.public_id:
        return Delivery.objects.filter(public_id=event.public_id).first()
    if event.kind != Kind.OPTED_OUT or event.channel != Channel.SMS:
        return None
    texts = Delivery.objects.filter(customer=customer, channel=Channel.SMS, sent_at__isnull=False)
    return texts.order_by("-sent_at").first()


def _changes(
    customer: Customer, event: ProviderEvent, action: ConsentAction, delivery: Delivery | None
) -> bool:
    """Tell whether ``action`` is news: neither older than what the customer chose nor weaker."""
    current = getattr(customer, f"{event.channel}_consent_action")
    if ConsentAction.OPT_IN not in {action, current}:
        return _STRENGTH[action] > _STRENGTH.get(current, 0)
    changed_at: datetime | None = getattr(customer, f"{event.channel}_consent_at")
    return changed_at is None or _latest_moment(event, delivery) > changed_at


def _latest_moment(event: ProviderEvent, delivery: Delivery | None) -> datetime:
    """Return the latest moment at which the event can have been true."""
    if event.kind == Kind.BOUNCED and event.channel == Channel.SMS and delivery is not None:
        # Twilio does not say when: the number's fault was there when the text left.
        return delivery.sent_at or event.occurred_at
    # SendGrid tells whole seconds, cut off.
    cut_off = timedelta(0) if event.occurred_at.microsecond else timedelta(seconds=1)
    return event.occurred_at + cut_off


def _source(
    event: ProviderEvent, action: ConsentAction, delivery: Delivery | None, customer: Customer
) -> str:
    """Return the consent's source; figures count by the campaign at its end."""
    typed = event.kind in {Kind.OPTED_OUT, Kind.OPTED_IN} and event.code
    source = f"{event.provider}:{event.code if typed else action.value}"
    if delivery is not None and delivery.customer_id == customer.pk:
        source += f":campaign:{delivery.campaign_id}"
    return source
