"""The library in the admin (R-2)."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.images.clean_picture import MAX_BYTES
from campaigns.models import Image, ImageContent, MessageTemplate
from tests.campaigns.admin.forms import campaign_post, said
from tests.campaigns.admin.test_rights import given
from tests.factories import CampaignFactory
from tests.pictures import a_file, an_image, noise

LIST = "/admin/campaigns/image/"
ADD = f"{LIST}add/"
USING = '<img src="{{ image("pizza") }}" alt="x">'


def upload(content: bytes | None = None, name: str = "Summer Pizza.PNG", **changes) -> dict:
    file = SimpleUploadedFile(name, a_file() if content is None else content, "image/png")
    return {"file": file, "name": "", "alt": "A pizza", **changes}


def page(image: Image, action: str = "change") -> str:
    return reverse(f"admin:campaigns_image_{action}", args=[image.pk])


def errors_of(response) -> dict:
    assert response.status_code == 200
    return response.context["adminform"].form.errors


# --- adding ---------------------------------------------------------------------------------------


def test_an_empty_library_says_what_to_do(marketing, analyst) -> None:
    html = marketing.get(LIST).content.decode()
    assert "No images yet" in html
    assert f'href="{ADD}"' in html
    assert f'href="{ADD}"' not in analyst.get(LIST).content.decode()


def test_a_picture_is_uploaded(marketing) -> None:
    form = marketing.get(ADD).content.decode()
    assert 'enctype="multipart/form-data"' in form
    assert "What would you tell somebody who cannot see it?" in form
    response = marketing.post(ADD, upload(), follow=True)
    image = Image.objects.get()
    assert response.redirect_chain[-1][0] == page(image)
    assert said(response) == ["“summer-pizza” is in the library: copy its tag into a message."]
    assert (image.name, image.alt) == ("summer-pizza", "A pizza")
    assert image.created_by.groups.get().name == "Marketing"
    html = response.content.decode()
    assert 'data-copy="&lt;img src=&quot;{{ image(&quot;summer-pizza&quot;) }}&quot;' in html
    assert 'src="/static/campaigns/copy.js' in html
    assert "Nowhere yet" in html


def test_a_typed_name_counts_more_than_the_files(marketing) -> None:
    marketing.post(ADD, upload(name="IMG 0001.png") | {"name": "Logo"})
    assert Image.objects.get().name == "logo"


@pytest.mark.parametrize(
    ("post", "field", "words"),
    [
        (upload() | {"alt": ""}, "alt", "Say what the picture shows"),
        (upload(b"<svg/>"), "file", "This is not a picture"),
        (upload(b"MZ", name="program.png"), "file", "This is not a picture"),
        (upload(noise("JPEG")[:9000]), "file", "damaged"),
        (upload(b""), "file", "This file is empty"),
        (upload(a_file() + bytes(MAX_BYTES)), "file", "larger than 10 MB"),
        (upload() | {"file": ""}, "file", "Choose a picture of up to 10 MB."),
        (upload(name="図.png"), "name", "Give the picture a name"),
        (upload() | {"name": "pizza"}, "name", "There is a picture “pizza” already"),
        (upload() | {"name": "x" * 61}, "name", "up to 60"),
    ],
)
def test_what_cannot_be_taken_is_said_at_its_field(marketing, post, field, words) -> None:
    an_image("pizza")
    post["file"] and post["file"].seek(0)
    errors = errors_of(marketing.post(ADD, post))
    assert list(errors) == [field]
    assert len(errors[field]) == 1
    assert words in errors[field][0]
    assert Image.objects.count() == ImageContent.objects.count() == 1


def test_decoration_needs_no_words(marketing) -> None:
    marketing.post(ADD, upload() | {"alt": "", "is_decoration": "on"})
    assert Image.objects.get().is_decoration


def test_a_larger_upload_than_any_is_answered(marketing, settings) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1_000
    errors = errors_of(marketing.post(ADD, upload(a_file() + bytes(2_000))))
    assert errors["file"] == ["Choose a picture of up to 10 MB."]


def test_two_people_adding_one_name_at_once_both_get_an_answer(marketing, monkeypatch) -> None:
    an_image("pizza")
    monkeypatch.setattr("campaigns.images.image_forms.free_name", lambda name: "pizza")
    response = marketing.post(ADD, upload(), follow=True)
    (sentence,) = said(response)
    assert sentence.startswith("There is a picture “pizza” already")
    assert Image.objects.count() == 1


# --- changing and deleting ------------------------------------------------------------------------


def test_words_and_picture_are_changed_and_the_name_stays(marketing) -> None:
    image = an_image("pizza")
    old = image.content
    marketing.post(page(image), {"alt": "Two pizzas", "name": "other"})
    image.refresh_from_db()
    assert (image.name, image.alt, image.content) == ("pizza", "Two pizzas", old)
    new = upload(a_file(colour="navy")) | {"alt": "Blue", "name": "other"}
    response = marketing.post(page(image), new)
    assert response.status_code == 302
    image.refresh_from_db()
    assert (image.name, image.alt) == ("pizza", "Blue")
    assert image.content != old
    errors = errors_of(marketing.post(page(image), upload(b"<svg/>")))
    assert "This is not a picture" in errors["file"][0]


def test_where_it_is_used_is_shown_and_holds_it(marketing) -> None:
    image = an_image("pizza")
    campaign = CampaignFactory(name="Monday", email_content=USING)
    MessageTemplate.objects.create(name="Lunch", email_content=USING)
    html = marketing.get(page(image)).content.decode()
    assert reverse("admin:campaigns_campaign_change", args=[campaign.pk]) in html
    assert ">Lunch</a>" in html
    for method in (marketing.get, marketing.post):
        response = method(page(image, "delete"), {"post": "yes"}, follow=True)
        (sentence,) = said(response)
        assert "cannot be deleted" in sentence
        assert "“Monday”" in sentence
    assert Image.objects.exists()


def test_what_nothing_uses_is_deleted(marketing) -> None:
    image = an_image("pizza")
    assert marketing.get(page(image, "delete")).status_code == 200
    assert marketing.post(page(image, "delete"), {"post": "yes"}).status_code == 302
    assert not Image.objects.exists()


# --- the list -------------------------------------------------------------------------------------


def test_the_list_shows_pictures_lazily_and_finds_them(marketing) -> None:
    image = an_image("pizza", alt="A Margherita", file=a_file(size=(1600, 800)))
    an_image("line", is_decoration=True)
    CampaignFactory(email_content=USING)
    html = marketing.get(LIST).content.decode()
    tag = f'<img src="{image.content.path}" alt="" width="1200" height="600" loading="lazy"'
    assert tag in html
    for words in ("A Margherita", "1,200 × 600", "used 1 time<", "not used", "Decoration"):
        assert words in html, words
    for query, found in (("pizz", True), ("margh", True), ("line", False)):
        assert (image.content.path in marketing.get(LIST, {"q": query}).content.decode()) is found
    assert "No image found" in marketing.get(LIST, {"q": "zzz"}).content.decode()


def test_the_list_needs_as_many_queries_for_many_as_for_one_and_reads_no_bytes(marketing) -> None:
    def look():
        with CaptureQueriesContext(connection) as queries:
            html = marketing.get(LIST).content.decode()
        assert not [query["sql"] for query in queries if '"data"' in query["sql"]]
        return len(queries), html.count("hb-image-text")

    an_image("pizza")
    CampaignFactory(email_content=USING)
    marketing.get(LIST)
    few, _ = look()
    for number in range(30):
        name = f"image-{number}"
        an_image(name, file=a_file(colour=(number, 0, 0)))
        CampaignFactory(email_content=USING.replace("pizza", name))
    many, shown = look()
    assert (many, shown) == (few, 31)


def test_a_long_library_has_pages(marketing) -> None:
    content = an_image("a").content
    Image.objects.bulk_create(
        Image(name=f"image-{number}", alt="x", content=content) for number in range(60)
    )
    first = marketing.get(LIST).content.decode()
    assert first.count("hb-image-text") == 48
    assert marketing.get(LIST, {"p": 2}).content.decode().count("hb-image-text") == 13


def test_one_picture_and_deleting_it_read_no_bytes(marketing) -> None:
    image = an_image("pizza")
    for address in (page(image), page(image, "delete")):
        with CaptureQueriesContext(connection) as queries:
            marketing.get(address)
        assert not [query["sql"] for query in queries if '"data"' in query["sql"]], address


# --- rights ---------------------------------------------------------------------------------------


def test_an_analyst_looks_and_changes_nothing(analyst) -> None:
    image = an_image("pizza")
    html = analyst.get(page(image)).content.decode()
    assert "Where it is used" in html
    assert 'name="file"' not in html
    assert image.content.path in analyst.get(LIST).content.decode()
    assert analyst.get(ADD).status_code == 403
    for address in (ADD, page(image), page(image, "delete")):
        assert analyst.post(address, upload() | {"post": "yes"}).status_code == 403
    image.refresh_from_db()
    assert image.alt == "A pizza"
    assert Image.objects.count() == 1


def test_without_the_right_nothing_opens(till, client) -> None:
    image = an_image("pizza")
    for address in (LIST, ADD, page(image), page(image, "delete")):
        assert till.get(address).status_code == 403, address
        assert till.post(address, upload()).status_code == 403, address
        assert client.get(address).status_code == 302, address
    assert Image.objects.count() == 1


@pytest.mark.django_db
def test_each_right_is_one_right() -> None:
    image = an_image("pizza")
    adds = given("campaigns.view_image", "campaigns.add_image")
    assert adds.post(ADD, upload()).status_code == 302
    assert adds.post(page(image), {"alt": "x"}).status_code == 403
    changes = given("campaigns.view_image", "campaigns.change_image")
    assert changes.post(ADD, upload() | {"name": "third"}).status_code == 403
    assert changes.post(page(image), {"alt": "Changed"}).status_code == 302
    assert changes.post(page(image, "delete"), {"post": "yes"}).status_code == 403
    # Whoever may not open campaigns is told the name, without a link.
    campaign = CampaignFactory(name="Monday", email_content=USING)
    html = changes.get(page(image)).content.decode()
    assert "Monday" in html
    assert reverse("admin:campaigns_campaign_change", args=[campaign.pk]) not in html


# --- in messages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["inline", "cid", "hosted"])
def test_previews_show_the_picture_from_this_server(marketing, settings, strategy) -> None:
    settings.IMAGE_STRATEGY = strategy
    path = an_image("pizza").content.path
    campaign = CampaignFactory(email_content=USING)
    template = MessageTemplate.objects.create(name="Lunch", email_content=USING)
    preview = reverse("admin:campaigns_campaign_preview", args=[campaign.pk])
    assert f'src="{path}"' in marketing.get(preview).context["frame"]
    look = reverse("admin:campaigns_messagetemplate_look", args=[template.pk])
    response = marketing.get(look)
    assert f'src="{path}"' in response.content.decode()


def test_a_campaign_that_names_no_picture_of_the_library_is_not_saved(marketing) -> None:
    an_image("pizza")
    post = campaign_post(email_content="<p>\n{{ image('piza') }}</p>")
    errors = errors_of(marketing.post("/admin/campaigns/campaign/add/", post))
    (sentence,) = errors["email_content"]
    assert sentence.startswith("Email, line 2: there is no picture “piza”")
    assert "“pizza”" in sentence
