"""Named texts with a revision and a checksum, in the table `documents`."""

import hashlib
import sqlite3

from failover.errors import StateDamaged

STATE = "state"
ORDERS = "orders"
TERMS = "terms"
HEAD = "head"


def checksum(*parts: object) -> str:
    """SHA-256 over the parts, one per line. A part of a wrong type (damage) gives another sum, not an exception."""
    return hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()


def insert(connection: sqlite3.Connection, name: str, body: str, revision: int = 0) -> None:
    connection.execute(
        "INSERT INTO documents VALUES (?, ?, ?, ?)", (name, revision, body, checksum(name, revision, body))
    )


def get(connection: sqlite3.Connection, name: str) -> tuple[int, str]:
    """(revision, text). Raises StateDamaged when it is missing or fails its checksum."""
    row = connection.execute("SELECT revision, body, sha256 FROM documents WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise StateDamaged("read state", "", f"the document `{name}` is missing")
    revision, body, sum = row
    if sum != checksum(name, revision, body):
        raise StateDamaged("read state", "", f"the document `{name}` does not match its checksum")
    return revision, body


def put(connection: sqlite3.Connection, name: str, revision: int, body: str) -> None:
    """Replace one that is there."""
    connection.execute(
        "UPDATE documents SET revision = ?, body = ?, sha256 = ? WHERE name = ?",
        (revision, body, checksum(name, revision, body), name),
    )
