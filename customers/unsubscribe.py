"""The link in every message: unsubscribe and preferences (C-7).

The link is the credential. It carries, signed, a customer's number and where it was sent; never an
address.
"""

from dataclasses import dataclass

from django.conf import settings
from django.core import signing

from config.errors import DomainError
from customers.consent import record_consent
from customers.models import ADDRESS_FIELD, Channel, ConsentAction, Customer

_SALT = "customers.unsubscribe"
LONGEST_SOURCE = 60


@dataclass(frozen=True, slots=True)
class PreferencesLink:
    """What a signed link says: whose it is, and the message it came with."""

    customer: Customer
    source: str


@dataclass(frozen=True, slots=True)
class Preference:
    """One channel a customer has an address for; ``address`` is masked."""

    channel: str
    name: str
    address: str
    subscribed: bool


def _mask(channel: str, address: str) -> str:
    """Return enough of an address for its owner to know it: j•••@example.com, ••• 4567."""
    if channel == Channel.EMAIL:
        local, _, domain = address.rpartition("@")
        return f"{local[:1]}•••@{domain}"
    return f"••• {address[-4:]}"


def _signer() -> signing.Signer:
    # A point, because a colon in an address ends up percent-encoded in some mail programs.
    return signing.Signer(sep=".", salt=_SALT)


def preferences_url(customer_id: int, *, source: str) -> str:
    """Return the address where one customer unsubscribes and sets preferences.

    ``source`` names the message it travels with, such as campaign:7; it must not hold an address.
    """
    signed = _signer().sign_object([customer_id, source[:LONGEST_SOURCE]])
    return f"{settings.PUBLIC_BASE_URL}/u/{signed}"


def open_preferences_link(signed: str) -> PreferencesLink:
    """Return whose link this is.

    Raises DomainError ``unknown_link``, the same for a forged link and for an erased customer.
    """
    customer = None
    source = ""
    try:
        customer_id, source = _signer().unsign_object(signed)
        customer = Customer.objects.alive().filter(pk=int(customer_id)).first()
    except (signing.BadSignature, ValueError, TypeError):
        pass
    if customer is None:
        raise DomainError(
            "unknown_link",
            "This link does not work. Use the one in the latest message you got from us.",
        )
    return PreferencesLink(customer, str(source))


def list_preferences(link: PreferencesLink) -> list[Preference]:
    """Return the channels this customer can switch, those without an address left out."""
    names = {Channel.EMAIL.value: "Emails", Channel.SMS.value: "Text messages"}
    return [
        Preference(
            channel=channel,
            name=name,
            address=_mask(channel, link.customer.address_for(channel)),
            subscribed=getattr(link.customer, f"{channel}_subscribed"),
        )
        for channel, name in names.items()
        if getattr(link.customer, f"{ADDRESS_FIELD[channel]}_index")
    ]


def unsubscribe_with_one_click(link: PreferencesLink) -> None:
    """Stop emails, as the mail program's own button asks (RFC 8058)."""
    record_consent(
        customer_ids=[link.customer.pk],
        channel=Channel.EMAIL,
        action=ConsentAction.OPT_OUT,
        source=f"one_click:{link.source}",
    )


def set_preference(link: PreferencesLink, *, channel: str, subscribed: bool) -> bool:
    """Record what the customer chose for one channel; return whether that changed anything.

    Raises DomainError ``unknown_channel`` for a channel the customer has no address for.
    """
    if channel not in ADDRESS_FIELD or not getattr(
        link.customer, f"{ADDRESS_FIELD[channel]}_index"
    ):
        raise DomainError("unknown_channel", "We have no address of yours for that.")
    if getattr(link.customer, f"{channel}_subscribed") == subscribed:
        return False
    action = ConsentAction.OPT_IN if subscribed else ConsentAction.OPT_OUT
    changed = record_consent(
        customer_ids=[link.customer.pk],
        channel=channel,
        action=action,
        source=f"preferences:{link.source}",
    )
    return changed == 1
