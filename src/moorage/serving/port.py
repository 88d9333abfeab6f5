"""Holds the port that the workers of one server share."""

import errno
import socket

from moorage.errors import ConfigInvalid


def reserve(host: str, port: int) -> socket.socket:
    """Bind the port for this server's workers alone, without listening; `port` 0 takes a free one.

    Each worker binds and listens by itself with SO_REUSEPORT, so that the kernel spreads connections over them. That
    option would also let a second server in by mistake: while the socket returned here is open, it is refused.
    Raises ConfigInvalid that says why the address cannot be had.
    """
    holder = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, port))
    except OSError as error:
        holder.close()
        raise ConfigInvalid(f"Cannot listen on {host}, port {port}: {_reason(error)}") from error
    # The kernel compares options at each bind: from here on only those that set SO_REUSEPORT, the workers, get in.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return holder


def _reason(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "another program listens there, perhaps another moorage. Stop it, or choose another port (--listen)."
        case errno.EACCES:
            return "ports below 1024 are for the superuser. Choose a higher one (--listen)."
        case errno.EADDRNOTAVAIL:
            return "this machine does not have that address. Use one of its own, or 0.0.0.0 for all (--listen)."
    return f"{error.strerror}."
