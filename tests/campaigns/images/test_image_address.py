"""The public address of uploaded pictures (R-3, Z-2)."""

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import resolve

from campaigns.images.add_image import change_image
from campaigns.images.clean_picture import clean_picture
from tests.pictures import a_file, an_image

pytestmark = pytest.mark.django_db


@pytest.fixture
def content():
    return an_image().content


def test_anybody_gets_it_for_ever(client: Client, content) -> None:
    response = client.get(content.path)
    assert response.status_code == 200
    assert response.content == bytes(content.data)
    headers = response.headers
    assert headers["Content-Type"] == "image/png"
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["ETag"] == f'"{content.digest}"'
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; frame-ancestors 'none'; sandbox"
    )
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Length"] == str(content.size)
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Vary" not in headers
    assert not response.cookies


def test_a_photo_says_that_it_is_one(client: Client) -> None:
    photo = an_image("photo", file=a_file("JPEG")).content
    assert photo.path.endswith(".jpeg")
    assert client.get(photo.path).headers["Content-Type"] == "image/jpeg"


def test_whoever_has_it_is_not_sent_it_again(client: Client, content) -> None:
    tag = f'"{content.digest}"'
    for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        response = client.get(content.path, headers={"If-None-Match": header})
        assert (response.status_code, response.content) == (304, b""), header
        assert response.headers["ETag"] == tag
        assert "immutable" in response.headers["Cache-Control"]
    response = client.get(content.path, headers={"If-None-Match": '"other"'})
    assert response.content == bytes(content.data)


def test_head_says_the_same_without_the_bytes(client: Client, content) -> None:
    response = client.head(content.path)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Length"] == str(content.size)
    assert response.headers["Content-Type"] == "image/png"


@pytest.mark.parametrize("tag", ["", '"{digest}"'])
@pytest.mark.parametrize("method", ["get", "head"])
def test_one_query_and_no_session(
    client: Client, content, django_assert_num_queries, tag, method
) -> None:
    client.force_login(_staff())
    headers = {"If-None-Match": tag.format(digest=content.digest)} if tag else {}
    with django_assert_num_queries(1) as queries:
        response = getattr(client, method)(content.path, headers=headers)
    assert not response.cookies
    reads_bytes = '"data"' in queries.captured_queries[0]["sql"]
    assert reads_bytes == (method == "get" and not tag)


def _staff():
    from tests.factories import UserFactory

    return UserFactory(groups=["Marketing"])


def test_what_is_not_there_is_not_found(client: Client, content) -> None:
    digest = content.digest
    for path in (
        f"/i/{'0' * 64}.png",
        f"/i/{digest}.jpeg",
        f"/i/{digest}.svg",
        f"/i/{digest}",
        f"/i/{digest[:-1]}.png",
        f"/i/{digest.upper()}.png",
        f"/i/{digest}.png/",
        "/i/pizza.png",
        "/i/",
    ):
        assert client.get(path).status_code == 404, path
    absent = client.get(f"/i/{'0' * 64}.png")
    assert absent.headers["Cache-Control"] == "no-store"
    conditional = client.get(f"/i/{'0' * 64}.png", headers={"If-None-Match": "*"})
    assert conditional.status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_it_can_only_be_read(client: Client, content, method) -> None:
    assert getattr(client, method)(content.path).status_code == 405


def test_a_replaced_picture_stays_at_its_address(client: Client, content) -> None:
    from campaigns.models import Image

    image = Image.objects.get()
    new = change_image(image_id=image.pk, alt="x", picture=clean_picture(a_file(colour="navy")))
    assert client.get(content.path).content == bytes(content.data)
    assert client.get(new.content.path).content == bytes(new.content.data)


def test_the_path_of_a_picture_is_the_address_that_is_served(content) -> None:
    match = resolve(content.path)
    assert match.view_name == "campaigns:image"
    assert match.kwargs == {"digest": content.digest, "encoding": "png"}
    assert not content.path.startswith(django_settings.STATIC_URL)
