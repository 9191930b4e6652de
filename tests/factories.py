"""Rows for tests, each valid by itself."""

import uuid
from datetime import UTC, datetime, timedelta

import factory
from django.contrib.auth.models import Group, User

from campaigns.models import Campaign, Delivery
from customers.models import Customer, CustomerTag
from customers.segments import ensure_segments
from qrcodes.codes import short_code_hash, short_code_of
from qrcodes.models import Location, Offer, QRCode, Redemption, ScanAttempt, Source


def now() -> datetime:
    return datetime.now(UTC)


class UserFactory(factory.django.DjangoModelFactory):
    """A member of staff; ``groups=["Marketing"]`` puts them into these groups."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    is_staff = True

    @factory.post_generation
    def groups(self, create, names, **kwargs):
        self.groups.add(*Group.objects.filter(name__in=names or []))


class CustomerFactory(factory.django.DjangoModelFactory):
    """A customer who takes emails and texts; ``tags=["regulars"]`` tags them."""

    class Meta:
        model = Customer
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"customer{n}@example.com")
    phone = factory.Sequence(lambda n: f"+4915100{n:06d}")
    first_name = factory.Sequence(lambda n: f"Ada{n}")
    last_name = "Lovelace"
    email_subscribed = True
    sms_subscribed = True

    @classmethod
    def _adjust_kwargs(cls, **kwargs):
        addressed = Customer()
        addressed.set_email(kwargs.pop("email"))
        addressed.set_phone(kwargs.pop("phone"))
        for column in ("email_encrypted", "email_index", "phone_encrypted", "phone_index"):
            kwargs[column] = getattr(addressed, column)
        return kwargs

    @factory.post_generation
    def tags(self, create, names, **kwargs):
        for segment in ensure_segments(names or []).values():
            CustomerTag.objects.create(customer=self, segment=segment)


class CampaignFactory(factory.django.DjangoModelFactory):
    """A draft with both messages, to everyone."""

    class Meta:
        model = Campaign

    name = factory.Sequence(lambda n: f"Campaign {n}")
    subject = "20% off every pizza"
    email_content = (
        "<p>Hello {{ customer.first_name }}</p>"
        '{% if qr_code_base64 %}<img src="data:image/png;base64,{{ qr_code_base64 }}">{% endif %}'
        '<a href="{{ unsubscribe_url }}">Unsubscribe</a>'
    )
    sms_content = "20% off: {{ coupon_url }}"
    target_all = True


class OfferFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Offer

    campaign = factory.SubFactory(CampaignFactory)
    title = "20% off every pizza"


class DeliveryFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Delivery

    campaign = factory.SubFactory(CampaignFactory)
    customer = factory.SubFactory(CustomerFactory)
    channel = "email"
    not_before = factory.LazyFunction(now)
    created_at = factory.LazyFunction(now)
    matched_segments = factory.LazyFunction(lambda: ["ALL"])


class QRCodeFactory(factory.django.DjangoModelFactory):
    """A code of an offer's campaign, valid for 30 days."""

    class Meta:
        model = QRCode

    offer = factory.SubFactory(OfferFactory)
    campaign = factory.SelfAttribute("offer.campaign")
    customer = factory.SubFactory(CustomerFactory)
    token = factory.LazyAttribute(
        lambda code: f"{code.campaign.pk}-{code.customer.pk}-{uuid.uuid4().hex}"
    )
    short_code_hash = factory.LazyAttribute(lambda code: short_code_hash(short_code_of(code.token)))
    created_at = factory.LazyFunction(now)
    expires_at = factory.LazyFunction(lambda: now() + timedelta(days=30))


class LocationFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Location

    name = factory.Sequence(lambda n: f"Shop {n}")


class ScanAttemptFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ScanAttempt

    at = factory.LazyFunction(now)
    nonce = factory.LazyFunction(lambda: uuid.uuid4().hex)
    accepted = True
    source = Source.SCAN_PAGE


class RedemptionFactory(factory.django.DjangoModelFactory):
    """An accepted use; its code is marked as used."""

    class Meta:
        model = Redemption

    qr_code = factory.SubFactory(QRCodeFactory)
    offer = factory.SelfAttribute("qr_code.offer")
    redeemed_at = factory.LazyFunction(now)
    attempt = factory.SubFactory(
        ScanAttemptFactory,
        qr_code=factory.SelfAttribute("..qr_code"),
        at=factory.SelfAttribute("..redeemed_at"),
    )

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        code = kwargs["qr_code"]
        code.usage_count += 1
        code.redeemed_at = code.redeemed_at or kwargs["redeemed_at"]
        code.save(update_fields=["usage_count", "redeemed_at"])
        return super()._create(model_class, *args, **kwargs)
