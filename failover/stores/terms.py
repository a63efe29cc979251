"""Terms: one counter for all roles, so that a term alone tells which role it was given for.

They live in the database, where a write is checked against them in its own transaction. Before there is a database
(`apply` is about to make it), and while it is damaged, they are lines `role term` in `state.db.terms`. The next term is
above everything that either holds. The lock on that file orders the taking of terms and the making of the database.
"""

import errno
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from failover.errors import StateDamaged, StateError, StateFenced, StateMissing
from failover.stores import documents
from failover.stores.codec import decode_terms, encode
from failover.stores.database import Database
from failover.stores.files import beside, locked


def next_term(database: Database, role: str) -> int:
    """A term greater than every one before, durably noted as the role's newest."""
    with locked(terms_path(database.path), "take a term") as number:
        noted = read_noted(number)

        def bump(connection: sqlite3.Connection) -> int:
            revision, body = documents.get(connection, documents.TERMS)
            terms = decode_terms(body)
            term = 1 + max((0, *terms.values(), *noted.values()))
            documents.put(connection, documents.TERMS, revision + 1, encode({**terms, role: term}))
            return term

        try:
            return database.write("take a term", bump)
        except (StateMissing, StateDamaged):
            term = 1 + max((0, *noted.values()))
            _note(number, role, term)
            return term


def refuse_old(connection: sqlite3.Connection, term: int) -> None:
    """Raises StateFenced unless `term` is the newest of its role."""
    _, body = documents.get(connection, documents.TERMS)
    refuse_unknown(decode_terms(body), term)


def refuse_unknown(terms: Mapping[str, int], term: int) -> None:
    """Raises StateFenced unless `term` is the newest of some role (terms are unique across roles)."""
    if term not in terms.values():
        newest = ", ".join(f"{role} {number}" for role, number in sorted(terms.items())) or "none"
        raise StateFenced(
            "write state", f"term {term}", f"it is not the newest of any role ({newest})", "another run has taken over"
        )


def terms_path(path: Path) -> Path:
    return beside(path, ".terms")


def read_noted(number: int) -> dict[str, int]:
    """By role, the newest term in the file. A last line that was cut off by a crash was never given out."""
    terms: dict[str, int] = {}
    *lines, _ = os.pread(number, os.fstat(number).st_size, 0).decode(errors="replace").split("\n")
    for line in filter(None, lines):
        role, _, term = line.partition(" ")
        if not term.isdecimal():
            raise StateDamaged("read terms", "state.db.terms", f"not a term: {line[:80]!r}", "remove the file")
        terms[role] = max(int(term), terms.get(role, 0))
    return terms


def _note(number: int, role: str, term: int) -> None:
    try:
        os.lseek(number, 0, os.SEEK_END)
        line = f"\n{role} {term}\n".encode()
        if os.write(number, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(number)
    except OSError as error:
        raise StateError("take a term", role, error.strerror or str(error)) from error
