import pytest

from campaigns.content import sandbox
from campaigns.content.errors import ContentError
from campaigns.content.placeholders import sample_context
from campaigns.content.rendering import compile_campaign
from campaigns.content.sandbox import FILTERS, TESTS, Sandbox
from campaigns.content.templates import examine_template


def errors_in(source: str, field: str = "email_content") -> list[ContentError]:
    return examine_template(source, field=field).errors


def render(source: str, **attributes) -> str:
    context = sample_context()
    context["customer"]["attributes"] = attributes
    compiled = compile_campaign(subject="", email_content="", sms_content=source)
    return compiled.render_sms(context)


def test_it_names_what_is_refused_and_its_line():
    (error,) = errors_in("<p>one</p>\n<p>two</p>\n{% include 'x' %}")
    assert (error.code, error.field, error.line) == ("template_refused", "email_content", 3)
    assert error.message.startswith("Email, line 3: {% include %} cannot be used.")


def test_it_finds_every_error_at_once():
    errors = errors_in("{{ nobody }}\n{{ 'a'|center(9) }}\n{{ range(3) }}\n{{ customer.nme }}")
    assert [(error.code, error.line) for error in errors] == [
        ("unknown_placeholder", 1),
        ("template_refused", 2),
        ("template_refused", 3),
        ("unknown_placeholder", 4),
    ]


def test_a_broken_template_says_where():
    (error,) = errors_in("one\ntwo {% if %}")
    assert (error.code, error.line) == ("template_syntax", 2)
    (error,) = errors_in("{% if customer.first_name %}", field="sms_content")
    assert error.message.startswith("Text message, line 1: this cannot be read: ")


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("customer.firstname", "Did you mean customer.first_name?"),
        ("coupon_ulr", "Did you mean coupon_url?"),
        ("customer", "is a group"),
        ("customer.attributes", "such as customer.attributes.city"),
        ("zzzzzz", "Choose one of the list."),
        ("customer.first_name.upper", "there is no placeholder"),
    ],
)
def test_an_unknown_placeholder_gets_advice(written, advice):
    (error,) = errors_in("{{ " + written + " }}")
    assert error.code == "unknown_placeholder"
    assert advice in error.message


def test_the_subject_cannot_contain_itself():
    (error,) = errors_in("{{ campaign.subject }}", field="subject")
    assert error.code == "unknown_placeholder"
    assert not errors_in("{{ campaign.subject }}")


@pytest.mark.parametrize("name", ["safe", "e", "escape"])
def test_refused_filters_get_a_reason(name):
    (error,) = errors_in("{{ customer.first_name|" + name + " }}")
    assert "values are" in error.message


def test_it_lists_the_placeholders_that_are_used():
    examined = examine_template(
        "{{ customer.email|lower }}{% if customer.attributes.orders[0].x %}{{ coupon_url }}"
        "{% endif %}{% for tag in customer.segment_list %}{{ loop.index }}{{ tag }}{% endfor %}"
        "{{ customer.attributes.nickname|default(customer.last_name) }}",
        field="email_content",
    )
    assert not examined.errors
    assert examined.placeholders == {
        "customer.email",
        "customer.attributes.*",
        "coupon_url",
        "customer.segment_list",
        "customer.last_name",
    }


@pytest.mark.parametrize(
    ("source", "attributes", "expected"),
    [
        ("{{ customer.attributes.nope }}!", {}, "!"),
        ("{{ customer.attributes.nope.deeper[3].x|upper }}!", {}, "!"),
        ("{{ customer.attributes['a b'] }}", {"a b": "x"}, "x"),
        ("{{ customer.attributes.l[0] }}{{ customer.attributes.l[9] }}", {"l": ["x"]}, "x"),
        ("{{ customer.attributes.items }}!", {}, "!"),
        ("{{ customer.attributes.items }}", {"items": "cap"}, "cap"),
        ("{{ customer.attributes.d }}!", {"d": {"x": 1}}, "!"),
        ("{{ customer.attributes.l }}", {"l": ["x", 2, None]}, "x, 2,"),
        ("{{ customer.attributes.n|default('none') }}", {}, "none"),
        ("{{ customer.attributes.n|default('none') }}", {"n": ""}, "none"),
        ("{{ customer.attributes.n|default('none') }}", {"n": 0}, "0"),
        ("{{ customer.attributes.n|default(customer.first_name) }}", {}, "Ada"),
        ("{{ customer.attributes.n + 1 }}!", {}, "!"),
        ("{{ -customer.attributes.n }}!", {}, "!"),
        ("{{ customer.attributes.n * 2 - 1 }}", {"n": 4}, "7"),
        ("{{ (customer.attributes.n / 3)|round(2) }}", {"n": 10}, "3.33"),
        ("{{ customer.attributes.n|round }}", {"n": "2.6"}, "3"),
        ("{{ customer.attributes.n|int + 1 }}", {"n": "12,5"}, "13"),
        ("{{ customer.attributes.n|int }}", {"n": "many"}, "0"),
        ("{% if customer.attributes.n > 5 %}yes{% else %}no{% endif %}", {}, "no"),
        ("{% if customer.attributes.n < 5 %}yes{% else %}no{% endif %}", {}, "no"),
        ("{% if 5 > customer.attributes.n %}yes{% else %}no{% endif %}", {}, "no"),
        ("{{ 'yes' if customer.attributes.n is defined else 'no' }}", {}, "no"),
        ("{{ 'yes' if customer.attributes.n is ge 3 else 'no' }}", {"n": 3}, "yes"),
        ("{{ 'yes' if 'vip' in customer.segment_list else 'no' }}", {}, "yes"),
        ("{{ 'yes' if customer.language in ['de', 'en'] else 'no' }}", {}, "yes"),
        (
            "{% for x in customer.attributes.l %}{{ loop.index }}{{ x }}{% endfor %}",
            {"l": ["a", "b"]},
            "1a2b",
        ),
        ("{% for x in customer.attributes.l %}{{ x }}{% else %}none{% endfor %}", {}, "none"),
        ("{% for x in customer.attributes.l %}{{ x }}{% endfor %}!", {"l": "text"}, "!"),
        ("{% for x in customer.attributes.l if x > 1 %}{{ x }}{% endfor %}", {"l": [1, 2]}, "2"),
        (
            "{% for o in customer.attributes.l %}{% for p in o.p %}{{ p }}{% endfor %}{% endfor %}",
            {"l": [{"p": [1, 2]}, {"p": [3]}, {}]},
            "123",
        ),
        ("{{ customer.segment_list|join(' / ') }}", {}, "regulars / vip"),
        ("{{ customer.segment_list|first }}{{ customer.segment_list|last }}", {}, "regularsvip"),
        ("{{ customer.segment_list|length }}", {}, "2"),
        ("{{ customer.attributes.t|truncate(5) }}", {"t": "abcdefgh"}, "abcd…"),
        ("{{ customer.attributes.t|title }}", {"t": "o'neil mc"}, "O'neil Mc"),
        ("{{ customer.attributes.t|urlencode }}", {"t": "a b/ü&"}, "a%20b%2F%C3%BC%26"),
        ("{# a comment #}{% raw %}{{ x }}{% endraw %}", {}, "{{ x }}"),
    ],
)
def test_what_is_let_through_does_what_it_says(source, attributes, expected):
    assert not errors_in(source, field="sms_content")
    assert render(source, **attributes) == expected


@pytest.mark.parametrize(
    ("source", "attributes"),
    [
        ("one\n{{ customer.attributes.t * 3 }}", {"t": "secret"}),
        ("one\n{{ customer.attributes.n / 0 }}", {"n": 1}),
        ("one\n{% if customer.attributes.t > 3 %}x{% endif %}", {"t": "secret"}),
        ("one\n{{ 'x' if customer.attributes.t is odd }}", {"t": "secret"}),
    ],
)
def test_what_does_not_work_for_a_customer_says_where_and_not_whose(source, attributes):
    with pytest.raises(ContentError) as caught:
        render(source, **attributes)
    assert (caught.value.code, caught.value.line) == ("render_failed", 2)
    assert "secret" not in caught.value.message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_sandbox_offers_nothing_but_the_lists():
    environment = Sandbox(autoescape=True)
    assert not environment.globals
    assert set(environment.filters) == {*FILTERS, sandbox.OWN_LIST}
    assert set(environment.tests) == TESTS


@pytest.mark.parametrize("value", ["text", ["list"], 5, object(), sample_context, Sandbox])
def test_the_sandbox_resolves_no_attribute_of_an_object(value):
    environment = Sandbox(autoescape=True)
    names = [name for name in dir(value) if not name.startswith("_")] + ["__class__", "__init__"]
    for name in names:
        assert isinstance(environment.getattr(value, name), sandbox.Missing)
        assert isinstance(environment.getitem(value, name), sandbox.Missing)


def test_calling_is_refused_at_run_time_too():
    template = Sandbox(autoescape=True).from_string("{{ f() }}")
    with pytest.raises(sandbox.NotComputable):
        template.render(f=list)


def test_a_template_of_the_deepest_nesting_compiles():
    expression = "(" * 30 + "1" + " and 1)" * 30
    assert render("{{ " + expression + " }}") == "1"
    nested = "{% if customer.first_name %}" * 30 + "x" + "{% endif %}" * 30
    assert render(nested) == "x"
