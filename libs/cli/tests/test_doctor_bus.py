"""A stream is as the table says whatever the server fills in; each setting of the table that differs is told."""

from datetime import UTC, datetime, timedelta

import pytest
from nats.js.api import ConsumerConfig, ConsumerInfo, DiscardPolicy, SequenceInfo, StorageType, StreamConfig

from shuanglu_cli.doctor.bus import STALLED_S, differences, undrained
from shuanglu_common.ailments import Code
from shuanglu_common.bus.streams import config_of
from shuanglu_common.bus.subjects import STREAMS, StreamSpec


def as_the_server_tells(spec: StreamSpec) -> StreamConfig:
    """The server adds what was not set and gives lists in its own order."""
    config = config_of(spec, 1)
    subjects = list(reversed(config.subjects or []))
    return config.evolve(subjects=subjects, max_msgs=-1, max_bytes=-1, max_consumers=-1, max_age=float(spec.max_age_s))


@pytest.mark.parametrize("spec", STREAMS, ids=lambda spec: spec.stream)
def test_a_stream_as_the_table_wants_it_does_not_differ(spec: StreamSpec) -> None:
    assert list(differences(config_of(spec, 1), as_the_server_tells(spec))) == []


@pytest.mark.parametrize(
    "change",
    [
        {"max_age": 60.0},
        {"subjects": ["session.v1.>"]},
        {"storage": StorageType.MEMORY},
        {"discard": DiscardPolicy.OLD},
        {"duplicate_window": 1.0},
        {"allow_direct": False},
    ],
    ids=str,
)
def test_each_setting_that_differs_is_told(change: dict[str, object]) -> None:
    (name,) = change
    (difference,) = differences(config_of(STREAMS[0], 1), as_the_server_tells(STREAMS[0]).evolve(**change))
    assert difference.startswith(f"{name} is ")


def test_folds_without_a_source_differ() -> None:
    (folds,) = (spec for spec in STREAMS if spec.sources)
    have = as_the_server_tells(folds)
    assert list(differences(config_of(folds, 1), have.evolve(sources=(have.sources or [])[1:])))


def info(waiting: int, in_hand: int, idle_s: float) -> ConsumerInfo:
    moved = SequenceInfo(consumer_seq=1, stream_seq=1, last_active=datetime.now(UTC) - timedelta(seconds=idle_s))
    return ConsumerInfo(
        name="c",
        stream_name="MEDIA",
        config=ConsumerConfig(durable_name="c"),
        created=datetime.now(UTC) - timedelta(days=1),
        delivered=moved,
        ack_floor=moved,
        num_ack_pending=in_hand,
        num_pending=waiting,
    )


@pytest.mark.parametrize(
    ("waiting", "in_hand", "idle_s", "at_rest", "wanted"),
    [
        (0, 0, 2 * STALLED_S, False, None),
        (0, 0, 2 * STALLED_S, True, None),
        (5, 0, STALLED_S / 2, False, None),
        (0, 1, STALLED_S / 2, True, Code.CONSUMER_BEHIND),
        (5, 0, 2 * STALLED_S, False, Code.CONSUMER_STALLED),
        (0, 1, 2 * STALLED_S, False, Code.CONSUMER_STALLED),
    ],
)
def test_a_consumer_with_work_must_move(
    waiting: int, in_hand: int, idle_s: float, *, at_rest: bool, wanted: Code | None
) -> None:
    found = undrained("MEDIA/c", info(waiting, in_hand, idle_s), at_rest=at_rest)
    assert (found.code if found else None) == wanted
