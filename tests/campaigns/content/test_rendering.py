import html as html_module
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from campaigns.content import rendering
from campaigns.content.errors import ContentError
from campaigns.content.placeholders import sample_context
from campaigns.content.rendering import MAX_LAYOUTS, CompiledMessages, compile_campaign
from campaigns.content.slots import without_controls
from campaigns.models import Campaign
from config.errors import DomainError

REPEATED = "{% for x in customer.attributes.l %}<b>{{ x }}</b>{% endfor %}<p>.</p>"


def compiled_email(source: str, subject: str = "Hello") -> CompiledMessages:
    return compile_campaign(subject=subject, email_content=source, sms_content="")


def render_email(source: str, subject: str = "Hello", **attributes):
    context = sample_context()
    context["customer"]["attributes"] = attributes
    return compiled_email(source, subject).render_email(context)


def body_of(html: str) -> str:
    return html.partition("<body>")[2].partition("</body>")[0]


def test_it_renders_all_three():
    compiled = compile_campaign(
        subject="{{ customer.first_name }}: 20% off",
        email_content="<p>Hello {{ customer.first_name }}</p>",
        sms_content="Hi {{ customer.first_name }}, {{ coupon_url }}",
    )
    context = sample_context()
    email = compiled.render_email(context)
    assert email.subject == "Ada: 20% off"
    assert body_of(email.html) == "<p>Hello Ada</p>"
    assert email.text == "Hello Ada"
    assert email.images == ()
    assert compiled.render_sms(context) == f"Hi Ada, {context['coupon_url']}"


def test_html_is_escaped_and_plain_text_is_not():
    context = sample_context()
    context["customer"]["first_name"] = '<b>O\'Neil & "Co"</b>'
    compiled = compile_campaign(
        subject="{{ customer.first_name }}",
        email_content='<p title="{{ customer.first_name }}">{{ customer.first_name }}</p>',
        sms_content="{{ customer.first_name }}",
    )
    email = compiled.render_email(context)
    assert "<b>" not in email.html.replace("&lt;b&gt;", "")
    assert email.html.count("&lt;b&gt;O&#39;Neil &amp; &#34;Co&#34;&lt;/b&gt;") == 2
    assert email.subject == email.text == compiled.render_sms(context)
    assert email.subject == '<b>O\'Neil & "Co"</b>'


def test_control_characters_are_dropped_everywhere():
    hidden = "a\x00b\x08\x1d\x1e\x7f\ufdd0" + "7\ufdd1c"
    assert render_sms(f"{hidden} {{{{ customer.first_name }}}}") == "ab7c Ada"
    email = render_email(f"<p>{hidden} {{{{ customer.attributes.x }}}}</p>", x=hidden)
    assert (body_of(email.html), email.text) == ("<p>ab7c ab7c</p>", "ab7c ab7c")


def test_a_subject_is_one_line():
    context = sample_context()
    context["customer"]["first_name"] = "Ada\r\nBcc: everyone@example.com"
    email = compiled_email("<p>x</p>", "\n {{ customer.first_name }}\n!").render_email(context)
    assert email.subject == "Ada Bcc: everyone@example.com !"


def test_the_subject_is_at_hand_filled_in():
    compiled = compile_campaign(
        subject="For {{ customer.first_name }}",
        email_content="<title>{{ campaign.subject }}</title><p>{{ campaign.name }}</p>",
        sms_content="{{ campaign.subject }}",
    )
    context = sample_context()
    assert "<title>For Ada</title>" in compiled.render_email(context).html
    assert compiled.render_sms(context) == "For Ada"
    assert context["campaign"]["subject"] == "20% off every pizza"


def test_a_text_message_is_composed_and_trimmed():
    assert render_sms("  Cafe\u0301 {{ customer.first_name }}\n") == "Café Ada"


def render_sms(source: str) -> str:
    compiled = compile_campaign(subject="", email_content="", sms_content=source)
    return compiled.render_sms(sample_context())


def test_styles_are_inlined_and_the_rest_of_them_stays():
    email = render_email(
        "<head><style>.a { color: red } .a:hover { color: blue } "
        "@media (prefers-color-scheme: dark) { .a { color: white !important } }</style></head>"
        "<p class='a'>x</p>"
    )
    assert '<p class="a" style="color: red;">x</p>' in email.html
    assert "prefers-color-scheme" in email.html
    assert ".a:hover" in email.html


def test_styles_are_never_loaded_from_anywhere(tmp_path):
    sheet = tmp_path / "x.css"
    sheet.write_text("p { color: red }")
    email = render_email(f'<link rel="stylesheet" href="file://{sheet}"><p>x</p>')
    assert "red" not in email.html


def test_rows_of_a_loop_stay_in_their_table():
    email = render_email(
        "<style>td { color: red }</style><table>{% for x in customer.attributes.rows %}"
        "<tr><td>{{ x }}</td></tr>{% endfor %}</table>",
        rows=["a", "b"],
    )
    assert email.html.count('<tr><td style="color: red;">') == 2
    assert email.text == "a\nb"


def test_percent_signs_and_braces_of_the_author_survive():
    source = '<p style="width: 50%">100%s {0} %(x)s {{ customer.attributes.p }}</p>'
    email = render_email(source, p="%d%s")
    assert body_of(email.html) == '<p style="width: 50%">100%s {0} %(x)s %d%s</p>'
    assert email.text == "100%s {0} %(x)s %d%s"


def test_each_shape_gets_its_own_text():
    compiled = compiled_email(
        "{% if customer.attributes.a %}<p>A {{ customer.attributes.a }}</p>{% endif %}"
        "{% for x in customer.attributes.l %}<p>{{ x }}</p>{% endfor %}<p>end</p>"
    )
    context = sample_context()
    shapes = [
        ({}, "end"),
        ({"a": 1, "l": [2, 3]}, "A 1\n\n2\n\n3\n\nend"),
        ({"l": [4]}, "4\n\nend"),
    ]
    for _ in range(2):
        for attributes, text in shapes:
            context["customer"]["attributes"] = attributes
            assert compiled.render_email(context).text == text


def test_shapes_do_not_pile_up():
    compiled = compiled_email(REPEATED)
    context = sample_context()
    for count in range(99):
        context["customer"]["attributes"] = {"l": list(range(count))}
        email = compiled.render_email(context)
        assert email.html.count("<b>") == count
        assert len(compiled._layouts) <= MAX_LAYOUTS
    long = compiled_email(REPEATED + "x" * 400_000)
    for count in range(30):
        context["customer"]["attributes"] = {"l": [1] * count}
        assert long.render_email(context).html.count("<b>") == count
        assert len(long._layouts) <= 12


def test_values_are_told_from_the_authors_text_by_their_type():
    """What the layouts rest on: Jinja yields constants as text and values as Markup."""
    source = "a{{ 'b' }}{{ customer.first_name }}{{ 7 }}{{ customer.segment_list }}c"
    pieces = list(compiled_email(source)._email.pieces(sample_context()))
    assert "".join(pieces) == "abAda7regulars, vipc"
    assert [piece for piece in pieces if isinstance(piece, Markup)] == ["Ada", "regulars, vip"]


@settings(deadline=None, max_examples=200)
@given(
    first=st.text(max_size=30).map(lambda text: "".join(text.split())),  # part of an address
    second=st.text(max_size=30),
    third=st.text(max_size=30),
    linked=st.booleans(),
)
def test_filling_in_a_layout_is_writing_the_values_into_the_source(first, second, third, linked):
    """The same document with the values in it from the start, inlined and serialised, is equal."""
    link = '<a href="https://x.example/{first}">{second}</a>'
    source = '<style>p {{ color: red }}</style><p>1 {first} 2{link}</p><img alt="{third}" src="">'
    values = {"first": first, "second": second, "third": third}
    names = {name: f"{{{{ customer.attributes.{name} }}}}" for name in values}
    condition = "{% if customer.attributes.linked %}" + link.format(**names) + "{% endif %}"
    template = source.format(**names, link=condition)
    email = render_email(template, **values, linked=linked)

    # Braces are a template's own; a carriage return in a template is a line's end.
    escaped = {
        name: str(Markup.escape(without_controls(value)))
        .replace("{", "&#123;")
        .replace("\r", "&#13;")
        for name, value in values.items()
    }
    direct = source.format(**escaped, link=link.format(**escaped) if linked else "")
    expected = render_email(direct)
    assert normal_form(email.html) == normal_form(expected.html)
    assert email.text == expected.text


def normal_form(html: str) -> str:
    return rendering.Layout(html, 0).fill_in([])[0]


def test_it_can_be_used_from_several_threads():
    compiled = compiled_email(REPEATED)
    failures = []

    def work(number: int) -> None:
        for count in range(150):
            context = sample_context()
            context["customer"]["attributes"] = {"l": [f"{number}-{count}"] * (count % 90)}
            if compiled.render_email(context).html.count(f"{number}-{count}") != count % 90:
                failures.append((number, count))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_compiling_again_is_free():
    assert compiled_email("<p>x</p>") is compiled_email("<p>x</p>")


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"subject": "{{"}, "template_syntax", "subject"),
        ({"subject": "x" * 1_001}, "template_too_large", "subject"),
        ({"email_content": "{{ nobody }}"}, "unknown_placeholder", "email_content"),
        ({"sms_content": "{{ range(9) }}"}, "template_refused", "sms_content"),
        ({"sms_content": "x" * 10_001}, "template_too_large", "sms_content"),
    ],
)
def test_compiling_names_the_field_that_is_wrong(fields, code, field):
    with pytest.raises(DomainError) as caught:
        compile_campaign(**{"subject": "", "email_content": "", "sms_content": "", **fields})
    assert (caught.value.code, caught.value.field) == (code, field)


def test_output_is_bounded():
    context = sample_context()
    context["customer"]["attributes"] = {"x": "y" * 2_000}
    sms = compile_campaign(subject="", email_content="", sms_content="{{ customer.attributes.x }}")
    with pytest.raises(ContentError) as caught:
        sms.render_sms(context)
    assert (caught.value.code, caught.value.field) == ("output_too_large", "sms_content")
    assert "1,600" in caught.value.message
    assert render_sms("x" * 1_600) == "x" * 1_600
    with pytest.raises(ContentError) as caught:
        render_email("x" * 499_900 + "{{ customer.attributes.x }}", x="y" * 200)
    assert caught.value.code == "output_too_large"


@pytest.mark.parametrize(
    ("source", "line", "part"),
    [
        ("<p>\n<script>alert(1)</script>", 2, "do not show <script>"),
        ('<p>\n\n<td class="a-{{ customer.language }}">', 3, "part of class"),
        ("<p>\n<style>p { color: {{ customer.language }} }</style>", 2, "inside <style>"),
        ("<p>\n<p {{ customer.language }}>", 2, "only be an attribute’s value"),
        ("<p>\n<{{ customer.language }}>", None, None),
    ],
)
def test_a_place_that_is_no_place_for_a_value_is_named(source, line, part):
    if part is None:
        assert "&lt;en&gt;" in render_email(source).html
        return
    with pytest.raises(ContentError) as caught:
        compiled_email(source)
    assert (caught.value.code, caught.value.line) == ("template_refused", line)
    assert part in caught.value.message


def test_what_only_shows_when_filled_in_is_found_in_the_source():
    source = (
        '<p>x</p>\n{% for x in customer.attributes.l %}\n<div class="box"><div><div>{% endfor %}'
    )
    with pytest.raises(ContentError) as caught:
        render_email(source, l=[1] * 99)
    assert (caught.value.code, caught.value.line) == ("template_refused", 3)


def test_a_value_that_the_browser_would_drop_is_refused():
    with pytest.raises(ContentError) as caught:
        render_email('<p title="{{ customer.language }}" title="{{ customer.email }}">x</p>')
    assert caught.value.code == "template_refused"
    assert "where HTML allows no text" in caught.value.message


def test_model_objects_cannot_get_out():
    """Were one to enter the context after all, a template would still see nothing of it."""
    context = sample_context()
    context["customer"]["attributes"] = {
        "o": Campaign(name="secret"),
        "s": SimpleNamespace(a="secret"),
    }
    compiled = compile_campaign(
        subject="",
        email_content="",
        sms_content="{{ customer.attributes.o.name }}{{ customer.attributes.s.a }}!",
    )
    assert compiled.render_sms(context) == "!"


def test_it_tells_which_placeholders_each_channel_needs():
    compiled = compile_campaign(
        subject="{{ customer.first_name }}",
        email_content="{{ customer.email }}{{ qr_code_base64 }}",
        sms_content="{{ coupon_url }}",
    )
    assert compiled.placeholders_of("email") == {
        "customer.first_name",
        "customer.email",
        "qr_code_base64",
        "qr_code_url",
    }
    assert compiled.placeholders_of("sms") == {"coupon_url"}
    echo = compile_campaign(
        subject="{{ customer.first_name }}", email_content="", sms_content="{{ campaign.subject }}"
    )
    assert echo.placeholders_of("sms") == {"customer.first_name", "campaign.subject"}


def test_unescaping_is_the_inverse_of_escaping():
    value = "a & b < c > d \" e ' f &amp; g"
    assert html_module.unescape(str(Markup.escape(value))) == value
