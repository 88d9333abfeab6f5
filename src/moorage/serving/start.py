"""Starts a server from its settings, and greets the operator."""

import asyncio
import multiprocessing
import os
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from urllib.parse import urlsplit

from moorage import app, logs
from moorage.config import Address, Settings
from moorage.errors import ConfigInvalid
from moorage.registry.first_start import FirstStart, first_start
from moorage.serving import tls, web
from moorage.serving.port import reserve
from moorage.serving.supervisor import Program, Supervisor, die_with
from moorage.storage import files

# What a client on the same machine calls an address that stands for all of them.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound


def serve(settings: Settings) -> int:
    """Serve until told to stop; return the exit code. Raises ConfigInvalid where the settings cannot be served."""
    logs.configure(settings.log_level)
    _allow_many_connections()
    _make_data_folder(settings)
    _check_tls(settings)
    with ExitStack() as held:
        stages = []
        address = settings.listen
        if settings.role != "jobs":
            holder = held.enter_context(reserve(*settings.listen))
            address = Address(settings.listen.host, holder.getsockname()[1])
            stages.append(_web_programs(settings, address))
        if settings.role != "web":
            stages.append([Program("jobs", partial(_run_jobs, settings))])
        _greet(settings, address, _prepare_in_own_process(settings))
        grace = settings.stop_grace.total_seconds()
        return Supervisor(stages, grace=grace, before_reload=partial(_check_tls, settings)).run()


def _web_programs(settings: Settings, address: Address) -> list[Program]:
    pair = (settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
    run = partial(web.run, partial(app.build, settings), web.Listener(address.host, address.port, pair))
    return [Program(f"web-{number}", run, renewed_on_reload=True) for number in range(1, settings.workers + 1)]


def _run_jobs(settings: Settings, ready: Callable[[], None]) -> None:
    # DBOS takes half a second to import, which only this process should pay, after the web workers have started.
    from moorage.jobs import worker  # noqa: PLC0415 - as said above

    ready()
    worker.run(settings.data, partial(app.build, settings))


def _prepare_in_own_process(settings: Settings) -> FirstStart | None:
    """Open the installation once; in a process that ends with it, because an open database must not be forked."""
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, fork, initializer=die_with, initargs=(os.getpid(),)) as process:
        return process.submit(_prepare, settings).result()


def _prepare(settings: Settings) -> FirstStart | None:
    return asyncio.run(_open_once(settings))


async def _open_once(settings: Settings) -> FirstStart | None:
    opened = await app.build(settings)
    try:
        return await first_start(opened.installation, settings.admin_email, settings.admin_password)
    finally:
        await opened.close()


def _make_data_folder(settings: Settings) -> None:
    try:
        # Readable by its owner only: signing keys and everybody's images lie in it. A power cut may not take its name.
        files.make_folder(settings.data)
    except OSError as error:
        raise ConfigInvalid(f"The data folder {settings.data} cannot be made: {error.strerror}.") from error


def _check_tls(settings: Settings) -> None:
    if settings.tls_cert and settings.tls_key:
        tls.check_pair(settings.tls_cert, settings.tls_key)


def _allow_many_connections() -> None:
    """Raise the soft limit of open files, often 1,024, to what the system allows this process anyway."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _greet(settings: Settings, address: Address, made: FirstStart | None) -> None:
    if settings.role == "jobs":
        return
    host = str(Address(_LOOPBACK.get(address.host, address.host), address.port))
    url = settings.public_url or f"{'https' if settings.tls_cert else 'http'}://{host}"
    lines = [f"Moorage serves {settings.data} at {url}"]
    if made is not None:
        lines += ["", *_first_steps(urlsplit(url).netloc, made), ""]
    print(*lines, sep="\n", flush=True)  # noqa: T201 - for the operator, not for the log


def _first_steps(host: str, made: FirstStart) -> list[str]:
    image = f"{host}/{made.registry}/busybox:1"
    shown = [f"The password of {made.email}, shown only this once: {made.password}"] if made.password else []
    return [
        *shown,
        "To push a first image:",
        f"  docker login {host} --username {made.email}",
        f"  docker tag busybox {image}",
        f"  docker push {image}",
        f"  docker pull {image}",
    ]
