"""One installation: what every use case works with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from joserfc.jwk import ECKey, KeySet
from sqlalchemy import Connection

from moorage.metadata import installations
from moorage.metadata.database import Database
from moorage.registry.memory import CallerMemory, Memory
from moorage.registry.passwords import Passwords
from moorage.registry.pouring import Buffers
from moorage.storage.contract import BlobStore

# What rows call the one store that there is; a name of its own each, once there are several.
_STORE = "default"
SMALL_BLOB = 64 * 1024


@dataclass(frozen=True, slots=True)
class Installation:
    """The database, the store and what goes with them.

    `upload_lifetime` is how long an upload may take at most. A blob of up to `small_blob` bytes is kept in its row: the
    database commits many of them by one fsync, where each file takes two of its own.
    """

    id: str
    database: Database
    store: BlobStore
    store_name: str
    signing_keys: KeySet
    passwords: Passwords
    upload_lifetime: timedelta
    small_blob: int
    memory: Memory
    callers: CallerMemory
    buffers: Buffers


async def open_installation(
    database: Database,
    make_store: Callable[[str], BlobStore],
    upload_lifetime: timedelta,
    small_blob: int = SMALL_BLOB,
) -> Installation:
    """Open what lies there, making its identity and signing key at the first start.

    `make_store` is given the installation's id, by which a store of another one is told apart.
    """

    def identify(connection: Connection, now: datetime) -> tuple[str, list[tuple[str, str]]]:
        identity = installations.find(connection)
        if identity is None:
            private_key = ECKey.generate_key("P-256").as_pem(private=True).decode("ascii")
            identity = installations.create(connection, private_key, now)
        return identity, installations.signing_keys(connection)

    identity, keys = await database.write(identify)
    return Installation(
        id=identity,
        database=database,
        store=make_store(identity),
        store_name=_STORE,
        signing_keys=KeySet([ECKey.import_key(pem, {"kid": kid, "alg": "ES256", "use": "sig"}) for kid, pem in keys]),
        passwords=Passwords(),
        upload_lifetime=upload_lifetime,
        small_blob=small_blob,
        memory=Memory(database.watch()),
        callers=CallerMemory(),
        buffers=Buffers(),
    )
