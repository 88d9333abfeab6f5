"""The `n` and `last` of lists, and the Link to the next page."""

from collections.abc import Sequence

from moorage.distribution.request import Request
from moorage.errors import PaginationInvalid
from moorage.oci.ranges import next_link

# Entries on a page: what is given without `n`, and at most.
MOST = 1000


def page_size(request: Request) -> int:
    """Return the entries asked for, of which there may be fewer on a page. Raises PaginationInvalid."""
    text = request.parameter("n")
    if text is None:
        return MOST
    if not (text.isascii() and text.isdigit()):
        raise PaginationInvalid(f"n={text!r:.40} must be a whole number of entries, 0 or more.")
    digits = text.lstrip("0") or "0"
    return MOST if len(digits) > len(str(MOST)) else min(int(digits), MOST)


def link_headers(path: str, limit: int, last: str | None, **query: str | Sequence[str]) -> dict[str, str]:
    """Return the Link to the page behind `last`; none where `last` is None, that is, where there is no such page."""
    return {} if last is None else {"Link": next_link(path, n=limit, last=last, **query)}
