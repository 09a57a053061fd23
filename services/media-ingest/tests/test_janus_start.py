"""deploy/images/janus-start.sh: what starts Janus in a container."""

import subprocess
from pathlib import Path

import pytest

from shuanglu_stack.janus_server import FILES, MediaNode, janus_command

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "deploy" / "images" / "janus-start.sh"
SECRET = "s3cret/+="
ADDRESS = "10.1.2.3"


def start(folder: Path, *arguments: str, secret: str = SECRET, **more: str) -> subprocess.CompletedProcess[str]:
    (folder / "secret").write_text(f"{secret}\n")
    env = {
        "PATH": "/usr/bin:/bin",
        "SHUANGLU_JANUS_SECRET_FILE": str(folder / "secret"),
        "SHUANGLU_JANUS_TEMPLATES_DIR": str(ROOT / "services" / "media-ingest" / "janus"),
        "SHUANGLU_JANUS_CONFIG_DIR": str(folder / "config"),
        "SHUANGLU_JANUS_SPOOL_DIR": str(folder),
        "SHUANGLU_JANUS_POD_ADDRESS": ADDRESS,
        **more,
    }
    return subprocess.run([str(SCRIPT), *arguments], env=env, capture_output=True, text=True, timeout=30, check=False)


def test_a_container_has_the_configuration_of_the_development_stack(tmp_path: Path):
    rtp_ports, node = "21000-21199", "media-1"
    done = start(
        tmp_path,
        "render",
        SHUANGLU_JANUS_RTP_PORTS=rtp_ports,
        SHUANGLU_JANUS_API_PORT="8190",
        SHUANGLU_JANUS_NODE=node,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    place = MediaNode(1, 8190, range(21000, 21200), ADDRESS, tmp_path / "spool")
    janus_command(tmp_path, tmp_path, ROOT, place, SECRET)
    for name in FILES:
        stack = (tmp_path / "janus" / node / name).read_text()
        stack = stack.replace(str(tmp_path / "janus" / node), str(tmp_path / "config")).replace("127.0.0.1", ADDRESS)
        file = tmp_path / "config" / name
        assert file.read_text() == stack
        assert file.stat().st_mode & 0o077 == 0, "the secret is in it"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"SHUANGLU_JANUS_HOST_ADDRESS": "192.0.2.7", "SHUANGLU_JANUS_PUBLIC_ADDRESS": ""}, "192.0.2.7"),
        ({"SHUANGLU_JANUS_HOST_ADDRESS": "192.0.2.7", "SHUANGLU_JANUS_PUBLIC_ADDRESS": "203.0.113.7"}, "203.0.113.7"),
        ({"SHUANGLU_JANUS_PUBLIC_ADDRESS": "192.0.2.1,192.0.2.2", "SHUANGLU_JANUS_NODE": "media-1"}, "192.0.2.2"),
        ({"SHUANGLU_JANUS_HOST_ADDRESS": ADDRESS}, None),
    ],
)
def test_clients_are_told_the_address_at_which_they_reach_it(tmp_path: Path, given: dict[str, str], told: str | None):
    assert start(tmp_path, "render", **given).returncode == 0
    text = (tmp_path / "config" / "janus.jcfg").read_text()
    assert f'ice_enforce_list = "{ADDRESS}"' in text
    assert [line.strip() for line in text.splitlines() if "nat_1_1_mapping" in line] == (
        [f'nat_1_1_mapping = "{told}"'] if told else []
    )


@pytest.mark.parametrize("secret", ["", 'a"b', "a|b", "a b", "a\nb", "a&b", "$(id)"])
def test_a_secret_that_would_break_the_configuration_is_refused_without_being_told(tmp_path: Path, secret: str):
    done = start(tmp_path, "render", secret=secret)
    assert done.returncode == 2
    assert "the secret in" in done.stderr
    assert not secret or secret not in done.stderr
    assert not (tmp_path / "config").exists()


def test_what_is_missing_is_named(tmp_path: Path):
    assert "SHUANGLU_JANUS_SECRET_FILE" in start(tmp_path, "render", SHUANGLU_JANUS_SECRET_FILE="/nowhere").stderr
    assert "SHUANGLU_JANUS_TEMPLATES_DIR" in start(tmp_path, "render", SHUANGLU_JANUS_TEMPLATES_DIR="/nowhere").stderr
    assert "SHUANGLU_JANUS_SPOOL_DIR" in start(tmp_path, "run", SHUANGLU_JANUS_SPOOL_DIR="/nowhere").stderr


def test_waiting_ends_when_the_node_is_drained_or_time_is_up(tmp_path: Path):
    assert start(tmp_path, "wait", SHUANGLU_LIVE_DRAIN_S="-30").returncode == 3
    (tmp_path / ".drained").touch()
    assert start(tmp_path, "wait").returncode == 0
