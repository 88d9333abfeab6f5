"""The composition root: from settings to adapters, use cases and fronts. It builds, and decides nothing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from moorage.access_log import with_request_ids
from moorage.config import Settings
from moorage.distribution.plane import DataPlane
from moorage.distribution.request import Receive, Scope, Send, Terms
from moorage.metadata import schema
from moorage.metadata.database import Database
from moorage.registry.installation import Installation, open_installation
from moorage.storage.backends import FilesystemConfig

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

_DATABASE = "moorage.db"


@dataclass(frozen=True, slots=True)
class App:
    """What a process serves: an ASGI 3 application for http requests, and the installation behind it."""

    asgi: Asgi
    installation: Installation

    async def close(self) -> None:
        """Let go of files and threads, once the last request is answered."""
        self.installation.passwords.close()
        await self.installation.store.close()
        self.installation.database.close()


def exists(settings: Settings) -> bool:
    """Tell whether an installation lies in the data folder."""
    return (settings.data / _DATABASE).exists()


async def build(settings: Settings) -> App:
    """Open the installation in the data folder, bringing its schema up to date, and put the fronts before it."""
    schema.migrate(settings.data / _DATABASE)
    database = Database(settings.data / _DATABASE, reserve=settings.free_space_reserve)
    store = FilesystemConfig(settings.data / "store", settings.free_space_reserve)
    installation = await open_installation(database, store.open, settings.upload_lifetime)
    terms = Terms(settings.upload_idle_timeout.total_seconds(), settings.trusted_proxies, settings.accel_redirect)
    plane = DataPlane(installation, terms)
    return App(with_request_ids(plane, log_requests=settings.access_log), installation)
