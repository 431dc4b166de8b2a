// Times and days in the language and the zone of the reader.
import { language, t } from "./strings.js";

const made = new Map();
/** @param {Intl.DateTimeFormatOptions} options */
function format(options) {
    const key = language() + JSON.stringify(options);
    if (!made.has(key)) made.set(key, new Intl.DateTimeFormat(language(), options));
    return made.get(key);
}

const days = new Map();
/** The local day of a time as a number that is equal for equal days. @param {string} time ISO 8601 */
export function dayOf(time) {
    // Formatting is slow and lists are long: the answer for each quarter of an hour, which no zone splits, is kept.
    const moment = Date.parse(time);
    const slot = Math.floor(moment / 900_000);
    let day = days.get(slot);
    if (day === undefined) {
        const date = new Date(moment);
        day = date.getFullYear() * 10_000 + date.getMonth() * 100 + date.getDate();
        if (days.size > 50_000) days.clear();
        days.set(slot, day);
    }
    return day;
}

/** "14:05" */
export const clock = (time) => format({ hour: "numeric", minute: "2-digit" }).format(new Date(time));

/** "Monday, 3 March 2025, 14:05" */
export const exact = (time) => format({ dateStyle: "full", timeStyle: "short" }).format(new Date(time));

const ago = (count) => dayOf(new Date(Date.now() - count * 86_400_000).toISOString());

/** "Today", "Yesterday", "Monday", "3 March" */
export function dayName(time) {
    const day = dayOf(time);
    if (day === ago(0)) return t("today");
    if (day === ago(1)) return t("yesterday");
    const date = new Date(time);
    if (Date.now() - date.getTime() < 6 * 86_400_000) return format({ weekday: "long" }).format(date);
    const sameYear = date.getFullYear() === new Date().getFullYear();
    return format({ day: "numeric", month: "long", ...(sameYear ? {} : { year: "numeric" }) }).format(date);
}

/** For a row of the inbox: "14:05", "Yesterday", "Mon", "3/3/25" */
export function brief(time) {
    const day = dayOf(time);
    if (day === ago(0)) return clock(time);
    if (day === ago(1)) return t("yesterday");
    const date = new Date(time);
    if (Date.now() - date.getTime() < 6 * 86_400_000) return format({ weekday: "short" }).format(date);
    return format({ dateStyle: "short" }).format(date);
}
