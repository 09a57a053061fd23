"""What makes an import the same import: the order, the bytes of its files, who is in them and what sound counts."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from shuanglu.common.v1.types_pb2 import Channel, ParticipantRole
from shuanglu_cli.recording import Recording

Digest = Callable[[Path], str]


def sha256_of(file: Path) -> str:
    """64 hexadecimal digits. Raises OSError."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def recording_key(recording: Recording, digest: Digest = sha256_of) -> str:
    """The same recording of the same order gives the same key, on any machine: 32 hexadecimal digits.

    It is the session's idempotency key, so that a repeated import finds the session that it opened before. Channel and
    strategy are part of it, because a session is bound to both. Raises OSError.
    """
    parts = [recording.order.order_no, Channel.Name(recording.channel), recording.strategy_id]
    for number, (file, roles) in enumerate(recording.files):
        who = "+".join(sorted(ParticipantRole.Name(role) for role in roles))
        parts.append(f"{digest(file)} {who} {recording.offset_ms(number)}")
        if recording.audio is not None:
            parts[-1] += f" {recording.audio.SerializeToString(deterministic=True).hex()}"
    return hashlib.sha256("\0".join([*parts[:3], *sorted(parts[3:])]).encode()).hexdigest()[:32]
