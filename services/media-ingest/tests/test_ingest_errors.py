"""Every error of the service can be acted on, and the settings say what they are."""

import inspect

import pytest

from shuanglu_common.errors import CallerError, DependencyError, ShuangluError
from shuanglu_media_ingest import errors
from shuanglu_media_ingest.settings import MediaIngestSettings
from shuanglu_media_ingest.uploads import tus_errors

ALL = [
    found
    for module in (errors, tus_errors)
    for _, found in inspect.getmembers(module, inspect.isclass)
    if issubclass(found, ShuangluError) and found.__module__ == module.__name__
]


@pytest.mark.parametrize("error", ALL)
def test_every_error_has_a_stable_reason_of_its_own(error: type[ShuangluError]):
    assert error.reason == error.reason.upper()
    twins = [other for other in ALL if other is not error and other.reason == error.reason]
    # UPLOAD_NOT_FOUND means the same at both doors, SPOOL_FULL that a disk has no room for more.
    assert {other.__name__ for other in twins} <= {"UploadGone", "UploadNotFound", "DiskFull", "SpoolFull"}


@pytest.mark.parametrize("error", [found for found in ALL if issubclass(found, CallerError)])
def test_what_the_caller_can_mend_says_how(error: type[ShuangluError]):
    if error is not errors.RecordingRefused:
        assert len(error().diagnostics()) > 30
        assert not error.retryable


@pytest.mark.parametrize("error", [found for found in ALL if issubclass(found, tus_errors.Refusal)])
def test_every_refusal_of_the_door_has_a_status_of_its_kind(error: type[tus_errors.Refusal]):
    assert 400 <= error.http_status < 600


def test_dependencies_are_tried_again():
    assert all(error.retryable for error in ALL if issubclass(error, DependencyError))


def test_every_setting_is_described():
    assert all(field.description for field in MediaIngestSettings.model_fields.values())
