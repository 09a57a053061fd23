import inspect

import pytest
from google.rpc.error_details_pb2 import ErrorInfo

import shuanglu_common.auth
import shuanglu_common.bus.bus
import shuanglu_common.bus.dead_letter
import shuanglu_common.bus.events
import shuanglu_common.cmaf
import shuanglu_common.database
import shuanglu_common.errors
import shuanglu_common.model_files
import shuanglu_common.sealing
import shuanglu_common.store
from shuanglu_common.errors import CallerError, InvalidInput, ShuangluError
from shuanglu_common.grpc_server import status_of
from shuanglu_common.http_server import HTTP_STATUS, error_response

MODULES = [
    shuanglu_common.auth,
    shuanglu_common.bus.bus,
    shuanglu_common.bus.dead_letter,
    shuanglu_common.bus.events,
    shuanglu_common.cmaf,
    shuanglu_common.database,
    shuanglu_common.errors,
    shuanglu_common.model_files,
    shuanglu_common.sealing,
    shuanglu_common.store,
]
ERRORS = {
    item
    for module in MODULES
    for _, item in inspect.getmembers(module, inspect.isclass)
    if issubclass(item, ShuangluError)
}


@pytest.mark.parametrize("error", sorted(ERRORS, key=lambda each: each.__name__))
def test_every_error_has_a_stable_reason_and_an_http_status(error: type[ShuangluError]) -> None:
    assert error.reason == error.reason.upper()
    assert error.reason
    assert error.status.value[0] in HTTP_STATUS


@pytest.mark.parametrize("error", sorted(ERRORS, key=lambda each: each.__name__))
def test_an_error_of_the_caller_is_never_retried(error: type[ShuangluError]) -> None:
    assert not (issubclass(error, CallerError) and error.retryable)


def test_grpc_and_json_carry_the_same_reason_and_details() -> None:
    error = InvalidInput("the field is empty", field="order_no")
    status = status_of(error)
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    body = error_response(error)
    assert info.reason == "INVALID_ARGUMENT"
    assert dict(info.metadata) == {"field": "order_no"}
    assert body.status_code == 400
    assert b'"reason":"INVALID_ARGUMENT"' in body.body
    assert b'"field":"order_no"' in body.body
