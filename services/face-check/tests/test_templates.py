import pytest

from shuanglu.common.v1.types_pb2 import ObjectRef
from shuanglu.media.v1.track_pb2 import Track
from shuanglu_common.cmaf import SegmentUnreadable, segment_key
from shuanglu_common.sealing import Sealer
from shuanglu_common.store import MemoryStore, SealedStore
from shuanglu_face_check.domain.embedding import Embedding
from shuanglu_face_check.errors import EarlierSegmentMissing, PhotoUnreadable
from shuanglu_face_check.segments import KEPT_INITS, SegmentReader
from shuanglu_face_check.templates import MEMORY_ENTRIES, US, TemplateKeeper

TENANT, SESSION, TRACK = "bank", "s1", "customer-video"
TTL_S = 3600
ANNA: Embedding = (0.1, -0.30000001192092896, 5e-20)


class TestClock:
    """A clock that a test moves."""

    __test__ = False

    def __init__(self) -> None:
        self.us = 1_700_000_000 * US

    def now_us(self) -> int:
        return self.us


class Maker:
    """Sees a face in bytes that hold `face`; counts how often it looks."""

    def __init__(self, model: str = "m1") -> None:
        self.model = model
        self.looks = 0

    async def from_photo(self, data: bytes) -> Embedding | None:
        self.looks += 1
        if b"broken" in data:
            raise PhotoUnreadable("no picture")
        return ANNA if b"face" in data else None

    async def from_segment(self, data: bytes) -> Embedding | None:
        self.looks += 1
        if b"broken" in data:
            raise SegmentUnreadable("no segment")
        return ANNA if b"face" in data else None


class World:
    """A store with a track, and keepers that share it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = TestClock()
        self.sealed = SealedStore(self.store, Sealer(b"k" * 32), self.clock)
        self.track = Track(track_id=TRACK)

    async def fill(self, *segments: bytes) -> None:
        self.track.init.CopyFrom(await self.store.put(f"{TENANT}/{SESSION}/tracks/{TRACK}/init.mp4", b"init"))
        for index, data in enumerate(segments, start=1):
            if data:
                await self.store.put(segment_key(TENANT, SESSION, TRACK, index), data)

    def keeper(self, maker: Maker | None = None) -> tuple[TemplateKeeper, Maker]:
        maker = maker or Maker()
        return TemplateKeeper(self.sealed, SegmentReader(self.store), maker, self.clock, TTL_S), maker

    async def photo(self, data: bytes) -> ObjectRef:
        return await self.sealed.put(TENANT, SESSION, "id-photo", data)


@pytest.fixture
def world() -> World:
    return World()


async def test_the_id_photo_is_looked_at_once_for_all_workers(world: World):
    photo = await world.photo(b"a face")
    first, maker = world.keeper()
    second, other_maker = world.keeper()
    assert await first.id_photo(TENANT, SESSION, photo) == ANNA
    assert await first.id_photo(TENANT, SESSION, photo) == ANNA
    assert await second.id_photo(TENANT, SESSION, photo) == ANNA
    assert (maker.looks, other_maker.looks) == (1, 0)


async def test_another_photo_gives_another_template(world: World):
    keeper, maker = world.keeper()
    await keeper.id_photo(TENANT, SESSION, await world.photo(b"a face"))
    assert await keeper.id_photo(TENANT, SESSION, await world.photo(b"nobody")) is None
    assert maker.looks == 2


@pytest.mark.parametrize("data", [b"nobody", b"broken"])
async def test_a_photo_without_a_face_leaves_faces_uncompared(world: World, data: bytes):
    keeper, maker = world.keeper()
    photo = await world.photo(data)
    assert await keeper.id_photo(TENANT, SESSION, photo) is None
    assert await keeper.id_photo(TENANT, SESSION, photo) is None
    assert maker.looks == 1


async def test_a_photo_of_another_session_is_not_opened(world: World):
    keeper, _ = world.keeper()
    foreign = await world.sealed.put(TENANT, "s2", "id-photo", b"a face")
    assert await keeper.id_photo(TENANT, SESSION, foreign) is None


async def test_a_template_is_only_stored_sealed(world: World):
    keeper, _ = world.keeper()
    await keeper.id_photo(TENANT, SESSION, await world.photo(b"a face"))
    stored = {key: data for key, data in world.store.objects.items() if "templates/" in key}
    assert list(stored) == [f"{TENANT}/{SESSION}/sealed/templates/id-photo"]
    assert all(b"embedding" not in data and b"0.1" not in data for data in stored.values())


async def test_a_template_expires_in_memory_and_in_the_store_and_is_made_anew(world: World):
    photo = await world.photo(b"a face")
    keeper, maker = world.keeper()
    await keeper.id_photo(TENANT, SESSION, photo)
    world.clock.us += TTL_S * US
    assert await world.sealed.read(TENANT, SESSION, "templates/id-photo") is None
    assert await keeper.id_photo(TENANT, SESSION, photo) == ANNA
    assert maker.looks == 2


async def test_a_template_of_another_model_is_made_anew(world: World):
    photo = await world.photo(b"a face")
    await world.keeper()[0].id_photo(TENANT, SESSION, photo)
    keeper, maker = world.keeper(Maker("m2"))
    assert await keeper.id_photo(TENANT, SESSION, photo) == ANNA
    assert maker.looks == 1


@pytest.mark.parametrize("content", [b"no json", b"{}", b'{"model": "m1", "source": "x", "embedding": 3}'])
async def test_a_template_that_cannot_be_read_is_made_anew(world: World, content: bytes):
    photo = await world.photo(b"a face")
    await world.sealed.put(TENANT, SESSION, "templates/id-photo", content)
    assert await world.keeper()[0].id_photo(TENANT, SESSION, photo) == ANNA


async def test_a_template_whose_seal_is_broken_is_made_anew(world: World):
    photo = await world.photo(b"a face")
    world.store.objects[f"{TENANT}/{SESSION}/sealed/templates/id-photo"] = b"SLS1" + bytes(60)
    assert await world.keeper()[0].id_photo(TENANT, SESSION, photo) == ANNA


async def test_the_reference_is_of_the_first_segment_that_shows_a_good_face(world: World):
    await world.fill(b"wall", b"broken", b"a face", b"a face")
    keeper, maker = world.keeper()
    assert await keeper.reference(TENANT, SESSION, world.track, 1) is None
    assert await keeper.reference(TENANT, SESSION, world.track, 2) is None
    assert await keeper.reference(TENANT, SESSION, world.track, 4) == ANNA
    assert await keeper.reference(TENANT, SESSION, world.track, 2) is None
    assert maker.looks == 3


@pytest.mark.parametrize("order", [(1, 2, 3, 9), (9, 3, 2, 1), (3, 1, 9, 2)])
async def test_the_order_of_segments_does_not_change_who_has_a_reference(world: World, order: tuple[int, ...]):
    await world.fill(b"wall", b"wall", b"a face", *[b"a face"] * 6)
    found = {index: await world.keeper()[0].reference(TENANT, SESSION, world.track, index) for index in order}
    assert found == {1: None, 2: None, 3: ANNA, 9: ANNA}


async def test_a_track_whose_first_segments_show_nobody_has_no_reference_and_is_not_searched_again(world: World):
    await world.fill(*[b"wall"] * 5, b"a face")
    keeper, maker = world.keeper()
    assert await keeper.reference(TENANT, SESSION, world.track, 6) is None
    assert await keeper.reference(TENANT, SESSION, world.track, 6) is None
    assert maker.looks == 5


async def test_the_reference_waits_for_a_segment_that_is_not_stored_yet(world: World):
    await world.fill(b"wall", b"", b"a face")
    keeper, _ = world.keeper()
    with pytest.raises(EarlierSegmentMissing) as raised:
        await keeper.reference(TENANT, SESSION, world.track, 3)
    assert raised.value.retryable
    await world.store.put(segment_key(TENANT, SESSION, TRACK, 2), b"a face")
    assert await keeper.reference(TENANT, SESSION, world.track, 3) == ANNA


async def test_sessions_and_tenants_do_not_share_templates(world: World):
    await world.fill(b"a face")
    keeper, _ = world.keeper()
    await keeper.reference(TENANT, SESSION, world.track, 1)
    assert await world.sealed.read("other", SESSION, f"templates/{TRACK}") is None
    with pytest.raises(EarlierSegmentMissing):
        await keeper.reference("other", SESSION, world.track, 1)


async def test_memory_is_bounded(world: World):
    keeper, _ = world.keeper()
    for number in range(MEMORY_ENTRIES + 5):
        session = f"s{number}"
        photo = await world.sealed.put(TENANT, session, "id-photo", b"nobody")
        await keeper.id_photo(TENANT, session, photo)
    assert len(keeper.memory) == MEMORY_ENTRIES


async def test_an_init_is_fetched_once_and_few_are_kept(world: World):
    reader = SegmentReader(world.store)
    for number in range(KEPT_INITS + 5):
        ref = await world.store.put(f"{TENANT}/{number}", str(number).encode())
        assert await reader.init(ref) == str(number).encode()
        del world.store.objects[ref.key]
        assert await reader.init(ref) == str(number).encode()
    assert len(reader.inits) == KEPT_INITS
