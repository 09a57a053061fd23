"""How the house's words are said to people: Chinese and English, side by side."""

from dataclasses import dataclass

from shuanglu.common.v1.types_pb2 import Channel, Outcome, ParticipantRole, TrackKind
from shuanglu.quality.v1.finding_pb2 import Severity
from shuanglu.quality.v1.quality_events_pb2 import Stage


@dataclass(frozen=True, slots=True)
class Said:
    """One meaning in both languages."""

    zh: str
    en: str

    @property
    def both(self) -> str:
        """`客户 Customer`."""
        return self.zh if self.zh == self.en else f"{self.zh} {self.en}"


OUTCOMES = {
    Outcome.OUTCOME_PASS: Said("合格", "PASS"),
    Outcome.OUTCOME_FAIL: Said("不合格", "FAIL"),
    Outcome.OUTCOME_UNSURE: Said("存疑", "UNSURE"),
}
ROLES = {
    ParticipantRole.PARTICIPANT_ROLE_CUSTOMER: Said("客户", "Customer"),
    ParticipantRole.PARTICIPANT_ROLE_AGENT: Said("客户经理", "Agent"),
    ParticipantRole.PARTICIPANT_ROLE_CO_SIGNER: Said("共同签署人", "Co-signer"),
    ParticipantRole.PARTICIPANT_ROLE_WITNESS: Said("见证人", "Witness"),
    ParticipantRole.PARTICIPANT_ROLE_SUPERVISOR: Said("主管", "Supervisor"),
}
CHANNELS = {
    Channel.CHANNEL_REMOTE: Said("远程", "Remote"),
    Channel.CHANNEL_COUNTER: Said("临柜", "Counter"),
    Channel.CHANNEL_FIELD: Said("移动展业", "Field"),
    Channel.CHANNEL_IMPORT: Said("离线文件", "Stored file"),
}
STAGES = {
    Stage.STAGE_LIVE: Said("录制中", "Live"),
    Stage.STAGE_PRELIMINARY: Said("初步 · 未经人工复核", "Preliminary · not yet reviewed"),
    Stage.STAGE_FINAL: Said("最终 · 已复核", "Final · reviewed"),
}
SEVERITIES = {
    Severity.SEVERITY_MINOR: Said("一般", "Minor"),
    Severity.SEVERITY_MAJOR: Said("重要", "Major"),
    Severity.SEVERITY_CRITICAL: Said("关键", "Critical"),
}
TRACK_KINDS = {
    TrackKind.TRACK_KIND_AUDIO: Said("声音", "Sound"),
    TrackKind.TRACK_KIND_VIDEO: Said("画面", "Picture"),
    TrackKind.TRACK_KIND_SCREEN: Said("屏幕", "Screen"),
}
CHECKS = {
    "face_in_frame": Said("人脸在画面内", "Face in frame"),
    "same_person": Said("同一人核验", "Same person"),
    "intrusion": Said("无他人介入", "No other person"),
    "must_say": Said("必说内容", "Must be said"),
    "must_not_say": Said("禁止用语", "Must not be said"),
    "answer": Said("客户答复", "Answer"),
    "recording_quality": Said("录制质量", "Recording quality"),
    "node_order": Said("环节顺序", "Order of nodes"),
    "node_duration": Said("环节时长", "Length of nodes"),
    "coverage": Said("检查覆盖", "Coverage"),
}
PRODUCTS = {
    "personal_loan": Said("个人贷款", "Personal loan"),
}
PURPOSES = {
    "consumption": Said("消费", "Consumption"),
    "housing": Said("购房", "Housing"),
    "business": Said("经营", "Business"),
    "education": Said("教育", "Education"),
    "renovation": Said("装修", "Renovation"),
}
_UNKNOWN_ROLE = Said("全部", "All")


def outcome_of(outcome: int) -> Outcome.ValueType:
    """What a reader must take an outcome for: anything that is not PASS or FAIL is UNSURE."""
    if outcome == Outcome.OUTCOME_PASS:
        return Outcome.OUTCOME_PASS
    if outcome == Outcome.OUTCOME_FAIL:
        return Outcome.OUTCOME_FAIL
    return Outcome.OUTCOME_UNSURE


def role_words(role: int) -> Said:
    """Name of a role; of everybody for the unspecified one."""
    return next((said for known, said in ROLES.items() if known == role), _UNKNOWN_ROLE)


def code_words(table: dict[str, Said], code: str) -> Said:
    """Name of a bank's or strategy's code; the code itself where the house has no word for it."""
    return table.get(code, Said(code, code))
