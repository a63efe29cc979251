"""What an answer to a try says of a right, and what a right means for each role: situation → finding."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from failover.core.doctor import diagnose, would_fail
from failover.core.doctor_rights import AREA
from failover.core.findings import Finding, Severity
from failover.core.model import Standby
from failover.core.reading import Answer, Transport
from failover.core.rights import (
    Act,
    Credential,
    Granted,
    May,
    Right,
    allowed,
    by_scope,
    doubted,
    lacking,
    refused,
    right_of,
    unproven,
    worst,
)
from tests.core.builders import AURORA, BOREAS, CIRRUS
from tests.core.test_doctor import GOOD, HERE, at_site, facts, only, standby

WRITES = (Act.CREATE, Act.DESTROY, Act.OPEN, Act.STORE)


def answer(provider: str = "digitalocean", **parts: object) -> Answer:
    base = Answer(provider=provider, operation="droplets.create", status=403, message="no")
    return replace(base, **parts)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------ one answer


@pytest.mark.parametrize(
    ("said", "may", "says"),
    [
        (answer(status=422, message="name is missing"), May.ALLOWED, ""),
        (answer(status=412, code="DryRunOperation"), May.ALLOWED, ""),
        (answer(status=422, html=True), May.UNPROVEN, "422 a web page"),
        (answer(code="forbidden"), May.REFUSED, "it needs x:write (403 forbidden: no)"),
        (
            answer("hetzner", status=401, code="token_readonly"),
            May.REFUSED,
            "it needs x:write (401 token_readonly: no)",
        ),
        (answer("aws", code="UnauthorizedOperation"), May.REFUSED, "it needs x:write (403 UnauthorizedOperation: no)"),
        (answer(html=True), May.UNPROVEN, "403 a web page"),
        (answer(status=401, message="Unable to authenticate"), May.UNPROVEN, "401 Unable to authenticate"),
        (answer(status=200, message=""), May.UNPROVEN, "200"),
        (answer(status=None, message=""), May.UNPROVEN, "an answer that does not tell"),
        (answer(status=429), May.UNPROVEN, "429 no"),
        (answer(status=500, message="oops"), May.UNPROVEN, "500 oops"),
        (answer(status=404), May.UNPROVEN, "404 no"),
        (answer(status=None, transport=Transport.TIMEOUT), May.UNPROVEN, "no answer (timeout)"),
        (answer(status=422, transport=Transport.RESET), May.UNPROVEN, "no answer (reset)"),
        (answer("aws", code="Blocked", message="account"), May.UNPROVEN, "403 Blocked: account"),
    ],
)
def test_1_what_an_answer_proves(said: Answer, may: May, says: str) -> None:
    right = right_of(Act.CREATE, said, (422, "DryRunOperation"), needs="x:write")
    assert (right.act, right.may, right.says) == (Act.CREATE, may, says)


def test_2_what_is_missing_may_have_no_name_and_what_it_is_about_one() -> None:
    right = right_of(Act.CHANGE, answer(code="forbidden"), (), object="www.example.org A")
    assert right == refused(Act.CHANGE, "403 forbidden: no", "www.example.org A")
    assert right_of(Act.CHANGE, answer(), (403,), object="all").object == "all"


def test_3_an_act_that_needs_several_has_the_worst_of_them() -> None:
    yes, no, doubt = allowed(Act.OPEN), refused(Act.OPEN, "no"), unproven(Act.OPEN, "who knows")
    assert worst([yes, yes]) == yes
    assert worst([yes, doubt, no]) == no
    assert worst([yes, doubt]) == doubt
    with pytest.raises(ValueError, match="no right"):
        worst([])


def test_5_a_list_of_scopes() -> None:
    assert by_scope(Act.CHANGE, "dns", {"dns", "billing"}) == allowed(Act.CHANGE)
    assert by_scope(Act.CHANGE, "dns", {"firewall", "billing"}).says == "it needs dns, and has billing, firewall"
    assert by_scope(Act.CHANGE, "dns", ()).says == "it needs dns, and has nothing"


def test_6_a_refusal_that_may_have_another_reason_proves_nothing() -> None:
    assert doubted(refused(Act.CREATE, "403"), "no group") == unproven(Act.CREATE, "no group (403)")
    assert doubted(allowed(Act.CREATE), "no group") == allowed(Act.CREATE)
    assert lacking((Act.OPEN,), "?") == (unproven(Act.OPEN, "?"),)


# ------------------------------------------------------------------------------------ what it means


def granted(role: str, *rights: Right, policy: str = "do.yaml") -> Granted:
    credential = Credential(role=role, place="do", reference=f"env DO_{role.upper()}", policy=policy)
    return Granted(credential=credential, rights=rights)


def all_of(make: Callable[[Act], Right]) -> tuple[Right, ...]:
    return tuple(make(act) for act in WRITES)


NOTHING = all_of(lambda act: refused(act, "it needs write (403)"))
EVERYTHING = all_of(allowed)


def test_7_a_standby_that_needs_its_provider_and_may_not_create_cannot_take_over() -> None:
    for kind in (Standby.WARM, Standby.COLD):
        service = standby(kind)
        missing = granted("mirror", allowed(Act.OPEN), refused(Act.CREATE, "it needs droplet:create (403 forbidden)"))
        finding = only(service, at_site(BOREAS, rights={"mirror": missing}))
        assert (finding.severity, finding.area, finding.subject) == (Severity.FATAL, AREA, "boreas (mirror)")
        assert finding.says == "env DO_MIRROR may not create nodes at do: it needs droplet:create (403 forbidden)"
        assert finding.remedy == "grant it the right: templates/policies/do.yaml has what `mirror` needs"
        assert finding.site == BOREAS


def test_8_a_hot_standby_and_the_active_site_ask_nobody_for_it() -> None:
    for site in (AURORA, BOREAS):
        seen = at_site(site, rights={"mirror": granted("mirror", *NOTHING)})
        found = [f for f in diagnose(HERE, seen) if f.severity is not Severity.FINE]
        assert {f.severity for f in found} == {Severity.WARNING}
        assert not would_fail(HERE, seen, diagnose(HERE, seen))


def test_9_a_cutover_fails_when_no_standby_may() -> None:
    service = replace(HERE, sites=tuple(replace(s, standby=Standby.COLD) for s in HERE.sites))
    good = GOOD.sites[BOREAS]
    blind = replace(good, rights={"mirror": granted("mirror", *NOTHING)})
    one = facts(sites={**GOOD.sites, BOREAS: blind})
    assert not would_fail(service, one, diagnose(service, one))
    both = facts(sites={**GOOD.sites, BOREAS: blind, CIRRUS: blind})
    assert would_fail(service, both, diagnose(service, both))


def test_10_removing_is_no_part_of_a_cutover() -> None:
    missing = granted("mirror", allowed(Act.CREATE), refused(Act.DESTROY, "403"), policy="")
    finding = only(standby(Standby.COLD), at_site(BOREAS, rights={"mirror": missing}))
    assert (finding.severity, finding.remedy) == (Severity.WARNING, "grant it the right")
    assert "may not remove nodes" in finding.says


def test_11_one_reason_is_one_finding() -> None:
    seen = at_site(BOREAS, rights={"mirror": granted("mirror", *NOTHING)})
    says = [f.says for f in _rights(diagnose(standby(Standby.COLD), seen))]
    assert says == [
        "env DO_MIRROR may not create nodes, open ports, store releases at do: it needs write (403)",
        "env DO_MIRROR may not remove nodes at do: it needs write (403)",
    ]


def test_12_what_is_not_proven_is_a_note_whatever_the_role() -> None:
    doubt = all_of(lambda act: unproven(act, "no answer in time"))
    roles = {"mirror": granted("mirror", *doubt), "watch": granted("watch", *doubt)}
    seen = replace(
        at_site(BOREAS, rights=roles), rights={"one": granted("cut_over", unproven(Act.CHANGE, "who knows"))}
    )
    found = [f for f in _rights(diagnose(standby(Standby.COLD), seen)) if f.severity is not Severity.FINE]
    assert [(f.severity, f.subject, f.says) for f in found] == [
        (Severity.NOTE, "one", "not proven that env DO_CUT_OVER may change records: who knows"),
        (
            Severity.NOTE,
            "boreas (watch)",
            "not proven that env DO_WATCH may not create nodes, remove nodes, open ports, store releases: "
            "no answer in time",
        ),
        (
            Severity.NOTE,
            "boreas (mirror)",
            "not proven that env DO_MIRROR may create nodes, remove nodes, open ports, store releases: "
            "no answer in time",
        ),
    ]
    assert not would_fail(HERE, seen, found)


def test_13_a_credential_that_should_only_read_and_may_write_is_a_warning() -> None:
    for role in ("watch", "second"):
        more = granted("watch", allowed(Act.CREATE), refused(Act.OPEN, "403"))
        finding = only(HERE, at_site(BOREAS, rights={role: more}))
        assert (finding.severity, finding.subject) == (Severity.WARNING, f"boreas ({role})")
        assert finding.says == "env DO_WATCH should only read, and may also create nodes"
        assert finding.remedy.startswith("give this role a credential of its own: templates/policies/do.yaml")


def test_13b_what_a_reader_was_refused_is_told_beside_what_is_not_proven() -> None:
    some = granted("watch", refused(Act.CREATE, "403"), unproven(Act.DESTROY, "no node"))
    found = _rights(diagnose(HERE, at_site(BOREAS, rights={"watch": some})))
    assert [(f.severity, f.says) for f in found] == [
        (Severity.FINE, "env DO_WATCH may not create nodes"),
        (Severity.NOTE, "not proven that env DO_WATCH may not remove nodes: no node"),
    ]


def test_14_good_ones_are_told_too() -> None:
    roles = {"mirror": granted("mirror", *EVERYTHING), "watch": granted("watch", *NOTHING)}
    seen = replace(at_site(BOREAS, rights=roles), rights={"one": granted("cut_over", allowed(Act.CHANGE, "www A"))})
    found = _rights(diagnose(HERE, seen))
    assert {f.severity for f in found} == {Severity.FINE}
    assert [f.says for f in found] == [
        "env DO_CUT_OVER may change records (www A)",
        "env DO_WATCH may only read",
        "env DO_MIRROR may create nodes, remove nodes, open ports, store releases",
    ]


def test_15_a_host_that_may_not_be_changed_is_fatal_though_another_may() -> None:
    names = [refused(Act.CHANGE, "it answers REFUSED", name) for name in ("www A", "_failover TXT")]
    finding = only(HERE, facts(rights={"two": granted("cut_over", *names, policy="bind.conf")}))
    assert (finding.severity, finding.subject, finding.site) == (Severity.FATAL, "two", None)
    assert "may not change records (www A, _failover TXT) at do: it answers REFUSED" in finding.says
    assert "bind.conf" in finding.remedy
    assert would_fail(HERE, facts(), [finding])


def test_16_a_depot_may_have_a_credential_of_its_own() -> None:
    keys = Credential(role="mirror", place="do", reference="env SPACES_KEY", policy="do.yaml")
    no = Granted(credential=keys, rights=(refused(Act.STORE, "it needs s3:PutObject (403)"),))
    mirror = granted("mirror", *EVERYTHING)
    finding = only(standby(Standby.COLD), at_site(BOREAS, rights={"mirror": mirror, "depot": no}))
    assert (finding.severity, finding.subject) == (Severity.FATAL, "boreas (mirror)")
    assert finding.says == "env SPACES_KEY may not store releases at do: it needs s3:PutObject (403)"
    nothing = Granted(credential=keys, rights=())
    (good,) = _rights(diagnose(HERE, at_site(BOREAS, rights={"mirror": mirror, "depot": nothing})))
    assert good.says.endswith("store releases")


def test_17_nothing_was_asked() -> None:
    assert _rights(diagnose(HERE, GOOD)) == []
    nothing = at_site(BOREAS, rights={"watch": granted("watch"), "mirror": granted("mirror")})
    assert _rights(diagnose(HERE, nothing)) == []


def _rights(found: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in found if finding.area == AREA]
