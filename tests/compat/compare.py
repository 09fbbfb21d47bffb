"""The differential test: natssl and the real nats-server, same configuration, same bytes.

    compare.py NATSSL NATS_SERVER

Plays every exchange of the tables below against both servers, whole and byte by byte, and compares
what the client sees. A difference that INTENDED does not explain fails, and so does an intended one
that no longer occurs. Ends with "N passed, N failed".
"""

import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

PATIENCE = 10

# Which exchanges may differ, and why. The first matching row explains a difference.
INTENDED = [
    (
        "endless PING",
        lambda case, go, us: case.sent.find(b"PING" + b"x" * 5000) >= 0 and us.find(b"maximum control line exceeded") >= 0,
        "nats-server reads PING followed by any number of bytes; natssl holds it to max_control_line",
    ),
    (
        "reset",
        lambda case, go, us: go.endswith(RESET) and go[: -len(RESET)] == us[: len(go) - len(RESET)],
        "nats-server may reset the connection while its last error is under way; natssl lets the client read it",
    ),
    (
        "doubled pedantic error",
        lambda case, go, us: case.pieces and once(go) == once(us),
        "nats-server reads a control line again when it was split, and repeats its pedantic error",
    ),
    (
        "queue group order",
        lambda case, go, us: b"SUB foo q 1" in case.sent and sorted(go.split(b"MSG ")) == sorted(us.split(b"MSG "))
        or sorted(re.findall(rb"MSG foo \d 1", go)) == sorted(re.findall(rb"MSG foo \d 1", us)) and b"SUB foo p 3" in case.sent,
        "the order among different queue groups of one message is random on both sides",
    ),
    (
        "curve of the certificate",
        lambda case, go, us: case.name in ("1.2 X25519", "1.2 secp384r1", "1.2 secp521r1") and us.endswith(b"HANDSHAKE_FAILURE>"),
        "in TLS 1.2 OpenSSL serves an ECDSA certificate only to clients that list its curve (RFC 8422 5.1); Go does not ask",
    ),
    (
        "plaintext on a TLS port",
        lambda case, go, us: case.name.startswith("plaintext on TLS") and go.replace(RESET, b"") == us.replace(RESET, b""),
        "both send nothing after INFO; whether the close shows as a reset depends on timing",
    ),
]
# Rows that depend on timing or chance may be absent from a run.
BY_CHANCE = {"reset", "doubled pedantic error", "queue group order", "plaintext on a TLS port"}
RESET = b"<reset>"


def once(text):
    return re.sub(rb"(-ERR 'Invalid Publish Subject'\r\n)+", rb"\1", text).replace(RESET, b"")


class Server:
    def __init__(self, binary, folder, config):
        handle, path = tempfile.mkstemp(suffix=".conf", dir=folder)
        with os.fdopen(handle, "w") as out:
            out.write("host: 127.0.0.1\nport: -1\n" + config)
        self.process = subprocess.Popen([binary, "-c", path], stderr=subprocess.PIPE, text=True)
        self.port = None
        for line in self.process.stderr:
            found = re.search(r"Listening for client connections on .*:(\d+)", line)
            if found:
                self.port = int(found.group(1))
            if "Server is ready" in line:
                break
        else:
            raise RuntimeError(f"{binary} did not start with {config!r}")
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Case:
    def __init__(self, name, config, sent, pieces=False, tls=None, first=False):
        self.name, self.config, self.sent = name, config, sent
        self.pieces, self.tls, self.first = pieces, tls, first
        # Who begins with TLS has 50 ms to do so under "auto", which a busy machine may take.
        self.plays = 3 if first and "auto" in config else 1


def normalise(info):
    """INFO without what no two servers share; keys natssl adds are left out. So are the server's own
    PINGs, which come by the clock."""
    info = re.sub(rb"(?m)^PING\r\n", b"", info)
    info = re.sub(rb'"(server_id|server_name|go|git_commit|client_ip|version|natssl|xkey|nonce)":"[^"]*",?', b"", info)
    info = re.sub(rb'"(client_id|port)":\d+,?', b"", info)
    return info.replace(b",}", b"}")


def talk(port, case):
    """Everything the client sees until the server closes after our half of the connection ended."""
    # Before connecting: the time for a handshake may be short.
    tls = case.tls() if case.tls else None
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    seen = b""
    try:
        if not case.first:
            while not seen.endswith(b"\r\n"):
                byte = connection.recv(1)
                if not byte:
                    return normalise(seen)
                seen += byte
        if tls:
            connection = tls.wrap_socket(connection, server_hostname="localhost")
            seen += f"<{connection.version()} {connection.cipher()[0]}>".encode()
        pieces = [case.sent]
        if case.pieces:
            pieces = [case.sent[i : i + 1] for i in range(len(case.sent))]
        try:
            for piece in pieces:
                connection.sendall(piece)
            if tls:
                # No half close under TLS: a last operation that makes the server close.
                connection.sendall(b"Z")
            else:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        while True:
            data = connection.recv(65536)
            if not data:
                break
            seen += data
    except ssl.SSLError as error:
        seen += f"<{error.reason}>".encode()
    except ConnectionResetError:
        seen += RESET
    except socket.timeout:
        seen += b"<timeout>"
    finally:
        connection.close()
    return normalise(seen)


def protocol_cases():
    cases=[]
    C0=b'CONNECT {"verbose":false,"pedantic":false}\r\n'
    for pre in [b"",C0,b'CONNECT {"verbose":true,"pedantic":true}\r\n',b'CONNECT {"verbose":false,"pedantic":true,"headers":true}\r\n',b'CONNECT {"verbose":false,"headers":true,"no_responders":true,"protocol":1}\r\n',b'CONNECT {"verbose":false,"echo":false}\r\n', b'CONNECT {}\r\n']:
      for op in [b"PING\r\n",b"PONG\r\n",b"ping junk\r\nPING\r\n",b"+OK\r\nPING\r\n",b"INFO {}\r\nPING\r\n",b"-ERR 'x'\r\nPING\r\n",b"ZZZ\r\n",b"MSG foo 1 2\r\nab\r\n",b"HMSG a\r\n",b"RS+ a b\r\n",b"A+ x\r\n",
         b"SUB\r\n",b"SUB foo\r\n",b"SUB foo 1\r\nPUB foo 2\r\nhi\r\nPING\r\n",b"SUB foo q 1\r\nPUB foo 2\r\nhi\r\nPING\r\n",b"SUB a b c d\r\n",b"SUB  foo\t1  \r\nPUB   foo   2\r\nhi\r\nPING\r\n",
         b"PUB foo\r\n",b"PUB foo abc\r\n",b"PUB foo -1\r\n",b"PUB foo 1234567890\r\n",b"PUB foo 2\r\nhixx\r\n",b"PUB foo 2\r\nhi\rx",b"PUB foo bar baz 2\r\nhi\r\n",b"PUB foo 001\r\nx\r\nPING\r\n",
         b"HPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPING\r\n",b"HPUB foo r 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPING\r\n",b"HPUB foo 20 2\r\nhi\r\n",b"HPUB foo x 2\r\nhi\r\n",b"HPUB foo 2\r\nhi\r\n",
         b"SUB foo 1\r\nHPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPING\r\n",b"SUB foo 1\r\nHPUB foo 0 2\r\nhi\r\nPING\r\n",
         b"UNSUB 1\r\nPING\r\n",b"UNSUB \r\n",b"UNSUB\r\n",b"UNSUB 1 2 3\r\n",b"SUB foo 1\r\nUNSUB 1 1\r\nPUB foo 1\r\na\r\nPUB foo 1\r\nb\r\nPING\r\n",b"SUB foo 1\r\nPUB foo 1\r\na\r\nUNSUB 1 1\r\nPUB foo 1\r\nb\r\nPING\r\n",b"SUB foo 1\r\nUNSUB 1 x\r\nPUB foo 1\r\nb\r\nPING\r\n",
         b"SUB foo 1\r\nSUB bar 1\r\nPUB bar 1\r\nx\r\nPUB foo 1\r\ny\r\nPING\r\n",
         b"SUB foo. 1\r\nPING\r\n",b"SUB foo..bar 1\r\nPING\r\n",b"SUB . 1\r\nPING\r\n",b"SUB >.a 1\r\nPING\r\n",b"SUB foo* 1\r\nPUB foo* 1\r\nx\r\nPUB foox 1\r\ny\r\nPING\r\n",
         b"SUB w.* 1\r\nSUB w.> 2\r\nPUB w.* 1\r\nx\r\nPING\r\n",b"SUB w.> 2\r\nPUB w.> 1\r\nx\r\nPING\r\n",b"SUB > 1\r\nPUB w..x 1\r\nx\r\nPUB w. 1\r\nx\r\nPING\r\n",
         b"PUB _GR_.x 1\r\nx\r\nPING\r\n",b"PUB $NRG.x 1\r\nx\r\nPING\r\n",b"PUB $GR.x 1\r\nx\r\nPING\r\n",b"PUB $GNR.x 1\r\nx\r\nPING\r\n",b"PUB foo _R_.x 1\r\nx\r\nPING\r\n",b"PUB foo $JS.ACK.x 1\r\nx\r\nPING\r\n",b"PUB foo _GR_.x 1\r\nx\r\nPING\r\n",b"SUB foo _sys_ 1\r\nPING\r\n",
         b"SUB r 1\r\nPUB nobody r 0\r\n\r\nPING\r\n",b"SUB r.* 1\r\nPUB nobody r.1 0\r\n\r\nPING\r\n",b"SUB r q 1\r\nPUB nobody r 0\r\n\r\nPING\r\n",
         b"CONNECT\r\n",b"CONNECT {\r\n",b"CONNECT []\r\n",b"CONNECT null\r\nPING\r\n",b'CONNECT {"verbose":1}\r\n',b'CONNECT {"VERBOSE":false,"Pedantic":false}\r\nPING\r\n',b'CONNECT {"verbose":null}\r\nPING\r\n',b'CONNECT {"protocol":2}\r\n',b'CONNECT {"protocol":-1}\r\n',b'CONNECT {"protocol":1.5}\r\n',b'CONNECT {"no_responders":true,"headers":false}\r\n',b'CONNECT {"account":"x"}\r\n',b'CONNECT {"new_account":true}\r\n',b'CONNECT {"user":"a","pass":"b"}\r\nPING\r\n',b'CONNECT{"verbose":false}\r\nPING\r\n',
         b'SUB foo 1\r\nCONNECT {"verbose":false}\r\nPUB foo 1\r\nx\r\nPING\r\n',b'CONNECT {"verbose":false,"protocol":1}\r\nPING\r\nPING\r\n',
         b"SUB "+b"a"*4090+b" 1\r\nPING\r\n",b"SUB "+b"a"*4094+b" 1\r\nPING\r\n",b"SUB "+b"a"*4095+b" 1\r\nPING\r\n",b"SUB "+b"a"*5000,b"PUB foo 1048577\r\n",b"PING"+b"x"*5000+b"\r\nPING\r\n",b"\r\n",b"P\r\n",b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",bytes([22,3,1,0,5,1,2,3]),b"SUB foo 1\nPUB foo 2\nhi\r\nPING\n",
         b"SUB foo q 1\r\nSUB foo q 2\r\nSUB foo p 3\r\nUNSUB 1\r\nPUB foo 1\r\nx\r\nPING\r\n"]:
        cases.append(("",pre+op))
    auth={"token":"authorization { token: t }\n","single":"authorization { user: u, password: p }\n",
    "users":'authorization { default_permissions { publish: "d.>", subscribe: ["d.>", "_I.>"] }\n users: [ {user: a, password: p}, {user: b, password: p, permissions: { publish: {allow: ["x.*"], deny: "x.no"}, subscribe: {allow: ["x.>", "y q*"], deny: ["x.secret", "x.q dev"]}}}, {user: r, password: p, permissions: {subscribe: "svc", allow_responses: {max: 2}}}, {user: n} ] }\nno_auth_user: a\n',
    "users2":'authorization { users: [ {user: a, password: "$2a$04$P/.bd.7unw9Ew7yWJqXsl.f4oNRLQGvadEL2YnqQXbbb.IVQajRdK"}, {user: w, password: p, allowed_connection_types: [WEBSOCKET]} ] }\n'}
    for cfg in auth:
      for op in [b"PING\r\n",b"SUB foo 1\r\n",b"CONNECT {}\r\nPING\r\n",b'CONNECT {"auth_token":"t"}\r\nPING\r\n',b'CONNECT {"auth_token":"x"}\r\nPING\r\n',b'CONNECT {"user":"u","pass":"p"}\r\nPING\r\n',b'CONNECT {"user":"u","pass":"x"}\r\nPING\r\n',b'CONNECT {"user":"u"}\r\nPING\r\n',b'CONNECT {"user":"n"}\r\nPING\r\n',b'CONNECT {"user":"n","pass":"x"}\r\nPING\r\n',b'CONNECT {"user":"w","pass":"p"}\r\nPING\r\n',b'connect {"user":"a","pass":"p","verbose":false}\r\nSUB d.1 1\r\nSUB e 2\r\nPUB d.1 1\r\nx\r\nPUB e 1\r\nx\r\nPING\r\n',b"SUB d.1 1\r\nPUB d.1 1\r\nx\r\nPING\r\n",
         b'CONNECT {"user":"b","pass":"p","verbose":false}\r\nSUB x.* 1\r\nSUB x.secret 2\r\nSUB y 3\r\nSUB y q1 4\r\nSUB y z 5\r\nSUB x.q dev 6\r\nSUB x.q 7\r\nSUB > 8\r\nPUB x.a 1\r\nx\r\nPUB x.no 1\r\nx\r\nPUB x.* 1\r\nx\r\nPUB x.secret 1\r\ns\r\nPING\r\n',
         b'CONNECT {"user":"b","pass":"p","verbose":true}\r\nPUB x.no 1\r\nx\r\nSUB zz 1\r\nPING\r\n',
         b'CONNECT {"user":"r","pass":"p","verbose":false}\r\nSUB svc 1\r\nPUB other 1\r\nx\r\nPING\r\n']:
        cases.append((auth[cfg],op))
    for lim in ["max_subscriptions: 2\n","max_sub_tokens: 3\n","max_payload: 10\n","no_header_support: true\n","max_control_line: 32\n"]:
      for op in [b"SUB a 1\r\nSUB b 2\r\nSUB c 3\r\nSUB a 1\r\nPING\r\n",b"SUB a.b.c 1\r\nSUB a.b.c.d 2\r\nPING\r\n",b"PUB a 10\r\n0123456789\r\nPUB a 11\r\n",b'CONNECT {"headers":true,"verbose":false}\r\nHPUB a 2 2\r\nhi\r\nPING\r\n',b"SUB "+b"a"*28+b" 1\r\nPING\r\n",b"SUB "+b"a"*31+b" 1\r\nPING\r\n",b'CONNECT {"headers":true,"no_responders":true}\r\n']:
        cases.append((lim,op))
    out = []
    for config, sent in cases:
        out.append(Case("protocol", config, sent))
        if len(sent) < 400:
            out.append(Case("protocol", config, sent, pieces=True))
    return out


def certificates(natssl, folder):
    for name in ("pki", "other"):
        for kind in ("init", "server", "client"):
            path = os.path.join(folder, name)
            subprocess.run([natssl, "pki", kind, "--dir", path], check=True, capture_output=True)
    rsa = os.path.join(folder, "pki")
    subprocess.run(
        [natssl, "pki", "server", "--dir", rsa, "--key", "rsa2048", "127.0.0.1", "localhost"],
        check=True, capture_output=True,
    )


def context(folder, version, client=None, suites=None, group=None):
    def make():
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.load_verify_locations(os.path.join(folder, "pki", "ca-cert.pem"))
        made.minimum_version = made.maximum_version = version
        if suites:
            made.set_ciphers(suites)
        if group:
            made.set_ecdh_curve(group)
        if client:
            pki, stem = client
            path = os.path.join(folder, pki, stem)
            made.load_cert_chain(path + "-cert.pem", path + "-key.pem")
        return made

    return make


def tls_cases(folder):
    pki = os.path.join(folder, "pki")

    def block(more="", stem="server"):
        more = more if "timeout" in more else f"timeout: 20, {more}"
        return (
            f'tls {{ cert_file: "{pki}/{stem}-cert.pem", key_file: "{pki}/{stem}-key.pem", '
            f'ca_file: "{pki}/ca-cert.pem", {more} }}\n'
        )

    out = []
    tls12, tls13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    both = [("1.2", tls12), ("1.3", tls13)]
    hello = b'CONNECT {"verbose":false}\r\nSUB a 1\r\nPUB a 2\r\nhi\r\nPING\r\n'
    for text, version in both:
        for more in ("", "verify: true", 'min_version: "1.3"', "handshake_first: auto", "timeout: 5"):
            for client in (None, ("pki", "client"), ("other", "client"), ("pki", "server")):
                tls = context(folder, version, client)
                out.append(Case(f"{text} {more} {client}", block(more), hello, tls=tls))
        for more in ("handshake_first: true", "handshake_first: auto", "handshake_first: 5s"):
            tls = context(folder, version)
            out.append(Case(f"{text} TLS first {more}", block(more), hello, tls=tls, first=True))
        allow = block() + "allow_non_tls: true\n"
        out.append(Case(f"{text} allow_non_tls", allow, hello, tls=context(folder, version)))
    suites = [
        "ECDHE-{}-AES128-GCM-SHA256", "ECDHE-{}-AES256-GCM-SHA384", "ECDHE-{}-CHACHA20-POLY1305",
        "ECDHE-{}-AES128-SHA", "ECDHE-{}-AES256-SHA", "ECDHE-{}-AES128-SHA256",
    ]
    for stem, auth in (("server", "ECDSA"), ("127.0.0.1", "RSA")):
        for suite in suites:
            name = suite.format(auth)
            tls = context(folder, tls12, suites=name)
            out.append(Case(f"1.2 {name}", block(stem=stem), hello, tls=tls))
            only = 'cipher_suites: ["TLS_ECDHE_%s_WITH_AES_256_GCM_SHA384"]' % auth
            out.append(Case(f"1.2 {name} of one", block(only, stem), hello, tls=tls))
        if auth == "RSA":
            for name in ("AES128-GCM-SHA256", "AES256-SHA"):
                tls = context(folder, tls12, suites=name)
                out.append(Case(f"1.2 {name}", block(stem=stem), hello, tls=tls))
                allow = (
                    'allow_insecure_cipher_suites: true, cipher_suites: '
                    '["TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_256_CBC_SHA"]'
                )
                out.append(Case(f"1.2 {name} allowed", block(allow, stem), hello, tls=tls))
    for text, version in both:
        for group in ("X25519", "prime256v1", "secp384r1", "secp521r1"):
            tls = context(folder, version, group=group)
            out.append(Case(f"{text} {group}", block(), hello, tls=tls))
            only = block('curve_preferences: ["CurveP256", "CurveP384"]', "127.0.0.1")
            out.append(Case(f"{text} {group} of two", only, hello, tls=tls))
    for sent in (b"CONNECT {}\r\n", b"GET / HTTP/1.1\r\n\r\n", b"PING\r\n", b"\x00\x01", b"Z"):
        out.append(Case(f"plaintext on TLS {sent!r}", block(), sent))
        out.append(Case(f"plaintext on both {sent!r}", block() + "allow_non_tls: true\n", sent + b"PING\r\n"))
    return out


def main(natssl, go):
    with tempfile.TemporaryDirectory() as folder:
        certificates(natssl, folder)
        by_config = {}
        for case in protocol_cases() + tls_cases(folder):
            by_config.setdefault(case.config, []).append(case)
        passed = failed = 0
        used = {}
        for config, cases in by_config.items():
            with Server(go, folder, config) as theirs, Server(natssl, folder, config) as ours:
                for case in cases:
                    for _ in range(case.plays):
                        there, here = talk(theirs.port, case), talk(ours.port, case)
                        if there == here:
                            break
                    if there == here:
                        passed += 1
                        continue
                    row = next((row for row in INTENDED if row[1](case, there, here)), None)
                    if row:
                        used[row[0]] = used.get(row[0], 0) + 1
                        passed += 1
                        continue
                    failed += 1
                    print(f"DIFFERENT {case.name} pieces={case.pieces} config={config[:200]!r}")
                    print(f"  sent   {case.sent[:200]!r}\n  theirs {there[:600]!r}\n  ours   {here[:600]!r}")
        for name, _, reason in INTENDED:
            if name not in used and name not in BY_CHANCE:
                failed += 1
                print(f"GONE {name}: {reason}")
        print("intended differences:", ", ".join(f"{name} {count}" for name, count in sorted(used.items())))
        print(f"{passed} passed, {failed} failed")
        return failed == 0


if __name__ == "__main__":
    sys.exit(0 if main(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])) else 1)
