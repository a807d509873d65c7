// Who is signed in; what the pages look like to them, and the way out.

import { useQueryClient } from "@tanstack/react-query";
import { ChevronsUpDown, LogOut, UserRound } from "lucide-react";
import { post } from "./api";
import { me } from "./me";
import { Choices, Menu, MenuItem, MenuLine } from "./parts/menu";
import { putStored } from "./parts/stored";
import { failed } from "./parts/toasts";
import { setTheme, useTheme } from "./theme";
import type { User } from "./types";
import { setLanguage, t, useLanguage } from "./words";

export function UserMenu({ user }: { user: User }) {
  const theme = useTheme();
  const language = useLanguage();
  const queries = useQueryClient();
  const name = user.full_name || user.email || user.id;
  async function leave() {
    try {
      await post("/logout");
      await putStored(queries, me.queryKey, null);
    } catch (error) {
      failed(error);
    }
  }
  return (
    <Menu
      align="start"
      trigger={
        <button type="button" className="user" aria-label={t("Account: {name}", { name })}>
          <span className="avatar" aria-hidden="true" data-letter={[...name][0]?.toUpperCase()} />
          <span className="name">{name}</span>
          <ChevronsUpDown aria-hidden="true" />
        </button>
      }
    >
      <MenuItem icon={UserRound} href="#/settings">
        {t("Account settings")}
      </MenuItem>
      <MenuLine />
      <Choices
        title={t("Theme")}
        value={theme}
        onChange={setTheme}
        options={[
          ["system", t("System")],
          ["light", t("Light")],
          ["dark", t("Dark")],
        ]}
      />
      <MenuLine />
      <Choices
        title={t("Language")}
        value={language}
        onChange={setLanguage}
        options={[
          ["en", "English"],
          ["vi", "Tiếng Việt"],
        ]}
      />
      <MenuLine />
      <MenuItem icon={LogOut} choose={() => void leave()}>
        {t("Sign out")}
      </MenuItem>
    </Menu>
  );
}
