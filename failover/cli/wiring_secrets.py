"""References to secrets become the secrets themselves, in the command that needs them."""

from failover.net.secret import SecretRef


def resolved(said: object) -> object:
    """The same, with every reference in it resolved. Raises SecretError."""
    if isinstance(said, SecretRef):
        return said.resolve()
    if isinstance(said, dict):
        return {name: resolved(part) for name, part in said.items()}
    if isinstance(said, list | tuple):
        return type(said)(resolved(part) for part in said)
    return said
