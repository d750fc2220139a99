"""Which pages may speak with the pack's routes: as the host's, and no page under a rebound name."""

import pytest

LOOP, LAN = ("127.0.0.1", 8188), ("192.168.1.5", 8188)
SIX = ("::1", 8188, 0, 0)
GOOD = [
    ("127.0.0.1:8188", None, LOOP, None),
    ("127.0.0.1:8188", "http://127.0.0.1:8188", LOOP, None),
    ("localhost:8188", "http://localhost:8188", SIX, None),
    ("LOCALHOST:8188", "http://localhost", LOOP, None),
    ("[::1]:8188", "http://[::1]:8188", SIX, None),
    ("127.0.0.1", "http://127.0.0.1:8188", LOOP, None),
    ("192.168.1.5:8188", "http://192.168.1.5:8188", LAN, None),
    ("box.local:8188", "http://box.local:8188", LAN, None),
    # proxies: a Host of their own, ports that are said or not, and on the same machine
    ("comfy-backend:8188", "https://comfy.example.com", LAN, None),
    ("comfy.example.com:443", "https://comfy.example.com", LOOP, None),
    ("comfy.example.com", "https://comfy.example.com", LOOP, None),
    # --enable-cors-header
    ("127.0.0.1:8188", "http://good.example", LOOP, "http://good.example"),
    ("127.0.0.1:8188", "http://any.example", LOOP, "*"),
    ("127.0.0.1:8188", "http://127.0.0.1:8188", LOOP, "http://good.example"),
]
BAD = [
    ("127.0.0.1:8188", "http://elsewhere", LOOP, None),
    ("127.0.0.1:8188", "http://127.0.0.1:9", LOOP, None),
    ("127.0.0.1:8188", "null", LOOP, None),
    ("127.0.0.1:8188", "file://", LOOP, None),
    ("127.0.0.1:8188", "http://[::1", LOOP, None),
    ("127.0.0.1:8188", "http://127.0.0.1:8188@evil.example", LOOP, None),
    ("127.0.0.1:8188", "http://bad.example", LOOP, "http://good.example"),
    ("localhost:8188", "http://127.0.0.1:8188", LOOP, None),
    ("127.0.0.1:x", None, LOOP, None),
    ("", None, LOOP, None),
    # DNS rebinding
    ("evil.test:8188", "http://evil.test:8188", LOOP, None),
    ("evil.test:8188", None, LOOP, None),
    ("evil.test:8188", "http://evil.test:8188", SIX, "http://good.example"),
    ("evil.test", "http://evil.test", ("127.0.0.1", 80), None),
    ("localhost.evil.test:8188", None, LOOP, None),
]


@pytest.mark.parametrize("case", GOOD, ids=str)
def test_the_host_s_own_pages_get_in(pack, case):
    pack("nodes._access").check_access(*case)


@pytest.mark.parametrize("case", BAD, ids=str)
def test_other_pages_are_refused(pack, case):
    access = pack("nodes._access")
    with pytest.raises(access.Foreign, match="expected"):
        access.check_access(*case)
