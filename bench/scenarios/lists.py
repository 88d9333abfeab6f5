"""Lists: a page of tags in a small and in a large repository, all referrers of an image, the whole catalog."""

import http.client
import re
from collections.abc import Iterator

from bench.filling import Filling, tag_name
from bench.generator import Request
from bench.program import HOST, Unsupported
from bench.scenario import Outcome, Scenario, Stage, Stand, rate_of

_FEW, _MANY = Filling("main/few", tags=100), Filling("main/many", tags=100_000)
_REFERRED = Filling("main/referred", tags=1, referrers=10_000)
_CATALOG = [Filling(f"main/r{number:04d}", tags=1) for number in range(2_000)]
_CONNECTIONS = 4
_NEXT = re.compile(r'<([^>]+)>;\s*rel="?next"?')
_MOST_PAGES = 1_000


def _fill_repositories(stand: Stand) -> None:
    many = [] if _too_slow(stand) else [_MANY]
    stand.running.program.fill(stand.running.place, [_FEW, *many, _REFERRED])


def _fill_catalog(stand: Stand) -> None:
    stand.running.program.fill(stand.running.place, _CATALOG)


def _too_slow(stand: Stand) -> bool:
    return stand.running.program.slow_to_fill and not stand.scale.patient


def _tags(filling: Filling) -> Scenario:
    def measure(stand: Stand) -> Outcome:
        """Ask for pages at the beginning, in the middle and near the end in turn."""
        if filling is _MANY and _too_slow(stand):
            raise Unsupported("takes too long to be filled with so many tags: see a long run")
        authorization = stand.authorization(f"repository:{filling.repository}:pull")
        path = f"/v2/{filling.repository}/tags/list?n=100"
        places = ["", f"&last={tag_name(filling.tags // 2)}", f"&last={tag_name(filling.tags - 2)}"]
        requests = [Request("GET", path + place, {"Authorization": authorization}) for place in places]
        return rate_of(stand.repeat(requests, _CONNECTIONS))

    title = f"tags list, pages of 100 of {filling.tags:,} tags"
    return Scenario(f"tags-{filling.tags}", title, "pages/s", measure, limited=False)


def _list_referrers(stand: Stand) -> Outcome:
    authorization = stand.authorization(f"repository:{_REFERRED.repository}:pull")
    path = f"/v2/{_REFERRED.repository}/referrers/{_REFERRED.image().digest}"
    return _read_whole(stand, path, authorization, least=_REFERRED.referrers, entry='"digest"')


def _list_catalog(stand: Stand) -> Outcome:
    authorization = stand.authorization("registry:catalog:*")
    return _read_whole(stand, "/v2/_catalog?n=1000", authorization, least=len(_CATALOG), entry='"main/r')


def _read_whole(stand: Stand, path: str, authorization: str, *, least: int, entry: str) -> Outcome:
    """Measure how often a list is read, all its pages; it has to hold what was filled in."""
    pages = list(_pages(stand, path, authorization))
    found = sum(text.count(entry) for _, text in pages)
    if found < least:
        raise Unsupported(f"lists {found} of {least} entries: {pages[0][1][:100]}")
    requests = [Request("GET", path, {"Authorization": authorization}) for path, _ in pages]
    return rate_of(stand.repeat(requests, _CONNECTIONS), requests_each=len(requests))


def _pages(stand: Stand, path: str, authorization: str) -> Iterator[tuple[str, str]]:
    """Follow the links from page to page; yield each path with its text."""
    connection = http.client.HTTPConnection(HOST, stand.running.place.port, timeout=120)
    try:
        for _ in range(_MOST_PAGES):
            connection.request("GET", path, headers={"Authorization": authorization})
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status != http.client.OK:
                raise Unsupported(f"answers {answer.status}")
            yield path, text
            link = _NEXT.search(answer.headers.get("Link", ""))
            if link is None:
                return
            path = re.sub(r"^https?://[^/]+", "", link[1])
    finally:
        connection.close()


STAGES = [
    Stage(
        "lists",
        [
            _tags(_FEW),
            _tags(_MANY),
            Scenario("referrers", "all of 10,000 referrers of an image", "lists/s", _list_referrers, limited=False),
        ],
        fill=_fill_repositories,
    ),
    Stage(
        "catalog",
        [Scenario("catalog", "the whole catalog of 2,000 repositories", "lists/s", _list_catalog, limited=False)],
        fill=_fill_catalog,
    ),
]
