"""Words for people: numbers of bytes, seconds and things, and what an error says."""


def size_text(n_bytes: float) -> str:
    """Return 1536 as "1.54 kB" and so on."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if n_bytes < 999.5:  # from there on it is rounded to 1000
            return f"{n_bytes:.0f} {unit}" if unit == "bytes" else f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB" if n_bytes < 999.5 else f"{n_bytes:,.0f} TB"


def duration(seconds: float) -> str:
    """Return seconds as "8 s", "12 min" or "3 h 20 min"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str) -> str:
    """Return "1 frame" or "2 frames"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, or its class where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
