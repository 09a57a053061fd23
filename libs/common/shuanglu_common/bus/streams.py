"""Make the bus agree with the table of streams; safe to run again and by several at once."""

import asyncio

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamSource, SubjectTransform
from nats.js.errors import BadRequestError, NotFoundError

from shuanglu_common.bus.subjects import PARTITIONS, STREAMS, Stream, StreamSpec

DUPLICATE_WINDOW_S = 600


def fold_source(stream: Stream) -> StreamSource:
    """Copies a stream into FOLDS under `fold.<partition of the session>.<subject>`."""
    (pattern,) = next(spec.subjects for spec in STREAMS if spec.stream == stream)
    area = pattern.split(".", maxsplit=1)[0]
    target = (
        f"fold.{{{{partition({PARTITIONS},2)}}}}.{area}.v1.{{{{wildcard(1)}}}}.{{{{wildcard(2)}}}}.{{{{wildcard(3)}}}}"
    )
    return StreamSource(name=stream, subject_transforms=[SubjectTransform(src=pattern, dest=target)])


def config_of(spec: StreamSpec, replicas: int) -> StreamConfig:
    """The stream's configuration."""
    return StreamConfig(
        name=spec.stream,
        subjects=list(spec.subjects) or None,
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=spec.max_age_s,
        discard=DiscardPolicy.NEW,  # a full stream refuses: its publisher waits, nothing is lost
        duplicate_window=DUPLICATE_WINDOW_S,
        num_replicas=replicas,
        sources=[fold_source(source) for source in spec.sources] or None,
        allow_direct=True,
    )


async def ensure_streams(jetstream: JetStreamContext, replicas: int = 1) -> None:
    """Create what is missing and update what differs."""
    for spec in STREAMS:
        config = config_of(spec, replicas)
        try:
            await jetstream.update_stream(config)
        except NotFoundError:
            try:
                await jetstream.add_stream(config)
            except BadRequestError:
                # Another one made it in the meantime.
                await asyncio.sleep(0.2)
                await jetstream.update_stream(config)
