import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { language } from "./words";
import "./style.css";

// What is shown stands behind `#`; somebody who writes /devices means #/devices.
if (location.pathname !== "/") history.replaceState(null, "", `/#${location.pathname}${location.search}`);

// The browser would show a file that was dropped beside its place instead of this page.
for (const event of ["dragover", "drop"]) addEventListener(event, (dropped) => dropped.preventDefault());

document.documentElement.lang = language();
createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
