"""Templates that would hurt, and a program that runs each in a process of its own.

``python -m tests.campaigns.content.hostile`` prints one JSON line per template: how it ended, the
seconds it took and the megabytes it needed.
"""

import json
import os
import resource
import sys
import time

REFUSED = "template_refused"
UNKNOWN = "unknown_placeholder"
SYNTAX = "template_syntax"
NAME = "{{ customer.first_name }}"
LOOP = "{% for a in customer.attributes.long %}"
INNER = "{% for b in customer.attributes.long %}"
END = "{% endfor %}"

# name: (email source, the code it must end with; «rendered» when it is harmless or bounded)
EMAILS: dict[str, tuple[str, str]] = {
    # memory
    "text times number": ("{{ 'a' * 100000000 }}", "render_failed"),
    "number times text": ("{{ 100000000 * 'a' }}", "render_failed"),
    "list times number": ("{{ ['a'] * 100000000 }}", "render_failed"),
    "attribute times number": ("{{ customer.attributes.text * 100000000 }}", "render_failed"),
    "power": ("{{ 9 ** 9 ** 9 }}", REFUSED),
    "large product": ("{{ 999999999 * 999999999 }}", "render_failed"),
    "chain of products": ("{{ " + "*".join(["99999"] * 30) + " }}", "render_failed"),
    "huge number": ("{{ " + "9" * 4000 + " }}", REFUSED),
    "unreadable number": ("{{ " + "9" * 100_000 + " }}", REFUSED),
    "hexadecimal number": ("{{ 0x" + "f" * 100_000 + " }}", REFUSED),
    "division by zero": ("{{ customer.attributes.number / 0 }}", "render_failed"),
    "text plus text": ("{{ 'a' + 'b' }}", "render_failed"),
    "concatenation": ("{{ customer.first_name ~ customer.first_name }}", REFUSED),
    "remainder of a text": ("{{ '%1000000000d' % 1 }}", REFUSED),
    "center": ("{{ 'a'|center(500000000) }}", REFUSED),
    "indent": ("{{ 'a'|indent(500000000) }}", REFUSED),
    "format": ("{{ '%1000000000d'|format(1) }}", REFUSED),
    "replace": ("{{ 'aaaa'|replace('a', 'aaaaaaaa')|replace('a', 'aaaaaaaa') }}", REFUSED),
    "wordwrap": ("{{ 'a'|wordwrap(1, wrapstring='aaaaaaaaa') }}", REFUSED),
    "batch": ("{{ 'a'|batch(500000000, 'x')|list }}", REFUSED),
    "slice filter": ("{{ 'a'|slice(500000000)|list }}", REFUSED),
    "string to list": ("{{ customer.first_name|list }}", REFUSED),
    "join of a join": (
        "{{ customer.attributes.long|join(customer.attributes.long|join(customer.attributes.text))"
        " }}",
        REFUSED,
    ),
    "long separator": ("{{ customer.attributes.long|join('" + "x" * 201 + "') }}", REFUSED),
    "joins of letters": ("{{ 'abc'" + "|join('xxxxxxxxxx')" * 30 + " }}", "rendered"),
    "large round": ("{{ 1.5|round(1000000000) }}", REFUSED),
    "large truncate": ("{{ 'a'|truncate(1000000000) }}", REFUSED),
    "percent of percent": (
        "{{ customer.attributes.text" + "|urlencode" * 38 + " }}",
        "rendered",
    ),
    "long constant": ("{{ '" + "a" * 201 + "' }}", REFUSED),
    # time
    "three loops": (LOOP + INNER + "{% for c in a %}x" + END * 3, REFUSED),
    "much work in two loops": (LOOP + INNER + NAME * 40 + END * 2, REFUSED),
    "as much work as is let through": (
        LOOP + INNER + "{% if a == b %}{% endif %}" * 4 + END * 2,
        "rendered",
    ),
    "a filter in two loops": (
        LOOP + INNER + "{% if customer.attributes.text|upper == a %}{% endif %}" + END * 2,
        "rendered",
    ),
    "filters in two loops": (
        LOOP + INNER + "{% if customer.attributes.text|upper|lower == a %}{% endif %}" + END * 2,
        REFUSED,
    ),
    "loop over a text": ("{% for a in customer.attributes.text %}x" + END, "rendered"),
    "loop over a constant": ("{% for a in 'abc' %}x" + END, REFUSED),
    "loop over a list": ("{% for a in [1, 2, 3] %}x" + END, REFUSED),
    "loop over a range": ("{% for a in range(1000000000) %}x" + END, REFUSED),
    "loop over a filter": ("{% for a in customer.segments|list %}x" + END, REFUSED),
    "recursive loop": (
        "{% for a in customer.attributes.long recursive %}{{ loop(a) }}" + END,
        REFUSED,
    ),
    "loop over loop": (LOOP + "{% for b in loop %}x" + END * 2, REFUSED),
    # reaching out
    "range": ("{{ range(100000000)|list }}", REFUSED),
    "lipsum": ("{{ lipsum(n=100000) }}", REFUSED),
    "cycler": ("{{ cycler('a').next() }}", REFUSED),
    "joiner": ("{% set j = joiner() %}{{ j() }}", REFUSED),
    "namespace": ("{% set n = namespace(a=1) %}", REFUSED),
    "dict": ("{{ dict(a=1) }}", REFUSED),
    "self": ("{{ self._TemplateReference__context }}", REFUSED),
    "class": ("{{ customer.__class__ }}", REFUSED),
    "class of a text": ("{{ ''.__class__.__mro__ }}", REFUSED),
    "class by bracket": ("{{ customer['__class__'] }}", REFUSED),
    "class of an attribute": ("{{ customer.attributes.x.__class__ }}", REFUSED),
    "globals": ("{{ loop.__init__.__globals__ }}", REFUSED),
    "subclasses": ("{{ ().__class__.__base__.__subclasses__() }}", REFUSED),
    "attr filter": ("{{ customer|attr('__class__') }}", REFUSED),
    "map filter": ("{{ customer.segment_list|map(attribute='__class__')|list }}", REFUSED),
    "method of a list": ("{{ customer.segment_list.append }}", UNKNOWN),
    "call of a method": ("{{ customer.segment_list.append('x') }}", REFUSED),
    "call of a text's method": ("{{ '{0.__class__}'.format(customer) }}", REFUSED),
    "method named like an attribute": ("{{ customer.attributes.items }}", "rendered"),
    "call of an attribute": ("{{ customer.attributes.items() }}", REFUSED),
    "unknown name": ("{{ settings.SECRET_KEY }}", UNKNOWN),
    "request": ("{{ request }}", UNKNOWN),
    "safe": ("{{ customer.first_name|safe }}", REFUSED),
    "include": ("{% include '/etc/passwd' %}", REFUSED),
    "import": ("{% import 'x' as y %}", REFUSED),
    "from import": ("{% from 'x' import y %}", REFUSED),
    "extends": ("{% extends 'x' %}", REFUSED),
    "block": ("{% block a %}{% endblock %}", REFUSED),
    "macro": ("{% macro a() %}{{ caller() }}{% endmacro %}", REFUSED),
    "call block": ("{% call customer() %}{% endcall %}", REFUSED),
    "filter block": ("{% filter center(500000000) %}a{% endfilter %}", REFUSED),
    "set": ("{% set a = 1 %}", REFUSED),
    "set block": ("{% set a %}x{% endset %}", REFUSED),
    "with": ("{% with a = 1 %}{% endwith %}", REFUSED),
    "autoescape": ("{% autoescape false %}{{ customer.first_name }}{% endautoescape %}", REFUSED),
    "slice": ("{{ customer.segment_list[::-1] }}", REFUSED),
    "the list filter of ours": ("{{ customer.segment_list|own_list }}", REFUSED),
    "local style sheet": ('<link rel="stylesheet" href="file:///etc/passwd"><p>x', "rendered"),
    "imported style sheet": ('<style>@import url("file:///etc/passwd");</style><p>x', "rendered"),
    # broken or endless
    "unclosed placeholder": ("<p>{{ customer.first_name", SYNTAX),
    "unclosed condition": ("{% if customer.first_name %}", SYNTAX),
    "unclosed comment": ("{# never", SYNTAX),
    "unknown tag": ("{% explode %}", SYNTAX),
    "open brackets": ("{{ " + "(" * 100_000, REFUSED),
    "many ifs": ("{% if customer.first_name %}" * 1_000 + "{% endif %}" * 1_000, REFUSED),
    "long chain": ("{{ customer" + ".a" * 100_000 + " }}", REFUSED),
    "long sum": ("{{ 1" + "+1" * 2_000 + " }}", REFUSED),
    "many nots": ("{{ " + "not " * 2_000 + "1 }}", REFUSED),
    "many placeholders": (NAME * 20_000, REFUSED),
    "many braces": ("{" * 400_000, REFUSED),
    "large source": ("x" * 500_001, "template_too_large"),
    "largest source": ("x" * 500_000, "rendered"),
    "large output": ("{{ customer.attributes.text }}" * 400, "output_too_large"),
    "large output of a loop": (
        LOOP + INNER + "{{ customer.attributes.text }}" * 28 + END * 2,
        "output_too_large",
    ),
    # HTML that hurts the inliner
    "deep tags": ("<div>" * 60_000, REFUSED),
    "deep tags in a loop": (LOOP + INNER + "<div>" + END * 2, REFUSED),
    "deep tables": ("<table><tr><td>" * 4_000, REFUSED),
    "tags hidden by a comment": ("<div><!--> </div> -->" * 4_000, REFUSED),
    "tags hidden by a quote": ('<div "><div ">' * 4_000, REFUSED),
    "end tags with attributes": ("<div><p></span></div x=<></p>" * 2_000, "rendered"),
    "many spaces": ("<b> </b> " * 2_400, "rendered"),
    "many addresses": ("http://" * 60_000, "rendered"),
    "many colons": ("<style>" + ":" * 100_000 + "</style><p>x", "rendered"),
    "cells hide end tags": ("<div><table><tr><td></div>" * 1_000, REFUSED),
    "unclosed formatting": ("".join(f"<p><b id=x{n}>" for n in range(2_000)), REFUSED),
    "formatting closed elsewhere": (
        "".join(f"<b id=x{n}><table><td></b></td></table>" for n in range(400)) + "<p>x" * 1_000,
        REFUSED,
    ),
    "formatting closed by its cell": (
        "".join(f"<table><td><b id=x{n}></td></b></table>" for n in range(400)) + "<p>x" * 1_000,
        "rendered",
    ),
    "many tags": ("<p>x</p>" * 20_000, REFUSED),
    "many attributes": ("<p " + " ".join(f"a{n}=1" for n in range(40_000)) + ">", REFUSED),
    "many declarations": (
        "<style>p{" + ";".join(f"x{n}:y" for n in range(5_000)) + "}</style>" + "<p>x</p>" * 200,
        REFUSED,
    ),
    "many rules": ("<style>" + "*{color:red}" * 10_000 + "</style>" + "<p>x</p>" * 2_000, REFUSED),
    "long declaration": (
        "<style>p{background:url(" + "x" * 50_000 + ")}</style>" + "<p>x</p>" * 2_000,
        REFUSED,
    ),
    "nested rules": ("<style>" + "p {" * 20_000 + "</style><p>x", "rendered"),
    "script": ("<p>x</p><script>alert(1)</script>", REFUSED),
    "drawing": ("<svg>" * 20_000, REFUSED),
}


def run(source: str) -> str:
    """Compile and fill in one email for the customer with the largest attributes there can be."""
    from campaigns.content.errors import ContentError
    from campaigns.content.placeholders import MAX_ITEMS, MAX_TEXT, sample_context
    from campaigns.content.rendering import compile_campaign

    context = sample_context()
    context["customer"]["attributes"] = {
        "long": ["x" * 150] * MAX_ITEMS,
        "text": "%" * MAX_TEXT,
        "number": 7,
    }
    try:
        compiled = compile_campaign(subject="", email_content=source, sms_content="")
        compiled.render_email(context)
    except ContentError as error:
        return error.code
    return "rendered"


def run_in_child(name: str) -> None:
    """Run one template in a forked process and print how it went."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if status:
            print(json.dumps({"name": name, "outcome": f"died ({status})"}))
        return
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    outcome = run(EMAILS[name][0])
    seconds = time.process_time() - start
    megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        json.dumps({"name": name, "outcome": outcome, "seconds": seconds, "megabytes": megabytes})
    )
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    import django

    django.setup()
    run("<p>{{ customer.first_name }}</p>")  # what is imported or made once is not theirs
    for each in EMAILS:
        run_in_child(each)
