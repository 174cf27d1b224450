"""For schemathesis: no reply has a mark of the other organization, plain or encoded, nor a field that
the document does not name.
"""

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


@schemathesis.hook
def before_load_schema(context, raw_schema) -> None:
    """The document says which fields a reply has, not that it has no others: here it does."""
    components = raw_schema["components"]["schemas"]
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            for reply in operation["responses"].values():
                for content in reply.get("content", {}).values():
                    content["schema"] = closed(content["schema"], components)


def closed(schema, components, whole=True):
    """A copy with every reference written out, in which objects have no fields but those named.

    Only the whole of an `allOf` is closed, for each part of it has the fields of the others."""
    if isinstance(schema, list):
        return [closed(part, components, whole) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        return closed(components[name], components, whole)
    copy = {}
    for word, part in schema.items():
        if word == "properties":
            copy[word] = {name: closed(field, components) for name, field in part.items()}
        else:
            copy[word] = closed(part, components, whole and word != "allOf")
    if whole and ("properties" in schema or "allOf" in schema):
        copy["unevaluatedProperties"] = False
    return copy
