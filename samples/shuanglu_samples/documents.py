"""The JSON files beside the tracks: order, timeline of nodes, ground truth."""

from dataclasses import asdict
from typing import Any

from shuanglu_samples.script import Delivery, Script
from shuanglu_samples.timeline import Timeline
from shuanglu_samples.variants import Staging, Variant

STRATEGY = "personal-loan"


def order(variant: Variant) -> dict[str, Any]:
    """The order (`shuanglu.session.v1.Order` as JSON).

    The customer is invented: the ID number has a right check digit, but a region that does not exist.
    """
    return {
        "order_no": f"SAMPLE-PL-{variant.name.upper().replace('_', '-')}",
        "product": "personal_loan",
        "amount": {"amount_fen": "8000000", "currency": "CNY"},
        "purpose": "consumption",
        "term_months": 24,
        "customer": {"customer_no": "C-000001", "name": "张三", "id_number": "999999199001010016"},
        "branch": "SH-0001",
        "agent_no": "1027",
    }


def timeline_nodes(timeline: Timeline) -> list[dict[str, Any]]:
    """When each node was performed (`shuanglu.media.v1.TimelineNode` as JSON)."""
    return [{**asdict(span), "take": 1} for span in timeline.nodes]


def truth(variant: Variant, timeline: Timeline, staging: Staging) -> dict[str, Any]:
    """What is really on the recording, and the findings that inspection must make (none for the clean session)."""
    return {
        "variant": variant.name,
        "title_zh": variant.title_zh,
        "title_en": variant.title_en,
        "strategy": STRATEGY,
        "channel": "REMOTE",
        "verdict": _verdict(staging),
        "duration_ms": timeline.duration_ms,
        "tracks": [{"file": "customer.mp4", "role": "CUSTOMER"}, {"file": "agent.mp4", "role": "AGENT"}],
        "id_photo": "id_photo.jpg",
        "expected": [asdict(each) for each in staging.expected],
        "nodes": timeline_nodes(timeline),
        "utterances": [
            {
                "node_id": said.node_id,
                "role": said.line.role.value,
                "text": said.line.text if said.line.delivery is Delivery.CLEAR else "",
                "delivery": said.line.delivery.value,
                "start_ms": said.start_ms,
                "end_ms": said.end_ms,
            }
            for said in timeline.utterances
        ],
    }


def _verdict(staging: Staging) -> str:
    outcomes = {each.outcome for each in staging.expected}
    return next((outcome for outcome in ("FAIL", "UNSURE") if outcome in outcomes), "PASS")


def spoken_text(script: Script) -> str:
    """All that is said clearly, for checks of the wording."""
    return "".join(line.text for node in script.nodes for line in node.lines if line.delivery is Delivery.CLEAR)
