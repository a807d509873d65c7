// Menus: what can be done with something, behind one button.

import { Menu as Base } from "@base-ui/react/menu";
import { Check } from "lucide-react";
import type { ComponentType, ReactElement, ReactNode, Ref } from "react";
import { useRef } from "react";

export type Icon = ComponentType<{ "aria-hidden"?: "true" }>;

export interface MenuAction {
  name: string;
  icon?: Icon;
  kind?: "danger" | "";
  /** Called when the menu is gone, and the focus is back on its button. */
  choose: () => void;
}

interface MenuProps {
  /** The button. */
  trigger: ReactElement;
  align?: "start" | "end";
  children: ReactNode;
}

export function Menu({ trigger, align = "end", children }: MenuProps) {
  return (
    <Base.Root>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner className="floating" align={align} sideOffset={4}>
          <Base.Popup className="popup">{children}</Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

interface ActionMenuProps {
  label: string;
  button: Ref<HTMLButtonElement>;
  busy: boolean;
  icon: ReactNode;
  actions: MenuAction[];
}

export function ActionMenu({ label, button, busy, icon, actions }: ActionMenuProps) {
  const chosen = useRef<MenuAction | null>(null);
  return (
    <Base.Root
      onOpenChangeComplete={(isOpen) => {
        const action = chosen.current;
        chosen.current = null;
        if (!isOpen) action?.choose();
      }}
    >
      <Base.Trigger ref={button} className="icon menu" aria-label={label} aria-busy={busy}>
        {icon}
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner className="floating" align="end" sideOffset={4}>
          <Base.Popup className="popup">
            {actions.map((action) => (
              <Base.Item key={action.name} className={`item ${action.kind ?? ""}`} onClick={() => (chosen.current = action)}>
                {action.icon && <action.icon aria-hidden="true" />}
                {action.name}
              </Base.Item>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

interface ChoicesProps<T extends string> {
  title: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
}

/** One of several, inside a menu, which stays open. */
export function Choices<T extends string>({ title, value, options, onChange }: ChoicesProps<T>) {
  return (
    <Base.Group>
      <Base.GroupLabel className="group">{title}</Base.GroupLabel>
      <Base.RadioGroup value={value} onValueChange={onChange}>
        {options.map(([option, text]) => (
          <Base.RadioItem key={option} value={option} className="item">
            {text}
            <Base.RadioItemIndicator className="check">
              <Check aria-hidden="true" />
            </Base.RadioItemIndicator>
          </Base.RadioItem>
        ))}
      </Base.RadioGroup>
    </Base.Group>
  );
}

export const MenuLine = () => <Base.Separator render={<hr />} />;

export function MenuItem({ icon: Shown, href, choose, children }: { icon: Icon; href?: string; choose?: () => void; children: ReactNode }) {
  const inside = (
    <>
      <Shown aria-hidden="true" />
      {children}
    </>
  );
  return href ? (
    <Base.LinkItem className="item" href={href} closeOnClick>
      {inside}
    </Base.LinkItem>
  ) : (
    <Base.Item className="item" onClick={choose}>
      {inside}
    </Base.Item>
  );
}
