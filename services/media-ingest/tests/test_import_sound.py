"""Whose sound it is, from the request to the tracks that are told."""

from dataclasses import asdict
from pathlib import Path

import pytest
from file_pack import made
from ingest_bench import Bench
from ingest_fakes import INSPECTION, PEOPLE

from shuanglu.common.v1.types_pb2 import Participant, ParticipantRole
from shuanglu.media.v1.import_service_pb2 import AudioChannels, AudioSelection, ImportRecordingRequest
from shuanglu.media.v1.import_service_pb2 import SourceFile as SourceFileProto
from shuanglu.media.v1.media_events_pb2 import ImportFailed, TrackStored
from shuanglu.media.v1.track_pb2 import GapCause, Track
from shuanglu_media_ingest.domain.imports import ImportState, Plan, SourceFile
from shuanglu_media_ingest.domain.sound import AudioChoice
from shuanglu_media_ingest.errors import FileRolesInvalid
from shuanglu_media_ingest.messages import files_of

CUSTOMER = Participant(participant_id="c1", role=ParticipantRole.PARTICIPANT_ROLE_CUSTOMER)
AGENT = Participant(participant_id="a1", role=ParticipantRole.PARTICIPANT_ROLE_AGENT)


def asked(audio: AudioSelection | None) -> AudioChoice | None:
    file = SourceFileProto(upload_id="u", participants=[CUSTOMER, AGENT], audio=audio)
    (found,) = files_of(ImportRecordingRequest(files=[file]))
    return found.audio


@pytest.mark.parametrize(
    ("audio", "choice"),
    [
        (None, None),
        (AudioSelection(), AudioChoice()),
        (AudioSelection(stream=2), AudioChoice(stream=2)),
        (AudioSelection(language="zho"), AudioChoice(language="zho")),
        (AudioSelection(mixed=True), AudioChoice(mixed=True)),
        (AudioSelection(channels=AudioChannels(speakers=[AGENT, CUSTOMER])), AudioChoice(speakers=(1, 0))),
    ],
)
def test_a_request_says_which_sound_counts(audio: AudioSelection | None, choice: AudioChoice | None):
    assert asked(audio) == choice


def test_a_speaker_who_is_not_in_the_file_is_refused():
    stranger = Participant(participant_id="x", role=ParticipantRole.PARTICIPANT_ROLE_WITNESS)
    with pytest.raises(FileRolesInvalid):
        asked(AudioSelection(channels=AudioChannels(speakers=[AGENT, stranger])))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def imported(bench: Bench, name: str, audio: AudioChoice | None):
    upload = bench.upload(made(name).read_bytes())
    record = bench.accepted(SourceFile(upload.upload_id, PEOPLE, audio=audio))
    await bench.importer.run(record)
    return bench.state_of(record)


async def test_a_telephone_recording_becomes_a_track_for_each_speaker(bench: Bench):
    done = await imported(bench, "agent_left_customer_right.wav", AudioChoice(speakers=(1, 0)))
    assert done.state is ImportState.STORED
    tracks = {track.track_id: track for track in map(Track.FromString, done.tracks)}
    assert {name: [each.role for each in track.participants] for name, track in tracks.items()} == {
        "agent-audio": [ParticipantRole.PARTICIPANT_ROLE_AGENT],
        "customer-audio": [ParticipantRole.PARTICIPANT_ROLE_CUSTOMER],
    }
    assert all(track.derived for track in tracks.values())


async def test_sound_that_the_file_does_not_have_fails_the_import_by_name(bench: Bench):
    done = await imported(bench, "voice.mp3", AudioChoice(stream=2))
    assert (done.state, done.failure_reason) == (ImportState.FAILED, "AUDIO_SELECTION_INVALID")
    assert len(bench.told(ImportFailed)) == 1


async def test_a_jump_of_the_clock_is_told_with_the_track(bench: Bench):
    await imported(bench, "jump_ahead.mp4", None)
    for told in bench.told(TrackStored):
        assert isinstance(told, TrackStored)
        assert [gap.cause for gap in told.gaps] == [GapCause.GAP_CAUSE_MISSING]


def test_a_kept_plan_remembers_the_choice_and_older_ones_have_none():
    plan = Plan((SourceFile("u", PEOPLE, audio=AudioChoice(speakers=(1, 0))),), "", (), INSPECTION)
    assert Plan.from_json(plan.to_json()) == plan
    older = asdict(plan)
    del older["files"][0]["audio"]
    assert Plan.from_json(older).files[0].audio is None
