"""RecorderService: what signaling asks of the recorder."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc

from shuanglu.media.v1.recorder_service_pb2 import (
    CloseRecordingRequest,
    CloseRecordingResponse,
    GetRecordingRequest,
    GetRecordingResponse,
    OpenRecordingRequest,
    OpenRecordingResponse,
    Recording,
    WatchRecordingsRequest,
    WatchRecordingsResponse,
)
from shuanglu.media.v1.recorder_service_pb2_grpc import RecorderServiceServicer
from shuanglu_common.auth import PARTICIPANT_ID, current_principal
from shuanglu_common.bus.subjects import SESSION_ID
from shuanglu_media_ingest.errors import RecordingInvalid
from shuanglu_media_ingest.live.desk import Recorder
from shuanglu_media_ingest.live.proof import EVERY_S, Proof, recording_message

MAX_PARTICIPANTS = 16
Context = grpc.aio.ServicerContext[Any, Any]


class RecorderRpc(RecorderServiceServicer):
    """Thin: the recorder does the work."""

    def __init__(self, recorder: Recorder, proof: Proof) -> None:
        """`proof` is the recorder's."""
        self._recorder, self._proof = recorder, proof

    async def OpenRecording(self, request: OpenRecordingRequest, context: Context) -> OpenRecordingResponse:  # noqa: ARG002, N802
        """See the contract."""
        _require_names(request)
        recording = await self._recorder.open(current_principal().tenant, request)
        return OpenRecordingResponse(file_prefix=recording.folder.prefix, now_us=self._recorder.means.clock.now_us())

    async def CloseRecording(self, request: CloseRecordingRequest, context: Context) -> CloseRecordingResponse:  # noqa: ARG002, N802
        """See the contract."""
        await self._recorder.close(current_principal().tenant, request)
        return CloseRecordingResponse()

    async def GetRecording(self, request: GetRecordingRequest, context: Context) -> GetRecordingResponse:  # noqa: ARG002, N802
        """See the contract."""
        recording = self._recorder.get(current_principal().tenant, request.session_id)
        return GetRecordingResponse(recording=recording_message(recording))

    async def WatchRecordings(  # noqa: N802 - the name is the contract's
        self,
        request: WatchRecordingsRequest,  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[WatchRecordingsResponse]:
        """See the contract."""
        told: dict[tuple[str, str], Recording] = {}
        while not self._recorder.ending.is_set():
            now = {key: recording_message(each) for key, each in self._recorder.recordings.items()}
            changed = [message for key, message in now.items() if told.get(key) != message]
            told = now
            yield self._proof.pulse().message(changed)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._recorder.ending.wait(), EVERY_S)


def _require_names(request: OpenRecordingRequest) -> None:
    """Raises RecordingInvalid for names that cannot be files."""
    ids = [person.participant_id for person in request.participants]
    if not SESSION_ID.fullmatch(request.session_id) or not 1 <= len(ids) <= MAX_PARTICIPANTS:
        raise RecordingInvalid
    if len(set(ids)) != len(ids) or not all(PARTICIPANT_ID.fullmatch(each) for each in ids):
        raise RecordingInvalid
