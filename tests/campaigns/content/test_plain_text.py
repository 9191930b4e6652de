import pytest

from campaigns.content.placeholders import sample_context
from campaigns.content.rendering import compile_campaign


def text_of(source: str, **attributes) -> str:
    context = sample_context()
    context["customer"]["attributes"] = attributes
    compiled = compile_campaign(subject="", email_content=source, sms_content="")
    return compiled.render_email(context).text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<div><div>\n<p>one</p>\n</div></div>\n\n<p>two", "one\n\ntwo"),
        ("one<br>two<br><br>three<br><br><br>four", "one\ntwo\n\nthree\n\nfour"),
        ("<p>one   \n two\t three&nbsp;&nbsp;four</p>", "one two three four"),
        ("<p>Fish &amp; chips &lt;b&gt; &#8364;5 &eacute;</p>", "Fish & chips <b> €5 é"),
        ("<h1>Title</h1>text", "Title\n\ntext"),
        ("<ul><li>one</li><li>two<li>three</ul>", "- one\n- two\n- three"),
        ("<p>a</p><hr><p>b</p>", "a\n\n----\n\nb"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("x <b>bold</b><i>er</i>", "x bolder"),
        (
            "<a href='https://x.example/?a=1&amp;b=2'>Our menu</a>",
            "Our menu (https://x.example/?a=1&b=2)",
        ),
        ("<a href='https://x.example/'>https://x.example/</a>", "https://x.example/"),
        ("<a href='mailto:a@x.example'>Write to us</a>", "Write to us"),
        ("<a href='#top'>Top</a><a>nothing</a>", "Topnothing"),
        (
            "<a href='https://x.example/'><img src='https://x.example/i.png' alt='Menu'></a>",
            "Menu (https://x.example/)",
        ),
        ("<img src='https://x.example/i.png' alt=''>x", "x"),
        ("<div style='color:red; Display : none'>preheader <p>x</p></div>y", "y"),
        ("<style>.h { display: none }</style><div class='h'>a<br>b</div>c", "c"),
        ("<p hidden>a</p>b", "b"),
        ("<head><title>t</title></head><!-- c --><!--[if mso]>m<![endif]-->b", "b"),
        ("<!--[if !mso]><!-->a<!--<![endif]-->b", "ab"),
    ],
)
def test_it_says_what_the_html_shows(source, text):
    assert text_of(source) == text


def test_links_with_placeholders_carry_their_address():
    source = '<a href="{{ customer.attributes.u }}">Show my coupon</a>'
    assert text_of(source, u="https://x.example/a b") == "Show my coupon (https://x.example/a b)"
    assert text_of(source) == "Show my coupon"


def test_a_link_that_shows_its_address_shows_it_once():
    source = '<a href="{{ customer.attributes.u }}">{{ customer.attributes.v }}</a>'
    assert text_of(source, u="https://x.example", v="https://x.example") == "https://x.example"
    assert text_of(source, u="https://x.example", v="there") == "there (https://x.example)"


def test_an_empty_value_leaves_no_hole():
    source = (
        "<p>Hello {{ customer.attributes.n }} you</p><p>{{ customer.attributes.n }}</p><p>end</p>"
    )
    assert text_of(source) == "Hello you\n\nend"
    assert text_of(source, n="dear") == "Hello dear you\n\ndear\n\nend"


def test_a_qr_code_never_lies_in_the_text():
    context = sample_context()
    source = (
        '<img alt="Code {{ short_code }}" src="data:image/png;base64,{{ qr_code_base64 }}">'
        '<a href="data:image/png;base64,{{ qr_code_base64 }}">picture</a>'
    )
    compiled = compile_campaign(subject="", email_content=source, sms_content="")
    text = compiled.render_email(context).text
    assert text == f"Code {context['short_code']}picture"
