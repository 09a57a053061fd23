"""`make charts`: every check of the charts, what it checked in one line each, and checkov.

python -m tests.charts.check
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from tests.charts import drift, network, pairs, policies, renders, schemas
from tests.charts.rendering import CHARTS, HOST, ROOT, WORKLOADS, Render, chart, containers_of, helm

CHECKOV = ROOT / "build" / "checkov" / "bin" / "checkov"
SKIPPED = ROOT / "deploy" / "helm" / "checkov.yaml"


def lint() -> list[str]:
    """`helm lint --strict` of every chart."""
    faults = []
    for name in sorted(path.parent.name for path in CHARTS.glob("*/Chart.yaml")):
        done = helm("lint", "--strict", str(chart(name)), *(("--set", f"host={HOST}") if name == "shuanglu" else ()))
        if done.returncode:
            faults.append(f"helm lint {name}: {done.stdout}{done.stderr}")
        print(f"helm lint --strict {name}: {'fails' if done.returncode else 'good'}")
    return faults


def rendered() -> list[str]:
    """Values files and all pairs of switches, against schemas."""
    for item in (*renders.product(), renders.trial()[0]):
        print(f"  {item.name}: {len(item.objects)} objects, {len(item.of(*WORKLOADS))} workloads")
    for name in ("shuanglu", "shuanglu-dev"):
        options = pairs.switches_of(CHARTS / name)
        print(f"  {name}: {len(options)} switches, every pair of settings in {len(pairs.all_pairs(options))} renders")
    objects = [item for each in renders.everything() for item in each.objects]
    kinds = {item["kind"] for item in objects}
    faults = sorted({fault for item in objects for fault in schemas.faults(item)})
    print(
        f"{len(renders.everything())} renders, {len(objects)} objects of {len(kinds)} kinds against Kubernetes "
        f"{' and '.join(schemas.VERSIONS)} and the operators' schemas: {len(faults)} faults"
    )
    return faults


def ruled() -> list[str]:
    """Policies and drift."""
    product: tuple[Render, ...] = (*renders.product(), *renders.of_pairs())
    faults = {f"{rule.__name__}: {fault}" for rule in policies.RULES for item in product for fault in rule(item)}
    faults |= {f"{r.__name__}: {fault}" for r in policies.TRIAL_RULES for item in renders.trial() for fault in r(item)}
    names = ", ".join(rule.__name__ for rule in policies.RULES)
    print(f"policies ({names}): {len(faults)} faults")
    drifted = {f"{rule.__name__}: {fault}" for rule in drift.RULES for item in product for fault in rule(item)}
    known = {
        (container["name"], name)
        for item in product
        for each in item.of(*WORKLOADS)
        for container in containers_of(each)
        for name in drift.environment(container)
    }
    print(f"drift: {len(known)} variables of {len({name for name, _ in known})} containers, {len(drifted)} faults")
    item = renders.product()[0]
    print(
        f"network: {len(network.inside(item))} arrows inside, {len(network.outside(item))} out, "
        f"{len(network.entries(item))} in; tests/charts/arrows.yaml says the same (pytest tests/charts)"
    )
    return sorted(faults | drifted)


def checkov() -> list[str]:
    """Checkov over the defaults, production and the trial; every rule that is left out has its reason."""
    skipped: dict[str, str] = yaml.safe_load(SKIPPED.read_text())["skip"]
    faults: list[str] = []
    passed = failed = 0
    used: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="shuanglu-checkov-") as folder:
        for number, item in enumerate([*renders.product()[:4], renders.trial()[0]]):
            # Helm gives the namespace at installation; checkov reads it from the object.
            placed = [{**each, "metadata": {**each["metadata"], "namespace": "signing"}} for each in item.objects]
            (Path(folder) / f"{number}.yaml").write_text(yaml.safe_dump_all(placed))
        command = [str(CHECKOV), "-d", folder, "--framework", "kubernetes", "-o", "json", "--compact", "--quiet"]
        environment = {**os.environ, "BC_SKIP_MAPPING": "TRUE", "CHECKOV_RUN_SCA_PACKAGE_SCAN": "false"}
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=900, check=False, env=environment
        )
    try:
        report: dict[str, Any] = json.loads(done.stdout)
        passed = report["summary"]["passed"]
        for check in report["results"]["failed_checks"]:
            if check["check_id"] in skipped:
                used.add(check["check_id"])
                failed += 1
            else:
                faults.append(f"checkov {check['check_id']} {check['check_name']}: {check['resource']}")
    except (ValueError, KeyError, TypeError):
        return [f"checkov says nothing that can be read: {done.stderr[-2000:]}"]
    faults += [f"checkov {rule}: left out, and nothing breaks it" for rule in sorted(set(skipped) - used)]
    print(
        f"checkov: {passed} passed, {failed} left out by {len(skipped)} rules with reasons, {len(set(faults))} faults"
    )
    for rule in sorted(skipped):
        print(f"  {rule}: {skipped[rule]}")
    return sorted(set(faults))


def main() -> None:
    """Exit code 1 if anything is wrong, each fault a line."""
    try:
        faults = [*lint(), *rendered(), *ruled(), *checkov()]
    except AssertionError as error:
        faults = [str(error)]
    for fault in faults:
        print(f"✕ {fault}")
    print("charts: good" if not faults else f"charts: {len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
