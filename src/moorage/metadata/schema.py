"""Brings a database file to the schema that this program knows."""

from pathlib import Path

import sqlalchemy as sa

from moorage.errors import ConfigInvalid
from moorage.metadata import sqlite

MIGRATIONS = Path(__file__).parent / "migrations"


def revisions() -> list[str]:
    """Return the ids of all revisions, the oldest first; a file's name starts with its id, and ids sort."""
    return sorted(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def migrate(path: Path) -> None:
    """Make the database if need be and run the revisions that it lacks: all of them or, on an error, none.

    Holds the lock of all writers, so that processes that start together migrate once. Raises ConfigInvalid where a
    newer program has migrated the database.
    """
    sqlite.create(path)
    # Changing a table in SQLite means to copy it and drop the old one, which must not delete what refers to it.
    engine = sqlite.open_engine(path, begin="BEGIN IMMEDIATE", pragmas=("foreign_keys=OFF",))
    with sqlite.translated(), sqlite.write_lock(path), engine.connect() as connection, connection.begin():
        current = _current(connection)
        known = revisions()
        if current is not None and current not in known:
            raise ConfigInvalid(
                f"The database {path} has schema {current}, but this program knows only up to {known[-1]}; "
                "start the newer program that it was used with, or restore a backup from before."
            )
        if current != known[-1]:
            _upgrade(connection)


def _current(connection: sa.Connection) -> str | None:
    """Return the revision that the database has; None if it is empty."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415 - costs start-up time, and most starts find the schema current
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config(attributes={"connection": connection})
    # The folder's name is no pattern of ConfigParser's.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")
    _check_references(connection)


def _check_references(connection: sa.Connection) -> None:
    """Refuse rows that refer to nothing: foreign keys were not enforced while tables were copied."""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise ConfigInvalid(
            f"A migration would leave rows of {broken[0][0]} that refer to nothing; nothing was changed."
        )
