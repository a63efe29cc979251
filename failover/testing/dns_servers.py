"""What the name servers of every DNS host must answer; part of `DnsConformance`."""

# ruff: noqa: S101 - this is a test suite that ships

import pytest

from failover.core.rrsets import RRset
from failover.errors import AdapterError
from failover.ports import Authority, Dns
from failover.testing.dns_words import TTL_S, WWW, ZONE, addresses, fence, put, settle


class ServersConformance:
    """Each of them comes to answer what the host was told."""

    def test_every_name_server_comes_to_answer_the_change(
        self, host: Dns, authority: Authority | None, published: RRset
    ) -> None:
        if authority is None:
            pytest.skip("no authority to ask")
        moved = addresses(WWW, "198.51.100.7", "198.51.100.8")
        host.apply(ZONE, put(moved), expect=published, fence=fence(2))
        settle(host, authority, moved)
        settle(host, authority, fence(2))
        for server in host.traits().servers:
            assert authority.ask(server, WWW.upper() + ".", "A") == moved

    @pytest.mark.usefixtures("published")
    def test_name_servers_say_when_there_is_none(self, host: Dns, authority: Authority | None) -> None:
        if authority is None:
            pytest.skip("no authority to ask")
        settle(host, authority, addresses(WWW, "192.0.2.1"))
        for server in host.traits().servers:
            assert authority.ask(server, WWW, "AAAA") is None
            assert authority.ask(server, f"absent.{ZONE}", "A") is None

    def test_a_cname_is_answered_and_not_followed(
        self, host: Dns, authority: Authority | None, published: RRset
    ) -> None:
        if authority is None:
            pytest.skip("no authority to ask")
        alias = RRset(name=f"app.{ZONE}", type="CNAME", ttl_s=TTL_S, values=frozenset({WWW}))
        host.apply(ZONE, put(alias), expect=published, fence=fence(2))
        settle(host, authority, alias)
        for server in host.traits().servers:
            assert authority.ask(server, alias.name, "A") == alias

    def test_a_wildcard_is_answered_where_nothing_else_is(
        self, host: Dns, authority: Authority | None, published: RRset
    ) -> None:
        """RFC 4592: not at a name that holds something of another type, and not below a name that is there."""
        if authority is None:
            pytest.skip("no authority to ask")
        here = addresses(f"here.{ZONE}", "192.0.2.2")
        host.apply(ZONE, put(addresses(f"*.{ZONE}", "192.0.2.1"), here), expect=published, fence=fence(2))
        settle(host, authority, here)
        settle(host, authority, fence(2))
        settle(host, authority, addresses(f"a.b.{ZONE}", "192.0.2.1"))
        for server in host.traits().servers:
            for name in (here.name, f"a.{here.name}"):
                assert authority.ask(server, name, "AAAA") is None
            assert authority.ask(server, f"a.{here.name}", "A") is None

    def test_a_server_of_other_zones_is_no_authority(self, host: Dns, authority: Authority | None) -> None:
        if authority is None:
            pytest.skip("no authority to ask")
        for server in host.traits().servers:
            with pytest.raises(AdapterError):
                authority.ask(server, "www.elsewhere.example", "A")
