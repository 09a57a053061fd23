import base64
import hashlib
import hmac

from shuanglu_signaling.turn import TurnServers, link_headers

NOW_US = 1_760_000_000_000_000
URLS = ["stun:stun.bank.example:3478", "turn:turn.bank.example:3478?transport=udp"]


class Still:
    """A clock that stands."""

    def now_us(self) -> int:
        return NOW_US


def test_credentials_are_what_coturn_computes_and_end_in_time() -> None:
    stun, turn = TurnServers(URLS, "secret", 600, Still()).servers("customer")
    assert (stun.urls, stun.username) == (("stun:stun.bank.example:3478",), "")
    assert turn.username == "1760000600:customer"
    expected = hmac.new(b"secret", turn.username.encode(), hashlib.sha1).digest()
    assert base64.b64decode(turn.credential) == expected


def test_without_a_secret_no_relay_is_told_of() -> None:
    assert [server.urls for server in TurnServers(URLS, "", 600, Still()).servers("customer")] == [(URLS[0],)]


def test_link_headers_name_each_server_with_its_credentials() -> None:
    first, second = link_headers(TurnServers(URLS, "secret", 600, Still()).servers("customer"))
    assert first == '<stun:stun.bank.example:3478>; rel="ice-server"'
    assert second.startswith('<turn:turn.bank.example:3478?transport=udp>; rel="ice-server"; username="1760000600:')
    assert 'credential-type="password"' in second
