#!/usr/bin/env python3
"""Holds what sslyze finds on a server against what the server says of itself in /tlsz.

    compare.py NATSSL SSLYZE

Versions, cipher suites and groups must be the same sets, for each configuration. The hybrid groups
are left out: this scanner does not know them.
"""
import contextlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

PATIENCE = 30
CONFIGURATIONS = {
    "defaults": "",
    "TLS 1.3 only": 'min_version: "1.3"',
    "one suite of TLS 1.2": 'cipher_suites: ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"]',
    "two groups": 'curve_preferences: ["CurveP384", "CurveP256"]',
    "insecure suites": 'allow_insecure_cipher_suites: true, cipher_suites: ["TLS_RSA_WITH_AES_128_GCM_SHA256", '
    '"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_AES_128_GCM_SHA256"]',
}
VERSIONS = {"ssl_2_0": "SSL 2.0", "ssl_3_0": "SSL 3.0", "tls_1_0": "1.0", "tls_1_1": "1.1", "tls_1_2": "1.2", "tls_1_3": "1.3"}
GROUPS = {"secp256r1": "CurveP256", "secp384r1": "CurveP384", "secp521r1": "CurveP521"}


@contextlib.contextmanager
def running(natssl, folder, tls):
    """A server while it is needed: its port, and that of its monitoring."""
    config, log = folder / "scan.conf", folder / "log"
    config.write_text(
        'listen: "127.0.0.1:-1"\nhttp: "127.0.0.1:-1"\n'
        f"tls {{\n  handshake_first: true, timeout: 10\n  {tls}\n  certs: [\n"
        '    { cert_file: "pki/ec-cert.pem", key_file: "pki/ec-key.pem" }\n'
        '    { cert_file: "pki/rsa-cert.pem", key_file: "pki/rsa-key.pem" }\n  ]\n}\n'
    )
    with open(log, "w", encoding="utf-8") as out:
        server = subprocess.Popen([natssl, "-c", config.name], cwd=folder, stdout=out, stderr=out)
    try:
        end = time.monotonic() + PATIENCE
        while "Server is ready" not in (said := log.read_text()):
            if server.poll() is not None or time.monotonic() > end:
                sys.exit(f"compare.py: the server does not start:\n{said}")
            time.sleep(0.02)  # the file has no event
        ports = [re.search(f"{what} on 127.0.0.1:(\\d+)", said) for what in ("client connections", "http monitor")]
        yield [int(port.group(1)) for port in ports]
    finally:
        server.kill()
        server.wait()


def scanned(sslyze, folder, port):
    """Versions, suites and groups as sslyze finds them."""
    report = folder / "report.json"
    command = [sslyze, f"--json_out={report}", "--quiet", "--mozilla_config", "disable", "--elliptic_curves"]
    command += ["--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", f"localhost:{port}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    server = json.loads(report.read_text())["server_scan_results"][0]
    assert server["scan_status"] == "COMPLETED", server["connectivity_error_trace"]
    versions, suites = set(), set()
    for key, version in VERSIONS.items():
        result = server["scan_result"][f"{key}_cipher_suites"]["result"]
        accepted = {suite["cipher_suite"]["name"] for suite in result["accepted_cipher_suites"]}
        suites |= accepted
        if accepted:
            versions.add(version)
    curves = (server["scan_result"]["elliptic_curves"]["result"] or {}).get("supported_curves") or []
    return {"versions": versions, "suites": suites, "groups": {GROUPS.get(c["name"], c["name"]) for c in curves}}


def said(monitor):
    """The same, as /tlsz says."""
    # Not through a proxy of the environment.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"http://127.0.0.1:{monitor}/tlsz", timeout=PATIENCE) as answer:
        listeners = json.load(answer)["listeners"]
    (profile,) = next(listener for listener in listeners if listener["listener"] == "client")["profiles"]
    between = [v for v in ("1.2", "1.3") if profile["min_version"] <= v <= profile["max_version"]]
    groups = {group for group in profile["groups"] if "MLKEM" not in group}
    return {"versions": set(between), "suites": set(profile["cipher_suites"]), "groups": groups}


def differences(outside, inside):
    for what in ("versions", "suites", "groups"):
        for only, where in ((outside[what] - inside[what], "sslyze"), (inside[what] - outside[what], "/tlsz")):
            if only:
                yield f"{what}: {', '.join(sorted(only))} only in {where}"


def main(natssl, sslyze):
    natssl, failed = pathlib.Path(natssl).resolve(), False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make = lambda *words: subprocess.run([natssl, "pki", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        make("init")
        make("server", "ec", "localhost", "--key", "p256")
        make("server", "rsa", "localhost", "--key", "rsa2048")
        for title, tls in CONFIGURATIONS.items():
            with running(natssl, folder, tls) as (port, monitor):
                outside, inside = scanned(sslyze, folder, port), said(monitor)
            found = list(differences(outside, inside))
            # A comparison that could not fail would say nothing.
            for what in ("versions", "suites", "groups"):
                changed = {**inside, what: inside[what] | {"none such"}}
                assert list(differences(outside, changed)), what
            failed |= bool(found)
            print(f"{'DIFFERS' if found else 'same':<8}{title}: {sorted(outside['versions'])}, "
                  f"{len(outside['suites'])} suites, {len(outside['groups'])} groups")
            print("".join(f"        {line}\n" for line in found), end="")
    return failed


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
