// The account: who one is, where one is signed in, and who may act or listen for one.

import { useParameter } from "../address";
import { Tabs } from "../parts/tabs";
import { Heading } from "../parts/ui";
import { t } from "../words";
import { Profile, Sessions } from "./settings_account";
import { Keys, MqttListener } from "./settings_access";
import { Webhooks } from "./settings_webhooks";
import { Audit } from "./settings_activity";

const TABS: [string, string, () => React.ReactNode][] = [
  ["profile", "Profile", () => <Profile />],
  ["sessions", "Sessions", () => <Sessions />],
  ["keys", "API keys", () => <Keys />],
  ["webhooks", "Webhooks", () => <Webhooks />],
  ["listener", "Read-only MQTT access", () => <MqttListener />],
  ["audit", "Activity log", () => <Audit />],
];

export default function SettingsPage() {
  const [tab, setTab] = useParameter("tab", "profile");
  const [shownName, , shown] = TABS.find(([name]) => name === tab) ?? (TABS[0] as (typeof TABS)[number]);
  return (
    <>
      <Heading title={t("Settings")} />
      <Tabs label={t("Settings")} tabs={TABS.map(([name, title]) => [name, t(title)])} value={shownName} onChange={setTab}>
        {shownName === "profile" ? shown() : <section className="sheet">{shown()}</section>}
      </Tabs>
    </>
  );
}
