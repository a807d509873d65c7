// The token is behind the '#': it never leaves this page but in the body of the request.
const ENGLISH = {
  saving: "Saving…",
  saved: "Password saved. You can now sign in.",
  unreachable: "Can't reach the server. Check your connection and try again.",
  failed: "The password was not saved. Try again later.",
  reset_link_used: "This link has expired or was already used. Request a new one.",
  too_many_sign_ins: "Too many attempts. Try again later.",
  text_too_short: "The password must have at least 8 characters.",
};
const VIETNAMESE = {
  title: "Đặt lại mật khẩu",
  password: "Mật khẩu mới (ít nhất 8 ký tự)",
  revoke: "Đồng thời thu hồi mọi khóa API và tài khoản MQTT",
  save: "Lưu mật khẩu",
  saving: "Đang lưu…",
  saved: "Đã lưu mật khẩu. Bạn có thể đăng nhập.",
  unreachable: "Không kết nối được với máy chủ. Hãy kiểm tra kết nối mạng rồi thử lại.",
  failed: "Chưa lưu được mật khẩu. Hãy thử lại sau.",
  reset_link_used: "Liên kết này đã hết hạn hoặc đã được dùng. Hãy yêu cầu liên kết mới.",
  too_many_sign_ins: "Quá nhiều lần thử. Hãy thử lại sau.",
  text_too_short: "Mật khẩu phải có ít nhất 8 ký tự.",
};

// As the dashboard has it, else as the browser does.
const language = localStorage.getItem("roost.language") ?? navigator.language;
const texts = language.toLowerCase().startsWith("vi") ? VIETNAMESE : ENGLISH;
if (texts === VIETNAMESE) {
  document.documentElement.lang = "vi";
  document.title = `${texts.title} – Roost`;
  for (const each of document.querySelectorAll("[data-text]")) each.textContent = texts[each.dataset.text];
}

const form = document.getElementById("form");
const said = document.getElementById("said");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  said.textContent = texts.saving;
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
      said.textContent = texts.saved;
    } else {
      const problem = await answer.json().catch(() => ({}));
      said.textContent = texts[problem.error_codes?.password?.code ?? problem.code] ?? texts.failed;
    }
  } catch {
    said.textContent = texts.unreachable;
  }
});
