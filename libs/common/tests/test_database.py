"""What of PostgreSQL's errors passes by itself."""

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from shuanglu_common.clock import SteadyClock, SystemClock
from shuanglu_common.database import PASSING, Database, DatabaseUnavailable, sqlstate

PASSES = (
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DiskFullError,
    asyncpg.DeadlockDetectedError,
    asyncpg.ReadOnlySQLTransactionError,
)
STAYS = (asyncpg.UniqueViolationError, asyncpg.UndefinedTableError, asyncpg.InvalidPasswordError)


@pytest.mark.parametrize("error", PASSES, ids=lambda error: error.__name__)
def test_an_error_that_passes_is_told_by_its_code(error: type[asyncpg.PostgresError]) -> None:
    assert sqlstate(error("any")).startswith(PASSING)
    assert sqlstate(DBAPIError("select", {}, error("any"))).startswith(PASSING)


@pytest.mark.parametrize("error", STAYS, ids=lambda error: error.__name__)
def test_an_error_of_ours_does_not_look_like_an_outage(error: type[asyncpg.PostgresError]) -> None:
    assert not sqlstate(error("any")).startswith(PASSING)


async def test_a_database_that_is_not_there_is_a_typed_error() -> None:
    database = Database("postgresql+asyncpg://nobody:x@127.0.0.1:1/none", "none", SystemClock(), "test")
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    await database.close()


def test_a_steady_clock_goes_with_the_machines() -> None:
    steady, system = SteadyClock(), SystemClock()
    assert abs(steady.now_us() - system.now_us()) < 1_000_000
    assert steady.now_us() <= steady.now_us()
