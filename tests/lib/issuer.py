"""A token endpoint for OAUTHBEARER: client credentials in, a signed JWT out, and the JWKS by which a
broker knows it (RFC 6749 4.4, RFC 7519, RFC 7517). It keeps to what librdkafka and Kafka ask for."""

import base64
import http.server
import json
import os
import threading
import time

from lab import certificates


def _text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    def __init__(self, dir, clients):
        """clients: {id: secret}."""
        self.clients = clients
        self.given = 0
        self._key = os.path.join(dir, "issuer.key")
        certificates.openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
                             "-out", self._key)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = "http://127.0.0.1:%d" % self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def jwks(self):
        modulus = certificates.openssl("rsa", "-in", self._key, "-noout", "-modulus")
        number = bytes.fromhex(modulus.decode().strip().split("=")[1])
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one",
                          "n": _text(number), "e": "AQAB"}]}

    def token(self, subject):
        now = int(time.time())
        claims = {"sub": subject, "iss": self.address, "aud": "kafka", "iat": now,
                  "exp": now + 300, "scope": "kafka"}
        parts = ({"alg": "RS256", "typ": "JWT", "kid": "one"}, claims)
        signed = ".".join(_text(json.dumps(part).encode()) for part in parts)
        signature = certificates.openssl("dgst", "-sha256", "-sign", self._key,
                                         input=signed.encode())
        return signed + "." + _text(signature)

    def _answer(self, authorization):
        """Status and object."""
        kind, _, text = (authorization or "").partition(" ")
        user, _, secret = base64.b64decode(text).decode().partition(":") if kind == "Basic" \
            else ("", "", "")
        if user not in self.clients or self.clients[user] != secret:
            return 401, {"error": "invalid_client"}
        self.given += 1
        return 200, {"access_token": self.token(user), "token_type": "Bearer", "expires_in": 300}

    def _handler(issuer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def _send(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                self._send(200, issuer.jwks())

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._send(*issuer._answer(self.headers.get("Authorization")))

            def log_message(self, *_):
                pass

        return Handler
