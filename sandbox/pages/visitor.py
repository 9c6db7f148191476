"""open.weixin.qq.com in a browser, under `/wechat-open`: who visits a page, and whether they agree to say so."""

from flask import make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.context import this_sandbox
from sandbox.pages.frame import PageError, field, page_blueprint
from sandbox.pages.persons import PERSON_COOKIE, VISITOR_PATH, chosen_person, remember
from sandbox.wechat_official import oauth, people
from sandbox.wechat_official.oauth import BASE, Asked, NotAllowed

visitor = page_blueprint("pages_visitor", VISITOR_PATH)


@visitor.get("/connect/oauth2/authorize")
def authorize() -> AnyResponse:
    """Go back at once where the person is known and nothing has to be agreed to; else ask."""
    sandbox, asked = this_sandbox(), _asked(request.query_string.decode("latin-1"))
    chosen = asked.person or request.cookies.get(PERSON_COOKIE, "")
    known = people.find(sandbox, asked.official, chosen)
    if known is not None and asked.scope == BASE:
        return redirect(oauth.authorize(sandbox, asked, known.open_id, None, snapshot=False))
    return make_response(
        render_template(
            "visitor.html",
            asked=asked,
            query=request.query_string.decode("latin-1"),
            chosen=chosen,
            people=people.everyone(sandbox, asked.official),
        )
    )


@visitor.post("/connect/oauth2/authorize")
def agree() -> AnyResponse:
    """The person has chosen who to be."""
    asked = _asked(field("query"))
    person = chosen_person(asked.official)
    url = oauth.authorize(this_sandbox(), asked, person.open_id, None, snapshot="snapshot" in request.form)
    response = make_response(render_template("leave.html", url=url))
    remember(response, person)
    return response


def _asked(query: str) -> Asked:
    try:
        return oauth.read_request(this_sandbox(), query)
    except NotAllowed as refused:
        raise PageError(400, refused.code, refused.message) from refused
