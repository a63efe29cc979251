"""Names behind Cloudflare's edge, as a config says them."""

import re
from pathlib import Path

import pytest

from failover.config.load import load
from failover.core.model import Check, CheckKind, Edge
from tests.config.conftest import MINIMAL, Findings

EDGE = """\
  hosts:
    one:
      kind: cloudflare
      credentials: {token: {env: T}}
      proxied: [WWW.Example.org]
      edge: {url: "https://{name}/healthz"}
"""
TEXT = MINIMAL.replace("  hosts: {one: {kind: local}}\n", EDGE)


def test_the_question_that_goes_through_the_edge(tmp_path: Path) -> None:
    path = tmp_path / "failover.yaml"
    path.write_text(TEXT)
    check = Check(
        name="edge",
        kind=CheckKind.HTTPS,
        group="",
        port=443,
        path="/healthz",
        headers={"X-Failover-Site": "{site}"},
        fresh=True,
        timeout_s=4.0,
    )
    assert load(path).service.edges == {
        "one": Edge(names=frozenset({"www.example.org"}), check=check, converges_s=300.0)
    }
    said = 'url: "http://{name}:8080", header: X-Region, expect: "eu-{site}", timeout: 2s'
    path.write_text(TEXT.replace('url: "https://{name}/healthz"', said))
    found = load(path).service.edges["one"].check
    assert (found.kind, found.port, found.path, found.timeout_s) == (CheckKind.HTTP, 8080, "/", 2.0)
    assert found.headers == {"X-Region": "eu-{site}"}
    path.write_text(TEXT.replace('healthz"}', 'healthz", tls: {ca_file: edge.pem}}'))
    assert load(path).service.edges["one"].check.ca_file == str(tmp_path / "edge.pem")


WRONG = {
    "without-edge": (("      edge: .*\n", ""), "needs `edge` beside it: name servers answer Cloudflare's addresses"),
    "without-names": (("      proxied: .*\n", ""), "has a meaning for `proxied` names only"),
    "unknown-name": (("WWW.Example.org", "ww.example.org"), "there is no record `ww.example.org`; did you mean"),
    "address": (("{name}", "{address}"), "must look like https://{name}/healthz"),
    "no-name": (("https://{name}/", "https://www.example.org/"), "must look like https://{name}/healthz"),
    "one-site": (('healthz"}', 'healthz", expect: here}'), "must hold {site}, and no other placeholder"),
    "release": (('healthz"}', 'healthz", expect: "{site} {release}"}'), "must hold {site}, and no other placeholder"),
    "tls": (('https://{name}/healthz"}', 'http://{name}/", tls: {}}'), "has no meaning without https"),
    "two-vendors": (
        ("      edge: .*\n", '      edge: {url: "http://{name}/"}\n    two: {kind: route53}\n'),
        "host `two` would answer other addresses: names are proxied where one is the only DNS host",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be(findings: Findings, name: str) -> None:
    (old, new), says = WRONG[name]
    text = re.sub(old if old.endswith("\n") else re.escape(old), lambda _: new, TEXT)
    assert text != TEXT
    (found,) = findings(text)
    assert says in found


def test_a_wildcard_cannot_be_asked(findings: Findings) -> None:
    text = TEXT.replace("WWW.Example.org", '"*.example.org"').replace("www.example.org:", '"*.example.org":')
    (found,) = findings(text)
    assert "is a wildcard, for which nobody can be asked through the edge" in found
