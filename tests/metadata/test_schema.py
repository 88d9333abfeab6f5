"""Migrations: complete, forward, quiet and all or nothing."""

import asyncio
import logging
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from moorage.errors import ConfigInvalid
from moorage.metadata import schema
from moorage.metadata.database import Database
from moorage.metadata.schema import MIGRATIONS, migrate, revisions
from moorage.metadata.tables import metadata


def objects(path: Path) -> dict[str, set[str]]:
    """Return each table's and index's definition as a set of its lines, whose order means nothing."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE tbl_name != 'alembic_version'").fetchall()
    return {name: {line.strip(" ,\t") for line in (sql or "").splitlines()} for name, sql in rows}


def test_migrations_from_nothing_make_the_tables(tmp_path: Path) -> None:
    """All revisions in order give what tables.py describes."""
    migrated, created = tmp_path / "migrated.db", tmp_path / "created.db"
    migrate(migrated)
    engine = sa.create_engine(f"sqlite:///{created}")
    metadata.create_all(engine)
    engine.dispose()

    assert objects(migrated) == objects(created)


def test_alembic_finds_nothing_to_do_after_migrations(path: Path) -> None:
    """Alembic's own comparison of the database with tables.py is empty."""
    migrate(path)
    engine = sa.create_engine(f"sqlite:///{path}")

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_revisions_are_a_line_in_the_order_of_their_files() -> None:
    """Each revision follows the one before, and its file is named by its id."""
    script = ScriptDirectory(str(MIGRATIONS))

    assert [revision.revision for revision in reversed(list(script.walk_revisions()))] == revisions()


def test_current_schema_is_left_alone_without_alembic(path: Path) -> None:
    """A start with a current schema costs no import of Alembic."""
    migrate(path)
    program = (
        "import sys; from pathlib import Path; from moorage.metadata.schema import migrate;"
        f"migrate(Path({str(path)!r})); sys.exit('alembic' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_processes_that_start_together_migrate_once(path: Path) -> None:
    """Whoever comes second finds the work done."""
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(migrate, [path] * 4)) == [None] * 4


def test_migrated_database_works(path: Path) -> None:
    """A migrated file serves, with its rows' references enforced."""
    migrate(path)
    database = Database(path)

    with pytest.raises(sa.exc.IntegrityError, match="FOREIGN KEY"):
        asyncio.run(
            database.write(
                lambda connection, _: connection.exec_driver_sql(
                    "INSERT INTO registry VALUES ('id', 'no such account', 'main', 0)"
                )
            )
        )
    database.close()


def test_newer_schema_stops_the_start(path: Path) -> None:
    """A database that a newer program has migrated is refused, with what to do."""
    migrate(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(ConfigInvalid, match=r"schema 9999, .* start the newer program"):
        migrate(path)


def test_failed_migration_changes_nothing(path: Path) -> None:
    """An error at the end undoes all revisions of the run."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE thing (id PRIMARY KEY, parent REFERENCES thing)")
        connection.execute("INSERT INTO thing VALUES (1, 2)")
    before = objects(path)

    with pytest.raises(ConfigInvalid, match="rows of thing that refer to nothing"):
        migrate(path)

    assert objects(path) == before


def test_changed_table_keeps_the_rows_that_refer_to_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite changes a table by a copy; dropping the original takes no other row with it, nor is it refused."""
    migrate(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO account VALUES ('a', 'Account', 'plan', 0)")
        connection.execute("INSERT INTO registry VALUES ('r', 'a', 'main', 0)")
    next_revision = """
        from alembic import op
        import sqlalchemy as sa
        revision, down_revision = "9999", "%s"
        def upgrade():
            with op.batch_alter_table("account", recreate="always") as table:
                table.alter_column("name", type_=sa.Text)
    """
    changed = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    (changed / "versions" / "9999_next.py").write_text(dedent(next_revision) % revisions()[-1])
    monkeypatch.setattr(schema, "MIGRATIONS", changed)

    migrate(path)

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT account_id FROM registry").fetchall() == [("a",)]
        assert connection.execute("SELECT type FROM pragma_table_info('account') WHERE name = 'name'").fetchall() == [
            ("TEXT",)
        ]


def test_logging_is_left_as_it_was(path: Path) -> None:
    """Migrating neither adds handlers nor changes levels."""
    names = ["", "alembic", "alembic.runtime.migration", "sqlalchemy", "moorage"]
    before = [(logging.getLogger(name).level, list(logging.getLogger(name).handlers)) for name in names]

    migrate(path)

    after = [(logging.getLogger(name).level, list(logging.getLogger(name).handlers)) for name in names]
    assert after == before
    assert not logging.getLogger("moorage").disabled
