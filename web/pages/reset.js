// The token is behind the '#': it never leaves this page but in the body of the request.
const form = document.getElementById("form");
const said = document.getElementById("said");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  said.textContent = "Saving…";
  const token = decodeURIComponent(location.hash.slice(1));
  const password = document.getElementById("password").value;
  const revoke = document.getElementById("revoke").checked;
  try {
    const answer = await fetch("api/v1/password-reset", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, password, revoke }),
    });
    if (answer.ok) {
      form.hidden = true;
      history.replaceState(null, "", location.pathname);
      said.textContent = "Password saved. You can now sign in.";
    } else {
      said.textContent = (await answer.json()).detail;
    }
  } catch {
    said.textContent = "Can't reach the server. Check your connection and try again.";
  }
});
