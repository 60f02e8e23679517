"""Protocol of a peer: it reads the name of a work from standard input and answers with seconds.

Each peer is a process that sleeps while the others are measured. Standard output carries the answers
only; the output of libraries goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

Work = Callable[[], object]


def serve(works: dict[str, Callable[[], Work]], about: dict[str, str]) -> None:
    """Answer requests until standard input ends; a work is prepared at its first request."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    print(json.dumps({"about": about, "works": list(works)}), file=answers)
    ready: dict[str, Work] = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in ready:
            ready[name] = works[name]()
            ready[name]()  # compilation and first touches of memory do not count
        start = time.perf_counter()
        ready[name]()
        print(json.dumps(time.perf_counter() - start), file=answers)
