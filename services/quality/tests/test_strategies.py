import pytest

from shuanglu.common.v1.types_pb2 import Channel, Money, ParticipantRole, StallAction
from shuanglu.quality.v1 import strategy_service_pb2 as api
from shuanglu_common.auth import CURRENT, Principal
from shuanglu_quality.builtin import BUILT_IN, built_in
from shuanglu_quality.conditions import OrderFacts
from shuanglu_quality.errors import (
    PageSizeInvalid,
    PageTokenInvalid,
    StrategyAmbiguous,
    StrategyInvalid,
    StrategyNotApplicable,
    StrategyNotFound,
)
from shuanglu_quality.rpc import StrategyRpc
from shuanglu_quality.strategies import StoredStrategy, StrategyShelf

LOAN = built_in()[0]
ORDER = OrderFacts("personal_loan", 8_000_000, "consumption", 24)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def now_us(self) -> int:
        self.now += 1
        return self.now


class Rows:
    """StrategyRows in memory."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], StoredStrategy] = {}

    async def add(self, tenant: str, row: StoredStrategy) -> bool:
        key = (tenant, row.strategy_id, row.version)
        if key in self.rows:
            return False
        self.rows[key] = row
        return True

    async def get(self, tenant: str, strategy_id: str, version: str) -> StoredStrategy | None:
        return self.rows.get((tenant, strategy_id, version))

    async def newest(self, tenant: str) -> list[StoredStrategy]:
        mine = [row for key, row in self.rows.items() if key[0] == tenant]
        mine.sort(key=lambda row: (row.created_by != BUILT_IN, row.created_at_us))
        return list({row.strategy_id: row for row in mine}.values())


def loan(strategy_id: str, similarity: str = "0.40") -> str:
    text = LOAN.yaml.replace("id: personal-loan", f"id: {strategy_id}", 1)
    return text.replace("min_similarity: 0.40", f"min_similarity: {similarity}")


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def shelf(rows: Rows) -> StrategyShelf:
    return StrategyShelf(rows, Clock(), b"k" * 32)


async def test_the_same_text_is_the_same_version(shelf: StrategyShelf):
    first, created = await shelf.create("bank", loan("mine"), "ann")
    again, created_again = await shelf.create("bank", "# note\n" + loan("mine"), "bob")
    assert (created, created_again) == (True, False)
    assert again == first


async def test_a_text_with_problems_is_refused_with_all_of_them(shelf: StrategyShelf, rows: Rows):
    with pytest.raises(StrategyInvalid) as caught:
        await shelf.create("bank", loan("mine").replace("face_in_frame:", "face_in_fram:"), "ann")
    assert "did you mean `face_in_frame`" in caught.value.details["problem_1"]
    assert rows.rows == {}


async def test_a_built_in_strategy_is_there_for_every_tenant(shelf: StrategyShelf):
    row = await shelf.get("bank", "personal-loan")
    assert row.version == LOAN.strategy.version
    assert await shelf.load("other", "personal-loan", row.version) == LOAN.strategy


async def test_a_tenants_own_version_replaces_the_built_in_one(shelf: StrategyShelf):
    own, _ = await shelf.create("bank", loan("personal-loan", "0.45"), "ann")
    assert (await shelf.get("bank", "personal-loan")).version == own.version
    assert (await shelf.get("other", "personal-loan")).version == LOAN.strategy.version
    assert (await shelf.get("bank", "personal-loan", LOAN.strategy.version)).yaml == LOAN.yaml


async def test_another_tenants_strategy_does_not_exist(shelf: StrategyShelf):
    own, _ = await shelf.create("bank", loan("mine"), "ann")
    with pytest.raises(StrategyNotFound):
        await shelf.get("other", "mine")
    with pytest.raises(StrategyNotFound):
        await shelf.get("other", "mine", own.version)


async def test_pages_show_every_strategy_once(shelf: StrategyShelf):
    for number in range(5):
        await shelf.create("bank", loan(f"loan-{number}"), "ann")
    token, seen = "", []
    while True:
        page, token = await shelf.page("bank", 2, token)
        seen += [row.strategy_id for row in page]
        if not token:
            break
    assert seen == [*(f"loan-{number}" for number in range(5)), "personal-loan"]


@pytest.mark.parametrize("token", ["!", "bm9wZQ==", "é", "aWQ6bG9hbi0x", "A" * 100_000])
async def test_a_page_token_that_is_not_ours_is_refused(shelf: StrategyShelf, token: str):
    with pytest.raises(PageTokenInvalid):
        await shelf.page("bank", 2, token)


async def test_a_page_token_is_good_for_its_own_tenant_and_unchanged(shelf: StrategyShelf):
    for number in range(3):
        await shelf.create("bank", loan(f"loan-{number}"), "ann")
    _, token = await shelf.page("bank", 1, "")
    for tenant, changed in (("other", token), ("bank", "A" + token[1:]), ("bank", token[:-2] + "xx")):
        with pytest.raises(PageTokenInvalid):
            await shelf.page(tenant, 1, changed)


@pytest.mark.parametrize("size", [-1, 201, 2**31 - 1])
async def test_page_sizes_have_limits(shelf: StrategyShelf, size: int):
    with pytest.raises(PageSizeInvalid):
        await shelf.page("bank", size, "")


async def test_an_order_gets_the_only_strategy_that_is_for_it(shelf: StrategyShelf, rows: Rows):
    resolved = await shelf.resolve("bank", ORDER, "REMOTE", "")
    assert resolved.strategy == LOAN.strategy
    assert resolved.admitted
    assert set(resolved.open_channels) == {"REMOTE", "COUNTER", "FIELD", "IMPORT"}
    assert ("bank", "personal-loan", LOAN.strategy.version) in rows.rows


async def test_an_order_that_is_not_admitted_learns_which_channel_is_open(shelf: StrategyShelf):
    resolved = await shelf.resolve("bank", OrderFacts("personal_loan", 1, "housing", 240), "REMOTE", "")
    assert (resolved.admitted, resolved.open_channels) == (False, ("COUNTER",))


async def test_orders_without_or_with_several_strategies_are_refused(shelf: StrategyShelf):
    with pytest.raises(StrategyNotFound):
        await shelf.resolve("bank", OrderFacts("fund", 1, "", 0), "REMOTE", "")
    with pytest.raises(StrategyNotApplicable):
        await shelf.resolve("bank", OrderFacts("fund", 1, "", 0), "REMOTE", "personal-loan")
    await shelf.create("bank", loan("mine"), "ann")
    with pytest.raises(StrategyAmbiguous):
        await shelf.resolve("bank", ORDER, "REMOTE", "")
    assert (await shelf.resolve("bank", ORDER, "REMOTE", "mine")).strategy.strategy_id == "mine"


@pytest.fixture
def rpc(shelf: StrategyShelf) -> StrategyRpc:
    CURRENT.set(Principal("bank", "ann", frozenset()))
    return StrategyRpc(shelf)


async def test_the_door_creates_lists_and_gets(rpc: StrategyRpc):
    made = await rpc.CreateStrategyVersion(api.CreateStrategyVersionRequest(yaml=loan("mine")), None)
    assert made.created
    assert made.strategy.created_by == "ann"
    listed = await rpc.ListStrategies(api.ListStrategiesRequest(page_size=1), None)
    assert [one.strategy_id for one in listed.strategies] == ["mine"]
    assert listed.next_page_token
    got = await rpc.GetStrategy(api.GetStrategyRequest(strategy_id="mine"), None)
    assert got.strategy == made.strategy


async def test_the_door_validates_without_storing(rpc: StrategyRpc, rows: Rows):
    good = await rpc.ValidateStrategy(api.ValidateStrategyRequest(yaml=LOAN.yaml), None)
    assert (good.version, list(good.problems)) == (LOAN.strategy.version, [])
    bad = await rpc.ValidateStrategy(api.ValidateStrategyRequest(yaml="id: x"), None)
    assert bad.version == ""
    assert bad.problems[0].message == "missing: title, nodes, checks"
    assert rows.rows == {}


async def test_the_door_resolves_with_the_refusal_in_both_languages(rpc: StrategyRpc):
    request = api.ResolveStrategyRequest(
        order=api.OrderFacts(
            product="personal_loan", amount=Money(amount_fen=30_000_000, currency="CNY"), purpose="consumption"
        ),
        channel=Channel.CHANNEL_FIELD,
    )
    refused = await rpc.ResolveStrategy(request, None)
    assert not refused.admitted
    assert refused.refusal_rule == "PL26-1"
    assert "二十万元" in refused.refusal_zh
    assert "200,000 yuan" in refused.refusal_en
    assert list(refused.open_channels) == [Channel.CHANNEL_COUNTER]
    request.channel = Channel.CHANNEL_COUNTER
    admitted = await rpc.ResolveStrategy(request, None)
    assert (admitted.admitted, admitted.refusal_zh, admitted.refusal_rule) == (True, "", "")
    assert admitted.inspection.face_frames_per_kilosecond == 2000
    assert list(admitted.inspection.languages) == ["zh", "en"]


async def test_the_door_tells_the_script_and_what_is_asked_of_a_live_recording(rpc: StrategyRpc):
    order = api.OrderFacts(
        product="personal_loan", amount=Money(amount_fen=8_000_000, currency="CNY"), purpose="consumption"
    )
    resolved = await rpc.ResolveStrategy(api.ResolveStrategyRequest(order=order, channel=Channel.CHANNEL_REMOTE), None)
    assert [node.node_id for node in resolved.script] == ["consent", "identity", "terms", "risk", "confirm"]
    first = resolved.script[0]
    assert (first.title_zh, first.title_en) == ("录音录像告知与同意", "Consent to the recording")
    assert first.read_by == ParticipantRole.PARTICIPANT_ROLE_AGENT
    assert "全程录音录像" in first.text
    assert list(resolved.recording.required_roles) == [
        ParticipantRole.PARTICIPANT_ROLE_CUSTOMER,
        ParticipantRole.PARTICIPANT_ROLE_AGENT,
    ]
    assert resolved.recording.on_stall == StallAction.STALL_ACTION_HOLD
    assert resolved.recording.stall_patience_s == 30
