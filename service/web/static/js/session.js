// Who is signed in: read once when a page starts, and shown at its top.

import { readSession, signOut } from "./api.js";
import { byId, el } from "./dom.js";

// What each view needs; the links of the others are left out.
const needed = { verify: "verify", identify: "identify", enroll: "enroll", writers: "read" };

// Returns the session, or goes to the page for signing in and never returns.
export async function startSession() {
  const session = await readSession();
  if (session.auth === "on" && session.username === null) {
    location.replace("sign-in");
    return new Promise(() => {});
  }
  showWho(session);
  for (const link of document.querySelectorAll(".tabs a")) {
    link.hidden = !session.scopes.includes(needed[link.dataset.view]);
  }
  return session;
}

function showWho({ auth, username, role }) {
  const leave = el("button", { type: "button", class: "button button-small", onclick: out }, "Sign out");
  byId("who").replaceChildren(
    ...(auth === "off"
      ? ["No sign-in on this machine"]
      : [el("a", { href: "account" }, `${username} (${role})`), leave]),
  );
}

async function out() {
  try {
    await signOut();
  } finally {
    // Also where the server is out of reach: what the page shows is not for whoever comes next.
    location.replace("sign-in");
  }
}

// Going back to a page as it was left would show what it showed, to whoever sits here now.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
