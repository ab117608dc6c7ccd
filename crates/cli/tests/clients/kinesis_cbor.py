"""Writes and reads CBOR as the AWS SDKs for Java do, for kinesis_clients.py.

The SDKs write maps and arrays with an end mark, blobs as byte strings, and times as an integer with the tag 1. The
integer is the milliseconds since 1970, although the tag means seconds. They read times only in this form.
"""

from typing import Any

import cbor2

CONTENT_TYPE = "application/x-amz-cbor-1.1"
TIME_TAG = 1


def encode(members: dict[str, Any]) -> bytes:
    """Encodes a call. The members named `Timestamp` are seconds since 1970."""
    return cbor2.dumps(with_times(members), indefinite_containers=True)


def with_times(value: Any) -> Any:
    if isinstance(value, list):
        return [with_times(element) for element in value]
    if isinstance(value, dict):
        return {
            name: in_millis(member) if name == "Timestamp" else with_times(member)
            for name, member in value.items()
        }
    return value


def in_millis(seconds: float) -> cbor2.CBORTag:
    return cbor2.CBORTag(TIME_TAG, int(seconds * 1000))


def decode(answer: bytes) -> dict[str, Any]:
    """Decodes an answer. Its times are seconds since 1970. An empty answer has no members."""
    if not answer:
        return {}
    decoders = {TIME_TAG: lambda millis, _immutable: in_seconds(millis)}
    members = cbor2.loads(answer, semantic_decoders=decoders, allow_duplicate_keys=False)
    if not isinstance(members, dict):
        raise ValueError(f"the answer is not a map: {members}")
    return members


def in_seconds(millis: Any) -> float:
    if not isinstance(millis, int):
        raise ValueError(f"a time is not an integer: {millis}")
    return millis / 1000
