// The head of a page: where it stands, what it is, how it is, and what can be done with it.

import { ChevronRight } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import { takesFocus, titlePage } from "../title";
import { t } from "../words";

interface HeadingProps {
  title: string;
  /** The pages above this one: their addresses and names. */
  trail?: [string, ReactNode][];
  /** Beside the title: a badge, since when. */
  state?: ReactNode;
  /** What can be done here. */
  children?: ReactNode;
}

/** The title is that of the browser's tab, too, and has the focus when somebody arrives. */
export function Heading({ title, trail, state, children }: HeadingProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => titlePage(title), [title]);
  useEffect(() => {
    if (takesFocus()) heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <header className="heading">
      <div className="what">
        {trail && (
          <nav aria-label={t("Breadcrumb")}>
            <ol className="trail">
              {trail.map(([to, name]) => (
                <li key={to}>
                  <a href={`#${to}`}>{name}</a>
                  <ChevronRight aria-hidden="true" />
                </li>
              ))}
            </ol>
          </nav>
        )}
        <div className="named">
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {state}
        </div>
      </div>
      {children && <div className="row">{children}</div>}
    </header>
  );
}

/** Below the head: what is looked for, and what of it is shown. */
export const Toolbar = ({ children }: { children: ReactNode }) => <div className="toolbar">{children}</div>;
