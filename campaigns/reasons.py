"""Every reason code a delivery can carry, and the sentence a marketer reads for it."""

REASONS: dict[str, str] = {
    # skipped: nothing was sent, and nothing will be
    "no_address": "There is no email address, or no phone number, for this message.",
    "unsubscribed": "Unsubscribed, or never agreed to messages of this kind.",
    "bounced": "The address does not work: an earlier message came back.",
    "qr_failed": "The QR code could not be made, so nothing was sent.",
    "contacted_recently": "Has had enough messages lately: see the frequency cap.",
    # failed: tried, and given up
    "invalid_address": "The provider says that this address is not valid.",
    "unsubscribed_at_provider": "The customer has unsubscribed at the provider.",
    "rejected": "The provider refused this message.",
    "sender_refused": "The provider does not accept our sender address: see DEFAULT_FROM_EMAIL.",
    "unsupported": "The provider cannot send a message like this one.",
    "longer_than_limit": "The text has more parts than the SMS limit lets through.",
    "render_failed": "The message could not be filled in for this customer.",
    "address_unreadable": "The address could not be decrypted: a key is missing.",
    "provider_refused_access": "The provider did not accept our credentials.",
    "provider_error": "The provider reported an error of its own.",
    "provider_unreachable": "The provider could not be reached.",
    "account_suspended": "The provider has suspended our account.",
    "filtered": "The mobile carrier threw the text away as unwanted.",
    "given_up": "Nobody knows whether it arrived, and somebody decided not to send it again.",
    "too_many_attempts": "The provider never confirmed this message, and the tries are used up.",
    "test_too_late": "No worker sent it within an hour: ask whoever runs Handbill, then try again.",
    "unexpected": "Something went wrong that nobody foresaw: see the log.",
    # waiting
    "slow_down": "The provider asked us to wait.",
    "another_campaign": "Another campaign is just writing to this customer: see the frequency cap.",
    "quiet_hours": "It is too late or too early for a text where this customer is.",
    # unconfirmed
    "no_answer": "The provider took the message but did not answer in time: it may have arrived.",
    "lease_expired": "The sender stopped in the middle of the call: it may have arrived.",
    # bounced: sent, and then reported as not delivered (some of the above, too)
    "hard_bounce": "The address does not exist or takes no email: the message came back.",
    "soft_bounce": "The message came back this time: the mailbox may be full.",
    "blocked": "The receiving side refused this message; the next one may arrive.",
    "bounced_before": "Not sent: the provider knows that earlier emails to this address came back.",
    "spam_complaint": "Not sent: the customer has reported an email of ours as spam.",
    "dropped": "The provider took the message, and then did not send it.",
    "unknown_number": "This phone number does not exist or is no longer in use.",
    "landline": "This phone number is a landline, which takes no texts.",
    "unreachable_handset": "The phone was off, or without a signal, for too long.",
    "unreachable_carrier": "Our short number does not reach this phone company.",
    "undelivered": "The text did not arrive, and the phone company does not say why.",
    # cancelled
    "campaign_cancelled": "The campaign was cancelled before this message left.",
}

# What can be said more plainly where one channel alone is meant.
ON_ONE_CHANNEL: dict[tuple[str, str], str] = {
    ("email", "no_address"): "No email address.",
    ("sms", "no_address"): "No phone number.",
    ("email", "unsubscribed"): "Unsubscribed, or never agreed to emails.",
    ("sms", "unsubscribed"): "Unsubscribed, or never agreed to texts.",
}


def reason_sentence(code: str, *, channel: str = "") -> str:
    """Return the sentence for a reason code, empty for none; an unknown code stays readable.

    With a channel the sentence speaks of that channel alone.
    """
    if (channel, code) in ON_ONE_CHANNEL:
        return ON_ONE_CHANNEL[channel, code]
    return REASONS.get(code, code.replace("_", " ").capitalize() + "." if code else "")
