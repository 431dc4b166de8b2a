"""`parley token`, and the JWT rules against PyJWT, an independent implementation."""

from __future__ import annotations

import json
import random
import re
import time
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from parley import run_binary

SECRET = "a secret of these tests, long enough for HS256"
USER = "0b9d3a5e-0c7e-4c5a-9f6e-0a4b4d0f7c11"


def token(*arguments: str) -> str:
    done = run_binary("token", "--sub", USER, *arguments, PARLEY_JWT_SECRET=SECRET)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_tokens_are_what_pyjwt_reads():
    claims = jwt.decode(token("--expires-in", "2h"), SECRET, algorithms=["HS256"], options={"require": ["exp", "iat"]})
    assert claims["sub"] == USER and claims["role"] == "authenticated"
    assert claims["exp"] - claims["iat"] == 7200
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token(), SECRET + "x", algorithms=["HS256"])


def test_tokens_carry_further_claims():
    made = token("--claim", "level=3", "--claim", 'app={"a":[1,null]}', "--claim", "name=Ölaf", "--claim", "n=01")
    claims = jwt.decode(made, SECRET, algorithms=["HS256"])
    assert (claims["level"], claims["app"], claims["name"], claims["n"]) == (3, {"a": [1, None]}, "Ölaf", "01")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sub", "me"], "a uuid"),
        ([], "--sub"),
        (["--sub", USER, "--claim", "x"], "name=value"),
        (["--sub", USER, "--expires-in", "0s"], "a time from 1s"),
        (["--sub", USER, "--nope"], "no such setting"),
    ],
)
def test_wrong_usage_is_refused_by_name(arguments, says, tmp_path):
    done = run_binary("token", *arguments, cwd=tmp_path, PARLEY_JWT_SECRET=SECRET)
    assert done.returncode == 2 and says in done.stderr and not done.stdout


def test_a_token_needs_a_secret(tmp_path):
    done = run_binary("token", "--sub", USER, cwd=tmp_path)
    assert done.returncode == 2 and "PARLEY_JWT_SECRET" in done.stderr
    short = run_binary("token", "--sub", USER, PARLEY_JWT_SECRET="hunter2")
    assert short.returncode == 2 and "32 bytes" in short.stderr and "hunter2" not in short.stderr


# --- the verifier, with PyJWT as the oracle


class Keys:
    """One key of each kind, and the set that publishes them."""

    def __init__(self):
        self.private = {
            "RS256": rsa.generate_private_key(65537, 2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }
        convert = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}
        self.public = {}
        for name, key in self.private.items():
            jwk = json.loads(convert[name].to_jwk(key.public_key()))
            jwk.pop("key_ops", None)
            self.public[name] = {**jwk, "kid": name}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    keys = Keys()
    keys.path = tmp_path_factory.mktemp("keys") / "jwks.json"
    keys.path.write_text(json.dumps({"keys": list(keys.public.values())}))
    return keys


def verify(tokens: list[str], keys: Keys) -> list[dict]:
    done = run_binary("token", "--verify", "--jwks", str(keys.path), stdin="\n".join(tokens) + "\n", PARLEY_JWT_SECRET=SECRET)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(tokens), done.stderr
    assert done.returncode == int(any("refused" in answer for answer in answers))
    return answers


def pyjwt_accepts(made: str, keys: Keys) -> bool:
    """PyJWT under our rules: the key pins the algorithm, role and exp are required."""
    try:
        header = jwt.get_unverified_header(made)
        kid = header.get("kid")
        if kid in keys.public:
            key, algorithm = jwt.PyJWK(keys.public[kid]).key, kid
        else:
            key, algorithm = SECRET, "HS256"
        options = {"require": ["exp", "role"], "verify_aud": False, "verify_sub": False, "verify_jti": False}
        claims = jwt.decode(made, key, algorithms=[algorithm], options=options, leeway=0)
        return isinstance(claims["role"], str)
    except jwt.PyJWTError:
        return False


def test_verifier_agrees_with_pyjwt(keys):
    """Thousands of tokens, good and damaged, from a printed seed."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    made: list[str] = []
    for _ in range(1500):
        algorithm = chance.choice(["HS256", "RS256", "ES256", "EdDSA"])
        claims = {"sub": str(uuid.UUID(int=chance.getrandbits(128))), "role": "authenticated", "exp": int(time.time()) + 600}
        if chance.random() < 0.1:
            claims["exp"] = int(time.time()) - chance.randrange(1, 10**6)
        if chance.random() < 0.1:
            del claims[chance.choice(["role", "exp", "sub"])]
        if chance.random() < 0.1:
            claims["nbf"] = int(time.time()) - 10
        claims["text"] = "".join(chr(chance.choice([65, 0xE9, 0x4E2D, 0x1F600])) for _ in range(chance.randrange(40)))
        key = SECRET if algorithm == "HS256" else keys.private[algorithm]
        headers = {} if algorithm == "HS256" else {"kid": chance.choice([algorithm] * 8 + list(keys.public) + ["other"])}
        text = jwt.encode(claims, key, algorithm, headers=headers)
        if chance.random() < 0.5:
            place = chance.randrange(len(text))
            if text[place] != ".":
                alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                text = text[:place] + chance.choice(alphabet) + text[place + 1 :]
        made.append(text)
    differences = []
    for text, answer in zip(made, verify(made, keys), strict=True):
        ours, theirs = "claims" in answer, pyjwt_accepts(text, keys)
        # We may be stricter (unused bits of base64url, for one), never laxer.
        if ours and not theirs:
            differences.append((text, answer))
        if theirs and not ours and "not a valid JWT" not in answer["refused"]:
            differences.append((text, answer))
        if ours:
            assert answer["claims"] == jwt.decode(text, options={"verify_signature": False})
    assert not differences, differences[:3]
    accepted = sum("claims" in answer for answer in verify(made[:200], keys))
    assert 40 < accepted < 190


def test_verifier_names_the_reasons_of_the_protocol(keys):
    now = int(time.time())
    good = {"role": "authenticated", "exp": now + 600}
    other = ec.generate_private_key(ec.SECP256R1())
    cases = [
        ("x.y", "MalformedJWT: The token provided is not a valid JWT"),
        (jwt.encode({**good, "exp": now - 5}, SECRET), r"InvalidJWTToken: Token has expired [5-9] seconds ago"),
        (jwt.encode({"role": "a"}, SECRET), "InvalidJWTToken: Fields `role` and `exp` are required in JWT"),
        (jwt.encode({"exp": now + 9}, SECRET), "InvalidJWTToken: Fields `role` and `exp` are required in JWT"),
        (jwt.encode(good, "another secret, also long enough for it"), "JwtSignatureError: Failed to validate JWT signature"),
        (jwt.encode(good, other, "ES256", headers={"kid": "ES256"}), "JwtSignatureError: .*"),
        (jwt.encode(good, other, "ES256", headers={"kid": "nobody"}), r"JwtSignerError: .*\(kid\) \"nobody\", check .*"),
        (jwt.encode(good, other, "ES256"), "JwtSignerError: Failed to generate JWT signer, check your JWT secret .*"),
        (jwt.encode(good, "", "none"), "JwtSignerError: .*"),
    ]
    for (text, reason), answer in zip(cases, verify([text for text, _ in cases], keys), strict=True):
        assert re.fullmatch(reason, answer["reason"]), (reason, answer)
