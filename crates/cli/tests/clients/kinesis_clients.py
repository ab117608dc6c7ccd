"""Sends events to the Kinesis door with the usual clients, and checks every answer.

The clients are boto3, both versions of the AWS CLI, the SDK for JavaScript over HTTP/1.1 and over
HTTP/2, and calls in CBOR as the SDKs for Java make them. Each client sends a part of the payloads, with the member names that Canvas uses. This
script itself signs the requests that are larger than the clients allow. At the end, every client
reads all records. Each record must have the sequence number of its answer. Its data must be the
sent data, without white space and with the name `metadata`.

The script prints one line of JSON: `sent` is the number of sent events, `distinct` the number of
different events, and `oversized` the number of accepted records that are too large to be events.
If a check fails, the script prints the reason to stderr and ends with exit code 1.
"""

import argparse
import base64
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

import kinesis_cbor

STREAM = "live-events"
SHARD = "shardId-000000000000"
REGION = "us-east-1"
SENT_AS = {"metadata": "attributes"}
"""The names of members that Canvas sends instead of ours."""
MAX_BATCH = 500
"""The maximum number of records in one call of boto3 and the AWS CLI."""

CA_VARIABLES = ["AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"]
"""The variables with a file of certificate authorities: for botocore, Node.js and Python itself."""

DECODER = json.JSONDecoder()
STRING_OR_SPACE = re.compile(r'("(?:[^"\\]|\\.)*")|\s+')
CLI_ERROR = re.compile(r"An error occurred \((\w+)\)")


class CheckFailed(Exception):
    """A check failed."""


class Refused(Exception):
    """The answer of a call is an error. The text is the AWS name of the error."""


def require(condition: bool, message: str) -> None:
    if not condition:
        raise CheckFailed(message)


# Events


@dataclass(frozen=True)
class Event:
    """An event: the sent bytes, and the text that the log must store."""

    sent: bytes
    stored: str

    @classmethod
    def from_members(cls, members: dict[str, str]) -> "Event":
        """Creates an event from the JSON texts of its members, in this order."""
        sent = {SENT_AS.get(name, name): text for name, text in members.items()}
        return cls(sent=json_object(sent).encode(), stored=minified(json_object(members)))

    @classmethod
    def made_up(cls, name: str, body: dict[str, Any]) -> "Event":
        metadata = {"event_name": name, "event_time": "2025-03-03T08:00:00Z"}
        return cls.from_members({"metadata": json.dumps(metadata), "body": json.dumps(body)})


def json_object(members: dict[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}"


def minified(text: str) -> str:
    return STRING_OR_SPACE.sub(r"\1", text)


def skip_space(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def entries(text: str) -> Iterator[str]:
    """Yields the JSON texts of the values of an array, or of the keys and values of an object."""
    at = skip_space(text, 0) + 1
    while text[at := skip_space(text, at)] not in "]}":
        end = DECODER.raw_decode(text, at)[1]
        yield text[at:end]
        at = skip_space(text, end)
        at += text[at] in ",:"


def event(text: str) -> Event:
    parts = list(entries(text))
    members = dict(zip(map(json.loads, parts[::2]), parts[1::2], strict=True))
    require(members.keys() >= {"metadata", "body"}, f"not a payload: {text[:80]}")
    return Event.from_members(members)


def payloads(folders: Iterable[Path]) -> list[Event]:
    """Reads the events of all folders. A file has one event, or an array of events."""
    found: list[Event] = []
    for path in sorted(path for folder in folders for path in folder.glob("*.json")):
        text = path.read_text(encoding="utf-8").strip()
        found += map(event, entries(text) if text.startswith("[") else [text])
    require(len(found) > 1, "there are no payloads to send")
    return found


# Clients


class Client(Protocol):
    """A Kinesis client. Blobs are bytes. Operations have the names of the AWS CLI."""

    name: str

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Access:
    """The address of the door, and the key pair for signatures."""

    endpoint: str
    key: str
    secret: str


class Boto:
    """The SDK for Python."""

    name = "boto3"

    def __init__(self, access: Access) -> None:
        self._client = boto3.client(
            "kinesis",
            region_name=REGION,
            endpoint_url=access.endpoint,
            aws_access_key_id=access.key,
            aws_secret_access_key=access.secret,
            # A second attempt would hide the failure of the first.
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer = getattr(self._client, operation.replace("-", "_"))(**arguments)
        except ClientError as error:
            raise Refused(error.response["Error"]["Code"]) from error
        return dict(answer)


class Cli:
    """The AWS CLI, version 1 or 2."""

    def __init__(self, access: Access, program: str, version: int) -> None:
        self.name = f"AWS CLI {version}"
        self._program = program
        self._endpoint = access.endpoint
        self._environment = {
            "AWS_ACCESS_KEY_ID": access.key,
            "AWS_SECRET_ACCESS_KEY": access.secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
            "PATH": "/usr/bin:/bin",
            "NO_PROXY": "*",
            **{name: os.environ[name] for name in CA_VARIABLES if name in os.environ},
        }
        # Version 1 takes blobs as plain text, version 2 in base64.
        self._takes_text = version == 1
        found = self._run("--version").stdout
        require(found.startswith(f"aws-cli/{version}."), f"{program} is not {self.name}: {found}")

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(arguments, file, default=self._blob)
            file.flush()
            answer = self._run(
                *("--endpoint-url", self._endpoint, "--output", "json"),
                *("kinesis", operation, "--cli-input-json", f"file://{file.name}"),
            )
        if answer.returncode != 0:
            refusal = CLI_ERROR.search(answer.stderr)
            raise Refused(refusal[1] if refusal else answer.stderr.strip())
        found: dict[str, Any] = json.loads(answer.stdout or "{}")
        for record in found.get("Records", []):
            if "Data" in record:
                record["Data"] = base64.b64decode(record["Data"])
        return found

    def _blob(self, blob: bytes) -> str:
        return blob.decode() if self._takes_text else in_base64(blob)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self._program, *arguments]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False
        )


class JavaScript:
    """The SDK for JavaScript, over one version of HTTP."""

    def __init__(self, access: Access, modules: str, protocol: str) -> None:
        self.name = f"the SDK for JavaScript over {protocol}"
        bridge = Path(__file__).with_name("kinesis_bridge.mjs")
        self._process = subprocess.Popen(
            ["node", bridge, modules, access.endpoint, protocol],
            env=os.environ
            | {"AWS_ACCESS_KEY_ID": access.key, "AWS_SECRET_ACCESS_KEY": access.secret},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        require(self._process.stdin is not None, "the bridge has no stdin")
        call = {"operation": pascal(operation), "arguments": arguments}
        print(json.dumps(call, default=in_base64), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        require(line != "", f"{self.name}: the bridge has ended")
        reply: dict[str, Any] = json.loads(line)
        if "refused" in reply:
            raise Refused(reply["refused"])
        answer: dict[str, Any] = reply["answer"]
        for record in answer.get("Records", []):
            if "Data" in record:
                record["Data"] = base64.b64decode(record["Data"])
        return answer


def pascal(operation: str) -> str:
    return "".join(word.capitalize() for word in operation.split("-"))


def in_base64(blob: bytes) -> str:
    return base64.b64encode(blob).decode()


class Signer:
    """Signs requests without a client. They may be larger than the clients allow."""

    name = "a request signed by this script"

    def __init__(self, access: Access) -> None:
        self._endpoint = access.endpoint
        self._auth = SigV4Auth(Credentials(access.key, access.secret), "kinesis", REGION)
        self._open = build_opener(ProxyHandler({})).open

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        signed = AWSRequest(
            method="POST",
            url=f"{self._endpoint}/",
            data=json.dumps(arguments, default=in_base64),
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"Kinesis_20131202.{pascal(operation)}",
            },
        )
        self._auth.add_auth(signed)
        request = Request(signed.url, signed.body, dict(signed.headers))
        try:
            with self._open(request) as answer:
                return dict(json.load(answer))
        except HTTPError as error:
            raise Refused(f"{error.code} {error.read().decode()}") from error


class Cbor:
    """Signs calls in CBOR, as the SDKs for Java make them."""

    name = "a call in CBOR"

    def __init__(self, access: Access) -> None:
        self._endpoint = access.endpoint
        self._auth = SigV4Auth(Credentials(access.key, access.secret), "kinesis", REGION)
        self._open = build_opener(ProxyHandler({})).open

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        return self.send(operation, kinesis_cbor.encode(arguments))

    def send(self, operation: str, body: bytes) -> dict[str, Any]:
        signed = AWSRequest(
            method="POST",
            url=f"{self._endpoint}/",
            data=body,
            headers={
                "Content-Type": kinesis_cbor.CONTENT_TYPE,
                "X-Amz-Target": f"Kinesis_20131202.{pascal(operation)}",
            },
        )
        self._auth.add_auth(signed)
        request = Request(signed.url, signed.body, dict(signed.headers))
        try:
            with self._open(request) as answer:
                return self._decode(answer)
        except HTTPError as error:
            name, members = error.headers["x-amzn-ErrorType"], self._decode(error)
            require(members["__type"] == name, f"{name} is not the error of {members}")
            require(members["message"] != "", f"{name} has no message")
            raise Refused(name) from error

    def _decode(self, answer: Any) -> dict[str, Any]:
        found = answer.headers["Content-Type"]
        require(found == kinesis_cbor.CONTENT_TYPE, f"{self.name}: the answer is {found}")
        return kinesis_cbor.decode(answer.read())


@dataclass(frozen=True)
class Programs:
    """The paths of the clients that are not Python packages."""

    aws_1: str
    aws_2: str
    node_modules: str


def clients(access: Access, programs: Programs) -> list[Client]:
    return [
        Boto(access),
        Cli(access, programs.aws_1, 1),
        Cli(access, programs.aws_2, 2),
        JavaScript(access, programs.node_modules, "http1"),
        JavaScript(access, programs.node_modules, "http2"),
        Cbor(access),
    ]


# Checks


@dataclass
class Sent:
    """The events that were sent and accepted so far."""

    count: int = 0
    by_sequence: dict[str, Event] = field(default_factory=dict)
    by_event: dict[str, str] = field(default_factory=dict)

    def add(self, event: Event, answer: dict[str, Any]) -> str:
        """Checks the answer for one event, and stores its sequence number."""
        require("ErrorCode" not in answer, f"a record was refused: {answer}")
        require(answer.get("ShardId") == SHARD, f"a record is not in {SHARD}: {answer}")
        sequence: str = answer["SequenceNumber"]
        self.count += 1
        first = self.by_event.setdefault(event.stored, sequence)
        require(first == sequence, f"a duplicate has {sequence}, but the first event has {first}")
        known = self.by_sequence.setdefault(sequence, event)
        require(known.stored == event.stored, f"two events have {sequence}")
        return sequence


def as_record(event: Event) -> dict[str, Any]:
    return {"Data": event.sent, "PartitionKey": str(uuid.uuid4())}


def put_record(client: Client, event: Event, sent: Sent) -> str:
    answer = client.call("put-record", StreamName=STREAM, **as_record(event))
    return sent.add(event, answer)


def put_records(client: Client, events: list[Event], sent: Sent) -> None:
    records = [as_record(event) for event in events]
    answer = client.call("put-records", StreamName=STREAM, Records=records)
    require(answer["FailedRecordCount"] == 0, f"{client.name}: records failed: {answer}")
    for event, result in zip(events, answer["Records"], strict=True):
        sent.add(event, result)


def send(client: Client, events: list[Event], sent: Sent) -> None:
    """Sends each of the first two events alone, and the others in batches."""
    for event in events[:2]:
        put_record(client, event, sent)
    for start in range(2, len(events), MAX_BATCH):
        put_records(client, events[start : start + MAX_BATCH], sent)


def send_large(client: Client, run: str, sent: Sent) -> None:
    """Sends the largest calls of Canvas: one with many records, and one with many bytes."""
    small = [Event.made_up("small", {"run": run, "number": n}) for n in range(5_000)]
    put_records(client, small, sent)
    half_a_mebibyte = "x" * (512 * 1024)
    large = [Event.made_up("large", {"run": run, "n": n, "x": half_a_mebibyte}) for n in range(14)]
    put_records(client, large, sent)


def send_oversized(client: Client, run: str) -> None:
    """Sends a record of 7 MiB. It is too large to be an event, but the door accepts it."""
    oversized = Event.made_up("oversized", {"run": run, "x": "x" * (7 * 1024 * 1024)})
    answer = client.call("put-records", StreamName=STREAM, Records=[as_record(oversized)])
    require(answer["FailedRecordCount"] == 0, f"the record of 7 MiB was refused: {answer}")
    record = answer["Records"][0]
    require("SequenceNumber" in record, f"the record of 7 MiB has no sequence number: {answer}")


def check_stream(client: Client) -> None:
    """Makes the calls that tools make before they send or read."""
    client.call("create-stream", StreamName=STREAM, ShardCount=1)

    found = client.call("describe-stream", StreamName=STREAM)["StreamDescription"]
    require(found["StreamStatus"] == "ACTIVE", f"{client.name}: not active: {found}")
    shards = [shard["ShardId"] for shard in found["Shards"]]
    require(shards == [SHARD], f"{client.name}: describe-stream has shards {shards}")

    found = client.call("describe-stream-summary", StreamName=STREAM)["StreamDescriptionSummary"]
    require(found["OpenShardCount"] == 1, f"{client.name}: not one shard: {found}")

    names = client.call("list-streams")["StreamNames"]
    require(STREAM in names, f"{client.name}: {STREAM} is not in {names}")

    for extra, wanted in [
        ({}, [SHARD]),
        ({"ShardFilter": {"Type": "AT_LATEST"}}, [SHARD]),
        ({"ShardFilter": {"Type": "AT_TIMESTAMP", "Timestamp": 0}}, [SHARD]),
        ({"ShardFilter": {"Type": "AFTER_SHARD_ID", "ShardId": SHARD}}, []),
        ({"ExclusiveStartShardId": SHARD}, []),
    ]:
        found = client.call("list-shards", StreamName=STREAM, **extra)
        shards = [shard["ShardId"] for shard in found["Shards"]]
        require(shards == wanted, f"{client.name}: list-shards {extra} has {shards}")


def check_pages(client: Client) -> None:
    """Lists the streams in pages of one stream, with tokens."""
    for name in "page-1", "page-2":
        client.call("create-stream", StreamName=name, ShardCount=1)
    wanted = client.call("list-streams")["StreamNames"]
    found = client.call("list-streams", Limit=1)
    names = found["StreamNames"]
    while found["HasMoreStreams"]:
        found = client.call("list-streams", Limit=1, NextToken=found["NextToken"])
        names += found["StreamNames"]
    require(names == wanted, f"{client.name}: list-streams has {names}, not {wanted}")


def iterator(client: Client, kind: str, **where: Any) -> str:
    answer = client.call(
        "get-shard-iterator",
        StreamName=STREAM,
        ShardId=SHARD,
        ShardIteratorType=kind,
        **where,
    )
    return str(answer["ShardIterator"])


def page(client: Client, at: str, limit: int) -> list[dict[str, Any]]:
    return list(client.call("get-records", ShardIterator=at, Limit=limit)["Records"])


def check_iterators(client: Client, run: str, sent: Sent) -> None:
    """Reads with each of the five types of iterators."""
    latest = iterator(client, "LATEST")
    first = put_record(client, Event.made_up("first", {"run": run, "by": client.name}), sent)
    second = put_record(client, Event.made_up("second", {"run": run, "by": client.name}), sent)

    def check(kind: str, at: str, limit: int, wanted: list[str]) -> None:
        found = [record["SequenceNumber"] for record in page(client, at, limit)]
        require(found == wanted, f"{client.name}: {kind} reads {found}, not {wanted}")

    check("LATEST", latest, 10, [first, second])
    at = iterator(client, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=first)
    check("AT_SEQUENCE_NUMBER", at, 1, [first])
    after = iterator(client, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first)
    check("AFTER_SEQUENCE_NUMBER", after, 10, [second])
    check("AT_TIMESTAMP", iterator(client, "AT_TIMESTAMP", Timestamp=time.time() + 60), 10, [])
    oldest = page(client, iterator(client, "TRIM_HORIZON"), 1)
    past = page(client, iterator(client, "AT_TIMESTAMP", Timestamp=0), 1)
    require(len(oldest) == 1, f"{client.name}: TRIM_HORIZON reads {oldest}")
    require(oldest == past, f"{client.name}: AT_TIMESTAMP 0 reads {past}, not {oldest}")


def read_all(client: Client) -> dict[str, bytes]:
    """Reads the whole log. Returns the data by sequence number."""
    found = {}
    at = iterator(client, "TRIM_HORIZON")
    while True:
        answer = client.call("get-records", ShardIterator=at)
        for record in answer["Records"]:
            found[record["SequenceNumber"]] = record["Data"]
        at = answer["NextShardIterator"]
        if not answer["Records"] and answer["MillisBehindLatest"] == 0:
            return found


def check_stored(client: Client, sent: Sent) -> None:
    """Reads all records. Each acknowledged event must be there, with its data."""
    found = read_all(client)
    for sequence, event in sent.by_sequence.items():
        require(sequence in found, f"{client.name}: the acknowledged event {sequence} is missing")
        data = found[sequence].decode()
        wrong = f"{sequence} has {data[:300]}, not {event.stored[:300]}"
        require(data == event.stored, wrong)


def check_refused(client: Client, name: str) -> None:
    try:
        client.call("put-record", StreamName=STREAM, Data=b"{}", PartitionKey="1")
    except Refused as refused:
        require(str(refused) == name, f"{client.name}: refused as {refused}, not as {name}")
    else:
        raise CheckFailed(f"{client.name}: the call was accepted, not refused as {name}")


def check_signatures(access: Access, programs: Programs) -> None:
    """Signs with a wrong secret, and with an unknown key."""
    wrong = Access(access.endpoint, access.key, access.secret[::-1] + "x")
    unknown = Access(access.endpoint, "AKIANOBODYKNOWSTHIS0", access.secret)
    for client in clients(wrong, programs):
        check_refused(client, "InvalidSignatureException")
    for client in clients(unknown, programs):
        check_refused(client, "UnrecognizedClientException")


class SignedTexts(logging.Handler):
    """Collects the texts that botocore signs. It logs them at the level DEBUG."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def check_host(access: Access) -> None:
    """Makes a call with boto3. Its signature must cover the host with the port of the endpoint."""
    host = urlsplit(access.endpoint).netloc
    require(host.rpartition(":")[2].isdigit(), f"{access.endpoint} has no port")
    logger, signed = logging.getLogger("botocore.auth"), SignedTexts()
    logger.addHandler(signed)
    logger.setLevel(logging.DEBUG)
    Boto(access).call("list-streams")
    logger.removeHandler(signed)
    logger.setLevel(logging.NOTSET)
    covers_host = any(f"\nhost:{host}\n" in text for text in signed.texts)
    require(covers_host, f"boto3 did not sign the host {host}: {signed.texts}")


def check_cbor(client: Cbor) -> None:
    """Sends CBOR that is cut, and reads the time of a record."""
    body = kinesis_cbor.encode({"StreamName": STREAM})
    try:
        client.send("describe-stream", body[:-1])
    except Refused as refused:
        require(str(refused) == "SerializationException", f"a cut call is refused as {refused}")
    else:
        raise CheckFailed("a cut call was accepted")
    oldest = page(client, iterator(client, "TRIM_HORIZON"), 1)[0]
    age = time.time() - oldest["ApproximateArrivalTimestamp"]
    require(0 <= age < 3600, f"a record is {age} seconds old")
    created = client.call("describe-stream", StreamName=STREAM)["StreamDescription"]
    age = time.time() - created["StreamCreationTimestamp"]
    require(0 <= age < 3600, f"the stream is {age} seconds old")


# The whole


def run(access: Access, programs: Programs, folders: list[Path]) -> dict[str, int]:
    events = payloads(folders)
    all_clients, signer = clients(access, programs), Signer(access)
    sent, name = Sent(), str(uuid.uuid4())
    check_host(access)
    for number, client in enumerate(all_clients):
        check_stream(client)
        send(client, events[number :: len(all_clients)], sent)
        check_iterators(client, name, sent)
        # The AWS CLI reads all pages itself, and Debian's version has no tokens for streams.
        if not isinstance(client, Cli):
            check_pages(client)
    send_large(signer, name, sent)
    send_large(Cbor(access), str(uuid.uuid4()), sent)
    send_oversized(signer, name)
    check_cbor(Cbor(access))
    for client in all_clients:
        check_stored(client, sent)
    check_signatures(access, programs)
    return {"sent": sent.count, "distinct": len(sent.by_event), "oversized": 1}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint", required=True, metavar="URL")
    parser.add_argument("--access-key", required=True, metavar="ID")
    parser.add_argument("--secret", required=True)
    parser.add_argument("--payloads", required=True, nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--aws-1", required=True, metavar="PATH", help="the AWS CLI, version 1")
    parser.add_argument("--aws-2", required=True, metavar="PATH", help="the AWS CLI, version 2")
    parser.add_argument("--node-modules", required=True, metavar="DIR", help="with AWS's SDK")
    parser.add_argument("--ca-file", metavar="PATH", help="with the authority of the endpoint")
    arguments = parser.parse_args()
    if arguments.ca_file is not None:
        os.environ.update(dict.fromkeys(CA_VARIABLES, arguments.ca_file))
    access = Access(arguments.endpoint.rstrip("/"), arguments.access_key, arguments.secret)
    programs = Programs(arguments.aws_1, arguments.aws_2, arguments.node_modules)
    try:
        print(json.dumps(run(access, programs, arguments.payloads)))
    except (CheckFailed, Refused, BotoCoreError, OSError) as failure:
        print(f"{type(failure).__name__}: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
