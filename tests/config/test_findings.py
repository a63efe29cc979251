"""Each kind of mistake: its place, its words, its source line and its caret."""

from pathlib import Path
from typing import Any

import pytest

from failover.config.findings import listed
from failover.config.hosts import SHIPPED
from failover.config.load import load
from tests.config.conftest import MANAGED, MINIMAL, Findings

HOSTS = listed(SHIPPED)
HTTP = '  http: {url: "http://{address}:8080/"}'


def shown(place: str, message: str, line: str, column: int) -> str:
    return f"f.yaml:{place}: {message}\n    {line}\n    {' ' * column}^"


# (what is replaced, by what, the finding: line, message, where in the new line the caret stands)
WRONG: dict[str, tuple[Any, ...]] = {
    "unknown-key": (
        "service: guestbook",
        "servce: guestbook",
        2,
        "unknown key `servce`; did you mean `service`?",
        "servce",
    ),
    "unknown-key-far-off": (
        "  here: {",
        "  here: {qqq: 1, ",
        4,
        "unknown key `qqq`; known are provider, region, standby, addresses",
        "qqq",
    ),
    "version": ("version: 1", "version: 2", 1, "`version` must be 1", "2"),
    "version-text": ("version: 1", "version: one", 1, "`version` must be 1", "one"),
    "name": (
        "service: guestbook",
        "service: Guest_Book",
        2,
        "`service`: a name has up to 63 lower-case letters, digits and hyphens, none of them first or last",
        "Guest",
    ),
    "site-name": (
        "  there:",
        "  There:",
        5,
        "`There`: a name has up to 63 lower-case letters, digits and hyphens, none of them first or last",
        "There",
    ),
    "empty-value": ("service: guestbook", "service: ~", 2, "`service` is empty", "~"),
    "empty-mapping": (
        "  there: {addresses: {web: [198.51.100.10]}}",
        "  there: [1]",
        5,
        "`there` must be a mapping",
        "[1]",
    ),
    "empty-list": ("  zones: [example.org]", "  zones: []", 7, "`zones` must not be empty", "[]"),
    "no-list": ("  zones: [example.org]", "  zones: example.org", 7, "`zones` must be a list", "example"),
    "enum": (
        "  there: {",
        "  there: {standby: hott, ",
        5,
        "`standby` must be one of hot, warm, cold; did you mean `hot`?",
        "hott",
    ),
    "enum-far-off": ("  there: {", "  there: {standby: x, ", 5, "`standby` must be one of hot, warm, cold", "x,"),
    "enum-case": ("type: A,", "type: a,", 10, "`type` must be one of A, AAAA; did you mean `A`?", "a,"),
    "kind": (
        "{kind: local}",
        "{kind: rfc2137}",
        8,
        f"`kind` must be one of {HOSTS}; did you mean `rfc2136`?",
        "rfc2137",
    ),
    "no-kind": ("{kind: local}", "{}", 8, "`dns.hosts.one.kind` is missing", "one"),
    "given-warm": (
        "  there: {",
        "  there: {standby: warm, ",
        5,
        "`standby` must be hot where addresses or targets are given",
        "standby",
    ),
    "target-at-no-record": (
        "  there: {addresses: {web: [198.51.100.10]}}",
        "  there: {targets: {ww.example.org: lb.example.net}}",
        5,
        "there is no record `ww.example.org`; did you mean `www.example.org`?",
        "ww",
    ),
    "target-in-a-circle": (
        "  there: {addresses: {web: [198.51.100.10]}}",
        "  there: {targets: {www.example.org: WWW.example.org.}}",
        5,
        "is a record of this config: it would point in a circle",
        "WWW",
    ),
    "steady-below-ttl": (
        "  zones:",
        "  ttl_steady: 30\n  zones:",
        7,
        "`ttl_steady` is shorter than ttl (60)",
        "ttl_steady",
    ),
    "resolver": (
        "  zones:",
        "  resolvers: [one]\n  zones:",
        7,
        "`resolvers` must be a literal IP address, such as 192.0.2.10",
        "one",
    ),
    "wildcard-in-the-middle": (
        "    www.example.org:",
        "    a.*.example.org:",
        10,
        "`a.*.example.org` is not a DNS name",
        "a",
    ),
    "no-address": (
        "198.51.100.10",
        "www.example.net",
        5,
        "`web` must be a literal IP address, such as 192.0.2.10",
        "www",
    ),
    "any-address": ("198.51.100.10", "0.0.0.0", 5, "`web`: no machine can be reached by this address", "0.0.0.0"),
    "address-twice-in-a-site": (
        "[198.51.100.10]",
        "[198.51.100.10, 198.51.100.10 ]",
        5,
        "198.51.100.10 stands twice; first in this list",
        "198.51.100.10 ]",
    ),
    "address-at-two-sites": ("198.51.100.10", "192.0.2.10", 5, "192.0.2.10 stands twice; first at site `here`", "192"),
    "address-family": (
        "198.51.100.10",
        "'2001:db8::1'",
        5,
        "does not fit `www.example.org`, whose type is A",
        "'2001",
    ),
    "outside-of-zones": (
        "    www.example.org:",
        "    www.example.net:",
        10,
        "`www.example.net` lies in none of the zones; add its zone to `zones` (there is example.org)",
        "www",
    ),
    "no-dns-name": ("    www.example.org:", "    w w.example.org:", 10, "`w w.example.org` is not a DNS name", "w w"),
    "zone-twice": ("[example.org]", "[example.org, Example.org.]", 7, "zone `example.org` stands twice", "Example"),
    "no-group": ("nodes: web", "nodes: wob", 10, "there is no group of nodes `wob`; did you mean `web`?", "wob"),
    "no-group-far-off": ("nodes: web", "nodes: mail", 10, "there is no group of nodes `mail`; there is web", "mail"),
    "ttl-with-unit": ("  zones:", "  ttl: 60s\n  zones:", 7, "`ttl` must be a whole number: write 60", "60s"),
    "ttl-too-small": ("  zones:", "  ttl: 0\n  zones:", 7, "`ttl` must be at least 1", "0"),
    "ttl-too-large": ("  zones:", "  ttl: 86401\n  zones:", 7, "`ttl` must be at most 86400", "86401"),
    "ttl-fraction": ("  zones:", "  ttl: 1.5\n  zones:", 7, "`ttl` must be a whole number", "1.5"),
    "lost-after-zero": ("  zones:", "  lost_after: 0s\n  zones:", 7, "`lost_after` must be longer than 0s", "0s"),
    "check-url": (
        "http://{address}:8080/",
        "http://www/",
        12,
        "`url` must look like http://{address}:8080/healthz",
        '"',
    ),
    "check-port": ("{address}:8080/", "{address}:80800/", 12, "`url`: a port is a number from 1 to 65535", '"'),
    "https-without-host": (
        "http://",
        "https://",
        12,
        "`url` needs `host` beside it: the name that the certificate must be good for",
        "url",
    ),
    "check-of-nothing": (HTTP, "  http: {fall: 3}", 12, "`http` needs exactly one of url, tcp, dns, command", "{fall"),
    "check-of-two": (
        'url: "',
        'tcp: "{address}:1", url: "',
        12,
        "`http` needs exactly one of url, tcp, dns, command",
        "{tcp",
    ),
    "check-tcp": (HTTP, "  http: {tcp: '1.2.3.4:5'}", 12, "`tcp` must look like {address}:5432", "'1"),
    "tcp-with-http": (
        HTTP,
        "  http: {tcp: '{address}:5', method: HEAD}",
        12,
        "`method` has no meaning for a tcp check",
        "method",
    ),
    "duration-bare": (
        HTTP,
        HTTP[:-1] + ", interval: 60}",
        12,
        "`interval`: a duration needs its unit: write 60s",
        "60}",
    ),
    "duration-bare-text": (
        HTTP,
        HTTP[:-1] + ", interval: '60'}",
        12,
        "`interval`: a duration needs its unit: write 500ms, 60s, 5m or 1h",
        "'60'",
    ),
    "duration-unit": (
        HTTP,
        HTTP[:-1] + ", interval: 60sec}",
        12,
        "`interval`: unknown unit `sec`: write 500ms, 60s, 5m or 1h",
        "60sec",
    ),
    "duration-words": (
        HTTP,
        HTTP[:-1] + ", interval: often}",
        12,
        "`interval` is not a duration: write 500ms, 60s, 5m or 1h",
        "often",
    ),
    "duration-negative": (
        HTTP,
        HTTP[:-1] + ", interval: -1s}",
        12,
        "`interval` is not a duration: write 500ms, 60s, 5m or 1h",
        "-1s",
    ),
    "duration-endless": (HTTP, HTTP[:-1] + ", interval: 9999h}", 12, "`interval` is too long: at most 8760h", "9999h"),
    "timeout-above-interval": (
        HTTP,
        HTTP[:-1] + ", timeout: 11s}",
        12,
        "`timeout` is longer than interval (10s)",
        "timeout",
    ),
    "interval-below-timeout": (
        HTTP,
        HTTP[:-1] + ", interval: 1s}",
        12,
        "`interval` is shorter than timeout (4s)",
        "interval",
    ),
    "status": (
        HTTP,
        HTTP[:-1] + ", expect: {status: 299-200}}",
        12,
        "`status` must be a status such as 200, or a range such as 200-299",
        "299",
    ),
    "header-unquoted": (
        HTTP,
        HTTP[:-1] + ", expect: {header: {X: {release}}}}",
        12,
        "`X` must be text; words in { } or [ ] need quotes",
        "{release}",
    ),
    "header-placeholder": (
        HTTP,
        HTTP[:-1] + ", expect: {header: {X: '{relase}'}}}",
        12,
        "`X` knows the placeholders {release} and {site} only",
        "'{relase",
    ),
    "header-release-of-none": (
        HTTP,
        HTTP[:-1] + ", expect: {header: {X: '{release}'}}}",
        12,
        "{release} stands for the digest of `release`, which this config does not have",
        "'{release",
    ),
    "head-with-body": (
        HTTP,
        HTTP[:-1] + ", method: HEAD, expect: {body: ok}}",
        12,
        "`method` must be GET: an answer to HEAD has no body",
        "method",
    ),
    "meaningless-tls-host": (
        HTTP,
        "  http: {tcp: '{address}:5', host: www.example.org}",
        12,
        "`host` has no meaning for a tcp check without `tls`",
        "host",
    ),
    "certificate-of-whom": (
        HTTP,
        "  http: {tcp: '{address}:5', tls: {}}",
        12,
        "`tcp` needs `host` beside it: the name that the certificate must be good for",
        "tcp",
    ),
    "meaningless-expectation": (
        HTTP,
        "  http: {tcp: '{address}:5', expect: {status: 200}}",
        12,
        "`expect` holds `status`, which has no meaning for a tcp check",
        "expect",
    ),
    "meaningless-json": (
        HTTP,
        "  http: {dns: '{address}', name: a.example, expect: {json: {/a: 1}}}",
        12,
        "`expect` holds `json`, which has no meaning for a dns check",
        "expect",
    ),
    "dns-without-name": (
        HTTP,
        "  http: {dns: '{address}'}",
        12,
        "`dns` needs `name` beside it: what to ask for",
        "dns",
    ),
    "command-without-port": (
        HTTP,
        "  http: {command: [check, '{port}']}",
        12,
        "`command` needs `port` beside it: what {port} stands for",
        "command",
    ),
    "command-expects": (
        HTTP,
        "  http: {command: [check], expect: {body: ok}}",
        12,
        "`expect` holds `body`, which has no meaning for a command check",
        "expect",
    ),
    "head-of-json": (
        HTTP,
        HTTP[:-1] + ", method: HEAD, expect: {json: {/a: 1}}}",
        12,
        "`method` must be GET: an answer to HEAD has no body",
        "method",
    ),
    "link-local-site": (
        "192.0.2.10",
        "169.254.7.7",
        4,
        "is link-local and is never asked, unless it stands in `allow_addresses` of `runner`",
        "169",
    ),
    "metadata-site": (
        "192.0.2.10",
        "168.63.129.16",
        4,
        "is a provider's metadata address and is never asked, unless it stands in `allow_addresses` of `runner`",
        "168",
    ),
    "tls-without-https": (HTTP, HTTP[:-1] + ", tls: {days_left: 3}}", 12, "`tls` has no meaning without https", "tls"),
    "runner-at-a-site": (
        "  here: {",
        "  here: {provider: ovh, ",
        13,
        "site `here` is at this provider too: the runner would go down with it",
        "ovh",
        "runner: {provider: ovh}",
    ),
    "control-at-a-site": (
        "  here: {",
        "  here: {provider: ovh, ",
        13,
        "site `here` is at this provider too: a control must be unrelated",
        "ovh",
        "controls: [{tcp: '192.0.2.1:1', provider: ovh}]",
    ),
    "need": (
        "version: 1",
        "version: 1",
        13,
        "more than 1 needs vantages that have an `agent`",
        "2",
        "quorum: {need: 2}",
    ),
    "control-without-name": (
        "version: 1",
        "version: 1",
        13,
        "`dns` needs `name` beside it: what to ask for",
        "dns",
        "controls: [{dns: 192.0.2.1, provider: x}]",
    ),
    "control-with-name": (
        "version: 1",
        "version: 1",
        13,
        "`name` has a meaning for a dns control only",
        "name",
        "controls: [{tcp: '192.0.2.1:1', provider: x, name: a.b}]",
    ),
    "control-without-port": (
        "version: 1",
        "version: 1",
        13,
        "`tcp` must be an address and a port, such as 192.0.2.1:53 or [2001:db8::1]:53",
        "192",
        "controls: [{tcp: 192.0.2.1, provider: x}]",
    ),
    "control-twice": (
        "version: 1",
        "version: 1",
        13,
        "this control stands twice: it would count twice",
        "{provider",
        "controls: [{tcp: '192.0.2.1:1', provider: a}, {provider: b, tcp: '192.0.2.1:1'}]",
    ),
    "failback": ("version: 1", "version: 1", 13, "`failback` must be manual", "auto", "policy: {failback: auto}"),
    "state": (
        "version: 1",
        "version: 1",
        13,
        "`state` must be sqlite:PATH; this version knows no other store",
        "etcd",
        "state: etcd://a:1/x",
    ),
    "complex-key": ("version: 1", "version: 1", 13, "a key must be plain text", "[", "? [a]\n: 1"),
    "tag": (
        "version: 1",
        "version: 1",
        13,
        "tags (words that begin with !) have no meaning here",
        "!x",
        "state: !x sqlite:s",
    ),
    "merge-key": ("service:", "<<: {}\nservice:", 2, "unknown key `<<`", "<<"),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_mistake_in_a_config_of_given_sites(findings: Findings, name: str) -> None:
    old, new, line, message, at, *more = WRONG[name]
    assert old in MINIMAL
    text = MINIMAL.replace(str(old), str(new), 1) + "".join(f"{part}\n" for part in more)
    source = text.splitlines()[int(line) - 1]
    column = source.index(str(at), source.index(": ") if name.startswith(("enum", "version", "empty-value")) else 0)
    found = findings(text)
    assert any(finding.startswith(f"f.yaml:{line}:{column + 1}: {message}") for finding in found), found
    if not str(message).startswith(("unknown key", "a key")):  # there the rest of the line is hidden
        assert shown(f"{line}:{column + 1}", str(message), source, column) in found


TARGET = "{targets: {www.example.org: lb.example.net}}"


def test_a_site_with_targets_needs_one_for_each_record_or_addresses(findings: Findings) -> None:
    text = MINIMAL.replace("{addresses: {web: [198.51.100.10]}}", TARGET)
    text = text.replace("type: A, nodes: web}", "type: A, nodes: web}\n    api.example.org: {type: A, nodes: web}")
    (found,) = findings(text)
    assert "5:3: `there` has no addresses for group `web`, which `api.example.org` publishes" in found


@pytest.mark.parametrize("kind", ["digitalocean", "linode", "vultr"])
def test_targets_need_hosts_that_change_a_type_in_one_step(findings: Findings, kind: str, tmp_path: Path) -> None:
    host = f"{{kind: {kind}, credentials: {{token: {{env: T}}}}}}"
    text = MINIMAL.replace("{kind: local}", host)
    aliased = text.replace("{addresses: {web: [198.51.100.10]}}", TARGET)
    (told,) = findings(aliased)
    assert f"8:23: {kind} cannot turn addresses into an alias without a gap, and site `there` has targets" in told
    for good in (text, aliased.replace(kind, "gandi"), aliased.replace(kind, "cloudflare")):
        (tmp_path / "failover.yaml").write_text(good)
        assert load(tmp_path / "failover.yaml").hosts["one"].options["servers"] is None


def test_no_target_at_the_zone_itself(findings: Findings) -> None:
    text = MINIMAL.replace("    www.example.org:", "    example.org:")
    (found,) = findings(text.replace("{addresses: {web: [198.51.100.10]}}", TARGET.replace("www.", "")))
    assert "5:21: `example.org` is the zone itself, where no CNAME can stand; give addresses" in found


MANAGED_WRONG: dict[str, tuple[Any, ...]] = {
    "unknown-provider": (
        "provider: aurora",
        "provider: aurorra",
        "6:20",
        "there is no provider `aurorra`; did you mean `aurora`?",
    ),
    "provider-kind": (
        "{kind: local}",
        "{kind: loca}",
        "4:18",
        "`kind` must be one of local, aws, digitalocean, linode, vultr, hetzner, openstack; did you mean `local`?",
    ),
    "no-provider": (
        "{provider: aurora}",
        "{}",
        "6:9",
        "`here` needs a provider, or addresses if somebody else provisions it",
    ),
    "no-release": ("release: ", "notify: []\n#", "6:3", "`release` is missing: site `here` is managed"),
    "no-nodes": ("nodes:\n  web: {count: 2}\n", "", "6:3", "`nodes` is missing: site `here` is managed"),
    "no-run": (", run: python3 server.py", "", "7:1", "`release.run` is missing"),
    "run-quote": ("run: python3 server.py", "run: python3 'server.py", "7:27", "`run` has a quote that is not closed"),
    "count-text": ("{count: 2}", "{count: '2'}", "9:16", "`count` must be a whole number: write 2"),
    "count-none": ("{count: 2}", "{count: 0}", "9:16", "`count` must be at least 1"),
    "count-yes": ("{count: 2}", "{count: true}", "9:16", "`count` must be a whole number"),
    "warm-count": ("{count: 2}", "{count: 2, warm_count: 3}", "9:19", "`warm_count` is more than count (2)"),
    "size-bare": ("{count: 2}", "{count: 2, memory: 4}", "9:27", "`memory`: a size needs its unit: write 4GiB or 4MiB"),
    "size-unit": ("{count: 2}", "{count: 2, memory: 4GB}", "9:27", "`memory`: unknown unit `GB`: write 512MiB or 4GiB"),
    "size-part": ("{count: 2}", "{count: 2, disk: 512MiB}", "9:25", "`disk` must be in whole GiB: write 1GiB or 40GiB"),
    "ipv6": ("type: A,", "type: AAAA,", "14:29", "nodes of the local cloud have IPv4 addresses only"),
    "which-group": (
        "web: {count: 2}",
        "{web: {count: 2}, db: {count: 1}}",
        "16:3",
        "`nodes` is missing: there is web, db",
    ),
    "no-check": (
        "web: {count: 2}",
        "{web: {count: 2}, db: {count: 1}}",
        "14:39",
        "group `web` is published, but no check asks it",
        '"http://{address}:8080/"',
        '"http://{address}:8080/", nodes: db',
    ),
    "given-without-group": (
        "  here: {provider: aurora}",
        "  here: {addresses: {web: [192.0.2.1], wob: [192.0.2.2]}}",
        "6:40",
        "there is no group of nodes `wob`; did you mean `web`?",
    ),
    "given-not-covering": (
        "  here: {provider: aurora}",
        "  here: {addresses: {db: [192.0.2.1]}}",
        "6:10",
        "`here` has no addresses for group `web`, which `www.example.org` publishes",
    ),
    "same-server-otherwise": (
        "{one: {kind: local}}",
        "{a: {kind: rfc2136, server: '192.0.2.1:53'}, b: {kind: powerdns, endpoint: 'http://192.0.2.1:8081', "
        "servers: ['192.0.2.1:53'], credentials: {token: {env: A}}}}",
        "12:119",
        "host `a` is the same server",
    ),
    "zone-id-of-no-zone": (
        "{one: {kind: local}}",
        "{one: {kind: route53, zone_ids: {example.com: Z1}}}",
        "12:43",
        "there is no zone `example.com` in `zones`; did you mean `example.org`?",
    ),
    "host-token": (
        "{one: {kind: local}}",
        "{one: {kind: powerdns, endpoint: 'http://x/', servers: ['192.0.2.1:53'], credentials: {token: hunter2}}}",
        "12:104",
        "must be a reference: {env: NAME}, {file: PATH} or {command: [PROGRAM, …]}; never the secret itself",
    ),
    "octodns-secret": (
        "{one: {kind: local}}",
        "{one: {kind: octodns, class: a.B, credentials: {api_key: hunter2}, servers: ['192.0.2.1:53']}}",
        "12:67",
        "must be a reference: {env: NAME}, {file: PATH} or {command: [PROGRAM, …]}; never the secret itself",
    ),
    "octodns-class": (
        "{one: {kind: local}}",
        "{one: {kind: octodns, class: nodots, servers: ['192.0.2.1:53']}}",
        "12:39",
        "`class` must be PACKAGE.CLASS, such as octodns_powerdns.PowerDnsProvider",
    ),
    "octodns-id": (
        "{one: {kind: local}}",
        "{one: {kind: octodns, class: a.B, options: {id: x}, servers: ['192.0.2.1:53']}}",
        "12:44",
        "`options` cannot hold `id`, which failover gives",
    ),
    "registry-twice": (
        "{one: {kind: local}}",
        "{one: {kind: local}}\n  registry: {url: 'https://rdap.example/', bootstrap: x.json}",
        "13:44",
        "`bootstrap` has no meaning beside url, which answers for all domains",
    ),
    "same-server": (
        "{one: {kind: local}}",
        "{a: {kind: rfc2136, server: '192.0.2.1:53'}, b: {kind: rfc2136, server: '192.0.2.1:53'}}",
        "12:82",
        "host `a` is the same server",
    ),
    "twice": (
        "service: guestbook",
        "service: guestbook\nservice: other",
        "3:1",
        "`service` stands twice; first in line 2",
    ),
    "record-twice": (
        "    www.example.org: {type: A, nodes: web}",
        "    www.example.org: {type: A, nodes: web}\n    WWW.example.org.: {type: A, nodes: web}",
        "15:5",
        "`www.example.org` stands twice",
    ),
    "env-number": ("path: app,", "path: app, env: {N: 5},", "7:31", "this variable must be text: write it in quotes"),
    "env-reserved": ("path: app,", "path: app, env: {PORT: '5'},", "7:28", "this variable is set by failover itself"),
    "env-and-secret": (
        "path: app,",
        "path: app, env: {A: x}, secrets: {A: {env: B}},",
        "7:28",
        "this variable stands in `secrets` too",
    ),
}


@pytest.mark.parametrize("name", sorted(MANAGED_WRONG))
def test_a_mistake_in_a_config_of_managed_sites(findings: Findings, name: str) -> None:
    old, new, place, message, *more = MANAGED_WRONG[name]
    text = MANAGED.replace(old, new, 1)
    if more:
        text = text.replace(*more)
    found = findings(text)
    assert any(finding.startswith(f"f.yaml:{place}: {message}\n") for finding in found), found


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(findings: Findings) -> None:
    text = (
        MINIMAL.replace("version: 1", "version: 3")
        .replace("nodes: web", "nodes: wob")
        .replace("kind: local", "kind: x")
    )
    assert findings(text + "notify: 1\n") == (
        shown("1:10", "`version` must be 1", "version: 3", 9),
        shown("8:23", f"`kind` must be one of {HOSTS}", "  hosts: {one: {kind: x}}", 22),
        shown(
            "10:39",
            "there is no group of nodes `wob`; did you mean `web`?",
            "    www.example.org: {type: A, nodes: wob}",
            38,
        ),
        shown("13:9", "`notify` must be a list", "notify: ***", 8),
    )


def test_missing_keys_are_told_where_they_belong(findings: Findings) -> None:
    assert findings("version: 1\ndns: {}\n") == (
        shown("1:1", "`checks` is missing", "version: 1", 0),
        shown("1:1", "`service` is missing", "version: 1", 0),
        shown("1:1", "`sites` is missing", "version: 1", 0),
        shown("2:1", "`dns.hosts` is missing", "dns: {}", 0),
        shown("2:1", "`dns.records` is missing", "dns: {}", 0),
        shown("2:1", "`dns.zones` is missing", "dns: {}", 0),
    )


SYNTAX: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "1:1: the file is empty"),
    "comment": ("# nothing\n", "1:1: the file is empty\n    # nothing\n    ^"),
    "open-quote": ('version: 1\nservice: "x\n', "3:1: not valid YAML: found unexpected end of stream"),
    "tab": (
        "version: 1\n\tservice: x\n",
        "2:1: not valid YAML: a tab stands here; indent with spaces\n     service: x\n    ^",
    ),
    "bracket": (
        "version: 1\nsites: {a: [1}\n",
        "2:14: not valid YAML: expected ',' or ']', but got '}'\n    sites: {a: [1}\n" + " " * 17 + "^",
    ),
    "two-documents": (
        "version: 1\n---\nversion: 1\n",
        "2:1: not valid YAML: but found another document\n    ---\n    ^",
    ),
    "control": (b"version: 1\nservice: a\x07b\n", "2:11: not valid YAML: the character U+0007 is not allowed"),
    "not-utf-8": (b"version: 1\nservice: caf\xe9\n", "2:13: the file is not UTF-8 text"),
    "utf-16": ("version: 1\n".encode("utf-16"), "1:1: the file is not UTF-8 text"),
    "list": ("[1]\n", "1:1: this is not a config: it must be a mapping, `version: 1` first"),
    "self": ("version: 1\nsites: &a {b: *a}\n", "it is nested more than 40 levels deep, or refers to itself"),
    "deep": ("a: " + "[" * 2000, "not valid YAML: it is nested more than 40 levels deep"),
    "undefined": ("version: *x\n", "1:10: not valid YAML: found undefined alias 'x'"),
    "directive": ("%YAML 7.x\n---\na: 1\n", "1:"),
}


@pytest.mark.parametrize("name", sorted(SYNTAX))
def test_a_file_that_is_no_config(findings: Findings, name: str) -> None:
    text, expected = SYNTAX[name]
    (found,) = findings(text)
    assert expected in found


def test_an_alias_bomb_is_refused(findings: Findings) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (found,) = findings("\n".join(lines))
    assert "more than 50000 values, aliases unfolded" in found


def test_aliases_are_welcome(findings: Findings) -> None:
    text = MINIMAL.replace("{type: A, nodes: web}", "&r {type: A, nodes: web}") + "    example.org: *r\n"
    assert "unknown key `example.org`" not in "".join(findings(text + "x: 1\n"))


def test_a_long_line_is_shown_around_the_caret(findings: Findings) -> None:
    text = MINIMAL.replace("[192.0.2.10]", "[" + ", ".join(f"192.0.2.{n}" for n in range(1, 60)) + ", nowhere]")
    (found,) = findings(text)
    _, line, caret = found.splitlines()
    assert len(line) <= 106
    assert line[caret.index("^") :].startswith("nowhere")


def test_characters_that_drive_a_terminal_are_never_printed(findings: Findings) -> None:
    for finding in findings(MINIMAL + 'notfy\u202e: "a"\n"\\e[31mred": 1\n'):
        assert all(c.isprintable() or c == "\n" for c in finding)


# ---------------------------------------------------------------------------------------------- several vantages

KEY = "key: {file: k}"
HOME, PARIS, OREGON = (
    "home: {provider: h}",
    f"paris: {{provider: p, agent: 'https://p.example', {KEY}}}",
    f"oregon: {{provider: o, agent: 'https://o.example', {KEY}}}",
)


def quorum(*vantages: str, more: str = "need: 2, ") -> str:
    return f"{MINIMAL}quorum: {{{more}vantages: {{{', '.join(vantages)}}}}}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (quorum(PARIS, OREGON), "one vantage must be the controller itself, without `agent`"),
        (
            quorum(HOME, "tokyo: {provider: t}", PARIS),
            "`agent` is missing; without one goes the controller's own vantage only, which is home",
        ),
        (quorum(HOME, PARIS, more="need: 3, "), "3 cannot be reached: vantages stand at 2 providers"),
        (quorum(HOME, PARIS, OREGON.replace("provider: o", "provider: p"), more="need: 3, "), "at 2 providers"),
        (
            quorum(HOME, PARIS).replace("here: {", "here: {provider: p, "),
            "2 cannot be reached: vantages stand at 1 providers besides p, which is guarded",
        ),
        (quorum(HOME, PARIS, OREGON, more="need: 2, single: accept, "), "`single` contradicts `need: 2`"),
        (quorum(HOME, "paris: {provider: p, agent: 'https://p.example'}", OREGON), "`agent` needs `key` beside it"),
        (quorum(f"home: {{provider: h, {KEY}}}", PARIS, OREGON), "`key` has a meaning with `agent` only"),
        (
            quorum(HOME, PARIS.replace("https", "http").replace(KEY, f"ca_file: c, {KEY}"), OREGON),
            "`ca_file` has a meaning with an https `agent` only",
        ),
    ],
)
def test_a_quorum_that_cannot_work(text: str, says: str, findings: Findings) -> None:
    assert any(says in finding for finding in findings(text)), findings(text)
