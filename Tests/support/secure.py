"""A certificate authority, keys and workers that need them, made anew for every use."""

from __future__ import annotations

import datetime
import ipaddress
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from parley import Worker

CONVERTERS = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for this host and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "parley test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = directory / "cert.pem", directory / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


class SecureWorker(Worker):
    """A worker that speaks TLS; whoever talks to it has to trust its certificate."""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


class KeySet:
    """A private key of each algorithm, and a file that publishes the public ones under their algorithms as names."""

    def __init__(self, path: Path):
        self.path = path
        self.private = {
            "RS256": rsa.generate_private_key(65537, 2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }
        self.publish(*self.private)

    def publish(self, *names: str) -> None:
        keys = []
        for name in names:
            jwk = json.loads(CONVERTERS[name].to_jwk(self.private[name].public_key()))
            jwk.pop("key_ops", None)
            keys.append({**jwk, "kid": name, "alg": name, "use": "sig"})
        self.path.write_text(json.dumps({"keys": keys}))

    def public_pem(self, name: str) -> bytes:
        return self.private[name].public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
