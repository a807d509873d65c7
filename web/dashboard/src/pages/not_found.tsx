import { Heading } from "../parts/ui";
import { t } from "../words";

export function NotFound() {
  return (
    <>
      <Heading title={t("Page not found")} />
      <p>{t("Check the address or go to the overview.")}</p>
      <a className="button" href="#/">
        {t("Go to overview")}
      </a>
    </>
  );
}
