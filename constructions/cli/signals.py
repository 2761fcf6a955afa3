"""What the command does about signals; the library leaves them alone."""

from __future__ import annotations

import signal
from typing import Any

from lrnn_theory import textfile


def heed() -> None:
    """End quietly when the reader of the output has gone, and leave nothing half-written."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for name in "SIGTERM", "SIGHUP":  # SIGINT is a KeyboardInterrupt, which cleans up as it goes
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # not under nohup
            signal.signal(number, _end)


def _end(number: int, _: Any) -> None:
    """Remove unfinished files, and end as this signal does."""
    for path in tuple(textfile.unfinished):
        textfile.remove(path)
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
