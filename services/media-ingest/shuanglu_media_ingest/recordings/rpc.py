"""RecordingService: the ID photo of a live session, and recordings compared with the store."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from shuanglu.common.v1.types_pb2 import Interval
from shuanglu.media.v1 import recording_service_pb2 as pb
from shuanglu.media.v1.recording_service_pb2_grpc import RecordingServiceServicer
from shuanglu_common.auth import current_principal
from shuanglu_common.bus.subjects import SESSION_ID
from shuanglu_media_ingest.domain.reconciling import Difference, DifferenceKind
from shuanglu_media_ingest.errors import PeriodInvalid, SessionNotFound
from shuanglu_media_ingest.recordings.calls import Metadata, Wanted
from shuanglu_media_ingest.recordings.photos import Photos
from shuanglu_media_ingest.recordings.reconciler import Reconciler

Context = grpc.aio.ServicerContext[Any, Any]
KINDS = {kind: pb.DifferenceKind.Value(f"DIFFERENCE_KIND_{kind}") for kind in DifferenceKind}


class RecordingRpc(RecordingServiceServicer):
    """Thin: reads requests, writes answers."""

    def __init__(self, photos: Photos, reconciler: Reconciler, metadata: Callable[[], Metadata]) -> None:
        """`metadata`: of a call on behalf of the caller."""
        self._photos, self._reconciler, self._metadata = photos, reconciler, metadata

    async def AttachIdPhoto(  # noqa: N802 - the contract's name
        self,
        request: pb.AttachIdPhotoRequest,
        context: Context,  # noqa: ARG002
    ) -> pb.AttachIdPhotoResponse:
        """See the contract."""
        await self._photos.attach(current_principal(), request.session_id, request.upload_id)
        return pb.AttachIdPhotoResponse()

    async def Reconcile(  # noqa: N802 - the contract's name
        self,
        request: pb.ReconcileRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[pb.ReconcileResponse]:
        """See the contract."""
        if request.session_id and not SESSION_ID.fullmatch(request.session_id):
            raise SessionNotFound
        start_us, end_us = request.created_from_us, request.created_to_us
        if start_us < 0 or end_us < 0 or 0 < end_us <= start_us:
            raise PeriodInvalid
        wanted = Wanted(request.session_id, request.created_from_us, request.created_to_us)
        done = pb.ReconcileResponse()
        async for step in self._reconciler.walk(current_principal().tenant, self._metadata(), wanted):
            done.sessions += step.sessions
            done.tracks += step.tracks
            done.seconds += step.seconds
            told = pb.ReconcileResponse(differences=map(difference_message, step.differences))
            told.MergeFrom(done)
            yield told
        done.done = True
        yield done


def difference_message(difference: Difference) -> pb.Difference:
    """For the wire."""
    start_ms, end_ms = difference.span
    return pb.Difference(
        session_id=difference.session_id,
        track_id=difference.track_id,
        kind=KINDS[difference.kind],
        interval=Interval(start_ms=start_ms, end_ms=end_ms),
        key=difference.key,
    )
