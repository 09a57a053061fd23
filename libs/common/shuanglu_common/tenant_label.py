"""The label `tenant` of the few metrics that have it: a closed set, whatever tokens are presented."""

from collections.abc import Sequence

OTHER = "other"


class TenantLabel:
    """Tenants that an operator has named keep their name, all others are one."""

    def __init__(self, named: Sequence[str] = ()) -> None:
        """`named`: the setting `metrics_tenants`."""
        self.values = (*dict.fromkeys(named), OTHER)

    def __call__(self, tenant: str) -> str:
        """The label's value for a tenant."""
        return tenant if tenant in self.values else OTHER
