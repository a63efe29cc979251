"""Regular expressions over what strangers send."""

from collections.abc import Callable
from functools import lru_cache

Search = Callable[[bytes], object]
"""Something true when the pattern is found anywhere."""
NEEDS = "a regular expression needs the package google-re2: pip install 'failover[regex]'"
MEMORY_BYTES_MAX = 8 << 20


@lru_cache(maxsize=1024)
def searcher(pattern: str) -> Search:
    """RE2 looks at each byte once: no pattern and no text can hold us up, as backtracking can.

    Raises ImportError without the package, ValueError with what is wrong with the pattern.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY_BYTES_MAX
    try:
        search: Search = re2.compile(pattern, options).search
    except re2.error as error:
        cause = error.args[0] if error.args else ""
        raise ValueError(cause.decode(errors="replace") if isinstance(cause, bytes) else str(cause)) from None
    return search
