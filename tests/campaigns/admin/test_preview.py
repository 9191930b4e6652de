import re

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client
from django.urls import reverse

from campaigns.channels.capture import captured_names
from campaigns.delivery.send_tests import send_waiting
from campaigns.models import Campaign, TestSend
from customers.models import Customer
from qrcodes.models import QRCode
from tests.campaigns.admin.conftest import signed_in
from tests.campaigns.admin.forms import said
from tests.factories import CustomerFactory, OfferFactory, UserFactory


@pytest.fixture(autouse=True)
def captured_here(tmp_path, settings) -> None:
    settings.CAPTURE_DIR = tmp_path / "captured"


@pytest.fixture
def draft(db) -> Campaign:
    return OfferFactory().campaign


def page(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


def test_it_shows_both_messages_as_a_sample_customer(marketing, draft) -> None:
    response = marketing.get(page("preview", draft))
    html = response.content.decode()
    assert response.context["preview"].subject == "20% off every pizza"
    assert 'sandbox=""' in html
    assert "srcdoc=" in html
    assert "GSM-7" in html
    assert "1 segment" in html
    assert not QRCode.objects.exists()


def test_the_sample_customer_sees_this_campaign_and_its_offer(marketing) -> None:
    campaign = OfferFactory(
        title="2 for 1",
        campaign__name="Truffle days",
        campaign__email_content="{{ offer.title }}|{{ campaign.name }}|{{ customer.first_name }}",
    ).campaign
    html = marketing.get(page("preview", campaign)).context["preview"].html
    assert "2 for 1|Truffle days|Ada" in html


def test_it_shows_the_messages_as_a_chosen_customer(marketing, draft) -> None:
    grace = CustomerFactory(first_name="Grace")
    response = marketing.get(page("preview", draft), {"customer": grace.pk})
    assert "Hello Grace" in response.context["preview"].html
    assert not QRCode.objects.exists()


def test_the_email_runs_no_script_in_its_frame(marketing, draft) -> None:
    Campaign.objects.filter(pk=draft.pk).update(email_content="<p>\"'>&lt;</p>")
    html = marketing.get(page("preview", draft)).content.decode()
    (frame,) = re.findall(r"<iframe[^>]*>", html)
    assert 'sandbox=""' in frame
    assert "&lt;p&gt;" in frame
    assert "<p>" not in frame


@pytest.mark.parametrize("strategy", ["inline", "cid", "hosted"])
def test_the_qr_code_is_seen_whatever_the_image_strategy(
    marketing, draft, settings, strategy
) -> None:
    settings.QR_IMAGE_STRATEGY = settings.IMAGE_STRATEGY = strategy
    for customer in ("", CustomerFactory().pk):
        response = marketing.get(page("preview", draft), {"customer": customer})
        assert 'src="data:image/png;base64,' in response.context["frame"]


def test_it_finds_a_customer_by_name_full_email_or_full_phone(marketing, draft) -> None:
    grace = CustomerFactory(
        first_name="Grace", last_name="Hopper", email="grace@example.com", phone="+4915112345678"
    )
    CustomerFactory(first_name="Ada")
    for text in ("grace", "hop gra", " Grace@Example.com ", "0151 12345678"):
        response = marketing.post(page("preview", draft), {"q": text})
        assert response.context["found"] == [grace], text
    response = marketing.post(page("preview", draft), {"q": "grace@exam"})
    assert "Nobody found" in response.content.decode()


@pytest.mark.parametrize("customer", ["x", "4711", "9" * 40, "-1"])
def test_it_shows_the_sample_when_the_customer_does_not_exist(marketing, draft, customer) -> None:
    response = marketing.get(page("preview", draft), {"customer": customer})
    assert response.context["customer"] is None


def test_whoever_may_see_no_customers_sees_the_sample_one(analyst, draft) -> None:
    grace = CustomerFactory(first_name="Grace", email="grace@example.com")
    for response in (
        analyst.get(page("preview", draft), {"customer": grace.pk}),
        analyst.post(page("preview", draft), {"customer": grace.pk, "q": "grace@example.com"}),
    ):
        assert (response.context["customer"], response.context["found"]) == (None, None)
        assert "Grace" not in response.content.decode()
        assert 'name="q"' not in response.content.decode()
        assert "Hello Ada" in response.context["preview"].html


def test_whoever_may_see_no_customers_sends_nobody_chosen(draft) -> None:
    first, grace = CustomerFactory(), CustomerFactory(first_name="Grace")
    sender = UserFactory(groups=["Marketing"])
    sender.groups.get().permissions.remove(Permission.objects.get(codename="view_customer"))
    client = Client()
    client.force_login(sender)
    client.post(page("test", draft), {"addresses": "me@example.com", "customer": grace.pk})
    assert TestSend.objects.get().customer == first


def test_it_sends_tests_to_typed_addresses(marketing, draft) -> None:
    grace = CustomerFactory(first_name="Grace")
    response = marketing.post(
        page("test", draft),
        {"addresses": "me@example.com\n+49 151 12345678", "customer": grace.pk},
        follow=True,
    )
    # Nothing was called in the request: a worker does that.
    assert (response.redirect_chain[0][0], mail.outbox) == (
        f"{page('preview', draft)}?customer={grace.pk}#test",
        [],
    )
    assert response.context["customer"] == grace
    assert response.content.decode().count("Waiting for its turn") == 2
    assert send_waiting() == 2
    html = marketing.get(page("test_results", draft)).content.decode()
    assert html.count("Sent. Its code scans as TEST.") == 2
    assert "data-waiting" not in html
    assert "<html" not in html
    assert TestSend.objects.filter(customer=grace, sent_at__isnull=False).count() == 2
    # pytest-django keeps Django's emails in memory; the text was captured.
    assert [message.to for message in mail.outbox] == [["me@example.com"]]
    assert len(captured_names()) == 1
    assert all(QRCode.objects.values_list("is_test", flat=True))


def test_it_refuses_addresses_that_cannot_be_and_sends_nothing(marketing, draft) -> None:
    CustomerFactory()
    response = marketing.post(page("test", draft), {"addresses": "me@example.com, nonsense"})
    assert response.status_code == 200
    assert response.context["test_form"].errors["addresses"]
    assert "me@example.com, nonsense" in response.content.decode()
    assert not TestSend.objects.exists()


def test_the_last_test_is_remembered_for_who_sent_it_only(marketing, draft) -> None:
    CustomerFactory()
    marketing.post(page("test", draft), {"addresses": "me@example.com, +4915112345678"})
    other = OfferFactory().campaign
    typed = marketing.get(page("preview", other)).context["test_form"]["addresses"].value()
    assert typed == "me@example.com\n+4915112345678"
    colleague = signed_in("Marketing")
    html = colleague.get(page("preview", draft)).content.decode()
    assert "me@example.com" not in html
    assert "me@example.com" not in colleague.get(page("test_results", draft)).content.decode()


def test_results_are_for_those_who_may_send(analyst, draft) -> None:
    assert analyst.get(page("test_results", draft)).status_code == 403


def test_the_address_of_a_test_is_in_no_log_and_no_column(marketing, draft) -> None:
    CustomerFactory()
    marketing.post(page("test", draft), {"addresses": "secret@example.com"})
    assert "secret" not in str(TestSend.objects.values().get())


def test_a_template_that_cannot_be_filled_in_is_told(marketing, draft) -> None:
    Campaign.objects.filter(pk=draft.pk).update(email_content="{% if %}")
    response = marketing.get(page("preview", draft))
    assert any("line 1" in text for text in said(response))
    assert "mend the message first" in response.content.decode()


def test_an_address_that_cannot_be_decrypted_is_told(marketing, draft) -> None:
    locked = CustomerFactory()
    Customer.objects.filter(pk=locked.pk).update(email_encrypted="v1:k9:AAAA:AAAA")
    Campaign.objects.filter(pk=draft.pk).update(email_content="{{ customer.email }}")
    response = marketing.get(page("preview", draft), {"customer": locked.pk}, follow=True)
    assert said(response) == ["The address could not be decrypted: a key is missing."]
