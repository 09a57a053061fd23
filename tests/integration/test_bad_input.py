"""Bad input gets a typed error that says what to do, and nothing half-made is left behind."""

import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from shuanglu.common.v1.types_pb2 import Channel, Participant, ParticipantRole
from shuanglu.media.v1.import_service_pb2 import ImportRecordingRequest, SourceFile
from shuanglu.quality.v1.strategy_service_pb2 import (
    CreateStrategyVersionRequest,
    GetStrategyRequest,
    ValidateStrategyRequest,
)
from shuanglu.session.v1.session_pb2 import SessionState
from shuanglu.session.v1.session_service_pb2 import GetSessionRequest
from shuanglu_cli.errors import CliError, Refused
from shuanglu_cli.recording import Recording, open_session
from shuanglu_stack import EmbeddedStack
from shuanglu_stack.s3_gateway import BUCKET
from shuanglu_stack.sampling import Client, client_of, sample_recording

CUSTOMER = ParticipantRole.PARTICIPANT_ROLE_CUSTOMER
AGENT = ParticipantRole.PARTICIPANT_ROLE_AGENT


@pytest.fixture
def recording(sample: Callable[[str], Path]) -> Recording:
    return sample_recording(sample("clean"))


def objects_of(stack: EmbeddedStack, session_id: str) -> list[str]:
    client = boto3.client(
        "s3",
        endpoint_url=stack.service_environment["SHUANGLU_S3_ENDPOINT"],
        aws_access_key_id=stack.keys.s3_access_key,
        aws_secret_access_key=stack.keys.s3_secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix=f"demo/{session_id}/")
    return [one["Key"] for one in listed.get("Contents", [])]


def refused_file(client: Client, stack: EmbeddedStack, recording: Recording, content: Path) -> CliError:
    """Import a bad file for a session of its own; the error. The session stays open and the store empty."""
    session = open_session(client.gateway, recording)
    upload_id = client.door.upload(content)
    source = SourceFile(upload_id=upload_id, participants=[Participant(participant_id="customer", role=CUSTOMER)])
    request = ImportRecordingRequest(session_id=session.session_id, files=[source])
    with pytest.raises(CliError) as refused:
        client.gateway.call(client.gateway.imports.ImportRecording, request)
    after = client.gateway.call(client.gateway.sessions.GetSession, GetSessionRequest(session_id=session.session_id))
    assert after.session.state == SessionState.SESSION_STATE_CREATED
    assert objects_of(stack, session.session_id) == []
    return refused.value


def test_a_text_file_called_mp4_is_refused(
    client: Client, stack: EmbeddedStack, recording: Recording, tmp_path: Path
) -> None:
    file = tmp_path / "customer.mp4"
    file.write_text("this is not a recording\n" * 500)
    error = refused_file(client, stack, recording, file)
    assert error.reason == "NOT_A_RECORDING"
    assert error.help


def test_an_empty_file_is_refused(client: Client, stack: EmbeddedStack, recording: Recording, tmp_path: Path) -> None:
    file = tmp_path / "customer.mp4"
    file.touch()
    error = refused_file(client, stack, recording, file)
    assert error.reason == "EMPTY_FILE"
    assert error.help


def test_a_file_with_neither_picture_nor_sound_is_refused(
    client: Client, stack: EmbeddedStack, recording: Recording, tmp_path: Path
) -> None:
    file = tmp_path / "customer.srt"
    file.write_text("1\n00:00:00,000 --> 00:00:02,000\n您好\n")
    error = refused_file(client, stack, recording, file)
    assert error.reason in {"NO_MEDIA", "NOT_A_RECORDING"}
    assert error.help


def test_half_a_recording_is_refused(
    client: Client, stack: EmbeddedStack, recording: Recording, tmp_path: Path
) -> None:
    whole = recording.files[-1][0].read_bytes()
    file = tmp_path / "customer.mp4"
    # The index of an MP4 stands at its end or its start; what is left here has lost one of the two.
    file.write_bytes(whole[2000:])
    error = refused_file(client, stack, recording, file)
    assert error.reason in {"NOT_A_RECORDING", "FILE_DAMAGED", "NO_MEDIA"}


def test_an_upload_of_another_tenant_does_not_exist(client: Client, stack: EmbeddedStack, recording: Recording) -> None:
    session = open_session(client.gateway, recording)
    with client_of(stack, stack.token(tenant="other-bank")) as other:
        upload_id = other.door.upload(recording.files[0][0])
    source = SourceFile(upload_id=upload_id, participants=[Participant(participant_id="customer", role=CUSTOMER)])
    request = ImportRecordingRequest(session_id=session.session_id, files=[source])
    with pytest.raises(Refused) as refused:
        client.gateway.call(client.gateway.imports.ImportRecording, request)
    assert refused.value.reason == "UPLOAD_NOT_FOUND"


def test_a_recording_for_another_tenants_session_is_refused(
    client: Client, stack: EmbeddedStack, recording: Recording
) -> None:
    session = open_session(client.gateway, recording)
    with client_of(stack, stack.token(tenant="other-bank")) as other:
        upload_id = other.door.upload(recording.files[0][0])
        source = SourceFile(upload_id=upload_id, participants=[Participant(participant_id="customer", role=CUSTOMER)])
        request = ImportRecordingRequest(session_id=session.session_id, files=[source])
        with pytest.raises(Refused) as refused:
            other.gateway.call(other.gateway.imports.ImportRecording, request)
    assert refused.value.reason == "SESSION_NOT_FOUND"


def test_an_id_photo_that_is_no_picture_is_refused(client: Client, recording: Recording, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_text("not a picture")
    with pytest.raises(Refused) as refused:
        client.send(replace(recording, id_photo=photo))
    assert refused.value.reason == "ID_PHOTO_INVALID"


@pytest.mark.parametrize(
    ("amount_fen", "purpose"), [(20_000_001, "consumption"), (8_000_000, "housing")], ids=["amount", "purpose"]
)
def test_a_loan_that_must_be_signed_face_to_face_is_not_admitted_remotely(
    amount_fen: int, purpose: str, client: Client, recording: Recording
) -> None:
    order = type(recording.order)()
    order.CopyFrom(recording.order)
    order.order_no, order.amount.amount_fen, order.purpose = f"PL26-{purpose}-{amount_fen}", amount_fen, purpose
    with pytest.raises(Refused) as refused:
        open_session(client.gateway, replace(recording, order=order))
    assert refused.value.reason == "ADMISSION_REFUSED"
    at_the_counter = replace(recording, order=order, channel=Channel.CHANNEL_COUNTER)
    assert open_session(client.gateway, at_the_counter).session_id


def test_an_order_number_cannot_mean_two_orders(client: Client, recording: Recording) -> None:
    open_session(client.gateway, recording)
    order = type(recording.order)()
    order.CopyFrom(recording.order)
    order.term_months += 1
    with pytest.raises(Refused) as refused:
        open_session(client.gateway, replace(recording, order=order))
    assert refused.value.reason == "ORDER_NO_TAKEN"


def builtin_strategy(client: Client) -> str:
    answer = client.gateway.call(client.gateway.strategies.GetStrategy, GetStrategyRequest(strategy_id="personal-loan"))
    return str(answer.strategy.yaml)


def test_the_built_in_strategy_is_there_for_every_tenant_and_valid(stack: EmbeddedStack, client: Client) -> None:
    with client_of(stack, stack.token(tenant="a-new-bank")) as other:
        text = builtin_strategy(other)
    answer = client.gateway.call(client.gateway.strategies.ValidateStrategy, ValidateStrategyRequest(yaml=text))
    assert not answer.problems
    assert len(answer.version) == 64


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("min_similarity", "min_similarty"),
        ("face_in_frame:", "face_in_frme:"),
        ('order.product == "personal_loan"', "order.amount_fen"),
        ('order.product == "personal_loan"', 'order.prodct == "personal_loan"'),
        ("nodes:", "nodes: ["),
    ],
    ids=["typo", "unknown check", "CEL of a wrong type", "CEL of an unknown field", "broken YAML"],
)
def test_a_wrong_strategy_is_refused_with_its_place(right: str, wrong: str, client: Client) -> None:
    text = builtin_strategy(client)
    assert right in text
    bad = text.replace(right, wrong, 1)
    answer = client.gateway.call(client.gateway.strategies.ValidateStrategy, ValidateStrategyRequest(yaml=bad))
    assert answer.problems
    assert all(problem.message for problem in answer.problems)
    assert any(problem.line for problem in answer.problems)
    with pytest.raises(Refused) as refused:
        client.gateway.call(client.gateway.strategies.CreateStrategyVersion, CreateStrategyVersionRequest(yaml=bad))
    assert refused.value.reason == "STRATEGY_INVALID"


def test_sound_alone_is_taken_in_and_nobody_makes_a_face_up(
    client: Client, recording: Recording, tmp_path: Path
) -> None:
    files = []
    for name, role in (("customer", CUSTOMER), ("agent", AGENT)):
        file = tmp_path / f"{name}.wav"
        with wave.open(str(file), "wb") as sound:
            sound.setparams((1, 2, 16000, 0, "NONE", "not compressed"))
            sound.writeframes(b"\x01\x00\xff\xff" * 8000 * 4)
        files.append((file, (role,)))
    session = client.send(replace(recording, files=tuple(files)))
    report = client.wait(session.session_id)
    outcomes = {f.check_id: f.outcome for f in report.result.findings}
    assert report.verdict != 1
    assert outcomes["face_in_frame"] == 3
    assert outcomes["same_person"] == 3
