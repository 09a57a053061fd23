"""A realistic session for tests: five nodes, two people, one failure, one doubt."""
# ruff: noqa: E501 - tables of sentences

import hashlib
from io import BytesIO

from PIL import Image, ImageDraw

from shuanglu.common.v1.types_pb2 import (
    Channel,
    Interval,
    ModelRef,
    Money,
    ObjectRef,
    Outcome,
    Participant,
    ParticipantRole,
    TrackKind,
)
from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.media.v1.track_pb2 import Gap, Segment, TimelineNode, Track
from shuanglu.observation.v1.observations_pb2 import Box, Utterance
from shuanglu.quality.v1.finding_pb2 import (
    EvidenceFrame,
    Finding,
    InspectionResult,
    NodeTitle,
    Presence,
    Quote,
    Severity,
)
from shuanglu.quality.v1.quality_events_pb2 import Stage
from shuanglu.report.v1.report_pb2 import Report
from shuanglu.session.v1.session_pb2 import Customer, Order
from shuanglu_report.maker import masked_order
from shuanglu_report.proof import prove

TENANT = "bank-a"
SESSION = "019ac3f2-7c1e-7d2b-9d4a-0242ac120002"
CUSTOMER = ParticipantRole.PARTICIPANT_ROLE_CUSTOMER
ALL = ParticipantRole.PARTICIPANT_ROLE_UNSPECIFIED
AGENT = ParticipantRole.PARTICIPANT_ROLE_AGENT
DURATION_MS = 76_300
CREATED_US = 1_795_399_351_000_000
YUNET = ModelRef(name="yunet", version="1f2e3d4c5b6a7980")
SFACE = ModelRef(name="sface", version="0a1b2c3d4e5f6071")
WHISPER = ModelRef(name="whisper-base", version="99aa88bb77cc66dd")
VAD = ModelRef(name="silero-vad", version="1029384756abcdef")
LINES = (
    (AGENT, 1200, 8300, "您好，我是客户经理。为保护您的权益，本次业务办理将全程录音录像，请问您是否同意？", 0.93),
    (CUSTOMER, 9100, 9900, "同意。", 0.97),
    (AGENT, 11000, 15200, "请问您是本人自愿申请这笔个人贷款吗？", 0.95),
    (CUSTOMER, 16000, 18700, "是的，是我本人自愿申请。", 0.91),
    (AGENT, 20100, 33400, "您申请的个人消费贷款金额为八万元，期限二十四个月，贷款年利率为百分之四点五，按月等额本息还款。请问您清楚了吗？", 0.9),
    (CUSTOMER, 34300, 35400, "清楚了。", 0.96),
    (AGENT, 37000, 49800, "请您注意，贷款不得用于购房和投资。如果您逾期还款，逾期将影响您的征信，并会产生罚息。请问您是否了解以上风险？", 0.92),
    (CUSTOMER, 50800, 52600, "嗯那个。", 0.31),
    (AGENT, 54900, 58300, "请问您确认签署这份借款合同吗？", 0.94),
    (CUSTOMER, 59200, 61000, "我确认签署。", 0.95),
    (AGENT, 62400, 67800, "好的，本次业务办理到此结束，感谢您的配合。", 0.94),
    (AGENT, 70300, 72500, "", 0.0),
)  # fmt: skip
NODES = (
    ("consent", "征得同意", "Consent", 1000, 10500),
    ("identity", "身份与意愿", "Identity", 10800, 19500),
    ("terms", "贷款条款", "Terms", 19800, 36200),
    ("risk", "风险提示", "Risk", 36600, 54000),
    ("confirm", "确认签署", "Confirm", 54600, 68500),
)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def reference(key: str, size: int = 180_000) -> ObjectRef:
    return ObjectRef(key=f"{TENANT}/{SESSION}/{key}", size_bytes=size, sha256=digest(key))


def track(role: ParticipantRole.ValueType, name: str, kind: TrackKind.ValueType) -> Track:
    sound = kind == TrackKind.TRACK_KIND_AUDIO
    track_id = f"{name}-{'audio' if sound else 'video'}"
    return Track(
        track_id=track_id,
        kind=kind,
        participants=[Participant(participant_id=name, role=role)],
        init=reference(f"tracks/{track_id}/init.mp4", 800),
        codec="mp4a.40.2" if sound else "avc1.42e01f",
        start_ms=0,
        end_ms=DURATION_MS,
        segment_count=39,
        width=0 if sound else 640,
        height=0 if sound else 480,
        sample_rate=48_000 if sound else 0,
        original=reference(f"originals/{name}", 5_812_344),
    )


def tracks() -> list[Track]:
    kinds = (TrackKind.TRACK_KIND_VIDEO, TrackKind.TRACK_KIND_AUDIO)
    return [track(role, name, kind) for role, name in ((CUSTOMER, "customer"), (AGENT, "agent")) for kind in kinds]


def stored(item: Track, gaps: tuple[tuple[int, int], ...] = ()) -> TrackStored:
    segments = [
        Segment(
            track_id=item.track_id,
            index=index + 1,
            object=reference(f"tracks/{item.track_id}/{index + 1:06d}.m4s"),
            start_ms=index * 2000,
            end_ms=min((index + 1) * 2000, item.end_ms),
        )
        for index in range(item.segment_count)
    ]
    holes = [Gap(track_id=item.track_id, start_ms=start, end_ms=end) for start, end in gaps]
    return TrackStored(track=item, segments=segments, gaps=holes)


def order() -> Order:
    return Order(
        order_id="order-1",
        order_no="2026-1123-000417",
        product="personal_loan",
        amount=Money(amount_fen=8_000_000, currency="CNY"),
        purpose="consumption",
        term_months=24,
        customer=Customer(customer_no="C-889120", name="王小明", id_number="11010119900307123X"),
        branch="0731",
        agent_no="1027",
    )


def failed() -> Finding:
    return Finding(
        finding_id="f-absent",
        check_id="face_in_frame",
        outcome=Outcome.OUTCOME_FAIL,
        severity=Severity.SEVERITY_CRITICAL,
        node_id="risk",
        take=1,
        role=CUSTOMER,
        interval=Interval(start_ms=42_400, end_ms=47_800),
        measured=5.4,
        threshold=3,
        unit="s",
        expected_zh="客户连续离开画面不超过 3 秒",
        expected_en="The customer is out of the picture for no more than 3 s at a time",
        message_zh="客户在 00:42.4 至 00:47.8 之间不在画面内。",
        message_en="The customer was not in the picture from 00:42.4 to 00:47.8.",
        reason="FACE_ABSENT",
        rule="SZ-3",
        models=[YUNET],
        frames=[
            EvidenceFrame(track_id="customer-video", at_ms=41_900, box=Box(x=240, y=110, width=150, height=190)),
            EvidenceFrame(track_id="customer-video", at_ms=45_000),
        ],
    )


def unsure() -> Finding:
    return Finding(
        finding_id="f-answer",
        check_id="answer",
        outcome=Outcome.OUTCOME_UNSURE,
        severity=Severity.SEVERITY_CRITICAL,
        node_id="risk",
        take=1,
        role=CUSTOMER,
        interval=Interval(start_ms=50_800, end_ms=52_600),
        measured=0.31,
        threshold=0.6,
        unit="score",
        expected_zh="客户明确肯定答复",
        expected_en="A clear affirmative answer of the customer",
        message_zh="客户的答复不清楚，无法判断是否同意。",
        message_en="The customer's answer is unclear; consent cannot be told.",
        reason="ANSWER_UNCLEAR",
        rule="SZ-2",
        models=[WHISPER],
        quotes=[Quote(role=CUSTOMER, text="嗯那个。", start_ms=50_800, end_ms=52_600)],
    )


def passed(check: str, node: str, role: ParticipantRole.ValueType, zh: str, en: str, **more: object) -> Finding:
    spans = {node_id: (start, end) for node_id, _, _, start, end in NODES}
    start, end = spans.get(node, (0, DURATION_MS))
    return Finding(
        finding_id=f"p-{check}-{node}-{role}-{zh[:6]}",
        check_id=check,
        outcome=Outcome.OUTCOME_PASS,
        severity=Severity.SEVERITY_CRITICAL,
        node_id=node,
        take=1 if node else 0,
        role=role,
        interval=Interval(start_ms=start, end_ms=end),
        message_zh=zh,
        message_en=en,
        **more,  # type: ignore[arg-type]
    )


def phrase(node: str, words: str, start_ms: int) -> Finding:
    line = next(item for item in LINES if item[1] == start_ms)
    quote = Quote(role=AGENT, text=line[3], start_ms=line[1], end_ms=line[2], matched=words)
    more = {"quotes": [quote], "measured": 1.0, "threshold": 0.85, "unit": "score", "rule": "SZ-2"}
    return passed("must_say", node, AGENT, f"已说“{words}”。", f"Said: “{words}”.", **more)


def passes() -> list[Finding]:
    frames = [EvidenceFrame(track_id="customer-video", at_ms=20_000, box=Box(x=240, y=110, width=150, height=190))]
    return [
        passed("face_in_frame", "", AGENT, "客户经理始终在画面内。", "The agent was in the picture throughout.", measured=0.998, threshold=0.95, unit="ratio"),
        passed("same_person", "", CUSTOMER, "与证件照为同一人。", "The same person as on the ID photo.", measured=0.62, threshold=0.4, unit="cosine", frames=frames),
        passed("intrusion", "", CUSTOMER, "画面中没有其他人。", "Nobody else was in the picture.", measured=0.0, threshold=0.0, unit="persons"),
        phrase("terms", "贷款年利率", 20_100),
        phrase("terms", "期限", 20_100),
        phrase("terms", "等额本息", 20_100),
        phrase("risk", "贷款不得用于购房", 37_000),
        phrase("risk", "逾期将影响您的征信", 37_000),
        passed("must_not_say", "", AGENT, "未出现禁止用语。", "No forbidden words.", measured=0.0, threshold=0.0, unit="count"),
        passed("answer", "consent", CUSTOMER, "客户答复“同意”。", "The customer answered “同意”.", measured=0.97, threshold=0.6, unit="score"),
        passed("recording_quality", "", ALL, "画面与声音完整、清晰。", "Picture and sound are complete and clear."),
        passed("node_order", "", ALL, "环节顺序正确。", "The nodes are in order."),
        passed("coverage", "", ALL, "全部录制时长已检查。", "Every recorded second was examined.", measured=1.0, threshold=1.0, unit="ratio"),
    ]  # fmt: skip


def result() -> InspectionResult:
    return InspectionResult(
        strategy_id="personal-loan",
        strategy_version=digest("personal-loan"),
        findings=[failed(), unsure(), *passes()],
        verdict=Outcome.OUTCOME_FAIL,
        timeline=[TimelineNode(node_id=node, start_ms=start, end_ms=end, take=1) for node, _, _, start, end in NODES],
        timeline_found=True,
        utterances=[
            Utterance(role=role, start_ms=start, end_ms=end, text=text, confidence=confidence, language="zh")
            for role, start, end, text, confidence in LINES
        ],
        tracks=tracks(),
        gaps=[Gap(track_id="agent-video", start_ms=69_000, end_ms=71_500)],
        coverage_ratio=1.0,
        models=[YUNET, SFACE, VAD, WHISPER],
        presence=[
            Presence(role=CUSTOMER, track_id="customer-video", intervals=spans((0, 42_400), (47_800, DURATION_MS))),
            Presence(role=AGENT, track_id="agent-video", intervals=spans((0, 69_000), (71_500, DURATION_MS))),
        ],
        duration_ms=DURATION_MS,
        nodes=[NodeTitle(node_id=node, title_zh=zh, title_en=en) for node, zh, en, _, _ in NODES],
    )


def spans(*pairs: tuple[int, int]) -> list[Interval]:
    return [Interval(start_ms=start, end_ms=end) for start, end in pairs]


def report() -> Report:
    inspected = result()
    return Report(
        report_id="7f3ad2b1c0e94e5f8a6b7c8d9e0f1a2b",
        session_id=SESSION,
        stage=Stage.STAGE_PRELIMINARY,
        verdict=inspected.verdict,
        order=masked_order(order()),
        channel=Channel.CHANNEL_REMOTE,
        result=inspected,
        proof=prove(inspected.tracks, [stored(item) for item in inspected.tracks]),
        created_at_us=CREATED_US + 81_000_000,
        session_created_at_us=CREATED_US,
    )


def still_jpeg(words: str, colour: str = "#7d8ba1") -> bytes:
    """A picture of about the size of a still."""
    image = Image.new("RGB", (320, 320), colour)
    ImageDraw.Draw(image).text((20, 20), words, fill="white")
    out = BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()
