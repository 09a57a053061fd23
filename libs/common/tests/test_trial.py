import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import HTTPError

import jwt
import pytest

from shuanglu_common import trial
from shuanglu_common.settings import ServiceSettings

TOKEN = "the-token"


class Kubernetes(BaseHTTPRequestHandler):
    """The one call of Kubernetes' API that the Job makes, with its answers."""

    secrets: ClassVar[dict[str, dict[str, Any]]] = {}

    def do_POST(self) -> None:
        item = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = item["metadata"]["name"]
        status = 409 if name in self.secrets else 201
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            status = 403
        if status == 201:
            assert self.path == "/api/v1/namespaces/signing/secrets"
            self.secrets[name] = item
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


class Store(BaseHTTPRequestHandler):
    """As much of S3 as making a bucket takes; busy at first, as a store that is starting."""

    buckets: ClassVar[set[str]] = set()
    busy: ClassVar[list[int]] = []

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.busy:
            return self.answer(self.busy.pop())
        names = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in self.buckets)
        text = f"<ListAllMyBucketsResult><Buckets>{names}</Buckets></ListAllMyBucketsResult>"
        return self.answer(200, text.encode())

    def do_PUT(self) -> None:
        self.buckets.add(self.path.strip("/"))
        self.answer(200)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.fixture
def store() -> Iterator[str]:
    Store.buckets.clear()
    yield from serving(Store)


@pytest.fixture
def server() -> Iterator[str]:
    Kubernetes.secrets.clear()
    yield from serving(Kubernetes)


def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    door = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=door.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{door.server_port}"
    door.shutdown()
    thread.join()
    door.server_close()


def account(folder: Path, token: str = TOKEN) -> Path:
    (folder / "namespace").write_text("signing")
    (folder / "token").write_text(token)
    return folder


def test_keys_are_made_once_and_left_alone_then(server: str, tmp_path: Path):
    assert "is made" in trial.make_keys(server, account(tmp_path), "shuanglu-keys")
    first = dict(Kubernetes.secrets)
    assert "left alone" in trial.make_keys(server, account(tmp_path), "shuanglu-keys")
    assert Kubernetes.secrets == first


def test_a_refusal_of_kubernetes_is_an_error(server: str, tmp_path: Path):
    with pytest.raises(HTTPError, match="403"):
        trial.make_keys(server, account(tmp_path, "another"), "shuanglu-keys")


def test_tokens_signed_with_the_trial_key_are_checked_with_its_key_set():
    files = trial.new_keys()
    assert len(base64.b64decode(files["master.key"])) == 32
    for private, public, name in (("tokens.pem", "jwks.json", "trial"), ("session.pem", "session-jwks.json", None)):
        keys = jwt.PyJWKSet.from_json(files[public].decode()).keys
        assert name in {None, keys[0].key_id}
        token = jwt.encode({"sub": "a"}, files[private], "ES256")
        assert jwt.decode(token, keys[0].key, ["ES256"]) == {"sub": "a"}


def test_every_key_is_another_one():
    first, second = trial.new_keys(), trial.new_keys()
    assert not set(first.values()) & set(second.values())
    assert len(set(first.values())) == len(first)


def test_the_bucket_is_made_once_though_the_store_is_still_starting(store: str):
    settings = ServiceSettings(s3_endpoint=store, s3_access_key="a", s3_secret_key="b")
    Store.busy.append(403)
    assert "is made" in trial.make_bucket(settings)
    assert Store.buckets == {"shuanglu"}
    assert "already" in trial.make_bucket(settings)
