"""The size of pages, and the link to the next one."""

import pytest

from moorage.distribution.paging import MOST, link_headers, page_size
from moorage.errors import PaginationInvalid
from tests.distribution.asgi import Body, request_of, scope_of


def size_for(query: str) -> int:
    """Return the size of a page that a query asks for."""
    return page_size(request_of(scope_of("GET", query=query), Body()))


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("", MOST),
        ("n=0", 0),
        ("n=1", 1),
        ("n=007", 7),
        (f"n={MOST}", MOST),
        (f"n={MOST + 1}", MOST),
        ("n=5&n=6", 5),
        ("n=" + "9" * 5000, MOST),
    ],
)
def test_page_size(query: str, size: int) -> None:
    """`n` is the size, up to a limit that also holds without it."""
    assert size_for(query) == size


@pytest.mark.parametrize("query", ["n=", "n", "n=-1", "n=x", "n=1.0", "n=%C2%B2", "n=%D9%A1", "n=+1", "n=1e1"])
def test_malformed_page_size(query: str) -> None:
    """What is no whole number is refused."""
    with pytest.raises(PaginationInvalid):
        size_for(query)


def test_no_next_page() -> None:
    """Behind the last page there is none."""
    assert link_headers("/v2/main/app/tags/list", 5, None) == {}


def test_next_page() -> None:
    """The link is relative, keeps the size and names the last entry (trap 26)."""
    headers = link_headers("/v2/main/app/tags/list", 5, "v1")

    assert headers == {"Link": '</v2/main/app/tags/list?n=5&last=v1>; rel="next"'}


def test_next_page_escapes() -> None:
    """What the link carries along is escaped, so that it comes back as it was."""
    [link] = link_headers("/v2/a/b", 5, "x&y=z>", artifactType=["a/b+c", "d"]).values()

    assert link == '</v2/a/b?n=5&last=x%26y%3Dz%3E&artifactType=a%2Fb%2Bc&artifactType=d>; rel="next"'
