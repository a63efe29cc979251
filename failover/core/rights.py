"""What a credential may write, as far as a try that cannot take effect tells.

    the answer to the try                                                     the right
    -----------------------------------------------------------------------   ---------
    what the API says only to whom it lets in (the caller names it)           ALLOWED
    a listed lack of permission, or 403 in the API's own words                REFUSED
    anything else: a success, 401, silence, an outage, a web page             UNPROVEN

A doubt is never ALLOWED. What follows from a right is judged in `failover.core.doctor_rights`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from failover.core.reading import Answer, Signal, Transport, classify

_FORBIDDEN = 403


class Act(StrEnum):
    """What roles write, in words that follow "may"."""

    CREATE = "create nodes"
    """And start those that stopped."""
    DESTROY = "remove nodes"
    OPEN = "open ports"
    STORE = "store releases"
    CHANGE = "change records"


class May(StrEnum):
    ALLOWED = "allowed"
    REFUSED = "refused"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Whether one act is allowed.

    `says`: what is missing, or why nothing is proven. `object`: what it may be done with, where not with all.
    """

    act: Act
    may: May
    says: str = ""
    object: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Whose right it is. `reference` is where the config says that it stands, never the secret itself.

    `policy`: the file of `templates/policies` that has what the role needs; "" where there is none.
    """

    role: str
    place: str
    """The provider or DNS host, by its name in the config."""
    reference: str
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What was found out about one credential."""

    credential: Credential
    rights: tuple[Right, ...]


def allowed(act: Act, object: str = "") -> Right:
    return Right(act=act, may=May.ALLOWED, object=object)


def refused(act: Act, says: str, object: str = "") -> Right:
    return Right(act=act, may=May.REFUSED, says=says, object=object)


def unproven(act: Act, says: str, object: str = "") -> Right:
    return Right(act=act, may=May.UNPROVEN, says=says, object=object)


def right_of(act: Act, answer: Answer, reached: Collection[int | str], *, needs: str = "", object: str = "") -> Right:
    """The table above.

    `reached`: statuses and codes that only those get who have the right. `needs`: what the provider calls it.
    """
    says, signal = told(answer), classify(answer)
    own = answer.transport is Transport.ANSWERED and not answer.html
    if own and (answer.status in reached or answer.code in reached):
        return allowed(act, object)
    if own and (signal is Signal.PERMISSION or (signal is Signal.AUTH_AMBIGUOUS and answer.status == _FORBIDDEN)):
        return refused(act, f"it needs {needs} ({says})" if needs else says, object)
    return unproven(act, says, object)


def told(answer: Answer) -> str:
    """In a few words what came."""
    if answer.transport is not Transport.ANSWERED:
        return f"no answer ({answer.transport})"
    words = "a web page" if answer.html else ": ".join(filter(None, (answer.code, answer.message)))
    return " ".join(filter(None, (str(answer.status or ""), words))) or "an answer that does not tell"


def worst(rights: Sequence[Right]) -> Right:
    """One right for an act that needs several: the first that is refused, else unproven. Raises ValueError for none."""
    if not rights:
        raise ValueError("no right to judge by")
    return next((r for may in (May.REFUSED, May.UNPROVEN) for r in rights if r.may is may), rights[0])


def by_scope(act: Act, needs: str, held: Collection[str]) -> Right:
    """For an API that lists what a credential may."""
    if needs in held:
        return allowed(act)
    return refused(act, f"it needs {needs}, and has {', '.join(sorted(held)) or 'nothing'}")


def lacking(acts: Iterable[Act], says: str) -> tuple[Right, ...]:
    """None of these acts is proven, for one reason."""
    return tuple(unproven(act, says) for act in acts)


def doubted(right: Right, says: str) -> Right:
    """A refusal that may have another reason proves nothing."""
    return replace(right, may=May.UNPROVEN, says=f"{says} ({right.says})") if right.may is May.REFUSED else right


NODES = (Act.CREATE, Act.DESTROY, Act.OPEN)
"""What is done at a provider besides its depot."""
