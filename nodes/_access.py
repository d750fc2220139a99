"""Which pages may speak with the pack's routes: the same that may speak with the host's.

Owns the comparison of Host and Origin. Knows nothing of requests, runs or tokens.

The host's rule: where it is reached under a loopback name, Origin must be that name, and ports count where
both say one. Reached under another name (a network, a proxy with a Host of its own) it does not compare.
With --enable-cors-header it lets that origin in, or with "*" every one. One rule is added to it. A connection
to loopback under a foreign name and our own port is a page whose name was bound to this machine (DNS
rebinding), for a proxy has a port of its own.
"""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import SplitResult, urlsplit

USUAL_PORTS = {"http": 80, "https": 443}


class Foreign(ValueError):
    """A request of another page."""


def check_access(host: str, origin: str | None, local: Any, cors: str | None = None):
    """Raises Foreign for a page from elsewhere.

    Args:
        host: the header.
        origin: the header. None for what is no browser's cross-origin request.
        local: the connection's own end, (address, port), None where nobody knows.
        cors: an origin that is let in, or "*".
    """
    if cors == "*":
        return
    at = _split(f"//{host}")
    if at is None or not at.hostname:
        raise Foreign(f"expected a request to this host, got one to {host[:80]!r}")
    if local is not None and _is_rebound(at, local):
        raise Foreign(
            f"expected this machine under localhost or its address, got {host[:80]!r}, a name that may be "
            "another page's; open the page under http://127.0.0.1"
        )
    if origin is None or origin == cors:
        return
    page = _split(origin)
    if page is None:
        raise Foreign(f"expected a request from {host[:80]}, got one from {origin[:80]!r}")
    if _is_loopback(at.hostname) and not _same(at, page):
        raise Foreign(
            f"expected a request from {host[:80]}, got one from {origin[:80]!r}; for a page elsewhere start "
            "the host with --enable-cors-header"
        )


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text.lower())
        _ = parts.port
    except ValueError:  # an address or a port that is none
        return None
    return parts


def _same(host: SplitResult, page: SplitResult) -> bool:
    if host.hostname != page.hostname:
        return False
    return host.port is None or page.port is None or host.port == page.port


def _is_rebound(host: SplitResult, local: Any) -> bool:
    """Whether loopback was reached under a foreign name at the very port that the host listens on."""
    address, port = str(local[0]), local[1]
    ports = {host.port} if host.port is not None else set(USUAL_PORTS.values())
    return _is_loopback(address) and port in ports and _is_name(host.hostname)


def _is_name(name: str | None) -> bool:
    """Whether this is a name that anybody's DNS could give, and no address or loopback's own name."""
    try:
        ipaddress.ip_address(name or "")
        return False
    except ValueError:
        return not _is_loopback(name)


def _is_loopback(name: str | None) -> bool:
    if not name:
        return False
    name = name.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.split("%")[0]).is_loopback
    except ValueError:
        return False
