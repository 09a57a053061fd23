"""ImportService: asks for imports and tells how far they are."""

from typing import Any

import grpc

from shuanglu.media.v1 import import_service_pb2 as pb
from shuanglu.media.v1.import_service_pb2_grpc import ImportServiceServicer
from shuanglu_common.auth import current_principal
from shuanglu_media_ingest.domain import batches
from shuanglu_media_ingest.domain.batches import BatchPlace
from shuanglu_media_ingest.domain.imports import Import, ImportState
from shuanglu_media_ingest.errors import PageInvalid
from shuanglu_media_ingest.importing.accepting import Acceptance, Accepted
from shuanglu_media_ingest.importing.batching import Batches, Batching, Refused
from shuanglu_media_ingest.messages import batch_message, import_message, refusal_message

Context = grpc.aio.ServicerContext[Any, Any]
USUAL_ITEMS, MOST_ITEMS = 100, 500
USUAL_BATCHES, MOST_BATCHES = 50, 200


class ImportRpc(ImportServiceServicer):
    """Thin: reads requests, writes answers."""

    def __init__(self, acceptance: Acceptance, batching: Batching, kept: Batches) -> None:
        """`kept` is where `batching` keeps its batches."""
        self._acceptance, self._batching, self._kept = acceptance, batching, kept

    async def ImportRecording(  # noqa: N802 - the contract's name
        self, request: pb.ImportRecordingRequest, context: Context
    ) -> pb.ImportRecordingResponse:
        """See the contract."""
        del context
        done = await self._acceptance.accept(current_principal(), request)
        answer = pb.ImportRecordingResponse(duplicate_of=done.duplicate_of)
        getattr(answer, "import").CopyFrom(await self._shown(done.record))
        return answer

    async def GetImport(self, request: pb.GetImportRequest, context: Context) -> pb.GetImportResponse:  # noqa: N802
        """See the contract."""
        del context
        record = await self._acceptance.find(current_principal(), request.import_id)
        return pb.GetImportResponse(**{"import": await self._shown(record)})

    async def CancelImport(  # noqa: N802 - the contract's name
        self, request: pb.CancelImportRequest, context: Context
    ) -> pb.CancelImportResponse:
        """See the contract."""
        del context
        record = await self._acceptance.find(current_principal(), request.import_id)
        stopped = await self._acceptance.cancel(record)
        return pb.CancelImportResponse(**{"import": await self._shown(stopped)})

    async def RetryImport(self, request: pb.RetryImportRequest, context: Context) -> pb.RetryImportResponse:  # noqa: N802
        """See the contract."""
        del context
        record = await self._acceptance.find(current_principal(), request.import_id)
        waiting = await self._acceptance.retry(record)
        return pb.RetryImportResponse(**{"import": await self._shown(waiting)})

    async def ImportBatch(self, request: pb.ImportBatchRequest, context: Context) -> pb.ImportBatchResponse:  # noqa: N802
        """See the contract."""
        del context
        batches.require_batch_id(request.batch_id)
        batches.require_items(len(request.items))
        batch, answers = await self._batching.add(current_principal(), request.batch_id, request.items)
        return pb.ImportBatchResponse(batch=batch_message(batch), results=[_result(answer) for answer in answers])

    async def GetImportBatch(  # noqa: N802 - the contract's name
        self, request: pb.GetImportBatchRequest, context: Context
    ) -> pb.GetImportBatchResponse:
        """See the contract."""
        del context
        tenant = current_principal().tenant
        batches.require_batch_id(request.batch_id)
        size = batches.page_size(request.page_size, USUAL_ITEMS, MOST_ITEMS)
        states = _states(request.state)
        about = ("items", tenant, request.batch_id, *states)
        after = _number(batches.read_token(request.page_token, *about)) if request.page_token else 0
        batch = await self._kept.get(tenant, request.batch_id)
        found = await self._kept.items(tenant, request.batch_id, after, size + 1, states)
        more = batches.write_token(str(found[size - 1].position), *about) if len(found) > size else ""
        return pb.GetImportBatchResponse(
            batch=batch_message(batch),
            imports=[import_message(item.record) for item in found[:size]],
            next_page_token=more,
        )

    async def ListImportBatches(  # noqa: N802 - the contract's name
        self, request: pb.ListImportBatchesRequest, context: Context
    ) -> pb.ListImportBatchesResponse:
        """See the contract."""
        del context
        tenant = current_principal().tenant
        size = batches.page_size(request.page_size, USUAL_BATCHES, MOST_BATCHES)
        after = _place(batches.read_token(request.page_token, "batches", tenant)) if request.page_token else None
        found = await self._kept.page(tenant, after, size + 1)
        more = ""
        if len(found) > size:
            last = found[size - 1]
            more = batches.write_token(f"{last.created_at_us} {last.batch_id}", "batches", tenant)
        return pb.ListImportBatchesResponse(
            batches=[batch_message(batch) for batch in found[:size]], next_page_token=more
        )

    async def CancelImportBatch(  # noqa: N802 - the contract's name
        self, request: pb.CancelImportBatchRequest, context: Context
    ) -> pb.CancelImportBatchResponse:
        """See the contract."""
        del context
        batches.require_batch_id(request.batch_id)
        batch = await self._batching.cancel(current_principal(), request.batch_id)
        return pb.CancelImportBatchResponse(batch=batch_message(batch))

    async def RetryImportBatch(  # noqa: N802 - the contract's name
        self, request: pb.RetryImportBatchRequest, context: Context
    ) -> pb.RetryImportBatchResponse:
        """See the contract."""
        del context
        batches.require_batch_id(request.batch_id)
        batch, retried, refused = await self._batching.retry(current_principal(), request.batch_id)
        return pb.RetryImportBatchResponse(
            batch=batch_message(batch),
            retried=retried,
            refusals=[refusal_message(each.error, each.import_id) for each in refused],
        )

    async def _shown(self, record: Import) -> pb.Import:
        return import_message(record, await self._acceptance.position(record))


def _result(answer: Accepted | Refused) -> pb.ImportBatchResult:
    if isinstance(answer, Refused):
        return pb.ImportBatchResult(refusal=refusal_message(answer.error))
    result = pb.ImportBatchResult(duplicate_of=answer.duplicate_of)
    getattr(result, "import").CopyFrom(import_message(answer.record))
    return result


def _states(state: pb.ImportState.ValueType) -> tuple[ImportState, ...]:
    """Empty for all. Raises PageInvalid for a state that nobody knows."""
    if state == pb.ImportState.IMPORT_STATE_UNSPECIFIED:
        return ()
    try:
        return (ImportState(pb.ImportState.Name(state).removeprefix("IMPORT_STATE_")),)
    except ValueError as error:
        raise PageInvalid("There is no such state.") from error


def _number(text: str) -> int:
    """Raises PageInvalid."""
    if not text.isascii() or not text.isdigit():
        raise PageInvalid("The page_token is not one of ours.")
    return int(text)


def _place(text: str) -> BatchPlace:
    """Raises PageInvalid."""
    created, _, batch_id = text.partition(" ")
    return BatchPlace(_number(created), batch_id)
