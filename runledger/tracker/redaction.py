"""What looks like a secret, replaced by a mark before text leaves the machine where it was found.

Found are values of environment variables whose names say that they are secret, blocks of private keys,
credentials in addresses and headers, tokens whose form names their issuer, and values that are assigned
to a name such as `api_key`, `password` or `client_secret`. A secret that looks like nothing of the kind
is not found: this is a net under those who slip, no reason to let go.

Patterns of our own, as libraries for this (detect-secrets, gitleaks) find secrets in files rather than
replace them in a stream. All quantifiers are bounded: no line takes longer than in proportion to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

MARK = b"[redacted]"
MAX_LINE_BYTES = 64 * 1024
"""A longer line is left out whole: no person has written it."""
MIN_VALUE_BYTES = 8
"""Shorter values of variables are found in too many other words."""

_SECRET_VARIABLE = re.compile(
    r"(^|_)(API_?KEY|KEY|TOKEN|SECRETS?|PASSW(OR)?D|PASSPHRASE|CREDENTIALS?|PRIVATE|AUTH)(_|$)", re.IGNORECASE
)
_NO_SECRET_VARIABLE = re.compile(r"_(SOCK|FILE|PATH|DIR)$", re.IGNORECASE)

_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----")
_END = re.compile(rb"[+ -]?-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----")
_BLOCK = re.compile(rb"(" + _BEGIN.pattern + rb")[^\n]*?(?=" + _END.pattern + rb"|$)")
_OTHER_FILE = re.compile(rb"(diff --git |@@ -)")
"""Where a difference has cut a block short, its end never comes."""

_NAMES = (
    rb"api[_-]?keys?|access[_-]?keys?|account[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|"
    rb"auth[_-]?key|secrets?|passw(?:or)?d|passphrase|pwd|credentials?|"
    rb"(?:auth|access|refresh|bearer|api|bot|session|id|user|hub|hf)[_-]?token"
)
_NAME = rb"(?<![\w.-])[\w.-]{0,64}?(?:" + _NAMES + rb")(?:[_-][\w-]{0,32})?\d{0,4}"
_TYPE = rb"(?:\s{0,8}:\s{0,8}[A-Za-z_][\w.\[\], |]{0,60}?)?"
_GIVEN = rb"[\"'`\]]{0,3}" + _TYPE + rb"\s{0,8}(?:={1,3}>?|!=|:=|:)\s{0,8}"
_QUOTED = rb"[rbfu]{0,2}([\"'`])(?:\\.|(?!\2)[^\\\n]){1,4000}(?=\2|$)"

_PATTERNS: tuple[tuple[re.Pattern[bytes], bytes], ...] = (
    # Addresses: scheme://user:password@host, scheme://token@host, ?access_token=…
    (
        re.compile(rb"(?<![\w.-])([a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]{0,256}:)[^\s/\"'<>]{1,512}@", re.I),
        rb"\1" + MARK + b"@",
    ),
    (
        re.compile(rb"(?<![\w.-])([a-z][a-z0-9+.-]{1,20}://)[^\s/:@\"'<>]{16,512}@", re.I),
        rb"\1" + MARK + b"@",
    ),
    (
        re.compile(
            rb"([?&](?:access_token|token|api_?key|key|sig|signature|secret|password|"
            rb"X-Amz-(?:Signature|Credential|Security-Token))=)[^&\s\"'<>]{6,2000}",
            re.I,
        ),
        rb"\1" + MARK,
    ),
    # Headers
    (
        re.compile(
            rb"(authorization[\"']?\s{0,4}[:=,]\s{0,4}[rbfu]?[\"']?"
            rb"(?:(?:bearer|basic|token|digest|apikey)\s{1,4})?)[^\s\"',;]{8,4000}",
            re.I,
        ),
        rb"\1" + MARK,
    ),
    (re.compile(rb"(\bbearer\s{1,4})[\w.~+/=-]{16,4000}", re.I), rb"\1" + MARK),
    # Tokens that say who has issued them
    (
        re.compile(
            rb"(?<![A-Za-z0-9])(?:"
            rb"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}|"  # AWS
            rb"gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{22,255}|glpat-[\w-]{20,255}|"
            rb"hf_[A-Za-z0-9]{30,255}|rl_[\w-]{40,60}|sk-[\w-]{20,255}|[rs]k_(?:live|test)_\w{16,255}|"
            rb"AIza[\w-]{35}|ya29\.[\w-]{20,512}|GOCSPX-[\w-]{20,64}|xox[abeoprs]-[\w-]{10,255}|"
            rb"npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,512}|dop_v1_[a-f0-9]{64}|SG\.[\w-]{16,64}\.[\w-]{16,64}|"
            rb"eyJ[\w-]{8,4000}\.eyJ[\w-]{8,8000}\.[\w-]{0,4000}"  # a JSON web token
            rb")(?![A-Za-z0-9])"
        ),
        MARK,
    ),
    # A name that says it is secret: what is quoted, what .env files and shells hold, what looks random.
    (re.compile(rb"(" + _NAME + _GIVEN + rb")" + _QUOTED, re.I), rb"\1\2" + MARK),
    (
        re.compile(rb"((?<![A-Z0-9_])[A-Z0-9_]{0,64}?(?:API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SECRET|TOKEN|PASSW(?:OR)?D|"
                   rb"PASSPHRASE|CREDENTIALS?)(?:_[A-Z0-9_]{1,32})?=)(?![\[$({\"'])[^\s\"'`()\[\]{},;]{4,4000}"),
        rb"\1" + MARK,
    ),
    (
        re.compile(
            rb"(" + _NAME + _GIVEN + rb")(?!\[redacted\])"
            rb"(?=[^\s\"'`()\[\]{},;]{0,200}\d)(?=[^\s\"'`()\[\]{},;]{0,200}[A-Za-z!@#$%^&*~+/?-])"
            rb"[^\s\"'`()\[\]{},;]{6,4000}(?=[\s\"'`,;}<]|$)",
            re.I,
        ),
        rb"\1" + MARK,
    ),
    (
        re.compile(
            rb"^([+ -]?\s{0,64}[\w.-]{0,64}?(?:passw(?:or)?d|passphrase)\s{0,8}:\s{1,8})"
            rb"(?!(?:str|int|bool|float|bytes|string|any|none|null|true|false|optional|secretstr)\b|\[redacted\])"
            rb"[^\s\"'`()\[\]{},;#$]{3,4000}(?=\s{0,64}$)",
            re.I,
        ),
        rb"\1" + MARK,
    ),
    # `token` alone names many harmless things: only what looks random.
    (
        re.compile(
            rb"((?<![A-Za-z0-9])(?:[\w.-]{0,64}[_.-])?token" + _GIVEN + rb"[rbfu]{0,2}[\"'`]?)"
            rb"(?=[\w.~+/=-]{0,200}\d)(?=[\w.~+/=-]{0,200}[A-Za-z])[\w.~+/=-]{16,4000}(?=[\s\"'`,;}\])<]|$)",
            re.I,
        ),
        rb"\1" + MARK,
    ),
)  # fmt: skip
_HINTS = (
    *(b"key", b"secret", b"passw", b"passphrase", b"pwd", b"credential", b"token", b"sig", b"authorization"),
    *(b"bearer", b"://", b"akia", b"asia", b"abia", b"acca", b"aroa", b"aida", b"ghp_", b"gho_", b"ghu_"),
    *(b"ghs_", b"ghr_", b"github_pat_", b"glpat-", b"hf_", b"rl_", b"sk-", b"k_live_", b"k_test_", b"aiza"),
    *(b"ya29.", b"gocspx-", b"xox", b"npm_", b"pypi-", b"dop_v1_", b"sg.", b"eyj"),
)
"""In lower case. Lines without any of these, nearly all of them, cost next to nothing."""


class Redactor:
    """For the lines of one text, in their order: a block of a private key spans many."""

    def __init__(self, environ: Mapping[str, str] = {}) -> None:
        """`environ` is that of the process which may have written its secrets there."""
        values = {
            part.encode(errors="surrogateescape")
            for name, value in environ.items()
            if is_secret(name)
            for part in value.split("\n")
        }
        longest_first = sorted(filter(_is_telling, values), key=len, reverse=True)
        self._values = re.compile(b"|".join(map(re.escape, longest_first))) if longest_first else None
        self._is_in_key = False

    def lines(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Each with its end, which stays. Of a block of a private key the first and the last remain."""
        for line in lines:
            if self._is_in_key:
                end = _END.search(line)
                if end is None and not _OTHER_FILE.match(line):
                    continue
                self._is_in_key = False
                line = line if end is None else line[end.start() :]
            yield self._replace(self._without_keys(line))

    def _without_keys(self, line: bytes) -> bytes:
        if begins := [found.end() for found in _BEGIN.finditer(line)]:
            self._is_in_key = _END.search(line, begins[-1]) is None
        return _BLOCK.sub(rb"\1" + MARK, line)

    def _replace(self, line: bytes) -> bytes:
        if self._values is not None:
            line = self._values.sub(MARK, line)
        lowered = line.lower()
        if any(hint in lowered for hint in _HINTS):
            for pattern, replacement in _PATTERNS:
                line = pattern.sub(replacement, line)
        return line


def is_secret(variable: str) -> bool:
    """Whether the name of a variable of the environment says so."""
    return bool(_SECRET_VARIABLE.search(variable)) and not _NO_SECRET_VARIABLE.search(variable)


def _is_telling(value: bytes) -> bool:
    return len(value) >= MIN_VALUE_BYTES and not value.isdigit()
