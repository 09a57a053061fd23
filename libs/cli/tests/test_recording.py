import json
from pathlib import Path

import pytest

from shuanglu.common.v1.types_pb2 import Channel, ParticipantRole
from shuanglu_cli.errors import Usage
from shuanglu_cli.recording import assign_roles, participants_of, read_channel, read_order, read_role, read_timeline

CUSTOMER = ParticipantRole.PARTICIPANT_ROLE_CUSTOMER
AGENT = ParticipantRole.PARTICIPANT_ROLE_AGENT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("customer.mp4", "Agent-left.mp4", "counter.mp4", "a:b.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def test_names_say_who_is_in_a_file(folder: Path) -> None:
    files = assign_roles([str(folder / "customer.mp4"), str(folder / "Agent-left.mp4")])
    assert [roles for _, roles in files] == [(CUSTOMER,), (AGENT,)]


def test_a_single_file_without_a_telling_name_holds_both(folder: Path) -> None:
    assert assign_roles([str(folder / "counter.mp4")]) == ((folder / "counter.mp4", (CUSTOMER, AGENT)),)


def test_roles_behind_a_colon_win(folder: Path) -> None:
    ((_, roles),) = assign_roles([f"{folder / 'customer.mp4'}:customer,WITNESS"])
    assert roles == (CUSTOMER, ParticipantRole.PARTICIPANT_ROLE_WITNESS)


def test_a_colon_in_a_name_is_no_role(folder: Path) -> None:
    ((file, _),) = assign_roles([str(folder / "a:b.mp4")])
    assert file.name == "a:b.mp4"


def test_two_files_need_to_say_who_is_in_them(folder: Path) -> None:
    with pytest.raises(Usage) as refused:
        assign_roles([str(folder / "customer.mp4"), str(folder / "counter.mp4")])
    assert refused.value.reason == "ROLE_UNKNOWN"
    assert "counter.mp4:AGENT" in refused.value.help


def test_a_missing_file_is_named() -> None:
    with pytest.raises(Usage, match="nowhere"):
        assign_roles(["nowhere.mp4"])


@pytest.mark.parametrize("text", ["", "unspecified", "CUSTOMMER"])
def test_unknown_roles_are_refused(text: str) -> None:
    with pytest.raises(Usage, match="not a role"):
        read_role(text)


@pytest.mark.parametrize("text", ["remote", "CHANNEL_REMOTE", "REMOTE"])
def test_channels_are_read_with_and_without_prefix(text: str) -> None:
    assert read_channel(text) == Channel.CHANNEL_REMOTE


@pytest.mark.parametrize("text", ["", "UNSPECIFIED", "phone"])
def test_unknown_channels_are_refused(text: str) -> None:
    with pytest.raises(Usage, match="not a channel"):
        read_channel(text)


def test_an_order_may_name_its_channel(tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text(json.dumps({"order_no": "A-1", "amount": {"amount_fen": "100"}, "channel": "COUNTER"}))
    order, channel = read_order(file)
    assert (order.order_no, order.amount.amount_fen, channel) == ("A-1", 100, Channel.CHANNEL_COUNTER)


def test_an_order_without_a_channel_is_an_imported_file(tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text("{}")
    assert read_order(file)[1] == Channel.CHANNEL_IMPORT


@pytest.mark.parametrize("text", ["{", '{"order_number": "A-1"}', '{"term_months": "many"}', "[1]"])
def test_a_wrong_order_is_refused_before_anything_is_sent(text: str, tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text(text)
    with pytest.raises(Usage):
        read_order(file)


@pytest.mark.parametrize("wrap", [lambda nodes: nodes, lambda nodes: {"nodes": nodes}])
def test_a_timeline_is_a_list_or_an_object_with_nodes(wrap: object, tmp_path: Path) -> None:
    file = tmp_path / "timeline.json"
    nodes = [{"node_id": "risk", "start_ms": 10, "end_ms": 20}]
    file.write_text(json.dumps(wrap(nodes)))  # type: ignore[operator]
    (node,) = read_timeline(file)
    assert (node.node_id, node.start_ms, node.end_ms, node.take) == ("risk", 10, 20, 1)


@pytest.mark.parametrize("text", ['[{"node": "risk"}]', "[1]", '"risk"', "{"])
def test_a_wrong_timeline_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "timeline.json"
    file.write_text(text)
    with pytest.raises(Usage):
        read_timeline(file)


def test_participants_are_named_by_their_role() -> None:
    assert [one.participant_id for one in participants_of((CUSTOMER, AGENT))] == ["customer", "agent"]
