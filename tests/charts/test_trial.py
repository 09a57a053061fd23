"""The trial chart has what the product looks for by default; the design's words and its drawing agree."""

import json

import yaml
from tests.charts.drift import environment
from tests.charts.rendering import CHARTS, ROOT, WORKLOADS, Render, containers_of, pod_of, render, template
from tests.charts.test_network import ARROWS

from shuanglu_common import trial

WORKERS = ("face-check-live", "face-check-offline", "asr-live", "asr-offline")
PLACES = {"bus": "nats", "database": "database", "store": "s3", "collector": "otlp"}


def dev() -> Render:
    """The trial chart as it comes."""
    return render("shuanglu-dev", name="shuanglu-dev")


def test_addresses_that_the_product_has_by_default_are_services_of_the_trial_chart() -> None:
    services = {
        item["metadata"]["name"]: {port["port"] for port in item["spec"]["ports"]} for item in dev().of("Service")
    }
    product = render("values-dev.yaml", ("values-dev.yaml",))
    settings = [environment(container) for item in product.of(*WORKLOADS) for container in containers_of(item)]
    wanted = {
        value.partition("://")[2]
        for each in settings
        for name, value in each.items()
        if name in {"SHUANGLU_NATS_URL", "SHUANGLU_S3_ENDPOINT"}
    }
    assert wanted
    for address in wanted:
        host, _, port = address.partition(":")
        assert int(port) in services[host]
    turn = next(each["SHUANGLU_TURN_URLS"] for each in settings if "SHUANGLU_TURN_URLS" in each)
    for url in json.loads(turn):
        host, _, port = url.partition("?")[0].removeprefix("turn:").partition(":")
        assert int(port) in services[host]


def test_files_that_pods_of_the_product_mount_are_in_the_secrets_of_the_trial_chart() -> None:
    made = {item["metadata"]["name"]: set(item.get("stringData", item.get("data", {}))) for item in dev().of("Secret")}
    made["shuanglu-keys"] = set(trial.new_keys())
    for item in render("values-dev.yaml", ("values-dev.yaml",)).of(*WORKLOADS):
        for volume in pod_of(item)["spec"]["volumes"]:
            if "secret" in volume:
                wanted = {entry["key"] for entry in volume["secret"].get("items", [])}
                assert wanted <= made[volume["secret"]["secretName"]], item["metadata"]["name"]


def test_passwords_of_the_servers_are_those_that_the_product_is_given() -> None:
    secrets = {item["metadata"]["name"]: item.get("stringData", {}) for item in dev().of("Secret")}
    ours, theirs = secrets["shuanglu-secrets"], secrets["shuanglu-dev"]
    assert theirs["postgres-password"] in ours["shuanglu_database_url"]
    [identity] = json.loads(theirs["s3.json"])["identities"]
    assert identity["credentials"] == [
        {"accessKey": ours["shuanglu_s3_access_key"], "secretKey": ours["shuanglu_s3_secret_key"]}
    ]
    assert min(len(ours["shuanglu_janus_secret"]), len(ours["shuanglu_turn_secret"])) >= 32


def test_the_turn_server_is_told_what_its_image_reads() -> None:
    start = (ROOT / "deploy" / "images" / "coturn-start.sh").read_text()
    [turn] = [item for item in dev().of("Deployment") if item["metadata"]["name"] == "shuanglu-dev-coturn"]
    [container] = containers_of(turn)
    given = environment(container)
    assert given["SHUANGLU_TURN_SECRET_FILE"].startswith(container["volumeMounts"][1]["mountPath"])
    assert all(name in start for name in given)
    first, _, last = given["SHUANGLU_TURN_RELAY_PORTS"].partition("-")
    heard = dev().named("NetworkPolicy", "shuanglu-dev-coturn")["spec"]["ingress"][0]["ports"]
    assert {"port": int(first), "endPort": int(last), "protocol": "UDP"} in heard


def test_skaffold_builds_every_image_of_the_product_and_deploys_the_development_profile() -> None:
    plan = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
    built = {item["image"]: item["docker"] for item in plan["build"]["artifacts"]}
    images = yaml.safe_load((CHARTS / "shuanglu" / "values.yaml").read_text())["images"]
    assert {item["repository"] for item in images.values()} <= set(built)
    for docker in built.values():
        assert (ROOT / docker["dockerfile"]).is_file()
        assert (ROOT / "services" / docker.get("buildArgs", {}).get("SERVICE", "gateway")).is_dir()
    for release in plan["deploy"]["helm"]["releases"]:
        given = [f"{name}={value}" for name, value in release["setValues"].items()]
        for name, value in release["setValueTemplates"].items():
            image = value.strip("{}. ").removeprefix("IMAGE_").partition("_shuanglu_")[2].replace("_", "-")
            assert f"shuanglu/{image}" in built
            given.append(f"{name}={'v1' if name.endswith('tag') else f'shuanglu/{image}:v1'}")
        files = [option for file in release.get("valuesFiles", []) for option in ("--values", str(ROOT / file))]
        done = template(release["name"], "--set", ",".join(given), *files)
        assert done.returncode == 0, done.stderr


def _names(cell: str) -> list[str]:
    return [name for part in cell.split(",") for name in (WORKERS if part.strip() == "worker" else (part.strip(),))]


def test_the_table_of_the_architecture_says_what_arrows_yaml_says() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text.partition("## Who speaks to whom")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    inside, outside, entries = set(), set(), set()
    for starts, ends, port, _ in rows[2:]:
        for start in _names(starts):
            for end in _names(ends):
                if end in PLACES:
                    outside.add((start, PLACES[end]))
                elif start in {"anybody", "monitoring"}:
                    entries.add((start, end, port.replace("RTP range", "RTP")))
                elif end != "anybody" and start != "all":
                    inside.add((start, end, int(port.removesuffix("/TCP"))))
    assert inside == {
        (a, b, port) for a, ends in ARROWS["inside"].items() for b, ports in ends.items() for port in ports
    }
    assert outside == {(name, place) for place, names in ARROWS["outside"].items() for name in names}
    assert entries == {
        (a, b, port) for a, ends in ARROWS["entries"].items() for b, ports in ends.items() for port in ports
    }
