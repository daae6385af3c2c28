"""Files that carry content credentials: signed with c2pa by certificates made for the occasion."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED = IPTC + "trainedAlgorithmicMedia"
CAPTURED = IPTC + "digitalCapture"


def sign(content: bytes, mime_type: str, *, source_type: str = GENERATED) -> bytes:
    """Return the file with a manifest that says how it was created."""
    written = io.BytesIO()
    with c2pa.Builder(_manifest(source_type)) as builder:
        builder.sign(_signer(), mime_type, io.BytesIO(content), written)
    return written.getvalue()


def sign_elsewhere(content: bytes, mime_type: str, url: str) -> bytes:
    """Return the file with the address of its manifest alone."""
    written = io.BytesIO()
    with c2pa.Builder(_manifest(GENERATED)) as builder:
        builder.set_no_embed()
        builder.set_remote_url(url)
        builder.sign(_signer(), mime_type, io.BytesIO(content), written)
    return written.getvalue()


def _manifest(source_type: str) -> str:
    action = {"action": "c2pa.created", "digitalSourceType": source_type}
    manifest: dict[str, Any] = {
        "claim_generator_info": [{"name": "Reelflow's tests", "version": "1"}],
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}],
    }
    return json.dumps(manifest)


@cache
def _signer() -> c2pa.Signer:
    key, chain = _certificates()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # Without a time stamp authority, which would be a call over the network.
    info = c2pa.C2paSignerInfo(alg="es256", sign_cert=chain, private_key=pem, ta_url=None)
    return c2pa.Signer.from_info(info)


def _certificates() -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """Make a certificate fit for signing claims (C2PA 2.2, 14.5), and the one that vouches."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("Root", root_key, "Root", root_key, is_root=True)
    leaf = _certificate("Signer", key, "Root", root_key, is_root=False)
    encoding = serialization.Encoding.PEM
    return key, leaf.public_bytes(encoding) + root.public_bytes(encoding)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_root: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        (
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
            "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
        ),
        False,
    )  # fmt: skip
    usage["key_cert_sign" if is_root else "digital_signature"] = True
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if not is_root:
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purposes, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Reelflow's tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
