import base64
import io
import logging
import random

import pytest
import zxingcpp
from django.db import connection
from PIL import Image

from qrcodes import issue_codes as module
from qrcodes.codes import qr_payload, redeem_url, short_code_hash, short_code_of
from qrcodes.issue_codes import issue_codes, issue_test_code, sample_code
from qrcodes.models import QRCode
from tests.factories import CustomerFactory, OfferFactory


def issue(offer, customers, **changes):
    ids = [customer.pk for customer in customers]
    arguments = {"offer": offer, "customer_ids": ids, "expiration_days": 30, "max_usage": 1}
    return issue_codes(**(arguments | changes))


def said_by(png: bytes) -> str:
    return zxingcpp.read_barcode(Image.open(io.BytesIO(png))).text


@pytest.mark.django_db
def test_each_customer_gets_a_stored_code_with_its_image(django_assert_num_queries):
    offer = OfferFactory()
    customers = CustomerFactory.create_batch(3)
    issued = issue(offer, customers, max_usage=2)
    assert set(issued.codes) == {customer.pk for customer in customers}
    assert not issued.failed
    for customer in customers:
        code = issued.codes[customer.pk]
        row = QRCode.objects.get(customer=customer)
        assert code.qr_code == row
        assert row.token.startswith(f"{offer.campaign_id}-{customer.pk}-")
        assert row.short_code_hash == short_code_hash(short_code_of(row.token))
        assert (row.max_usage, row.usage_count, row.is_test) == (2, 0, False)
        assert 29 <= (row.expires_at - row.created_at).days <= 31
        assert said_by(code.png) == redeem_url(row.token)
        assert base64.b64decode(code.png_base64) == code.png


@pytest.mark.django_db
def test_a_code_that_exists_keeps_its_token_and_expiry():
    offer = OfferFactory()
    first, second = CustomerFactory.create_batch(2)
    before = issue(offer, [first]).codes[first.pk]
    issued = issue(offer, [first, second], expiration_days=90)
    again = issued.codes[first.pk]
    assert again.qr_code.token == before.qr_code.token
    assert again.qr_code.expires_at == before.qr_code.expires_at
    assert said_by(again.png) == qr_payload(before.qr_code.token)
    assert QRCode.objects.count() == 2


@pytest.mark.django_db
def test_the_number_of_queries_does_not_grow_with_customers(django_assert_max_num_queries):
    offer = OfferFactory()
    customers = CustomerFactory.create_batch(40)
    with django_assert_max_num_queries(7):
        issue(offer, customers)


@pytest.mark.django_db
def test_a_customer_whose_image_fails_is_named_and_the_others_go_on(monkeypatch, caplog):
    offer = OfferFactory()
    unlucky, lucky = CustomerFactory.create_batch(2)
    draw = module.qr_png
    tokens = []

    def failing(text: str) -> bytes:
        if f"-{unlucky.pk}-" in text:
            tokens.append(text)
            raise RuntimeError(f"cannot draw {text}")
        return draw(text)

    monkeypatch.setattr(module, "qr_png", failing)
    with caplog.at_level(logging.ERROR):
        issued = issue(offer, [unlucky, lucky])
    assert issued.failed == {unlucky.pk}
    assert set(issued.codes) == {lucky.pk}
    assert not QRCode.objects.filter(customer=unlucky).exists()
    assert "qr_failed" in caplog.text
    assert str(unlucky.pk) in caplog.text
    assert len(tokens) == 1
    assert tokens[0] not in caplog.text
    assert unlucky.email not in caplog.text


@pytest.mark.django_db
def test_a_stored_code_whose_image_fails_keeps_its_row(monkeypatch):
    offer = OfferFactory()
    customer = CustomerFactory()
    token = issue(offer, [customer]).codes[customer.pk].qr_code.token

    def failing(text: str) -> bytes:
        raise RuntimeError

    monkeypatch.setattr(module, "qr_png", failing)
    assert issue(offer, [customer]).failed == {customer.pk}
    assert QRCode.objects.get().token == token


@pytest.mark.django_db
def test_who_comes_second_shows_the_code_that_the_first_stored(monkeypatch):
    offer = OfferFactory()
    customer = CustomerFactory()
    first = issue(offer, [customer]).codes[customer.pk].qr_code
    look_up = module._stored_codes
    unseen = [{}]  # the first had not stored it yet when the second looked
    monkeypatch.setattr(
        module, "_stored_codes", lambda *asked: unseen.pop() if unseen else look_up(*asked)
    )
    second = issue(offer, [customer]).codes[customer.pk]
    assert not unseen
    assert second.qr_code == first
    assert said_by(second.png) == qr_payload(first.token)
    assert base64.b64decode(second.png_base64) == second.png


@pytest.mark.django_db
def test_a_short_code_that_is_taken_is_made_again(monkeypatch):
    offer = OfferFactory()
    first, second = CustomerFactory.create_batch(2)
    taken = issue(offer, [first]).codes[first.pk].qr_code.short_code_hash
    answers = [taken]
    monkeypatch.setattr(
        module, "short_code_hash", lambda code: answers.pop() if answers else short_code_hash(code)
    )
    row = issue(offer, [second]).codes[second.pk].qr_code
    assert not answers
    assert row.short_code_hash == short_code_hash(short_code_of(row.token))


@pytest.mark.django_db
def test_test_codes_are_many_and_beside_the_real_one():
    offer = OfferFactory()
    customer = CustomerFactory()
    real = issue(offer, [customer]).codes[customer.pk].qr_code
    tests = [
        issue_test_code(offer=offer, customer_id=customer.pk, expiration_days=5) for _ in range(2)
    ]
    assert all(code.qr_code.is_test for code in tests)
    assert len({real.token, *(code.qr_code.token for code in tests)}) == 3
    assert issue(offer, [customer]).codes[customer.pk].qr_code == real


@pytest.mark.django_db
def test_a_sample_code_is_drawn_and_not_stored():
    offer = OfferFactory()
    code = sample_code(offer=offer, expiration_days=30)
    assert said_by(code.png) == redeem_url(code.qr_code.token)
    assert not QRCode.objects.exists()


def test_many_senders_at_once_agree_on_one_code_each(at_once):
    offer = OfferFactory()
    ids = [customer.pk for customer in CustomerFactory.create_batch(60)]
    # SQLite writes one at a time; PostgreSQL is where senders could wait in a circle.
    senders, times = (8, 96) if connection.vendor == "postgresql" else (3, 9)

    def send(number: int) -> dict[int, str]:
        some = random.Random(number).sample(ids, 40)
        issued = issue_codes(offer=offer, customer_ids=some, expiration_days=30, max_usage=1)
        assert set(issued.codes) == set(some)
        return {pk: code.qr_code.token for pk, code in issued.codes.items()}

    seen = at_once(send, times=times, threads=senders)
    stored = at_once.look(lambda: list(QRCode.objects.values_list("customer_id", "token")))
    assert len(stored) == len(dict(stored)) == 60
    assert all(tokens.items() <= dict(stored).items() for tokens in seen)
