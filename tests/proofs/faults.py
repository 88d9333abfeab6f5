"""Faults of one line each, the tests that have to notice them, and copies of the project to put them into."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Fault:
    """A line of the source, what somebody could write in its place, and the smallest suite that is about it.

    No suite where a proof puts the fault into servers of its own.
    """

    name: str
    module: str
    right: str
    wrong: str
    suite: tuple[str, ...] = ()

    def put_into(self, tree: Path) -> None:
        """Change the line in a copy of the project; it has to be there exactly once, or the fault is out of date."""
        path = tree / self.module
        lines = path.read_text().split("\n")
        assert lines.count(self.right) == 1, f"{self.name}: {self.module} no longer has the line {self.right!r}"
        lines[lines.index(self.right)] = self.wrong
        path.write_text("\n".join(lines))


def copy_project(target: Path) -> Path:
    """Copy the package and its tests."""
    for folder in ("src", "tests"):
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


def first_in_path(tree: Path) -> dict[str, str]:
    """Return the environment in which a copy of the package is found before the one installed in place."""
    return {"PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}


FAULTS: Final = (
    Fault(
        "a skipped digest check of a small blob",
        "src/moorage/registry/kept_uploads.py",
        "        if actual == digest:",
        "        if True:",
        ("tests/distribution/test_uploads.py",),
    ),
    Fault(
        "a skipped digest check of a staged blob",
        "src/moorage/registry/staged_uploads.py",
        "        if actual != digest:",
        "        if False:",
        ("tests/registry/test_uploads.py",),
    ),
    Fault(
        "a forgotten link check",
        "src/moorage/registry/blobs.py",
        "        is_linked = facts.ask(blobs.is_linked, repository_id, digest)",
        "        is_linked = True",
        ("tests/distribution/test_blobs.py",),
    ),
    Fault(
        "a wrong Range end",
        "src/moorage/oci/ranges.py",
        "    return ByteRange(start, min(end, size - 1)) if start < size else None",
        "    return ByteRange(start, min(end, size)) if start < size else None",
        ("tests/oci/test_ranges.py",),
    ),
    Fault(
        "a JWT without expiry check",
        "src/moorage/registry/bearer.py",
        "        wanted.validate(token.claims)",
        '        wanted.validate(token.claims | {"exp": 1 << 40})',
        ("tests/distribution/test_authentication.py",),
    ),
    Fault(
        "a reused key",
        "src/moorage/storage/keys.py",
        "    name = new_id()",
        '    name = "01990c5e-7d1a-7c3b-9a55-0242ac12e43f"',
        ("tests/storage/test_keys.py",),
    ),
    Fault(
        "an answer before COMMIT",
        "src/moorage/metadata/writer.py",
        '        self._driver.execute("RELEASE unit")',
        '        self._driver.execute("RELEASE unit")\n        job.answer()',
        ("tests/proofs/test_failpoints.py::test_killed_at_every_step[fixed-delete_tag]",),
    ),
    Fault(
        "an object that is forgotten before it is removed",
        "src/moorage/registry/doomed_objects.py",
        "        await installation.store.delete(key)",
        "        await installation.database.write(lambda connection, _: doomed_objects.forget(connection, keys))\n"
        "        await installation.store.delete(key)",
        ("tests/proofs/test_failpoints.py::test_killed_at_every_step[fixed-remove_objects]",),
    ),
    Fault(
        "a sync that may be tried again",
        "src/moorage/storage/filesystem.py",
        "                self._path.unlink()",
        "                pass",
        ("tests/proofs/test_disk_errors.py",),
    ),
    Fault(
        "a reserve that manifests use up",
        "src/moorage/registry/manifests.py",
        "    installation.database.check_room()",
        "    pass",
        ("tests/proofs/test_full_disk.py",),
    ),
)

# Ways for a worker to keep what has changed; the proof that looks for stale answers puts them in by itself.
FORGETFUL: Final = (
    Fault(
        "changes that nobody logs",
        "src/moorage/metadata/changes.py",
        "    if rows:",
        "    if False:",
    ),
    Fault(
        "changes that nobody heeds",
        "src/moorage/registry/memory.py",
        "            for change in changed:",
        "            for change in ():",
    ),
    Fault(
        "facts learned although they changed meanwhile",
        "src/moorage/registry/facts.py",
        "    if memory.refresh_for_turn() == before:",
        "    if memory.refresh_for_turn() >= before:",
    ),
)

# What a power cut would make of each is in test_order.py and test_power_cut.py; no other suite could see it.
BYTES_NOT_SYNCED: Final = Fault(
    "no fsync of an object",
    "src/moorage/storage/filesystem.py",
    "        os.fsync(self._file)",
    "        pass",
)
NAME_NOT_SYNCED: Final = Fault(
    "no fsync of an object's folder",
    "src/moorage/storage/filesystem.py",
    "        files.sync_folder(self._path.parent)",
    "        pass",
)
LOG_NOT_SYNCED: Final = Fault(
    "commits that do not wait for the disk",
    "src/moorage/metadata/writer.py",
    '        self._set_synchronous("FULL" if any(job.durable for job in batch) else "NORMAL")',
    '        self._set_synchronous("NORMAL")',
)
