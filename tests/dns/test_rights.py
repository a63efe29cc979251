"""What a credential may change at a DNS host: by name where the host can restrict to names, and never by a doubt."""

from collections.abc import Iterator, Sequence

import pytest

from failover.core.rights import Act, May, Right, allowed, refused, unproven
from failover.core.rrsets import epoch_name
from failover.dns.rights import NARROWED_MAX, Key, narrowed
from failover.dns.route53 import Route53
from failover.dns.route53_sets import RECORDS_MAX
from failover.errors import AdapterError, TimedOut
from failover.net.aws import AwsCredentials
from failover.ports import Dns
from failover.testing.dns import FENCE, WWW, ZONE
from failover.testing.rights import NAMES
from tests.dns.host_cases import CASES, LINODE, TOKEN, Case
from tests.standins.base import StandIn
from tests.standins.route53 import Route53 as Route53StandIn

KEY = "AKIANARROWNARROW1234"
WRITES = "^(POST|PUT|PATCH|DELETE) "


@pytest.mark.parametrize("fault", ["429", "500", "502", "drop"])
def test_an_answer_that_does_not_tell_allows_nothing(host: Dns, standin: StandIn, fault: str) -> None:
    host.read(ZONE, NAMES)
    standin.fault(".*", fault, times=None)
    try:
        rights = host.rights(ZONE, NAMES)
    except AdapterError:
        return
    assert {right.may for right in rights} == {May.UNPROVEN}


def test_no_request_is_carried_out_nor_sent_twice(case: Case, host: Dns, standin: StandIn) -> None:
    before = case.census(standin, ours=())
    host.rights(ZONE, NAMES)
    sent = [f"{call.method} {call.path}" for call in standin.requests if call.method != "GET"]
    assert len(set(sent)) == len(sent)
    assert case.census(standin, ours=()) == before


def test_gandi_does_not_say_what_it_looks_at_first() -> None:
    case = next(case for case in CASES if case.kind == "gandi")
    with case.standin(token=TOKEN) as standin:
        case.zone(standin, ZONE)
        host = case.host(standin)
        (right,) = host.rights(ZONE, NAMES)
        host.close()
    assert (right.act, right.may) == (Act.CHANGE, May.UNPROVEN)
    assert right.says.startswith("400 ")


@pytest.mark.parametrize(("permission", "may"), [("read_write", May.ALLOWED), ("read_only", May.REFUSED)])
def test_a_restricted_user_of_linode_needs_the_one_domain(permission: str, may: May) -> None:
    with LINODE.standin(token=TOKEN) as standin:
        LINODE.zone(standin, ZONE)
        (id,) = standin.domains  # type: ignore[attr-defined] # of Linode
        grants = {"global": {}, "linode": [], "domain": [{"id": id, "label": ZONE, "permissions": permission}]}
        standin.grants = grants  # type: ignore[attr-defined] # as above
        host = LINODE.host(standin)
        (right,) = host.rights(ZONE, NAMES)
        host.close()
    assert right.may is may


# ------------------------------------------------------------------------------------ name by name


class ThenSilent:
    """A host that refuses the first try, and then does something else."""

    def __init__(self, *then: Right | AdapterError) -> None:
        self._answers: list[Right | AdapterError] = [refused(Act.CHANGE, "REFUSED"), *then]

    def __call__(self, names: Sequence[Key]) -> Right:
        found = self._answers.pop(0)
        if isinstance(found, AdapterError):
            raise found
        return found


DOUBT = unproven(Act.CHANGE, "429 Throttling")
GONE = TimedOut("ask rights", "192.0.2.1:53", "the connection was lost")


@pytest.mark.parametrize("then", [[GONE], [allowed(Act.CHANGE), GONE], [DOUBT] * 3], ids=["gone", "half", "doubt"])
def test_a_refusal_is_not_lost_by_a_closer_look(then: list[Right | AdapterError]) -> None:
    assert narrowed(NAMES, ThenSilent(*then)) == (refused(Act.CHANGE, "REFUSED"),)


def test_what_is_refused_stands_beside_what_could_not_be_found_out() -> None:
    found = narrowed(NAMES, ThenSilent(refused(Act.CHANGE, "REFUSED"), DOUBT, allowed(Act.CHANGE)))
    assert [right.may for right in found] == [May.REFUSED, May.UNPROVEN, May.ALLOWED]
    assert [right.object for right in found] == [" ".join(key) for key in NAMES]


# ------------------------------------------------------------------------------------ Route 53


@pytest.fixture
def aws() -> Iterator[Route53StandIn]:
    with Route53StandIn() as running:
        running.add_zone(ZONE)
        yield running


def narrow(aws: Route53StandIn, *names: str) -> Route53:
    """By a key whose policy lets it change these names."""
    key = AwsCredentials(access_key=aws.grant(KEY, *names), secret_key="of tests")
    return Route53(name="r53", zones=[ZONE], credentials=key, endpoint=aws.url, timeout_s=60.0, deadline_s=120.0)


def test_route_53_says_which_name_a_policy_lacks(aws: Route53StandIn) -> None:
    assert narrow(aws, WWW, FENCE[0]).rights(ZONE, NAMES) == (allowed(Act.CHANGE),)
    fence, www_4, www_6 = sorted(narrow(aws, WWW).rights(ZONE, NAMES), key=lambda right: right.object)
    assert fence.may is May.REFUSED
    assert "AccessDenied" in fence.says
    assert fence.object == f"{epoch_name('guestbook', ZONE)} TXT"
    assert {www_4.may, www_6.may} == {May.ALLOWED}


def test_of_very_many_names_none_is_asked_by_itself(aws: Route53StandIn) -> None:
    many = [(f"n{n}.{ZONE}", "A") for n in range(NARROWED_MAX + 1)]
    (right,) = narrow(aws, WWW).rights(ZONE, many)
    assert right.may is May.REFUSED
    assert aws.count("^POST .*/rrset/$") == 1


def test_of_more_names_than_one_batch_takes_the_last_one_counts_too(aws: Route53StandIn) -> None:
    many = [(f"n{n}.{ZONE}", "A") for n in range(RECORDS_MAX // 2 + 1)]
    names = [name for name, _ in many]
    assert narrow(aws, *names).rights(ZONE, many) == (allowed(Act.CHANGE),)
    (right,) = narrow(aws, *names[:-1]).rights(ZONE, many)
    assert right.may is May.REFUSED


@pytest.mark.parametrize("fault", ["429", "500", "502", "drop"])
def test_route_53_in_doubt_allows_nothing(aws: Route53StandIn, fault: str) -> None:
    host = narrow(aws, WWW, FENCE[0])
    host.read(ZONE, NAMES)
    aws.fault(WRITES, fault, times=None)
    assert {right.may for right in host.rights(ZONE, NAMES)} == {May.UNPROVEN}
