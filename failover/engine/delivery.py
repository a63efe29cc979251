"""How the release reaches a node that fetches it itself: links that expire, in user-data rendered for that node.

Nodes of the local cloud get release and environment with the request that creates them; then nothing here is needed.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from failover.core.mirror import node_spec
from failover.core.model import NodeSpec, Release, Site
from failover.core.ready import short
from failover.engine.context import Context
from failover.errors import Rejected

LINK_S = 1800.0
"""How long a node has to fetch what is its own. Whoever can read its user-data can fetch it as well until then."""
HAND_OVER_S = 30.0
_CONTROL = {chr(code) for code in range(32)} - {"\t", "\n"} | {"\x7f"}


def delivered(context: Context, spec: NodeSpec) -> NodeSpec:
    """The node with its user-data, or as it is where its cloud brings the release there. Raises AdapterError.

    The environment, with its secrets, is handed over as a private object: it never stands in user-data.
    """
    if context.user_data is None:
        return spec
    archive = _link(context, spec)
    if not archive:
        return spec
    depot, contents = context.depots[spec.site], environment_file(spec.environment)
    environment = context.runtime.call(
        f"hand over the environment of {spec.name}",
        lambda: depot.hand_over(spec.name, contents, LINK_S),
        deadline_s=HAND_OVER_S,
    )
    return replace(spec, user_data=context.user_data(spec, archive, environment))


def check(context: Context, site: Site, release: Release) -> None:
    """Whether nodes of this site could be given their user-data. Raises AdapterError; changes nothing."""
    if context.user_data is None:
        return
    for group in context.service.groups:
        spec = node_spec(context.service, site, group, 0, release, "")
        archive = _link(context, spec)
        if archive:
            environment_file(spec.environment)
            context.user_data(spec, archive, archive)  # the other link is about as long


def _link(context: Context, spec: NodeSpec) -> str:
    return context.runtime.call(
        f"link {short(spec.release)} at {spec.site}",
        partial(context.depots[spec.site].link, spec.release, LINK_S),
        deadline_s=HAND_OVER_S,
    )


def environment_file(environment: Mapping[str, str]) -> bytes:
    r"""The variables as systemd reads them from a file (systemd.exec(5), EnvironmentFile).

    Within double quotes a backslash protects `"`, `\`, `` ` `` and `$`; a line may end there. Raises Rejected for
    control characters, because systemd would pass over such a line.
    """
    lines = []
    for name, value in sorted(environment.items()):
        if _CONTROL & set(value):
            hint = "encode it, for example in base64"
            raise Rejected("hand over", f"variable {name}", "it holds a control character", hint)
        escaped = "".join(f"\\{c}" if c in '"\\`$' else c for c in value)
        lines.append(f'{name}="{escaped}"\n')
    return "".join(lines).encode()
