"""``python -m tests.contract.storage.s3_server``: an S3 for tests, over real HTTP.

It is moto's server with the rules of S3 in front that moto 5.2.5 lacks: conditional writes are
atomic, SHA-256 checksums are compared, ``x-amz-copy-source-if-match`` counts, what is too large to
be copied at once is not, a part of an unknown upload is refused, begun uploads and their parts are
listed by pages, parts with their checksums, forms are held to their policies, and presigned URLs to
their signature and lifetime, by a clock that can be moved. A range costs its own bytes, where moto
reads the whole object for each. Faults can be ordered, and what was asked is counted. Queues of
SQS, which buckets notify, are moto's. It prints one line of JSON when it is ready: its address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote_plus, unquote, urlsplit
from xml.sax.saxutils import escape

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tests.contract.storage.credentials import ACCESS_KEY, REGION, SECRET_KEY

#: Of a page of parts; S3 has 1000 (AmazonS3 API, ListParts).
PARTS_MAX = 2

#: Of what S3 copies at once (AmazonS3 API, CopyObject).
COPY_MAX_BYTES = 5 * 1024**3

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Refusal(Exception):
    """An answer of S3 that is an error."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class StrictS3:
    """A WSGI application: moto's behind the rules that it lacks."""

    def __init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.writing = threading.Lock()
        self.faults: list[dict[str, Any]] = []
        self.calls: list[dict[str, Any]] = []
        self.ahead = timedelta()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        if request.path.startswith("/_control/"):
            return self.control(request)(environ, start_response)
        body = request.get_data(cache=True)
        asked = {
            "method": request.method,
            "url": request.url,
            "range": request.headers.get("Range"),
            "sha256": request.headers.get("x-amz-checksum-sha256"),
        }
        self.calls.append(asked)
        fault = self.next_fault(request)
        try:
            if fault and "status" in fault:
                raise Refusal(fault["status"], fault["code"])
            check(request, body, now=datetime.now(UTC) + self.ahead)
            environ["wsgi.input"] = io.BytesIO(body)
            if request.headers.get("X-Amz-Target", "").startswith("AmazonSQS."):
                return self.moto(environ, start_response)  # waits for messages: no lock
            if request.method == "GET" and "uploads" in request.args:
                return begun_uploads(request)(environ, start_response)
            if request.method == "GET" and "uploadId" in request.args:
                return parts_of_upload(request)(environ, start_response)
            if request.method == "GET":
                return self.answer(environ, start_response, fault)
            with self.writing:
                if fault and fault["kind"] == "overtaken":
                    bucket = request.path.split("/")[1]
                    s3().put_object(bucket, fault["key"], b"of somebody else")
                    fault = None
                if fault and fault["kind"] == "unconditional":
                    environ.pop("HTTP_X_AMZ_COPY_SOURCE_IF_MATCH", None)
                check_copy_source(request)
                check_upload(request)
                return list(self.answer(environ, start_response, fault))
        except Refusal as refusal:
            headers = fault.get("headers", {}) if fault else {}
            xml = f"<Error><Code>{refusal.code}</Code><Message>refused</Message></Error>"
            content = "" if request.method == "HEAD" else f'<?xml version="1.0"?>{xml}'
            response = Response(content, refusal.status, headers, content_type="application/xml")
            return response(environ, start_response)

    def answer(
        self, environ: Environ, start_response: StartResponse, fault: dict[str, Any] | None
    ) -> Iterable[bytes]:
        if fault is None:
            if environ["REQUEST_METHOD"] == "GET" and "HTTP_RANGE" in environ:
                return self.answer_range(environ, start_response)
            return self.moto(environ, start_response)
        if fault["kind"] == "unconditional":
            environ.pop("HTTP_IF_NONE_MATCH", None)
            return self.moto(environ, start_response)
        if fault["kind"] == "rangeless":
            del environ["HTTP_RANGE"]
            return self.moto(environ, start_response)
        if fault["kind"] == "lost":  # carried out, but nobody hears of it
            list(self.moto(environ, lambda *_: None))
            hang_up(environ)
        return cut(self.moto(environ, start_response), environ)

    def answer_range(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Take moto's word for a HEAD of the range, and add the bytes of that range alone."""
        said: list[Any] = []
        list(self.moto({**environ, "REQUEST_METHOD": "HEAD"}, lambda *head: said.extend(head[:2])))
        status, headers = said
        if not status.startswith("206"):
            return self.moto(environ, start_response)
        content_range = dict(headers)["content-range"]  # bytes 0-99/1000
        first, last = (int(end) for end in content_range[6:].partition("/")[0].split("-"))
        bucket, _, key = Request(environ).path.lstrip("/").partition("/")
        found = s3().get_object(bucket, key)
        with found.lock:
            found._value_buffer.seek(first)
            content = found._value_buffer.read(last + 1 - first)
        # S3 gives no checksum of a part, and moto's of the whole would be that of the parts it had.
        kept = [(name, value) for name, value in headers if "-checksum-" not in name.lower()]
        start_response(status, kept)
        return [content]

    def next_fault(self, request: Request) -> dict[str, Any] | None:
        asked_range = request.headers.get("Range") or ""
        for fault in self.faults:
            is_meant = fault["contains"] in request.url and fault.get("range", "") in asked_range
            if is_meant and fault["method"] in ("*", request.method):
                fault["times"] -= 1
                if fault["times"] <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    def control(self, request: Request) -> Response:
        if request.path == "/_control/reset":
            self.faults.clear()
            self.calls.clear()
            self.ahead = timedelta()
        elif request.path == "/_control/clock":
            self.ahead += timedelta(seconds=request.get_json()["advance_s"])
        elif request.path == "/_control/fault":
            self.faults.append(dict(request.get_json()))
        elif request.path == "/_control/content":
            give_content(**request.get_json())
        elif request.path == "/_control/date":
            date(**request.get_json())
        return Response(json.dumps(self.calls), content_type="application/json")


def s3() -> Any:
    """Moto's own view of all buckets."""
    return s3_backends["123456789012"]["aws"]


def date(bucket: str, key: str, days_ago: float) -> None:
    """Make it as if an object had been put some days ago."""
    found = s3().get_object(bucket, key)
    found.last_modified -= timedelta(days=days_ago)


def give_content(bucket: str, key: str, path: str) -> None:
    """Make a local file the content of an object, which may be large and sparse then."""
    found = s3().get_object(bucket, key)
    found._value_buffer.close()
    found._value_buffer = Path(path).open("r+b")  # noqa: SIM115  # the object's from now on
    found.contentsize = Path(path).stat().st_size
    found._etag = uuid.uuid4().hex  # moto would hash the file


def begun_uploads(request: Request) -> Response:
    """List uploads as S3 does, in pages of two, which moto does not (ListMultipartUploads)."""
    prefix, after = request.args.get("prefix", ""), request.args.get("key-marker", "")
    position = (after, request.args.get("upload-id-marker", ""))
    if request.path.strip("/") not in s3().buckets:
        raise Refusal(404, "NoSuchBucket")
    begun = sorted(
        (upload.key_name, upload.id)
        for upload in s3().get_bucket(request.path.strip("/")).multiparts.values()
        if upload.key_name.startswith(prefix) and (upload.key_name, upload.id) > position
    )
    page, rest = begun[:2], begun[2:]
    uploads = "".join(
        f"<Upload><Key>{quote_plus(key)}</Key><UploadId>{upload_id}</UploadId>"
        "<Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>"
        for key, upload_id in page
    )
    last_key, last_id = page[-1] if page else ("", "")
    return Response(
        f"<ListMultipartUploadsResult><EncodingType>url</EncodingType>{uploads}"
        f"<IsTruncated>{'true' if rest else 'false'}</IsTruncated>"
        f"<NextKeyMarker>{quote_plus(last_key)}</NextKeyMarker>"
        f"<NextUploadIdMarker>{last_id}</NextUploadIdMarker></ListMultipartUploadsResult>",
        content_type="application/xml",
    )


def parts_of_upload(request: Request) -> Response:
    """List the parts behind a number, with their checksums, as S3 does (ListParts)."""
    begun = s3().get_bucket(request.path.lstrip("/").partition("/")[0]).multiparts
    if request.args["uploadId"] not in begun:
        raise Refusal(404, "NoSuchUpload")
    found = sorted(begun[request.args["uploadId"]].parts.items())
    after = [(n, part) for n, part in found if n > int(request.args.get("part-number-marker", 0))]
    page = after[: min(int(request.args.get("max-parts", 1000)), PARTS_MAX)]
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(part.etag)}</ETag>"
        f"<Size>{part.size}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        f"<ChecksumSHA256>{checksum_of(part.value)}</ChecksumSHA256></Part>"
        for number, part in page
    )
    return Response(
        f"<ListPartsResult>{parts}"
        f"<IsTruncated>{'true' if len(after) > len(page) else 'false'}</IsTruncated>"
        f"<NextPartNumberMarker>{page[-1][0] if page else 0}</NextPartNumberMarker>"
        "</ListPartsResult>",
        content_type="application/xml",
    )


def checksum_of(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def cut(blocks: Iterable[bytes], environ: Environ) -> Iterator[bytes]:
    """Give half of an answer, then break the connection."""
    content = b"".join(blocks)
    yield content[: len(content) // 2]
    hang_up(environ)


def hang_up(environ: Environ) -> NoReturn:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError


def check(request: Request, body: bytes, *, now: datetime) -> None:
    """Refuse what S3 would and moto would not."""
    expected = request.headers.get("x-amz-checksum-sha256")
    if expected and checksum_of(body) != expected:
        raise Refusal(400, "BadDigest")
    if request.method == "POST" and request.mimetype == "multipart/form-data":
        check_form(request, now)
    elif "X-Amz-Signature" in request.args:
        check_presigned(request, now)
    elif "Authorization" not in request.headers:
        raise Refusal(403, "AccessDenied")


def check_copy_source(request: Request) -> None:
    if "x-amz-copy-source" not in request.headers:
        return
    path = unquote(urlsplit(request.headers["x-amz-copy-source"]).path).lstrip("/")
    bucket, _, key = path.partition("/")
    found = s3().get_object(bucket, key)
    if found is None:
        raise Refusal(404, "NoSuchKey")
    expected = request.headers.get("x-amz-copy-source-if-match")
    if expected is not None and found.etag.strip('"') != expected.strip('"'):
        raise Refusal(412, "PreconditionFailed")
    if found.contentsize > COPY_MAX_BYTES:
        raise Refusal(400, "InvalidRequest")


def check_upload(request: Request) -> None:
    """Refuse a part of an upload that is no more, on which moto breaks down."""
    bucket, _, _ = request.path.lstrip("/").partition("/")
    if request.method == "PUT" and "uploadId" in request.args:
        begun = s3().get_bucket(bucket).multiparts
        if request.args["uploadId"] not in begun:
            raise Refusal(404, "NoSuchUpload")


def check_form(request: Request, now: datetime) -> None:
    """Hold a form to its policy (AmazonS3 API, sigv4-HTTPPOSTConstructPolicy)."""
    fields = {name.lower(): value for name, value in request.form.items()}
    encoded = fields.get("policy", "")
    if hmac.new(signing_key(fields), encoded.encode(), hashlib.sha256).hexdigest() != fields.get(
        "x-amz-signature"
    ):
        raise Refusal(403, "SignatureDoesNotMatch")
    policy = json.loads(base64.b64decode(encoded))
    if datetime.fromisoformat(policy["expiration"]) < now:
        raise Refusal(403, "AccessDenied")
    size_bytes = len(request.files["file"].read())
    covered = {"file", "policy", "x-amz-signature", "bucket"}
    for condition in policy["conditions"]:
        if isinstance(condition, list) and condition[0] == "content-length-range":
            if size_bytes < condition[1]:
                raise Refusal(400, "EntityTooSmall")
            if size_bytes > condition[2]:
                raise Refusal(400, "EntityTooLarge")
            continue
        assert isinstance(condition, dict), f"only what boto3 writes is understood: {condition}"
        [(name, value)] = condition.items()
        covered.add(name.lower())
        if name != "bucket" and fields.get(name.lower()) != value:
            raise Refusal(403, "AccessDenied")
    if set(fields) - covered:
        raise Refusal(403, "AccessDenied")


def signing_key(fields: dict[str, str]) -> bytes:
    _, date, region, service, end = fields.get("x-amz-credential", "////").split("/")
    key = f"AWS4{SECRET_KEY}".encode()
    for part in (date, region, service, end):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def check_presigned(request: Request, now: datetime) -> None:
    """Sign the URL again, as botocore does, and look at its lifetime."""
    began = datetime.strptime(request.args["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if began + timedelta(seconds=int(request.args["X-Amz-Expires"])) < now:
        raise Refusal(403, "AccessDenied")
    auth = S3SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION)
    raw, _, signature = request.environ["RAW_URI"].rpartition("&X-Amz-Signature=")
    unsigned = AWSRequest(method=request.method, url=request.host_url.rstrip("/") + raw)
    unsigned.headers["host"] = request.host
    unsigned.context["timestamp"] = request.args["X-Amz-Date"]
    text = auth.string_to_sign(unsigned, auth.canonical_request(unsigned))
    if auth.signature(text, unsigned) != signature:
        raise Refusal(403, "SignatureDoesNotMatch")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    server = make_server(
        "127.0.0.1", 0, StrictS3(), threaded=True, request_handler=MotoRequestHandler
    )
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}) + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
