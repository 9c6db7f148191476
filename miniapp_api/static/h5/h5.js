"use strict";
// Takes the one-time code out of the address, keeps the token for this tab alone, and shows what is one's own.
(() => {
  const own = document.getElementById("own");
  const overview = document.getElementById("overview");
  const root = own.dataset.root;
  const TOKEN = "yuezhen-token";
  const PATIENCE = 15000;

  const show = (...states) => {
    for (const part of own.querySelectorAll("[data-when]")) {
      part.hidden = !states.includes(part.dataset.when);
    }
    if (!states.includes("in")) {
      fill([]);
    }
  };

  const fill = (nodes) => {
    overview.textContent = "";
    overview.append(...nodes);
  };

  const ask = (method, path, { token, body } = {}) => {
    const headers = { "Accept-Language": document.documentElement.lang };
    if (token) {
      headers.Authorization = `Bearer ${token}`;
    }
    if (body) {
      headers["Content-Type"] = "application/json";
    }
    return fetch(root + path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout ? AbortSignal.timeout(PATIENCE) : undefined,
    });
  };

  // The code must not stay in the address or in the history, whatever becomes of it.
  const takeHandoff = () => {
    const found = /^#handoff=([A-Za-z0-9_-]{43})$/.exec(location.hash);
    if (location.hash) {
      history.replaceState(null, "", location.pathname + location.search);
    }
    return found && found[1];
  };

  // Only the browser that logged in was given the mark of its code: a code in somebody's link is somebody's login.
  const isOurs = (handoff) => {
    const mark = /(?:^|; )handoff=([A-Za-z0-9_-]{10})(?:;|$)/.exec(document.cookie);
    document.cookie = `handoff=; Max-Age=0; Path=${root}/h5/`;
    return Boolean(mark) && handoff.startsWith(mark[1]);
  };

  const enter = async (handoff) => {
    const answer = await ask("POST", "/api/v1/sessions", { body: { provider: "handoff", code: handoff } });
    if (answer.status === 201) {
      sessionStorage.setItem(TOKEN, (await answer.json()).token);
      return true;
    }
    if (answer.status === 401) {
      show("failed", "out");
      return false;
    }
    throw new Error("no answer");
  };

  const lookUp = async () => {
    const token = sessionStorage.getItem(TOKEN);
    if (!token) {
      show("out");
      return;
    }
    show("waiting");
    const answer = await ask("GET", `/h5/overview?lang=${document.documentElement.lang}`, { token });
    if (answer.status === 401) {
      sessionStorage.removeItem(TOKEN);
      show("ended", "out");
      return;
    }
    if (answer.status !== 200) {
      throw new Error("no answer");
    }
    const told = new DOMParser().parseFromString(await answer.text(), "text/html");
    show("in");
    fill(told.body.childNodes);
  };

  const leave = async () => {
    const token = sessionStorage.getItem(TOKEN);
    sessionStorage.removeItem(TOKEN);
    show("left", "out");
    await ask("DELETE", "/api/v1/sessions/current", { token });
  };

  const orTellKindly = (step) => () => step().catch(() => show("unavailable", "retry"));

  const begin = async () => {
    const handoff = takeHandoff();
    const isForeign = handoff && !isOurs(handoff);
    if (isForeign && !sessionStorage.getItem(TOKEN)) {
      show("foreign", "out");
      return;
    }
    show("waiting");
    if (!handoff || isForeign || (await enter(handoff))) {
      await lookUp();
    }
  };

  document.getElementById("retry").addEventListener("click", orTellKindly(lookUp));
  document.getElementById("leave").addEventListener("click", () => leave().catch(() => undefined));
  orTellKindly(begin)();
})();
