"""Starter templates: messages that a business can send with little more than its own words (M-5).

Each is a name here and an HTML file beside this module. A campaign gets a copy, so changing a
starter changes no campaign.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent
# The same in each: whose it is, what it is, and how to show it.
_TEXT = (
    "{{{{ business.name }}}}: {words}{{% if coupon_url %}} Show this until {{{{ expires_at }}}}: "
    "{{{{ coupon_url }}}}{{% endif %}} STOP to opt out"
)


@dataclass(frozen=True, slots=True)
class Starter:
    """One starter: what it is for, its messages, and the offer that fits them.

    ``name`` becomes the campaign's ``template_name``. ``expiration_days`` is how long its coupon is
    good for.
    """

    name: str
    title: str
    description: str
    subject: str
    sms_content: str
    offer_title: str
    offer_value: str
    offer_terms: str
    expiration_days: int

    @property
    def email_content(self) -> str:
        """The email's HTML with its placeholders."""
        return _read_html(self.name)


@functools.cache
def _read_html(name: str) -> str:
    return (_FOLDER / f"{name}.html").read_text(encoding="utf-8")


STARTERS = (
    Starter(
        name="percent_off",
        title="Percent off",
        description="A part of the price off anything. The figure follows the offer.",
        subject=(
            "{{ customer.first_name|default('Good news') }}, "
            "{{ offer.value|default('20%') }} off is waiting for you"
        ),
        sms_content=_TEXT.format(words="{{ offer.title|default('20% off anything') }}."),
        offer_title="20% off anything in the shop",
        offer_value="20%",
        offer_terms=(
            "One coupon per person and visit. Not for gift cards and not with other offers."
        ),
        expiration_days=30,
    ),
    Starter(
        name="buy_one_get_one",
        title="Buy one, get one",
        description="The second one is free: brings people in twos.",
        subject=(
            "{% if customer.first_name %}{{ customer.first_name }}, the{% else %}The{% endif %} "
            "second one is on us"
        ),
        sms_content=_TEXT.format(words="{{ offer.title|default('Buy one drink, get one free') }}."),
        offer_title="Buy one drink, get one free",
        offer_value="1 + 1",
        offer_terms=(
            "The cheaper drink is free. One coupon per person and visit, to drink in or take away. "
            "Not with other offers."
        ),
        expiration_days=21,
    ),
    Starter(
        name="we_miss_you",
        title="We miss you",
        description="A letter to people who have not come for a while, with a first course free.",
        subject=(
            "{% if customer.first_name %}{{ customer.first_name }}, your{% else %}Your{% endif %} "
            "table is waiting"
        ),
        sms_content=_TEXT.format(words="We miss you! Your next starter is free."),
        offer_title="A free starter with your next main course",
        offer_value="Free starter",
        offer_terms=(
            "One free starter per person with a main course, for dining in. Not with other offers, "
            "no cash value."
        ),
        expiration_days=30,
    ),
    Starter(
        name="birthday",
        title="Birthday",
        description="A present for the week of a birthday, or for the month.",
        subject=(
            "Happy birthday{% if customer.first_name %}, {{ customer.first_name }}{% endif %}! "
            "Your cake is on us"
        ),
        sms_content=_TEXT.format(words="Happy birthday! Cake and coffee are on us."),
        offer_title="Cake and coffee on the house",
        offer_value="Cake + coffee",
        offer_terms="One present per person. Not with other offers, no cash value.",
        expiration_days=14,
    ),
    Starter(
        name="new_product",
        title="New product",
        description="Something new, set like a menu card, with a reason to try it first.",
        subject="New on the menu: pumpkin and sage",
        sms_content=_TEXT.format(words="New: pumpkin and sage pizza, 15% off."),
        offer_title="15% off our new pumpkin and sage pizza",
        offer_value="15%",
        offer_terms=(
            "One coupon per person and visit. Only for the new pizza, while there is pumpkin. "
            "Not with other offers."
        ),
        expiration_days=21,
    ),
    Starter(
        name="monday_special",
        title="Monday special",
        description="Fills the quietest day of the week. Any other day works as well.",
        subject=(
            "Nobody should cook on a Monday{% if offer.value %}: {{ offer.value }} off{% endif %}"
        ),
        sms_content=_TEXT.format(words="Monday special, half price on any pizza."),
        offer_title="Half price on any pizza, every Monday",
        offer_value="50%",
        offer_terms=(
            "On Mondays only, one pizza per person, for dining in and collecting. Not with other "
            "offers."
        ),
        expiration_days=14,
    ),
    Starter(
        name="thank_you",
        title="Thank you",
        description="For regulars: no discount, a gesture.",
        subject=(
            "Thank you{% if customer.first_name %}, {{ customer.first_name }}{% endif %}. "
            "Your next coffee is on us"
        ),
        sms_content=_TEXT.format(words="Thank you! Your next coffee is on us."),
        offer_title="Your next coffee is on us",
        offer_value="Free coffee",
        offer_terms=(
            "One coffee per person, any size, to drink in or take away. Not with other offers."
        ),
        expiration_days=30,
    ),
)
_BY_NAME = {starter.name: starter for starter in STARTERS}


def find_starter(name: str) -> Starter | None:
    """Return the starter of this name, or None."""
    return _BY_NAME.get(name)
