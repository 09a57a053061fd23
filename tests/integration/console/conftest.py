"""A stack without models, and browsers, for each file of tests.

No longer than that: while a browser is driven, nothing else in this process can run an event loop.
"""

from collections.abc import Iterator

import pytest
from tests.integration.console.booth import Booth, open_booth
from tests.integration.console.browser import Browsers, browsers
from tests.integration.console.media import ROOT

from shuanglu_stack import EmbeddedStack, StackOptions
from shuanglu_stack.sampling import Client, client_of


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """Everything that a call needs; nobody looks at the recordings."""
    options = StackOptions(
        data_dir=tmp_path_factory.mktemp("calls"),
        root=ROOT,
        services=("signaling", "media-ingest", "media-ingest-live", "quality", "report"),
    )
    with EmbeddedStack(options) as running:
        yield running


@pytest.fixture(scope="module")
def bank(calls: EmbeddedStack) -> Iterator[Client]:
    """The bank's app."""
    with client_of(calls) as client:
        yield client


@pytest.fixture(scope="module")
def people() -> Iterator[Browsers]:
    """Browsers with the sample's people in front of them."""
    with browsers() as all_of_them:
        yield all_of_them


@pytest.fixture
def booth(calls: EmbeddedStack, bank: Client) -> Booth:
    """A new session."""
    return open_booth(calls, bank)
