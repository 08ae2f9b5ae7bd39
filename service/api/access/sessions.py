"""HTTP for people: signing in and out, their sessions, password and second factor."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, g, jsonify, request

from service.api.access import answers
from service.api.access.answers import (
    RecoveryCodes,
    SecondFactor,
    Sessions,
    SignedIn,
)
from service.api.access.requests import (
    Code,
    Credentials,
    LinkPassword,
    Password,
    PasswordChange,
)
from service.api.context import (
    caller,
    cookie_name,
    identity,
    refusals,
    registry,
    session_token,
    settings,
)
from service.api.forms import JSON, accepts, check_query
from service.auth import people, second_factor
from service.auth.people import SignIn
from service.auth.refusals import SIGN_INS
from service.auth.scopes import open_to_all, signed_in
from service.errors import SignInOff, SignInRefused, Unauthorized

blueprint = APIBlueprint(
    "sessions",
    __name__,
    url_prefix="/v1",
    tag={"name": "Signing in", "description": "People on the page; programs use keys."},
)
blueprint.before_request(check_query)


@blueprint.get("/session")
@blueprint.output(SignedIn)
@open_to_all
def show_session() -> dict[str, Any]:
    """Say who is signed in

    With the token that changes carry as `X-CSRF-Token`, and what they may do.
    """
    try:
        who = identity()
    except Unauthorized:
        return answers.nobody(settings().auth, provider=bool(settings().oidc_issuer))
    user = registry().users.find(who.username) if who.kind == "user" else None
    return answers.signed_in(who, user, settings().auth)


@blueprint.post("/session")
@accepts(JSON)
@blueprint.input(Credentials)
@blueprint.output(SignedIn)
@blueprint.doc(responses={401: "Refused.", 409: "Nobody signs in here."})
@open_to_all
def sign_in(json_data: dict[str, Any]) -> Response:
    """Sign in

    Sets the cookie of a session. Tries that fail under one name slow down the next ones; after ten
    it waits for an hour.
    """
    if settings().auth == "off":
        raise SignInOff(
            "This server asks nobody who they are (COUNTERSIGN_AUTH=off), so nobody signs in."
        )
    shown = SignIn(
        json_data["username"],
        json_data["password"],
        json_data.get("code") or None,
        request.remote_addr or "",
        request.headers.get("User-Agent", ""),
        session_token(),
    )
    try:
        token = people.sign_in(registry(), shown)
    except SignInRefused as refused:
        refusals().count(SIGN_INS, refused.reason)
        raise
    who = g.identity = people.session_identity(registry(), token)
    response = jsonify(answers.signed_in(who, registry().users.find(who.username), "on"))
    set_cookie(response, token)
    return response


@blueprint.delete("/session")
@blueprint.output({}, status_code=204, description="Signed out.")
@signed_in
def sign_out() -> Response:
    """Sign out"""
    who = identity()
    registry().sessions.end(who.username, who.session_id, who.caller)
    response = Response(status=204)
    response.delete_cookie(cookie_name(), path="/", secure=request.is_secure, samesite="Strict")
    return response


@blueprint.get("/sessions")
@blueprint.output(Sessions)
@signed_in
def list_sessions() -> dict[str, Any]:
    """List your sessions"""
    who = identity()
    return answers.sessions(registry().sessions.of_user(who.username), who.session_id)


@blueprint.delete("/sessions/<session_id>")
@blueprint.output({}, status_code=204, description="The session has ended.")
@blueprint.doc(responses={404: "You have no such session."})
@signed_in
def end_session(session_id: str) -> str:
    """End one of your sessions"""
    registry().sessions.end(identity().username, session_id, caller())
    return ""


@blueprint.post("/password")
@accepts(JSON)
@blueprint.input(LinkPassword)
@blueprint.output({}, status_code=204, description="The password is set.")
@open_to_all
def set_password(json_data: dict[str, Any]) -> str:
    """Set a password by a one-time link"""
    people.set_password_by_link(registry(), json_data["link"], json_data["password"])
    return ""


@blueprint.put("/password")
@accepts(JSON)
@blueprint.input(PasswordChange)
@blueprint.output({}, status_code=204, description="The password is changed.")
@signed_in
def change_password(json_data: dict[str, Any]) -> str:
    """Change your password

    Your other sessions end. Where codes are asked for, one is needed here too.
    """
    people.change_password(
        registry(),
        identity(),
        json_data["current"],
        json_data.get("code"),
        json_data["password"],
    )
    return ""


@blueprint.post("/second-factor")
@accepts(JSON)
@blueprint.input(Password)
@blueprint.output(SecondFactor)
@signed_in
def offer_second_factor(json_data: dict[str, Any]) -> dict[str, Any]:
    """Begin to use an authenticator app

    Gives the secret that the app takes, and asks for no codes before one was shown. Whoever uses
    an app already stops using that one first.
    """
    who = identity()
    people.require_again(registry(), who, json_data["password"], json_data.get("code"))
    secret, uri = second_factor.offer(registry(), who.username)
    return {"secret": secret, "uri": uri}


@blueprint.put("/second-factor")
@accepts(JSON)
@blueprint.input(Code)
@blueprint.output(RecoveryCodes)
@signed_in
def confirm_second_factor(json_data: dict[str, Any]) -> dict[str, Any]:
    """Show a code of the app, from which on codes are asked for

    Gives ten recovery codes, each of use once, shown this once. Your other sessions end.
    """
    return {"recovery_codes": people.confirm_code(registry(), identity(), json_data["code"])}


@blueprint.post("/second-factor/removal")
@accepts(JSON)
@blueprint.input(Password)
@blueprint.output({}, status_code=204, description="No codes are asked for any more.")
@signed_in
def remove_second_factor(json_data: dict[str, Any]) -> str:
    """Stop using an authenticator app

    Takes a code of it, or a recovery code. Your other sessions end.
    """
    who = identity()
    people.require_again(registry(), who, json_data["password"], json_data.get("code"))
    registry().users.remove_second_factor(who.username, who.caller, who.session_id)
    return ""


def set_cookie(response: Response, token: str) -> None:
    """Set the session's cookie, which scripts cannot read and other sites' pages do not send."""
    response.set_cookie(
        cookie_name(), token, path="/", secure=request.is_secure, httponly=True, samesite="Strict"
    )
