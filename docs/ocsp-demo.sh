#!/bin/sh
# OCSP from end to end on this machine, with OpenSSL's own responder: a server that staples, a client
# that comes in, and the same client when it was revoked. docs/ocsp.md explains it.
#
#   sh docs/ocsp-demo.sh [NATSSL]       the program; default: natssl
set -eu
natssl=$(command -v "${1:-natssl}")
case $natssl in /*) ;; *) natssl=$PWD/$natssl ;; esac
folder=$(mktemp -d)
pids=
finish() {
  for pid in $pids; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap finish EXIT
cd "$folder"

echo '== a CA, and its responder'
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj '/CN=Demo CA' \
  -keyout ca-key.pem -out ca.pem 2>/dev/null
# The index `openssl ca` keeps: V(alid) or R(evoked), end, time of revocation, serial number, file, name.
printf 'V\t351231235959Z\t\t10\tunknown\t/CN=localhost\nV\t351231235959Z\t\t11\tunknown\t/CN=alice\n' >index.txt
responder() { # port; 0: the system's choice
  openssl ocsp -index index.txt -port "$1" -CA ca.pem -rsigner ca.pem -rkey ca-key.pem -nmin 60 \
    >responder.log 2>&1 &
  responder=$!
  pids="$pids $responder"
  until port=$(sed -n 's/^ACCEPT .*:\([0-9]*\).*/\1/p' responder.log) && [ -n "$port" ]; do sleep 0.1; done
}
responder 0
echo "http://127.0.0.1:$port"

echo '== certificates that name it'
issue() { # name, serial number, extensions
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1-key.pem" \
    -out "$1.csr" 2>/dev/null
  printf 'authorityInfoAccess=OCSP;URI:http://127.0.0.1:%s\n%b' "$port" "$3" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca-key.pem -days 90 -set_serial "0x$2" -extfile "$1.ext" \
    -out "$1.pem" 2>/dev/null
}
issue localhost 10 'subjectAltName=DNS:localhost\ntlsfeature=status_request\n'
issue alice 11 'extendedKeyUsage=clientAuth\n'
openssl verify -CAfile ca.pem localhost.pem alice.pem

echo '== the server'
cat >server.conf <<CONF
listen: "127.0.0.1:-1"
ports_file_dir: "$folder"
ocsp_cache: false
tls {
  cert_file: "localhost.pem"
  key_file: "localhost-key.pem"
  ca_file: "ca.pem"
  verify: true
  ocsp_peer { verify: true, ca_timeout: 10 }
  timeout: 10
  handshake_first: true     # so that openssl s_client can speak to it
}
CONF
"$natssl" -c server.conf 2>server.log &
server=$!
pids="$pids $server"
until address=$(sed -n 's/.*Listening for client connections on //p' server.log) && grep -q 'Server is ready' server.log; do
  kill -0 "$server" || { cat server.log; exit 1; }
  sleep 0.1
done
until grep 'OCSP status' server.log; do sleep 0.1; done

# Stays until there is INFO, or the server has ended the connection.
mkfifo hold
client() {
  openssl s_client -connect "$address" -servername localhost -CAfile ca.pem -status \
    -cert alice.pem -key alice-key.pem <hold >client.log 2>&1 &
  alice=$!
  exec 3>hold
  until grep -q 'INFO {' client.log || ! kill -0 "$alice" 2>/dev/null; do sleep 0.1; done
  exec 3>&-
  wait "$alice" || true
}
echo '== alice: the staple she is shown, and INFO because she came in'
client
grep -E 'OCSP Response Status|Cert Status|Verify return code' client.log | sort -u
grep -o 'INFO {"server_id"' client.log

echo '== alice is revoked'
sed 's/^V\(.*\)\t\t11/R\1\t261101000000Z\t11/' index.txt >index.new && mv index.new index.txt
kill "$responder"
wait "$responder" 2>/dev/null || true
responder "$port"
client
grep -c 'INFO {"server_id"' client.log || true
until sed -n 's/.*\(TLS handshake error: client not OCSP valid\)/\1/p' server.log | grep .; do sleep 0.1; done
