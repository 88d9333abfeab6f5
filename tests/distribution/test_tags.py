"""Lists of tags (end-8)."""

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.distribution.making import index
from tests.distribution.repository import Repository, assert_error, next_page

TAGS = ["0", "A", "B", "Z", "_", "a", "a-1", "a.1", "b", "latest", "v1", "v10", "v2", "zz"]


@pytest.fixture(scope="module")
def tagged(owner: httpx2.Client) -> Repository:
    """A repository with TAGS, which no test changes."""
    repository, content = Repository(owner, "main/tagged-for-lists"), index()
    repository.put_manifest(content, content.digest, params={"tag": TAGS[::-2] + TAGS[-2::-2]})
    return repository


def follow(repository: Repository, answer: httpx2.Response) -> list[list[str]]:
    """Return the tags of each page, following Link."""
    pages = [answer.json()["tags"]]
    while "Link" in answer.headers:
        answer = repository.http.get(next_page(answer))
        pages.append(answer.json()["tags"])
    return pages


def test_whole_list(tagged: Repository) -> None:
    """Without `n`, all tags come in ASCII order (trap 25), with the repository's full name."""
    answer = tagged.tags()

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"name": tagged.name, "tags": TAGS}
    assert "Link" not in answer.headers


def test_no_tags(repository: Repository) -> None:
    """An unknown repository has no list; one without tags has an empty one, never null."""
    assert_error(repository.tags(), 404, "NAME_UNKNOWN")
    content = index()
    repository.put_manifest(content, content.digest)
    assert repository.tags().json()["tags"] == []


@pytest.mark.parametrize("size", [1, 2, 5, 13, 14, 15, 1000])
def test_pages(tagged: Repository, size: int) -> None:
    """Pages hold exactly `n` tags, the last one perhaps fewer, and Link leads through all (trap 26)."""
    pages = follow(tagged, tagged.tags(n=size))

    assert pages == [TAGS[start : start + size] for start in range(0, len(TAGS), size)]


def test_half(tagged: Repository) -> None:
    """`n` of half the tags brings exactly half of them, and a Link."""
    answer = tagged.tags(n=len(TAGS) // 2)

    assert (len(answer.json()["tags"]), "Link" in answer.headers) == (len(TAGS) // 2, True)


def test_no_entries_asked(tagged: Repository) -> None:
    """Trap 25: `n=0` is an empty list without a Link."""
    answer = tagged.tags(n=0)

    assert (answer.status_code, answer.json()["tags"], "Link" in answer.headers) == (200, [], False)


@pytest.mark.parametrize("last", ["a0", "b", "zz", "~", "/", "a\x00", "\u00fc"])
def test_last_need_not_exist(tagged: Repository, last: str) -> None:
    """Trap 25: `last` is a position in the order, exclusive, whether there is such a tag."""
    assert tagged.tags(last=last).json()["tags"] == [tag for tag in TAGS if tag > last]


@pytest.mark.parametrize("number", ["-1", "x", "", "1.5", "0x10", "\u0661", "1e3", " 1", "+1", "NaN"])
def test_malformed_number(tagged: Repository, number: str) -> None:
    """An `n` that is no whole number is refused."""
    assert_error(tagged.tags(n=number), 400, "PAGINATION_NUMBER_INVALID")


@pytest.mark.parametrize("number", [10**12, 10**4000, "0" * 4000 + "14"])
def test_huge_number(tagged: Repository, number: int | str) -> None:
    """An `n` beyond all measure brings what there is (CVE-2023-2253)."""
    text = number if isinstance(number, str) else "1" + "0" * (len(f"{number:x}") // 2)

    assert tagged.tags(n=text).json()["tags"] == TAGS


def test_more_than_a_page(repository: Repository) -> None:
    """A list of more than a thousand tags comes in pages even where no `n` was given."""
    tags = [f"t{number:04}" for number in range(1050)]
    content = index()
    for start in range(0, len(tags), 100):
        repository.put_manifest(content, content.digest, params={"tag": tags[start : start + 100]})

    pages = follow(repository, repository.tags())

    assert len(pages) == 2
    assert [tag for page in pages for tag in page] == tags


def test_moved_tag_is_listed_once(repository: Repository) -> None:
    """A tag that was moved many times, or deleted and set again, is one tag."""
    for _ in range(3):
        repository.push_image("v1")
        repository.push_image("v2")
    repository.manifest("v2", "DELETE")
    repository.push_image("v2")

    assert repository.tags().json()["tags"] == ["v1", "v2"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.none() | st.integers(0, 20),
    last=st.none()
    | st.sampled_from(TAGS)
    | st.text(st.characters(codec="ascii", exclude_categories=["Cs"]), max_size=4),
)
def test_equals_a_sorted_list(tagged: Repository, size: int | None, last: str | None) -> None:
    """Whatever `n` and `last` are, the answer is that slice of the sorted list."""
    query: dict[str, str | int] = {}
    if size is not None:
        query["n"] = size
    if last is not None:
        query["last"] = last
    rest = [tag for tag in TAGS if tag > (last or "")]

    answer = tagged.tags(**query)

    assert answer.json()["tags"] == rest[:size]
    assert ("Link" in answer.headers) == (0 < (len(TAGS) if size is None else size) < len(rest))
