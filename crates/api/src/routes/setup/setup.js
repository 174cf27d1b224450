// Sends the form of the set-up page with the word behind the link's `#`.
"use strict";

const form = document.getElementById("form");
const told = document.getElementById("told");
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
// The word does not stay in the address bar or in the history.
history.replaceState(null, "", location.pathname);

function problem(body) {
  const faults = (body.errors ?? []).map((fault) => `${fault.pointer.slice(1)}: ${fault.detail}`);
  return faults.length > 0 ? faults.join("; ") : body.detail;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { email, password } = Object.fromEntries(new FormData(form));
  const response = await fetch("/api/auth/setup", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token, email, password }),
  });
  if (response.ok) {
    form.remove();
    told.textContent = `Done: sign in to the organization "provider" as ${email}.`;
  } else {
    told.textContent = problem(await response.json());
  }
});

if (token === "") {
  told.textContent = "Open the whole link that the server printed.";
}
