"""Numbers as words for people: bytes, seconds, how many of something."""


def size_text(n_bytes: float) -> str:
    """Return 1536 as "1.54 kB" and so on."""
    for unit in ("bytes", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "bytes" else f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"


def duration(seconds: float) -> str:
    """Return seconds as "8 s", "12 min" or "3 h 20 min"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str) -> str:
    """Return "1 frame" or "2 frames"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
