// An error in one page is that page's: it says so, and the rest goes on. After an upgrade of the server
// the parts of an older page are gone, too; loading it again brings the new ones.

import { Component, type ReactNode } from "react";
import { Problem } from "../api";
import { t } from "../words";
import { inWords } from "./toasts";

export class Boundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state = { error: null as unknown };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return (
      <div className="empty" role="alert">
        <h1>{t("Something went wrong")}</h1>
        {this.state.error instanceof Problem && <p className="quiet">{inWords(this.state.error)}</p>}
        <button type="button" onClick={() => location.reload()}>
          {t("Reload")}
        </button>
      </div>
    );
  }
}
