"""Prefixes of files: what the host's page fills in for the host's own nodes alone."""

from __future__ import annotations

import re
from datetime import datetime

DATE = re.compile(r"%date(?::([^%]*))?%")
DATE_PART = re.compile(r"yyyy|yy|MM?|dd?|hh?|mm?|ss?")


def with_date(prefix: str, now: datetime | None = None) -> str:
    """The prefix with `%date:yyyy-MM-dd hh_mm_ss%` and `%date%` filled in, as the host's page does it for the
    host's own nodes. The page fills in `%Node.widget%` (js/shared/prefixes.js).
    """
    now = now or datetime.now()
    values = {"y": now.year, "M": now.month, "d": now.day, "h": now.hour, "m": now.minute, "s": now.second}

    def part(found: re.Match) -> str:
        return f"{values[found[0][0]]:0{len(found[0])}}"[-len(found[0]) if found[0][0] == "y" else 0 :]

    return DATE.sub(lambda found: DATE_PART.sub(part, found[1] or "yyyy-MM-dd"), prefix)
