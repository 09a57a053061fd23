"""Who may speak to whom, read off the NetworkPolicies of a render."""

from collections.abc import Iterator

from tests.charts.policies import selects
from tests.charts.rendering import WORKLOADS, Object, Render, component_of, pod_of

# from → to:port/protocol; a place outside the release has the name that arrows.yaml gives it.
Arrow = tuple[str, str, str]


def _ports(rule: Object) -> Iterator[str]:
    for port in rule.get("ports", []):
        end = f"-{port['endPort']}" if "endPort" in port else ""
        yield f"{port['port']}{end}/{port.get('protocol', 'TCP')}"


def _pods(render: Render) -> dict[str, dict[str, str]]:
    return {component_of(item): pod_of(item)["metadata"]["labels"] for item in render.of(*WORKLOADS)}


def _ours(render: Render, peer: Object) -> list[str]:
    """Components that a peer means; none where it means pods of another namespace."""
    if "podSelector" not in peer or "namespaceSelector" in peer:
        return []
    return [name for name, labels in _pods(render).items() if selects(peer["podSelector"], labels)]


def _policies(render: Render) -> Iterator[tuple[str, Object]]:
    for policy in render.of("NetworkPolicy"):
        for name, labels in _pods(render).items():
            if selects(policy["spec"]["podSelector"], labels):
                yield name, policy["spec"]


def inside(render: Render) -> set[Arrow]:
    """Arrows between components that both ends let pass."""
    out, into = set(), set()
    for name, spec in _policies(render):
        for rule in spec.get("egress") or []:
            ends = [end for peer in rule.get("to", []) for end in _ours(render, peer)]
            out |= {(name, end, port) for end in ends for port in _ports(rule)}
        for rule in spec.get("ingress") or []:
            ends = [end for peer in rule.get("from", []) for end in _ours(render, peer)]
            into |= {(end, name, port) for end in ends for port in _ports(rule)}
    return out & into


def one_sided(render: Render) -> set[Arrow]:
    """Arrows that one end lets pass and the other does not."""
    out, into = set(), set()
    for name, spec in _policies(render):
        for rule in spec.get("egress") or []:
            for peer in rule.get("to", []):
                out |= {(name, end, port) for end in _ours(render, peer) for port in _ports(rule)}
        for rule in spec.get("ingress") or []:
            for peer in rule.get("from", []):
                into |= {(end, name, port) for end in _ours(render, peer) for port in _ports(rule)}
    return out ^ into


def outside(render: Render) -> set[tuple[str, str]]:
    """(component, port) of what leaves the release, DNS apart."""
    found = set()
    for name, spec in _policies(render):
        for rule in spec.get("egress") or []:
            peers = rule.get("to", [])
            if not peers or not all(_ours(render, peer) for peer in peers):
                found |= {(name, port) for port in _ports(rule)}
    return {(name, port) for name, port in found if not port.startswith("53/")}


def entries(render: Render) -> set[tuple[str, str, str]]:
    """(from, component, port) of what comes in from elsewhere: `anybody`, or `monitoring` where peers are named."""
    found = set()
    for name, spec in _policies(render):
        for rule in spec.get("ingress") or []:
            peers = rule.get("from", [])
            if not peers:
                found |= {("anybody", name, port) for port in _ports(rule)}
            elif not any(_ours(render, peer) for peer in peers):
                found |= {("monitoring", name, port) for port in _ports(rule)}
    return found


def denied(render: Render) -> set[str]:
    """Components for which everything is forbidden that no policy allows, both ways."""
    both = set()
    for name, spec in _policies(render):
        if set(spec["policyTypes"]) == {"Ingress", "Egress"}:
            both.add(name)
    return both
