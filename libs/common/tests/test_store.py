import pytest

from shuanglu_common.sealing import SealBroken, Sealer
from shuanglu_common.store import ChecksumWrong, MemoryStore, ObjectMissing, SealedStore, StoreUnavailable


class Clock:
    now = 1_000

    def now_us(self) -> int:
        return self.now


@pytest.fixture
def sealed() -> SealedStore:
    return SealedStore(MemoryStore(), Sealer(bytes(32)), Clock())


async def test_a_reference_verifies_what_it_names() -> None:
    store = MemoryStore()
    ref = await store.put("bank/s1/x", b"data")
    assert await store.get(ref) == b"data"
    store.objects["bank/s1/x"] = b"dat4"
    with pytest.raises(ChecksumWrong):
        await store.get(ref)


async def test_a_missing_object_is_a_typed_error() -> None:
    with pytest.raises(ObjectMissing):
        await MemoryStore().read("bank/s1/x")


async def test_sealed_objects_open_only_in_their_own_session(sealed: SealedStore) -> None:
    ref = await sealed.put("bank", "s1", "results/x", b"secret")
    assert ref.sealed
    assert await sealed.get("bank", "s1", ref) == b"secret"
    with pytest.raises(ObjectMissing):
        await sealed.get("bank", "s2", ref)
    with pytest.raises(ObjectMissing):
        await sealed.get("other", "s1", ref)


async def test_a_copied_sealed_object_does_not_open(sealed: SealedStore) -> None:
    await sealed.put("bank", "s1", "x", b"secret")
    store = sealed.store
    assert isinstance(store, MemoryStore)
    store.objects["bank/s2/sealed/x"] = store.objects["bank/s1/sealed/x"]
    with pytest.raises(SealBroken):
        await sealed.read("bank", "s2", "x")


async def test_an_expired_object_is_missing(sealed: SealedStore) -> None:
    clock = sealed.clock
    assert isinstance(clock, Clock)
    await sealed.put("bank", "s1", "templates/t", b"embedding", expires_at_us=2_000)
    assert await sealed.read("bank", "s1", "templates/t") == b"embedding"
    clock.now = 2_000
    assert await sealed.read("bank", "s1", "templates/t") is None


class NoisyStore(MemoryStore):
    """Readings come back with a wrong byte each: another one each time as over a bad line, or always the same."""

    def __init__(self, wrong: int, *, same: bool) -> None:
        super().__init__()
        self.wrong = wrong
        self.same = same

    async def read(self, key: str) -> bytes:
        data = await super().read(key)
        self.wrong -= 1
        at = 0 if self.same else self.wrong
        return data if self.wrong < 0 else data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


async def note_through(store: MemoryStore) -> bytes:
    kept = SealedStore(store, Sealer(b"k" * 32), Clock())
    return await kept.get("bank", "s1", await kept.put("bank", "s1", "note", b"text"))


async def test_an_object_that_was_damaged_on_its_way_is_read_again() -> None:
    assert await note_through(NoisyStore(3, same=False)) == b"text"


async def test_an_object_that_is_wrong_twice_in_the_same_way_is_damaged() -> None:
    store = NoisyStore(9, same=True)
    with pytest.raises(SealBroken):
        await note_through(store)
    assert store.wrong == 7


async def test_a_line_that_damages_everything_is_an_outage() -> None:
    with pytest.raises(StoreUnavailable):
        await note_through(NoisyStore(9, same=False))
