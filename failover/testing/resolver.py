"""What everything that looks up host names must do.

A test of a new resolver is a class of a few lines:

    class TestMyResolver(ResolverConformance):
        @pytest.fixture
        def resolver(self):
            return MyResolver(…)      # that knows NAMES, and cannot look up BROKEN
"""

# ruff: noqa: S101 - this is a test suite that ships

import pytest

from failover.errors import AdapterError
from failover.ports import Resolver

NAMES = {
    "lb.north.example": ("192.0.2.1", "192.0.2.2", "2001:db8::1"),
    "six.north.example": ("2001:db8::6",),
    "www.example": ("192.0.2.1", "192.0.2.2", "2001:db8::1"),
    "empty.north.example": (),
    "absent.north.example": (),
}
"""`www.example` is an alias of `lb.north.example`, which is in another zone; `empty` has a TXT set only."""
BROKEN = "www.broken.example"
"""A name whose zone no server answers for."""


class ResolverConformance:
    """Subclass it, and give the fixture `resolver`."""

    @pytest.fixture
    def resolver(self) -> Resolver:
        """Knows NAMES, and cannot look up BROKEN."""
        raise NotImplementedError

    @pytest.mark.parametrize("name", sorted(NAMES))
    def test_addresses_of_both_families_ipv4_first(self, resolver: Resolver, name: str) -> None:
        assert resolver.addresses(name) == NAMES[name]

    def test_names_in_any_case_and_with_a_final_dot(self, resolver: Resolver) -> None:
        assert resolver.addresses("LB.North.Example.") == NAMES["lb.north.example"]

    def test_the_same_again(self, resolver: Resolver) -> None:
        assert resolver.addresses("www.example") == resolver.addresses("www.example")

    def test_a_name_that_cannot_be_looked_up_is_never_empty(self, resolver: Resolver) -> None:
        with pytest.raises(AdapterError):
            resolver.addresses(BROKEN)
