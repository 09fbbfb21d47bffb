"""nats-py against natssl: TLS 1.2 and 1.3, TLS first in all forms, and every wrong certificate.

Usage: nats_py.py NATSSL. Prints a line a case and ends with "N passed, N failed".
"""

import asyncio
import os
import ssl
import subprocess
import sys
import tempfile

import nats

PATIENCE = 20


class Server:
    """A natssl with the given configuration, ended at the end of the block."""

    def __init__(self, binary, folder, config):
        self.file = os.path.join(folder, "server.conf")
        with open(self.file, "w") as out:
            out.write("host: 127.0.0.1\nport: -1\n" + config)
        self.binary = binary

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            self.binary, "-c", self.file, stderr=asyncio.subprocess.PIPE
        )
        self.port = None
        while True:
            line = await asyncio.wait_for(self.process.stderr.readline(), PATIENCE)
            if not line:
                raise RuntimeError("natssl did not start")
            if b"Listening for client connections on" in line:
                self.port = int(line.rsplit(b":", 1)[1])
            if b"Server is ready" in line:
                break
        # The pipe must not fill up.
        self.reader = asyncio.create_task(self.process.stderr.read())
        return self

    async def __aexit__(self, *_):
        self.process.terminate()
        await self.process.wait()
        await self.reader


def make_certificates(binary, folder):
    def run(*arguments):
        subprocess.run(arguments, check=True, capture_output=True)

    for name in ("pki", "other"):
        pki = os.path.join(folder, name)
        run(binary, "pki", "init", "--dir", pki)
        run(binary, "pki", "server", "--dir", pki)
        run(binary, "pki", "client", "--dir", pki)
    # Expired yesterday: openssl x509 cannot date back, openssl ca can.
    pki = os.path.join(folder, "pki")
    database = os.path.join(pki, "index.txt")
    open(database, "w").close()
    config = os.path.join(pki, "ca.conf")
    with open(config, "w") as out:
        out.write(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nnew_certs_dir=%s\nrand_serial=yes\n"
            "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n[e]\nextendedKeyUsage=clientAuth\n"
            % (database, pki)
        )
    key, request = os.path.join(pki, "expired-key.pem"), os.path.join(pki, "expired.csr")
    run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=expired")
    run("openssl", "ca", "-batch", "-config", config, "-extensions", "e", "-in", request,
        "-cert", os.path.join(pki, "ca-cert.pem"), "-keyfile", os.path.join(pki, "ca-key.pem"),
        "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-notext",
        "-out", os.path.join(pki, "expired-cert.pem"))


def context(folder, ca="pki", version=None, client=None):
    made = ssl.create_default_context(cafile=os.path.join(folder, ca, "ca-cert.pem"))
    if version:
        made.minimum_version = made.maximum_version = version
    if client:
        pki, stem = client
        path = os.path.join(folder, pki, stem)
        made.load_cert_chain(path + "-cert.pem", path + "-key.pem")
    return made


async def round_trip(port, tls, first):
    connection = await nats.connect(
        f"tls://localhost:{port}", tls=tls, tls_hostname="localhost",
        tls_handshake_first=first, allow_reconnect=False, connect_timeout=PATIENCE,
        error_cb=quiet, max_reconnect_attempts=0,
    )
    try:
        subscription = await connection.subscribe("a.*")
        await connection.publish("a.b", b"x" * 70000, headers={"k": "v"})
        message = await subscription.next_msg(timeout=PATIENCE)
        assert len(message.data) == 70000 and message.headers["k"] == "v"
    finally:
        await connection.close()


async def quiet(_):
    pass


async def main(binary):
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        make_certificates(binary, folder)
        pki = os.path.join(folder, "pki")
        block = (
            f'tls {{ cert_file: "{pki}/server-cert.pem", key_file: "{pki}/server-key.pem", '
            f'ca_file: "{pki}/ca-cert.pem", timeout: 20, %s }}\n'
        )
        tls12, tls13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
        # name, more of the tls block, context, TLS first, must it work
        cases = []
        for version in (tls12, tls13):
            make = lambda **more: context(folder, version=version, **more)
            text = version.name
            cases += [
                (f"{text} INFO first", "", make(), False, True),
                (f"{text} TLS first", "handshake_first: true", make(), True, True),
                (f"{text} TLS first auto", "handshake_first: auto", make(), True, True),
                (f"{text} INFO first auto", "handshake_first: auto", make(), False, True),
                (f"{text} TLS first 5s", "handshake_first: 5s", make(), True, True),
                (f"{text} INFO first 200ms", "handshake_first: 200ms", make(), False, True),
                (f"{text} wrong CA", "", make(ca="other"), False, False),
                (f"{text} client certificate", "verify: true", make(client=("pki", "client")), False, True),
                (f"{text} no certificate", "verify: true", make(), False, False),
                (f"{text} foreign certificate", "verify: true", make(client=("other", "client")), False, False),
                (f"{text} expired certificate", "verify: true", make(client=("pki", "expired")), False, False),
                (f"{text} wrong EKU", "verify: true", make(client=("pki", "server")), False, False),
            ]
        cases.append(("TLSv1_2 against 1.3 only", 'min_version: "1.3"', context(folder, version=tls12), False, False))
        for name, more, tls, first, works in cases:
            async with Server(binary, folder, block % more) as server:
                # Who begins with TLS has 50 ms to do so under "auto", which a busy machine may take.
                for _ in range(3 if first and more.endswith("auto") else 1):
                    try:
                        await asyncio.wait_for(round_trip(server.port, tls, first), PATIENCE)
                        outcome = True
                    except Exception as error:  # the library has no common class of its errors
                        outcome, reason = False, error
                    good = outcome == works
                    if good:
                        break
            passed, failed = passed + good, failed + (not good)
            print("ok  " if good else "FAIL", name, "" if good or works is False else repr(reason))
    print(f"{passed} passed, {failed} failed")
    return failed == 0


if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)
    sys.exit(0 if asyncio.run(main(os.path.abspath(sys.argv[1]))) else 1)
