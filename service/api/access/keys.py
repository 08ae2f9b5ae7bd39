"""HTTP for the keys of programs: list, make, rotate, revoke."""

from datetime import timedelta
from typing import Any

from apiflask import APIBlueprint

from index.errors import UnknownKey
from service.api.access import answers
from service.api.access.answers import Keys, MadeKey
from service.api.access.repeating import repeatable
from service.api.access.requests import KeyRotation, NewKey
from service.api.context import caller, registry
from service.api.forms import JSON, accepts, check_query
from service.auth.keys import OVERLAP, duration_of, make_key, rotate_key
from service.auth.scopes import requires

blueprint = APIBlueprint(
    "keys",
    __name__,
    url_prefix="/v1/keys",
    tag={"name": "Keys", "description": "Which programs may do what."},
)
blueprint.before_request(check_query)


@blueprint.get("")
@blueprint.output(Keys)
@requires("admin")
def list_keys() -> dict[str, Any]:
    """List keys

    Expired and revoked ones too, without their secrets.
    """
    return answers.keys(registry().keys.all())


@blueprint.post("")
@repeatable("key")
@accepts(JSON)
@blueprint.input(NewKey)
@blueprint.output(MadeKey, status_code=201, description="The key was made.")
@requires("admin")
def create_key(json_data: dict[str, Any]) -> dict[str, Any]:
    """Make a key

    Its secret is in this answer alone; the server keeps a hash of it.
    """
    made, text = make_key(
        registry(), json_data["name"], json_data["scopes"], _lasts(json_data), caller()
    )
    return answers.key(made) | {"key": text}


@blueprint.post("/<prefix>/rotate")
@repeatable("key")
@accepts(JSON)
@blueprint.input(KeyRotation)
@blueprint.output(MadeKey, status_code=201, description="The new key was made.")
@blueprint.doc(responses={404: "There is no such key in use."})
@requires("admin")
def rotate_one_key(prefix: str, json_data: dict[str, Any]) -> dict[str, Any]:
    """Replace a key

    The new one has its name and scopes. The old one goes on being of use for `overlap`, so that its
    holder can change over.
    """
    old = registry().keys.find(prefix)
    if old is None:
        raise UnknownKey(prefix)
    overlap = duration_of(json_data["overlap"]) if json_data.get("overlap") else OVERLAP
    made, text = rotate_key(registry(), old, _lasts(json_data), overlap, caller())
    return answers.key(made) | {"key": text}


@blueprint.delete("/<prefix>")
@blueprint.output({}, status_code=204, description="The key is of no use any more.")
@blueprint.doc(responses={404: "There is no such key."})
@requires("admin")
def revoke_key(prefix: str) -> str:
    """Revoke a key

    All servers on this registry refuse it from their next request on.
    """
    registry().keys.revoke(prefix, caller())
    return ""


def _lasts(fields: dict[str, Any]) -> timedelta | None:
    text = fields.get("expires_in")
    return None if text is None else duration_of(text)
