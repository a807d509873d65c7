// Finding by name, and the order of names, as people expect them.

/** Lower case, without accents: "Hồ Gươm" is found by "ho guom", "Đèn" by "den". */
export const folded = (text: string): string =>
  text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("đ", "d").replaceAll("ß", "ss");

/** "Sensor 2" comes before "Sensor 10". */
export const byName = (): Intl.Collator => new Intl.Collator(document.documentElement.lang || "en", { numeric: true });
