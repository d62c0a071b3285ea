"""Real servers on 127.0.0.1 for the tests of destinations: SFTP, S3, SMTP with STARTTLS, and Eloqua's Bulk API."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import asyncssh
import httpx
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "clv", "a-secret-of-the-tests"


@contextlib.contextmanager
def in_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


@dataclass
class SftpServer:
    """An OpenSSH-compatible server over a folder; `known_hosts` is the file by which clients know it."""

    folder: Path
    port: int
    known_hosts: Path

    @property
    def url(self) -> str:
        return f"sftp://127.0.0.1:{self.port}/exports"


@contextlib.contextmanager
def sftp_server(folder: Path) -> Iterator[SftpServer]:
    """asyncssh's SFTP server, with a password."""
    root = folder / "sftp"
    (root / "exports").mkdir(parents=True)
    key = asyncssh.generate_private_key("ssh-ed25519")

    class Passwords(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

    def rooted(channel: Any) -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(channel, chroot=str(root))

    with in_thread() as loop:

        async def listen() -> asyncssh.SSHAcceptor:
            options = {"server_host_keys": [key], "server_factory": Passwords, "sftp_factory": rooted}
            return await asyncssh.listen("127.0.0.1", 0, **options)

        server = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
        port = server.get_port()
        known = folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {key.export_public_key().decode()}")
        yield SftpServer(root / "exports", port, known)
        loop.call_soon_threadsafe(server.close)


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """moto's S3 server, with nothing in it; gives its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    httpx.post(f"http://{host}:{port}/moto-api/reset")  # what it holds is of the process, and outlives a server
    yield f"http://{host}:{port}"
    server.stop()


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context


@dataclass
class SmtpServer:
    """What a mail server has taken: the messages, in order; and whom it refuses."""

    port: int = 0
    ca_file: Path = Path()
    messages: list[EmailMessage] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # address → reply to RCPT
    hangs_up_after: int = 10**9  # messages: then the reply to DATA is lost

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        assert session.ssl, "a message without encryption"
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        if len(self.messages) > self.hangs_up_after:
            server.transport.abort()
        return "250 OK"

    @property
    def recipients(self) -> list[str]:
        return [str(message["To"]) for message in self.messages]


@contextlib.contextmanager
def smtp_server(folder: Path) -> Iterator[SmtpServer]:
    """aiosmtpd with STARTTLS and a password, both required."""
    handler = SmtpServer()
    handler.ca_file, context = certificate(folder)

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        known = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=False)

    with socket.socket() as probe:  # aiosmtpd wants to be told a port
        probe.bind(("127.0.0.1", 0))
        handler.port = probe.getsockname()[1]
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=handler.port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()
