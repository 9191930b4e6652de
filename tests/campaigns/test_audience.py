import pytest

from campaigns.audience import audience_of, count_audience, freeze_next_batch
from campaigns.models import Campaign, Delivery, Pace
from customers.consent import record_consent
from customers.models import Customer
from customers.segments import find_segments
from tests.factories import CampaignFactory, CustomerFactory

pytestmark = pytest.mark.django_db


def queued(**fields: object) -> Campaign:
    return CampaignFactory(status="queued", **fields)


def freeze(campaign: Campaign) -> None:
    while freeze_next_batch(campaign_id=campaign.pk):
        pass
    campaign.refresh_from_db()


def test_it_targets_any_of_the_segments_minus_the_excluded_each_customer_once() -> None:
    both = CustomerFactory(tags=["regulars", "vip"])
    CustomerFactory(tags=["regulars", "staff"])
    CustomerFactory(tags=["other"])
    CustomerFactory()
    campaign = CampaignFactory(target_all=False)
    campaign.target_segments.set(find_segments(["regulars", "vip"]))
    campaign.excluded_segments.set(find_segments(["staff"]))
    assert list(audience_of(campaign)) == [both]
    counts = count_audience(campaign)
    assert (counts.customers, counts.excluded) == (1, 1)


def test_it_counts_every_reason_for_not_being_reached() -> None:
    CustomerFactory()
    CustomerFactory(phone="")
    CustomerFactory(email="")
    for action in ("opt_out", "bounce", "complaint"):
        customer = CustomerFactory()
        record_consent(customer_ids=[customer.pk], channel="email", action=action, source="test")
    CustomerFactory(email_subscribed=False)
    counts = count_audience(CampaignFactory())
    assert counts.customers == 7
    assert counts.channels["email"].reachable == 2
    assert counts.channels["email"].reasons == {"no_address": 1, "unsubscribed": 3, "bounced": 1}
    assert counts.channels["sms"].reachable == 6
    assert counts.channels["sms"].reasons == {"no_address": 1}
    assert counts.reachable == 8


def test_the_database_and_the_model_agree_on_why_somebody_is_left_out() -> None:
    customers = [CustomerFactory(), CustomerFactory(phone=""), CustomerFactory(email="")]
    for action in ("opt_in", "opt_out", "bounce", "complaint"):
        customers.append(CustomerFactory(email_subscribed=False))
        record_consent(
            customer_ids=[customers[-1].pk], channel="email", action=action, source="test"
        )
    campaign = queued()
    freeze(campaign)
    for customer in Customer.objects.all():
        for channel in ("email", "sms"):
            row = Delivery.objects.get(campaign=campaign, customer=customer, channel=channel)
            assert row.code == customer.exclusion_reason(channel)
            assert row.status == ("skipped" if row.code else "pending")


def test_it_freezes_in_batches_each_customer_and_channel_once(monkeypatch) -> None:
    monkeypatch.setattr("campaigns.audience.BATCH", 3)
    CustomerFactory.create_batch(8)
    campaign = queued()
    freeze(campaign)
    assert campaign.total_targeted == 8
    assert Delivery.objects.filter(campaign=campaign).count() == 16
    assert len({row.public_id for row in Delivery.objects.all()}) == 16
    assert Pace.objects.filter(campaign=campaign).count() == 2
    first = Delivery.objects.first()
    assert (first.attempts, first.step, first.lease_token) == (0, 0, None)


def test_freezing_goes_on_where_it_was_interrupted(monkeypatch) -> None:
    monkeypatch.setattr("campaigns.audience.BATCH", 3)
    CustomerFactory.create_batch(8)
    campaign = queued()
    assert freeze_next_batch(campaign_id=campaign.pk)
    freeze(campaign)
    assert campaign.total_targeted == 8
    assert Delivery.objects.filter(campaign=campaign, channel="email").count() == 8


def test_it_freezes_nothing_for_a_campaign_that_is_not_queued() -> None:
    CustomerFactory()
    for status in ("draft", "sending", "cancelled"):
        assert not freeze_next_batch(campaign_id=CampaignFactory(status=status).pk)
    assert not Delivery.objects.exists()


def test_it_keeps_the_segments_that_matched() -> None:
    CustomerFactory(tags=["regulars", "vip", "staff"])
    campaign = queued(target_all=False)
    campaign.target_segments.set(find_segments(["regulars", "vip"]))
    freeze(campaign)
    assert sorted(Delivery.objects.first().matched_segments) == ["regulars", "vip"]
    everyone = queued()
    freeze(everyone)
    assert Delivery.objects.filter(campaign=everyone).first().matched_segments == ["ALL"]


def test_the_number_of_statements_does_not_grow_with_the_audience(
    django_assert_max_num_queries,
) -> None:
    CustomerFactory.create_batch(30)
    campaign = queued()
    with django_assert_max_num_queries(20):
        assert freeze_next_batch(campaign_id=campaign.pk)
    assert Delivery.objects.count() == 60


def test_erased_customers_are_not_in_any_audience() -> None:
    customer = CustomerFactory()
    Customer.objects.filter(pk=customer.pk).update(erased_at=customer.created_at)
    assert not audience_of(CampaignFactory()).exists()
