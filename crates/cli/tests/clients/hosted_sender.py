"""Sends events as a hosted Canvas does, signed by PyJWT.

The program makes three RSA keys and writes their JWK set to --jwks. It sends each line of stdin, an event, to
the URL: signed by each key, bare and in quotes. Then it sends forged requests. It prints a JSON object with
the number of answers by status, for the two groups.
"""

import argparse
import base64
import collections
import hashlib
import hmac
import json
import sys
import time
import urllib.error
import urllib.request

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ISSUER = "https://live-events.canvas.instructure.com"
KIDS = ["2026-10-30T00:00:00Z", "2026-11-30T00:00:00Z", "2026-12-30T00:00:00Z"]


def post(url, body, content_type):
    request = urllib.request.Request(url, body, {"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def hs256(header, claims, secret):
    """PyJWT refuses to use a public key as a secret, so this is made by hand."""
    signed = base64url(json.dumps(header).encode()) + b"." + base64url(json.dumps(claims).encode())
    return signed + b"." + base64url(hmac.new(secret, signed, hashlib.sha256).digest())


parser = argparse.ArgumentParser()
parser.add_argument("--url", required=True)
parser.add_argument("--jwks", required=True)
arguments = parser.parse_args()

keys = {kid: rsa.generate_private_key(public_exponent=65537, key_size=2048) for kid in KIDS}
jwks = []
for kid, key in keys.items():
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    jwks.append({**jwk, "kid": kid, "alg": "RS256", "use": "sig"})
with open(arguments.jwks, "w") as file:
    json.dump({"keys": jwks}, file)
print("keys", flush=True)

events = [json.loads(line) for line in sys.stdin]
good = collections.Counter()
for number, event in enumerate(events):
    for kid, key in keys.items():
        claims = {"iss": ISSUER, "iat": int(time.time()), **event}
        token = jwt.encode(claims, key, "RS256", {"kid": kid}).encode()
        good[post(arguments.url, token, "text/plain")] += 1
        good[post(arguments.url, b'"' + token + b'"\n', "application/json")] += 1

event, (kid, key) = events[0], next(iter(keys.items()))
stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
public = key.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
claims = {"iss": ISSUER, **event}
now = int(time.time())
forged = [
    jwt.encode(claims, None, "none", {"kid": kid}).encode(),
    hs256({"alg": "HS256", "typ": "JWT", "kid": kid}, claims, public),
    jwt.encode(claims, stranger, "RS256", {"kid": kid}).encode(),
    jwt.encode(claims, key, "RS512", {"kid": kid}).encode(),
    jwt.encode(claims, key, "PS256", {"kid": kid}).encode(),
    jwt.encode(claims, key, "RS256").encode(),
    jwt.encode({**claims, "iss": "https://canvas.example"}, key, "RS256", {"kid": kid}).encode(),
    jwt.encode({**claims, "exp": now - 600}, key, "RS256", {"kid": kid}).encode(),
    jwt.encode({**claims, "nbf": now + 600}, key, "RS256", {"kid": kid}).encode(),
    json.dumps(event).encode(),
]
refused = collections.Counter(post(arguments.url, body, "application/json") for body in forged)
print(json.dumps({"good": good, "forged": refused}))
