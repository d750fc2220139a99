/**
 * What the pack's views say, in the language of the host. Each view has its English in a table of its own.
 * Another language comes from the host's locales (locales/<language>/main.json of this pack, under
 * motionstream.<view>), which tests/js/words.test.js holds to the same keys. A message's {name} is filled in.
 * No side effect at import.
 */

/** @typedef {(key: string, values?: Record<string, string | number>) => string} Word */

/**
 * A view's words: `word` says one in the language that `setLanguage` was told, set once before the first view
 * is made.
 * @param {Record<string, string>} english
 * @returns {{word: Word, setLanguage: (table: Record<string, string>) => void}}
 */
export function vocabulary(english) {
  let spoken = english;
  return {
    setLanguage: (table) => void (spoken = { ...english, ...table }),
    word: (key, values = {}) =>
      (spoken[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole)),
  };
}

/**
 * The language of the host's settings, as far as the pack has it.
 * @param {{app: ComfyApp, api: ComfyApi}} services
 * @param {Record<string, (table: Record<string, string>) => void>} views the `setLanguage` of each
 */
export async function loadLanguage({ app, api }, views) {
  const locale = app.extensionManager?.setting?.get("Comfy.Locale");
  if (typeof locale !== "string" || locale.startsWith("en")) return;
  try {
    const answer = await api.fetchApi("/i18n");
    const all = await answer.json();
    const tables = (all[locale] ?? all[locale.split("-")[0]])?.motionstream;
    for (const [view, setLanguage] of Object.entries(views))
      if (tables?.[view] && typeof tables[view] === "object") setLanguage(tables[view]);
  } catch (error) {
    console.warn("MotionStream: no translation could be loaded, its views speak English.", error);
  }
}
