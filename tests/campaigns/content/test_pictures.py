"""``{{ image("name") }}``: what a template may write, and what leaves by every strategy (R-2)."""

import base64
import email
import email.policy
import io
import re
import time
from html import unescape

import pytest
import zxingcpp
from django.db import connection
from django.test.utils import CaptureQueriesContext
from PIL import Image as Pillow

from campaigns.channels.base import OutgoingEmail
from campaigns.channels.email import build_message
from campaigns.content import images
from campaigns.content.checks import check_content
from campaigns.content.errors import ContentError
from campaigns.content.pictures import (
    MOST_PICTURES,
    _part_of,
    calls_in,
    hosted_pictures,
    library_pictures,
)
from campaigns.content.placeholders import SAMPLE_TOKEN, sample_context
from campaigns.content.rendering import RenderedEmail, compile_campaign
from campaigns.content.templates import examine_template
from campaigns.models import Image
from qrcodes.codes import redeem_url
from tests.pictures import a_file, an_image, noise

pytestmark = pytest.mark.django_db

STRATEGIES = ("inline", "cid", "hosted")
UNSUBSCRIBE = '<a href="{{ unsubscribe_url }}">Unsubscribe</a>'
SOURCE = (
    '<p>Hello</p><img src="{{ image("pizza") }}" alt="A pizza">'
    '<table background="{{ image("paper") }}"><tr><td>x</td></tr></table>'
    "<p style=\"background: url('{{ image('paper') }}')\">x</p>"
    '<a href="{{ image("pizza") }}">Large</a>'
    '{% if customer.attributes.nobody %}<img src="{{ image("unseen") }}" alt="x">{% endif %}'
    '{% if qr_code_base64 %}<img src="data:image/png;base64,{{ qr_code_base64 }}" alt="Code">'
    "{% endif %}" + UNSUBSCRIBE
)


@pytest.fixture
def library() -> dict[str, Image]:
    files = {"pizza": noise("JPEG"), "paper": a_file(colour="ivory"), "unseen": a_file()}
    return {name: an_image(name, file=file) for name, file in files.items()}


def errors_in(source: str, field: str = "email_content") -> list[ContentError]:
    return examine_template(source, field=field).errors


def render(source: str, context: dict | None = None, **options) -> RenderedEmail:
    compiled = compile_campaign(subject="Hello", email_content=source, sms_content="")
    return compiled.render_email(context or sample_context(), **options)


def outgoing(rendered: RenderedEmail) -> OutgoingEmail:
    return OutgoingEmail(
        public_id="1",
        to="ada@example.com",
        to_name="Ada",
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        unsubscribe_url="https://coupons.example.com/u/1",
        images=rendered.images,
    )


# --- what a template may write --------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        'image("pizza")',
        "image('pizza')",
        "image( 'pizza' )",
        "image\n(\n'pizza'\n)",
        "image('pizza',)",
        "image('pizza') if customer.first_name else image('paper')",
    ],
)
def test_a_picture_is_called_by_its_name(library, written) -> None:
    source = f'<img src="{{{{ {written} }}}}" alt="x">'
    assert errors_in(source) == []
    assert (
        f'src="https://coupons.example.com{library["pizza"].content.path}"' in render(source).html
    )


@pytest.mark.parametrize(
    "written",
    [
        "image()",
        "image(1)",
        "image('')",
        "image(none)",
        "image(customer.first_name)",
        "image('piz' ~ 'za')",
        "image('a' if customer.first_name else 'b')",
        "image('pizza', 'paper')",
        "image('pizza', width=9)",
        "image(name='pizza')",
        "image(*customer.segment_list)",
        "image(**customer.attributes)",
        "image('pizza')()",
        "image('pizza').path",
        "image('pizza')['path']",
        "image('pizza').__class__",
        "image.__class__",
        "image.__call__('pizza')",
        "image('pizza'|upper)",
        "image(image('pizza'))",
        "customer.image('pizza')",
        "images('pizza')",
        "_pictures['pizza']",
        "_pictures",
        "image['pizza']",
        "image",
        "'pi' 'zza' and image('pi' 'zza')",
        "image('p\\x69zza')",
        "image('Pizza')",
        "image('../pizza')",
        "image('pizza'.upper())",
        "range(9)",
    ],
)
def test_anything_else_is_refused_with_its_line(library, written) -> None:
    errors = errors_in("<p>\n\n{{ " + written + " }}</p>")
    assert errors
    assert {error.line for error in errors} == {3}
    assert {error.code for error in errors} <= {
        "template_refused",
        "unknown_placeholder",
        "unknown_image",
    }
    with pytest.raises(ContentError):
        compile_campaign(
            subject="", email_content="<p>\n\n{{ " + written + " }}</p>", sms_content=""
        )


@pytest.mark.parametrize(
    "source",
    [
        "{% for image in customer.segment_list %}{{ image('pizza') }}{% endfor %}",
        "{% set image = 'x' %}{{ image('pizza') }}",
        "{% macro image(x) %}{% endmacro %}{{ image('pizza') }}",
        "{% call image('pizza') %}{% endcall %}",
        "{% for x in image('pizza') %}{{ x }}{% endfor %}",
        "<style>p { background: url({{ image('pizza') }}) }</style>",
        "<p {{ image('pizza') }}>x</p>",
        "<p class=\"{{ image('pizza') }}\">x</p>",
    ],
)
def test_the_call_cannot_be_twisted_or_misplaced(library, source) -> None:
    assert errors_in(source)


@pytest.mark.parametrize("field", ["subject", "sms_content"])
def test_only_the_email_shows_pictures(library, field) -> None:
    (error,) = errors_in("{{ image('pizza') }}", field)
    assert "only the email shows pictures" in error.message


def test_a_name_of_a_loop_may_still_be_image() -> None:
    context = sample_context()
    source = "{% for image in customer.segment_list %}{{ image }} {% endfor %}" + UNSUBSCRIBE
    assert "regulars vip" in render(source, context).html


def test_an_unknown_name_comes_with_its_line_and_the_nearest_name(library) -> None:
    (error,) = errors_in("<p>\n{{ image('piza') }}</p>")
    assert (error.code, error.line) == ("unknown_image", 2)
    assert error.message.endswith("no picture “piza” in the library. Did you mean “pizza”?")
    (error,) = errors_in("{{ image('zzzzzz') }}")
    assert error.message.endswith("Add it under Images first.")


def test_a_template_without_pictures_asks_the_database_nothing(django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        assert errors_in("<p>data:image/png background-image: none</p>" + UNSUBSCRIBE) == []
        assert render("<p>no image here</p>").html


def test_there_is_a_bound_on_pictures(library) -> None:
    source = "".join(f"{{{{ image('p{number}') }}}}" for number in range(MOST_PICTURES + 1))
    assert any("more than 50 pictures" in error.message for error in errors_in(source))


def test_a_thousand_unknown_names_cost_no_second() -> None:
    content = an_image("a").content
    Image.objects.bulk_create(
        Image(name=f"image-{number:06d}", alt="x", content=content) for number in range(3_000)
    )
    source = "".join(f"{{{{ image('imaga-{number:06d}') }}}}" for number in range(700))
    start = time.perf_counter()
    errors = errors_in(source)
    assert time.perf_counter() - start < 2
    assert sum("Did you mean" in error.message for error in errors) == 5
    assert {error.code for error in errors} == {"template_refused", "unknown_image"}


def test_calls_are_found_as_the_template_reads_them() -> None:
    assert calls_in("a\n{{ image(\"one\") }}\n{{ image ( 'two' ) }}{{ image('one') }}") == {
        "one": 2,
        "two": 3,
    }
    assert calls_in("url(image.png) myimage('x') {{ image(x) }}") == {}


@pytest.mark.parametrize(
    "source",
    ["\n".join(f'image("a{number}")' for number in range(31_000)), 'image("a")' * 49_000],
)
def test_half_a_megabyte_of_calls_is_read_in_no_time(source) -> None:
    # Whoever opens the library has every draft looked through.
    started = time.process_time()
    calls_in(source)
    assert time.process_time() - started < 0.5


def test_problems_of_many_pictures_are_placed_in_no_time() -> None:
    an_image("pizza")
    shown = '<img src="{{ image("pizza") }}">\n' * 600
    source = ' image("a")' * 30_000 + f"\n{shown}{UNSUBSCRIBE}"
    started = time.process_time()
    found = check_content(subject="Hello", email_content=source, sms_content="", has_qr_code=False)
    assert time.process_time() - started < 3
    assert ("image_without_alt", 2) in [(problem.code, problem.line) for problem in found]


# --- what leaves ----------------------------------------------------------------------------------


class Received:
    """An email as a mail program reads it."""

    def __init__(self, rendered: RenderedEmail) -> None:
        raw = build_message(outgoing(rendered)).message().as_bytes()
        self.message = email.message_from_bytes(raw, policy=email.policy.default)
        self.html = self.message.get_body(("html",)).get_content()
        self.text = self.message.get_body(("plain",)).get_content()
        self.parts = {
            part["Content-ID"].strip("<>"): part
            for part in self.message.walk()
            if part["Content-ID"] is not None
        }

    def sources(self) -> list[str]:
        """What SOURCE shows, in the order in which it is written."""
        patterns = (
            r'src="([^"]*)"[^>]*alt="A pizza"',
            r'background="([^"]*)"',
            r"url\(['\"]?([^'\")]*)",
            r'src="([^"]*)"[^>]*alt="Code"',
        )
        html = unescape(self.html)
        return [re.search(pattern, html)[1] for pattern in patterns]

    def bytes_at(self, source: str, library: dict[str, Image]) -> bytes:
        if source.startswith("cid:"):
            return self.parts[source.removeprefix("cid:")].get_content()
        if source.startswith("data:"):
            return base64.b64decode(source.partition(",")[2], validate=True)
        for image in library.values():
            if source == f"https://coupons.example.com{image.content.path}":
                return bytes(image.content.data)
        raise AssertionError(f"nothing is at {source}")


@pytest.mark.parametrize("qr_strategy", STRATEGIES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_picture_arrives_under_every_pair_of_strategies(
    settings, library, strategy, qr_strategy
) -> None:
    settings.IMAGE_STRATEGY, settings.QR_IMAGE_STRATEGY = strategy, qr_strategy
    context = sample_context()
    received = Received(render(SOURCE, context))
    prefix = {"inline": "data:image/", "cid": "cid:", "hosted": "https://coupons.example.com/"}
    pizza, paper, background, code = received.sources()

    for source, name in ((pizza, "pizza"), (paper, "paper"), (background, "paper")):
        assert source.startswith(prefix[strategy])
        assert received.bytes_at(source, library) == bytes(library[name].content.data)
    assert code.startswith(prefix[qr_strategy])
    if qr_strategy == "hosted":
        assert code == context["qr_code_url"]
    else:
        picture = Pillow.open(io.BytesIO(received.bytes_at(code, library)))
        (read,) = zxingcpp.read_barcodes(picture)
        assert read.text == redeem_url(SAMPLE_TOKEN)

    # Nothing is attached that nothing refers to, and nothing twice.
    cids = set(re.findall(r"cid:([^\"'\s)&]+)", received.html))
    assert cids == received.parts.keys()
    assert len(received.parts) == 2 * (strategy == "cid") + (qr_strategy == "cid")
    for content_id, part in received.parts.items():
        assert part.get_content_disposition() == "inline"
        kind = "image/jpeg" if content_id in pizza else "image/png"
        assert part.get_content_type() == kind
        assert part.get_filename() == f"{content_id.split('@')[0]}.{kind.split('/')[1]}"
    # A link is no picture: it leads to the address whatever the strategy.
    link = f'href="https://coupons.example.com{library["pizza"].content.path}"'
    assert link in received.html
    assert library["unseen"].content.digest[:16] not in received.message.as_string()
    types = [part.get_content_type() for part in received.message.walk()]
    if received.parts:
        assert types[:4] == [
            "multipart/related",
            "multipart/alternative",
            "text/plain",
            "text/html",
        ]
    else:
        assert types == ["multipart/alternative", "text/plain", "text/html"]
    assert received.text.startswith("Hello")
    assert "data:" not in received.text
    assert "cid:" not in received.text


def test_production_leaves_uploaded_pictures_at_their_address(settings, library) -> None:
    """The default outside DEBUG, which these tests run under: no bytes are read to send one."""
    with CaptureQueriesContext(connection) as queries:
        rendered = render(SOURCE)
    assert not [query for query in queries if '"data"' in query["sql"]]
    assert [image.is_qr_code for image in rendered.images] == [True]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_messages_of_one_campaign_need_no_query_each(settings, library, strategy) -> None:
    settings.IMAGE_STRATEGY = strategy
    compiled = compile_campaign(subject="Hello", email_content=SOURCE, sms_content="")
    pictures = library_pictures(compiled.image_names)
    with CaptureQueriesContext(connection) as queries:
        for _ in range(5):
            compiled.render_email(sample_context(), pictures=pictures)
    assert len(queries) == 0


def test_bytes_are_read_once_in_a_process(settings, library) -> None:
    settings.IMAGE_STRATEGY = "cid"
    _part_of.cache_clear()
    with CaptureQueriesContext(connection) as first:
        library_pictures({"pizza", "paper"})
    with CaptureQueriesContext(connection) as again:
        library_pictures({"pizza", "paper"})
    assert (len(first), len(again)) == (3, 1)


@pytest.mark.parametrize("strategy", ["inline", "cid"])
def test_what_does_not_fit_into_a_message_stays_at_its_address(
    settings, library, monkeypatch, strategy
) -> None:
    settings.IMAGE_STRATEGY = strategy
    size = library["pizza"].content.size
    monkeypatch.setattr(images, "MAX_CARRIED", 2 * size + 1)
    source = '<img src="{{ image("pizza") }}" alt="x">' * 5
    rendered = render(source)
    address = f'src="https://coupons.example.com{library["pizza"].content.path}"'
    assert rendered.html.count(address) == (3 if strategy == "inline" else 0)
    assert len(rendered.images) == (strategy == "cid")


def test_an_address_in_the_words_of_a_message_stays_an_address(settings, library) -> None:
    settings.IMAGE_STRATEGY = "cid"
    rendered = render("<p>See {{ image('pizza') }}</p>")
    assert library["pizza"].content.path in rendered.html
    assert rendered.images == ()


# --- checks ---------------------------------------------------------------------------------------


def problems_of(source: str) -> list[tuple]:
    problems = check_content(
        subject="Hello", email_content=source + UNSUBSCRIBE, sms_content="", has_qr_code=False
    )
    found = [(problem.code, problem.line, problem.blocking) for problem in problems]
    return [each for each in found if each[0] != "preheader_missing"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_good_picture_is_no_problem(settings, library, strategy) -> None:
    settings.IMAGE_STRATEGY = strategy
    assert problems_of('<img src="{{ image("paper") }}" alt="Paper">') == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_picture_without_words_is_a_remark_with_its_line(settings, library, strategy) -> None:
    settings.IMAGE_STRATEGY = strategy
    line = an_image("line", is_decoration=True)
    assert line.alt == ""
    source = (
        '<p>x</p>\n<img src="{{ image("paper") }}">\n<img src="{{ image("pizza") }}" alt="">\n'
        '<img src="{{ image("line") }}" alt="">'
    )
    assert [found for found in problems_of(source) if found[0].startswith("image_")] == [
        ("image_without_alt", 2, False),
        ("image_alt_empty", 3, False),
    ]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_code_without_words_is_a_remark_with_its_line(settings, strategy) -> None:
    settings.QR_IMAGE_STRATEGY = strategy
    source = '\n<img src="data:image/png;base64,{{ qr_code_base64 }}">' + UNSUBSCRIBE
    problems = check_content(subject="x", email_content=source, sms_content="", has_qr_code=True)
    found = [(problem.code, problem.line) for problem in problems]
    assert found == [("image_without_alt", 2), ("preheader_missing", None)]


def test_an_unknown_picture_blocks(library) -> None:
    assert problems_of("<p>\n{{ image('piza') }}</p>") == [("unknown_image", 2, True)]


def test_heavy_pictures_are_a_remark_where_they_travel_with_the_message(settings) -> None:
    for number in range(3):
        # Noise in four channels cannot be made small.
        channels = [Pillow.effect_noise((300, 300), 100) for _ in range(4)]
        file = io.BytesIO()
        Pillow.merge("RGBA", channels).save(file, "PNG")
        an_image(f"noise-{number}", file=file.getvalue())
    source = "".join(f'<img src="{{{{ image("noise-{n}") }}}}" alt="x">' for n in range(3))
    expected = {
        "hosted": [],
        "cid": [("email_heavy", None, False)],
        "inline": [("html_clipped", None, False), ("email_heavy", None, False)],
    }
    for strategy, problems in expected.items():
        settings.IMAGE_STRATEGY = strategy
        assert problems_of(source) == problems


def test_pictures_on_this_machine_are_a_remark(settings, library) -> None:
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:8000"
    source = '<img src="{{ image("paper") }}" alt="Paper">'
    assert problems_of(source) == [("images_not_public", None, False)]
    settings.IMAGE_STRATEGY = "cid"
    assert problems_of(source) == []


def test_checking_reads_no_bytes(settings, library) -> None:
    settings.IMAGE_STRATEGY = "cid"
    _part_of.cache_clear()
    with CaptureQueriesContext(connection) as queries:
        problems_of(SOURCE)
        hosted_pictures({"pizza"})
    assert not [query for query in queries if '"data"' in query["sql"]]
