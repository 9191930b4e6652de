import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from customers.models import Segment
from customers.segments import ensure_segments
from tests.factories import CampaignFactory, CustomerFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/segment/"


@pytest.mark.usefixtures("marketing")
class TestList:
    def test_it_shows_counts_of_everyone_and_of_each_segment(self, client: Client) -> None:
        CustomerFactory.create_batch(3, tags=["vip"], email_subscribed=False)
        CustomerFactory(phone="")
        answer = client.get(LIST)
        everyone = answer.context["everyone"]
        assert (everyone.customers, everyone.email, everyone.sms) == (4, 1, 3)
        vip = answer.context["cl"].result_list[0]
        assert (vip.customer_count, vip.email_count, vip.sms_count) == (3, 0, 3)
        assert "?tag=vip" in answer.content.decode()

    def test_its_queries_do_not_grow_with_segments(self, client: Client) -> None:
        CustomerFactory(tags=["a"])
        client.get(LIST)
        with CaptureQueriesContext(connection) as few:
            client.get(LIST)
        CustomerFactory(tags=[f"tag{number}" for number in range(20)])
        with CaptureQueriesContext(connection) as many:
            client.get(LIST)
        assert len(many) == len(few)

    def test_it_adds_a_segment(self, client: Client) -> None:
        client.post(f"{LIST}add/", {"name": " VIP ", "description": "The best"})
        assert Segment.objects.get().name == "vip"
        for name in ("two words", "all", "VIP"):
            assert client.post(f"{LIST}add/", {"name": name}).status_code == 200
        assert Segment.objects.count() == 1

    def test_a_name_stays_what_it_is(self, client: Client) -> None:
        vip = ensure_segments(["vip"])["vip"]
        client.post(f"{LIST}{vip.pk}/change/", {"name": "other", "description": "New"})
        vip.refresh_from_db()
        assert (vip.name, vip.description) == ("vip", "New")

    def test_it_deletes_a_segment_that_nothing_uses(self, client: Client) -> None:
        vip = ensure_segments(["vip"])["vip"]
        CustomerFactory(tags=["vip"])
        client.post(f"{LIST}{vip.pk}/delete/", {"post": "yes"})
        assert not Segment.objects.exists()

    @pytest.mark.parametrize("use", ["target_segments", "excluded_segments"])
    def test_it_keeps_a_segment_that_a_campaign_uses(self, client: Client, use: str) -> None:
        vip = ensure_segments(["vip"])["vip"]
        campaign = CampaignFactory(name="Spring", target_all=False)
        getattr(campaign, use).add(vip)
        answer = client.get(f"{LIST}{vip.pk}/delete/")
        assert "Campaign: Spring" in answer.content.decode()
        client.post(f"{LIST}{vip.pk}/delete/", {"post": "yes"})
        client.post(
            LIST, {"action": "delete_selected", "_selected_action": [vip.pk], "post": "yes"}
        )
        assert Segment.objects.filter(pk=vip.pk).exists()
