"""A config of many records and addresses: each check loads it, so its cost grows with its size and no faster."""

import sys

from failover.config import document, references

TARGETED = """
sites:
  north: {{provider: one, addresses: {{web: [{addresses}]}}}}
  south: {{provider: two, targets: {{{targets}}}}}
dns:
  zones: [example.org]
  hosts: {{ns: {{kind: rfc2136, server: "192.0.2.53:53"}}}}
  records: {{{records}}}
"""


def calls(size: int) -> int:
    """How many functions the check of references calls, for so many records, addresses and targets."""
    names = [f"n{number}.example.org" for number in range(size)]
    text = TARGETED.format(
        addresses=", ".join(f"192.0.2.{number + 1}" for number in range(size)),
        targets=", ".join(f"{name}: lb.{name}.net" for name in names),
        records=", ".join(f"{name}: {{type: A, nodes: web}}" for name in names),
    )
    parsed, found = document.parse("failover.yaml", text), 0

    def counted(_: object, event: str, __: object) -> None:
        nonlocal found
        found += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        findings = references.check(parsed)
    finally:
        sys.setprofile(before)
    assert not [finding for finding in findings if "example.org" in finding.message]
    return found


def test_twice_the_size_is_twice_the_work() -> None:
    assert calls(80) < 2.5 * calls(40)
