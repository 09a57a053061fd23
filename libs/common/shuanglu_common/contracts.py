"""All calls of the contracts, for documents and tests that must not forget one."""

import importlib
import pkgutil

from google.protobuf.descriptor import MethodDescriptor

import shuanglu


def all_calls() -> dict[str, MethodDescriptor]:
    """Every RPC of the generated contracts by its path, such as `/shuanglu.session.v1.SessionService/GetOrder`."""
    found: dict[str, MethodDescriptor] = {}
    for module in pkgutil.walk_packages(shuanglu.__path__, "shuanglu."):
        if not module.name.endswith("_pb2"):
            continue
        file = importlib.import_module(module.name).DESCRIPTOR
        for service in file.services_by_name.values():
            found |= {f"/{service.full_name}/{method.name}": method for method in service.methods}
    return dict(sorted(found.items()))
