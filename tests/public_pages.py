"""Readers of the answers of public pages."""

import re

from django.http import HttpResponse


def words_of(response: HttpResponse) -> str:
    """The text of a page, without its markup and with single spaces."""
    page = re.sub(r"<(style|head)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def assert_private(response: HttpResponse) -> None:
    """No scripts, no frames, no index, no store, no address of another site."""
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "form-action 'self'" in policy
    assert "script" not in policy
    assert "unsafe" not in policy
    assert "noindex" in response.headers["X-Robots-Tag"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    if response.headers["Content-Type"].startswith("text/html") and response.content:
        page = response.content.decode()
        assert "no-store" in response.headers["Cache-Control"]
        assert '<meta name="robots" content="noindex' in page
        assert "<script" not in page
        assert "style=" not in page
        assert not re.search(r"""(src|href|action)=["'](https?:)?//""", page)
