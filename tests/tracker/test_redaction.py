"""Secrets are replaced before text leaves a machine, and code that only speaks of them is left as it is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runledger.tracker.redaction import MARK, MAX_LINE_BYTES, Redactor, is_secret


def redact(text: str, **environ: str) -> str:
    return b"".join(Redactor(environ).lines(text.encode().splitlines(keepends=True))).decode()


SECRET = "S3cr3t" + "Zm9vYmFy" * 4
"""No part of it may be left."""


@pytest.mark.parametrize(
    "line",
    [
        '+api_key = "{}"',
        "-    API_KEY: str = '{}'",
        ' os.environ["WANDB_API_KEY"] = "{}"',
        '+    client.login(password="{}", user="me")',
        '+if password == "{}":',
        '+    "client_secret": "a \\" {}",',
        '+openai.api_key=f"{}"',
        "+export AWS_SECRET_ACCESS_KEY={}",
        "+DATABASE_PASSWORD={}",
        "+  password: {}",
        "+secret_key_base: {}",
        "+passphrase = {}",
        '+token = "{}"',
        "+HUB_TOKEN={} python train.py",
        "+access_token: {}",
        "+url = 'postgresql://me:{}@db.example.com:5432/x'",
        "+git+https://{}@github.com/somebody/something",
        "+wget https://example.com/data?version=2&access_token={}",
        "+curl -H 'Authorization: Bearer {}'",
        '+headers = {{"Authorization": "Basic {}"}}',
        '+{{"private_key": "-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----\\n"}}',
    ],
)
def test_a_secret_is_replaced_and_the_rest_is_not(line: str) -> None:
    given = line.format(SECRET) + "\n"
    found = redact(given)
    assert MARK.decode() in found
    assert SECRET not in found
    assert SECRET[6:] not in found
    assert found.endswith("\n")
    assert found[:5] == given[:5]


@pytest.mark.parametrize(
    "token",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 9,
        "glpat-" + "a1B2" * 5,
        "hf_" + "a1B2" * 9,
        "sk-proj-" + "a1B2" * 9,
        "sk_live_" + "a1B2" * 5,
        "AIza" + "a1B2_" * 7,
        "xoxb-" + "1234-" * 5,
        "npm_" + "a1B2" * 9,
        "rl_" + "a1B2-_x" * 6 + "y",
        "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w",
    ],
)
def test_a_token_is_known_by_its_form_wherever_it_stands(token: str) -> None:
    assert redact(f"+call({token!r}, 1)\n") == f"+call('{MARK.decode()}', 1)\n"


CODE = """\
+pad_token = "<|endoftext|>"
+eos_token_id = tokenizer.eos_token_id
+tokens = text.split()
+max_tokens=1024
+tokenizer_name = "gpt2-medium-2024"
+def f(token: str, key: jax.Array) -> None:
+key, subkey = jax.random.split(key)
+rng_key = jax.random.PRNGKey(0)
+    num_tokens = batch_size * 128
+self.token_embedding = nn.Embed(vocab, 512)
+secretary = "Anna"
+password = getpass.getpass()
+password: str
+api_key = os.environ["API_KEY"]
+api_key = ""
+see https://github.com/x/y/tree/v1.0#L10 and git@github.com:a/b
+token_type = "bpe"
+monkey = "banana123456"
+digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
"""


def test_code_that_only_speaks_of_secrets_is_left_as_it_is() -> None:
    assert redact(CODE).splitlines() == CODE.splitlines()


def test_of_a_block_of_a_private_key_its_ends_are_left() -> None:
    begin, end = "+-----BEGIN RSA PRIVATE KEY-----", "+-----END RSA PRIVATE KEY-----"
    found = redact(f"{begin}\n+{SECRET}\n+{SECRET}\n{end}\n+after\n")
    assert found == f"{begin}{MARK.decode()}\n{end}\n+after\n"


def test_a_block_that_a_difference_cuts_short_ends_with_it() -> None:
    found = redact(f"+-----BEGIN OPENSSH PRIVATE KEY-----\n+{SECRET}\ndiff --git a/x b/x\n+after\n")
    assert SECRET not in found
    assert found.endswith("diff --git a/x b/x\n+after\n")


def test_values_of_variables_that_are_called_secret_are_found_anywhere() -> None:
    environ = {
        "WANDB_API_KEY": "not-like-a-key",
        "HOME": "/home/somebody",
        "DB_PASSWORD": "short",
        "A_KEY": "12345678",
    }
    text = "x = 'not-like-a-key' + '/home/somebody' + 'short' + 12345678\n"
    assert redact(text, **environ) == text.replace("not-like-a-key", MARK.decode())
    assert redact("first\nline of two\n", MULTI_SECRET="the first line\nline of two") == "first\n[redacted]\n"


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("HF_TOKEN", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("PGPASSWORD_2", False),
        ("DB_PASSWORD", True),
        ("SSH_AUTH_SOCK", False),
        ("PWD", False),
        ("TOKENIZERS_PARALLELISM", False),
    ],
)
def test_the_name_of_a_variable_says_whether_it_is_secret(variable: str, expected: bool) -> None:
    assert is_secret(variable) is expected


@given(st.lists(st.binary(max_size=200).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=20))
def test_whatever_bytes_come_lines_stay_lines(lines: list[bytes]) -> None:
    found = list(Redactor().lines(lines))
    assert len(found) == len(lines)
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in found)


PIECES = (
    *(
        "a",
        "a.",
        "token",
        "password=",
        "a://",
        "eyJ",
        '"',
        "x_-",
        "api_key='\\",
        "-----BEGIN ",
        "bearer ",
        "sk-",
    ),
    *("authorization:", "-----BEGIN PRIVATE KEY-----", "A://a:", "token: "),
)


@pytest.mark.parametrize("piece", PIECES)
def test_no_line_takes_long(piece: str) -> None:
    """The longest that is looked at; of processor time, which load on the machine does not stretch."""
    line = (piece * MAX_LINE_BYTES)[: MAX_LINE_BYTES - 20] + "secret"
    began = time.process_time()
    redact(line)
    assert time.process_time() - began < 1
