import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { language } from "./words";
import "./style.css";

document.documentElement.lang = language();
createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
