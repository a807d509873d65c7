import { Heading } from "../parts/ui";
import { t } from "../words";

export function NotFound() {
  return (
    <>
      <Heading title={t("Page not found")} />
      <p>{t("The address may be mistyped, or the page was moved.")}</p>
      <a className="button" href="#/">
        {t("Go to overview")}
      </a>
    </>
  );
}
