import base64

import pytest

from campaigns.content.checks import check_content

IMAGE = '<img alt="code" src="data:image/png;base64,{{ qr_code_base64 }}">'
UNSUBSCRIBE = '<a href="{{ unsubscribe_url }}">Unsubscribe</a>'
GOOD = {
    "subject": "20% off",
    "email_content": f"{{% if qr_code_base64 %}}{IMAGE}{{% endif %}}{UNSUBSCRIBE}",
    "sms_content": "20% off: {{ coupon_url }}",
    "has_qr_code": True,
}


# Remarks on how it is written: tests/campaigns/content/test_advice.py.
ADVICE = {"preheader_missing", "sms_no_stop"}


def problems_of(**changes):
    found = check_content(**{**GOOD, **changes})
    return [problem for problem in found if problem.code not in ADVICE]


def codes_of(**changes):
    return [(problem.code, problem.field, problem.blocking) for problem in problems_of(**changes)]


def test_a_good_campaign_has_no_problem():
    assert codes_of() == []
    assert codes_of(has_qr_code=False, sms_content="20% off") == []
    assert codes_of(sms_content="") == []
    assert codes_of(subject="", email_content="") == []


def test_a_campaign_must_say_something():
    assert codes_of(subject="", email_content=" \n", sms_content="") == [
        ("no_content", "email_content", True)
    ]


def test_an_email_needs_a_subject():
    assert codes_of(subject=" ") == [("no_subject", "subject", True)]
    (problem,) = problems_of(subject="{{ customer.first_name }}")
    assert problem.code == "no_subject"
    assert "little is known" in problem.message


def test_an_email_needs_an_unsubscribe_link():
    blocking = ("no_unsubscribe_link", "email_content", True)
    assert codes_of(email_content=IMAGE) == [blocking]
    assert codes_of(email_content=IMAGE + "{{ unsubscribe_url }}") == [blocking]
    hidden = f"{IMAGE}{{% if customer.attributes.points %}}{UNSUBSCRIBE}{{% endif %}}"
    assert codes_of(email_content=hidden) == [blocking]
    assert (
        codes_of(email_content=IMAGE + UNSUBSCRIBE.replace("unsubscribe_url", "preferences_url"))
        == []
    )


def test_template_errors_come_with_their_line_and_all_at_once():
    problems = problems_of(
        subject="{{ nobody }}",
        email_content="<p>\n{{ range(9) }}</p>\n{{ custmer.first_name }}",
        sms_content="one\n{% if %}",
    )
    assert [(problem.code, problem.field, problem.line) for problem in problems] == [
        ("unknown_placeholder", "subject", 1),
        ("template_refused", "email_content", 2),
        ("unknown_placeholder", "email_content", 3),
        ("template_syntax", "sms_content", 2),
    ]
    assert all(problem.blocking for problem in problems)


def test_what_fails_for_an_empty_customer_is_found():
    source = UNSUBSCRIBE + IMAGE + "\n{{ 5 / customer.segments|length }}"
    (problem,) = problems_of(email_content=source)
    assert (problem.code, problem.field, problem.line) == ("render_failed", "email_content", 2)


@pytest.mark.parametrize("name", ["qr_code_url", "coupon_url", "short_code"])
def test_any_face_of_the_code_will_do(name):
    assert codes_of(email_content=UNSUBSCRIBE + "{{ " + name + " }}", sms_content="") == []
    assert codes_of(email_content="", subject="", sms_content="{{ " + name + " }}") == []


@pytest.mark.parametrize("strategy", ["inline", "cid", "hosted"])
def test_the_code_is_found_under_every_strategy(settings, strategy):
    settings.QR_IMAGE_STRATEGY = strategy
    assert codes_of() == []


def test_a_code_that_no_message_shows_blocks():
    code = ("no_qr_placeholder", "email_content", True)
    assert codes_of(email_content=UNSUBSCRIBE, sms_content="") == [code]
    assert codes_of(email_content=UNSUBSCRIBE, sms_content="20% off") == [
        code,
        ("no_qr_placeholder", "sms_content", True),
    ]


def test_a_code_that_one_message_shows_is_a_remark_on_the_other():
    assert codes_of(sms_content="20% off") == [("no_qr_placeholder", "sms_content", False)]
    assert codes_of(email_content=UNSUBSCRIBE) == [("no_qr_placeholder", "email_content", False)]


@pytest.mark.parametrize(
    "address",
    [
        "logo.png",
        "/static/logo.png",
        "//shop.example/logo.png",
        "file:///C:/logo.png",
        "http://localhost:8000/logo.png",
        "http://127.0.0.1/logo.png",
        "http://[::1]/logo.png",
        "https://192.168.0.7/logo.png",
        "https://printer.local/logo.png",
        "https://intranet/logo.png",
        "http://[bad/logo.png",
        "C:\\logo.png",
    ],
)
def test_pictures_that_nobody_outside_can_load_block(address):
    (problem,) = problems_of(
        email_content=f'{GOOD["email_content"]}\n\n<img alt="" src="{address}">'
    )
    assert (problem.code, problem.field, problem.line) == ("image_unreachable", "email_content", 3)
    assert problem.blocking
    assert address in problem.message


@pytest.mark.parametrize(
    "address",
    ["https://cdn.shop.example/logo.png", "http://93.184.216.34/x.png", "{{ qr_code_url }}"],
)
def test_pictures_on_the_internet_are_fine(address):
    assert codes_of(email_content=f'{GOOD["email_content"]}<img alt="" src="{address}">') == []


def test_our_own_address_on_this_machine_is_a_remark_where_pictures_are_left_there(settings):
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:8000"
    assert codes_of() == []
    settings.QR_IMAGE_STRATEGY = "hosted"
    assert codes_of() == [("images_not_public", "email_content", False)]


def test_backgrounds_are_pictures_too():
    for tag in (
        '<table background="x.png"></table>',
        "<p style=\"background: url('x.png')\">x</p>",
    ):
        assert codes_of(email_content=GOOD["email_content"] + tag) == [
            ("image_unreachable", "email_content", True)
        ]


def test_a_picture_without_alt_text_is_a_remark():
    source = GOOD["email_content"].replace(' alt="code"', "")
    assert codes_of(email_content=source) == [("image_without_alt", "email_content", False)]


def test_a_code_that_is_switched_off_must_leave_no_hole():
    found = codes_of(has_qr_code=False, email_content=IMAGE + UNSUBSCRIBE, sms_content="")
    assert found == [("image_empty", "email_content", True)]
    link = '<a href="{{ coupon_url }}">Coupon</a>'
    found = codes_of(has_qr_code=False, email_content=link + UNSUBSCRIBE, sms_content="")
    assert found == [("link_unreachable", "email_content", True)]


def test_links_without_an_address_block():
    (problem,) = problems_of(email_content=GOOD["email_content"] + '\n<a href="menu">Menu</a>')
    assert (problem.code, problem.line, problem.blocking) == ("link_unreachable", 2, True)
    for address in ("https://x.example", "#top", "mailto:a@x.example", "tel:+4930123456"):
        assert codes_of(email_content=f'{GOOD["email_content"]}<a href="{address}">x</a>') == []


@pytest.mark.parametrize(
    "address",
    ["", "http://", "https:///menu", "http://localhost:8000/menu", "https://intranet", "tel:"],
)
def test_links_that_go_nowhere_block(address):
    source = f'{GOOD["email_content"]}\n<a href="{address}">x</a>'
    (problem,) = problems_of(email_content=source)
    assert (problem.code, problem.blocking) == ("link_unreachable", True)


@pytest.mark.parametrize(
    "address",
    ["#", "https://example.com", "http://www.example.org/menu", "https://YourDomain.com/"],
)
def test_links_that_a_template_left_blank_are_a_remark(address):
    source = f'{GOOD["email_content"]}\n<a href="{address}">x</a>'
    (problem,) = problems_of(email_content=source)
    assert (problem.code, problem.line, problem.blocking) == ("link_placeholder", 2, False)


def test_our_own_address_is_no_placeholder(settings):
    # As it is in a demo.
    for address in ("https://coupons.example.com", "http://example.com", "http://127.0.0.1:8000"):
        settings.PUBLIC_BASE_URL = address
        source = f'{GOOD["email_content"]}<a href="{address}/menu">x</a><a href="{address}">x</a>'
        assert codes_of(email_content=source) == []
        assert codes_of(email_content=GOOD["email_content"] + "<a name='top'></a>") == []


def test_the_size_is_that_of_what_is_sent(settings):
    """A picture inside the HTML counts, one that travels beside it does not."""
    picture = base64.b64encode(b"\x89PNG\r\n" + bytes(90_000)).decode()
    source = f'{GOOD["email_content"]}<img alt="" src="data:image/png;base64,{picture}">'
    settings.IMAGE_STRATEGY = "inline"
    assert codes_of(email_content=source) == [("html_clipped", "email_content", False)]
    settings.IMAGE_STRATEGY = "cid"
    assert codes_of(email_content=source) == []


def test_what_gmail_clips_is_a_remark():
    assert codes_of(email_content=GOOD["email_content"] + "ä" * 51_000) == []
    found = codes_of(email_content=GOOD["email_content"] + "ä" * 52_300)
    assert found == [("html_clipped", "email_content", False)]


def test_a_text_message_has_a_length():
    assert codes_of(sms_content="{{ coupon_url }}" + "x" * 400) == []
    assert codes_of(sms_content="{{ coupon_url }}" + "x" * 450) == [
        ("sms_long", "sms_content", False)
    ]
    (problem,) = problems_of(sms_content="{{ coupon_url }}" + "x" * 1_600)
    assert (problem.code, problem.field, problem.blocking) == (
        "output_too_large",
        "sms_content",
        True,
    )
    assert ("sms_empty", "sms_content", True) in codes_of(sms_content="{{ customer.first_name }}")


def test_characters_that_make_a_text_message_dear_are_named():
    (problem,) = problems_of(sms_content="Pizza – “now” 🍕 {{ coupon_url }}")
    assert (problem.code, problem.blocking) == ("sms_unicode", False)
    assert "– “ ” 🍕" in problem.message


def test_every_problem_is_told_once():
    problems = problems_of(email_content="<p>x</p>", sms_content="")
    assert len(problems) == len(set(problems)) == 2
