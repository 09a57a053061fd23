"""`python -m shuanglu_common.streams_job`: streams, and consumers of pools that scale from zero; safe to run twice.

Exit code 0 when the bus agrees with the tables, 1 and one line if the bus cannot do it, 2 for a wrong setting.
"""

import argparse
import asyncio
import ssl
import sys

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoServersError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError, ServiceUnavailableError

from shuanglu_common.bus.connection import connect_once, hang_up
from shuanglu_common.bus.consumers import CONSUMERS, ConsumerSpec
from shuanglu_common.bus.durables import beginning
from shuanglu_common.bus.streams import ensure_streams
from shuanglu_common.bus.subjects import STREAMS
from shuanglu_common.bus.subscription import MAX_DELIVER
from shuanglu_common.settings import EXIT_BAD_SETTING, ServiceSettings, WrongSetting, load_settings

DEADLINE_S = 60.0


async def make_consumer(jetstream: JetStreamContext, spec: ConsumerSpec) -> bool:
    """Make it if it is missing; its service sets the rest when it starts. Whether it was made."""
    try:
        await jetstream.consumer_info(spec.stream, spec.durable)
    except NotFoundError:
        policy, first = await beginning(jetstream, spec.stream, spec.durable)
        config = ConsumerConfig(
            durable_name=spec.durable,
            filter_subjects=list(spec.filters),
            ack_policy=AckPolicy.EXPLICIT,
            max_deliver=MAX_DELIVER,
            deliver_policy=policy,
            opt_start_seq=first,
        )
        await jetstream.add_consumer(spec.stream, config)
        return True
    return False


async def leftovers(jetstream: JetStreamContext) -> list[str]:
    """Durable consumers that no service has: an older version's. They hold back nothing and are told, not removed."""
    known = {(spec.stream, spec.durable) for spec in CONSUMERS}
    found: set[tuple[str, str]] = set()
    for spec in STREAMS:
        infos = await jetstream.consumers_info(spec.stream)
        found |= {(spec.stream, info.name) for info in infos if info.config.durable_name}
    return [f"{stream}/{name}" for stream, name in sorted(found - known)]


async def run(settings: ServiceSettings) -> str:
    """What was done, in one line. Raises NatsError, OSError, TimeoutError, WrongSetting."""
    client = Client()
    try:
        await connect_once(settings, client)
        jetstream = client.jetstream(timeout=10)
        await ensure_streams(jetstream, settings.nats_replicas)
        made = [spec.durable for spec in CONSUMERS if spec.filters and await make_consumer(jetstream, spec)]
        left = await leftovers(jetstream)
    finally:
        await hang_up(client)
    said = [f"{len(STREAMS)} streams agree", f"{len(made)} consumers made"]
    if left:
        said.append(f"no service has {', '.join(left)}: delete them when their version is gone")
    return "; ".join(said)


def trouble(error: Exception, settings: ServiceSettings) -> str:
    """One line with what to do."""
    if isinstance(error, ServiceUnavailableError) or "no responders" in str(error).lower():
        return "the bus has no JetStream for this account: switch it on (nats-server -js, or the account's limits)"
    if isinstance(error, ssl.SSLError):
        return "the bus shows a certificate that is not trusted: SHUANGLU_NATS_CA_FILE must hold its authority"
    if isinstance(error, NoServersError | TimeoutError | OSError):
        return "the bus does not answer: look at SHUANGLU_NATS_URL and the network"
    what = str(error) or type(error).__name__
    if "authorization" in what.lower():
        return "the bus refuses the credentials: look at SHUANGLU_NATS_URL and SHUANGLU_NATS_CREDENTIALS_FILE"
    return f"the bus refuses: {what}; with fewer servers than SHUANGLU_NATS_REPLICAS={settings.nats_replicas}?"


def main() -> None:
    """See the module."""
    argparse.ArgumentParser(prog="python -m shuanglu_common.streams_job", description=__doc__).parse_args()
    settings = load_settings(ServiceSettings)
    try:
        print(asyncio.run(asyncio.wait_for(run(settings), DEADLINE_S)))  # noqa: T201 - what a job says
    except WrongSetting as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_BAD_SETTING) from None
    except (NatsError, OSError, TimeoutError) as error:
        sys.stderr.write(f"{trouble(error, settings)}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
