"""A check for schemathesis: no reply has a mark of the other organization, plain or encoded."""

from __future__ import annotations

import base64
import os

import schemathesis

MARK = os.environ["FOREIGN_MARK"]


def forms(mark: str) -> list[bytes]:
    """The mark, and what its letters are in the encodings that replies could use."""
    raw = mark.encode()
    plain = [raw, raw[::-1], raw.hex().encode()]
    shifted = [base64.b64encode(b"\0" * offset + raw) for offset in range(3)]
    # Without what depends on the letters before and after.
    return plain + [text[4 if offset else 0 : -4] for offset, text in enumerate(shifted)]


FORMS = forms(MARK)


@schemathesis.check
def no_foreign_mark(ctx, response, case) -> None:
    """Nothing of the other organization leaves towards this one."""
    sent = repr((case.path_parameters, case.query, case.headers, case.body)).encode()
    said = response.content + repr(response.headers).encode()
    for form in FORMS:
        assert form in sent or form not in said, f"{form!r} in {said!r}"
